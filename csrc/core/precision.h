// How exact a product of float32 numbers has to be.
#pragma once

#include <cstdint>

namespace fastdl {

enum class Precision : int8_t {
  highest,  // as float32 arithmetic: about 2^-24 of each product
  high,     // operands may be rounded to TF32, 10 bits of mantissa
};

}  // namespace fastdl
