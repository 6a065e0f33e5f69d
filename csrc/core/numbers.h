// The numbers that an elementwise function is given besides its operands, such as a slope.
#pragma once

namespace fastdl {

struct Numbers {
  double a = 0, b = 0;
};

}  // namespace fastdl
