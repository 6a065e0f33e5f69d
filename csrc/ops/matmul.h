// Matrix products.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// c[b, i, j] = sum over p of a[b, i, p] * b[b, p, j]  (+ bias[j])  (+ c[b, i, j] if accumulate)
struct GemmShape {
  int64_t batch, m, n, k;
  int64_t a_batch, a_row, a_col;  // strides in elements, any sign, 0 where broadcast
  int64_t b_batch, b_row, b_col;
  int64_t c_batch, c_row;  // c's columns are contiguous
  bool accumulate = false;
};

// `bias` may be null. k = 0 gives zeros (or bias). 16-bit floats accumulate in float.
FASTDL_KERNEL(gemm, const GemmShape& shape, const void* a, const void* b, const void* bias,
              void* c);

Tensor matmul(const Tensor& a, const Tensor& b);
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);

}  // namespace fastdl
