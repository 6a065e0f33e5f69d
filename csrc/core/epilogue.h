// What a matrix product or convolution does to each result before it stores it:
//
//   y = activation(product + bias + residual)
//
// so that a layer's output crosses memory once.
#pragma once

#include <cstdint>

namespace fastdl {

enum class Activation : int8_t { none, relu, leaky_relu };

struct Epilogue {
  const void* bias = nullptr;      // one value per output channel, or null
  const void* residual = nullptr;  // laid out like y, or null
  Activation activation = Activation::none;
  double slope = 0;  // leaky_relu: of its negative side
};

}  // namespace fastdl
