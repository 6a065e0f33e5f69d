// The options of a convolution from the arguments of its rows.
#pragma once

#include "bindings/convert.h"
#include "ops/conv2d.h"

namespace fastdl::bindings {

inline Conv2dOptions conv_options(const Pair& stride, const Pair& padding, const Pair& dilation,
                                  int64_t groups) {
  return {{stride.at[0], stride.at[1]},
          {padding.at[0], padding.at[1]},
          {dilation.at[0], dilation.at[1]},
          groups};
}

}  // namespace fastdl::bindings
