// What kernels of a two-dimensional convolution are told: numbers alone, which the op and every backend
// share.
#pragma once

#include <cstdint>

#include "core/precision.h"

namespace fastdl {

// x[n, c, h, w], weight[k, c / groups, r, s], y[n, k, p, q]
struct Conv2dShape {
  int64_t n, c, h, w;
  int64_t k, r, s;
  int64_t p, q;
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  int64_t groups;
  bool winograd;        // whether float32 may take fewer multiplications and larger rounding errors
  Precision precision;  // of float32, on CUDA
};

enum class Conv2dProduct : int8_t { forward, input_grad, weight_grad };

}  // namespace fastdl
