// Matrix products for whoever launches kernels: ops/matmul_cuda.cu and the recurrent layers.
#pragma once

#include <cstdint>

#include "core/context.h"
#include "core/epilogue.h"
#include "core/precision.h"

namespace fastdl::cuda {

// Shape and strides, in elements, of
//   c[z, i, j] = sum over p of a[z, i, p] * b[z, p, j]  (+ bias[j])  (+ c[z, i, j] if accumulate)
struct GemmArguments {
  int64_t batch, m, n, k;
  int64_t a_batch, a_row, a_col;  // any sign, 0 where broadcast
  int64_t b_batch, b_row, b_col;
  int64_t c_batch, c_row;  // c's columns are contiguous
  bool accumulate = false;
  Precision precision = Precision::highest;  // of float32
};

// T is Half, BFloat16, float or double; 16-bit floats accumulate in float. k = 0 gives the epilogue
// of zeros. The order of each sum is a function of shape, strides, alignment, precision and device.
// The epilogue's residual lies like c; it and `accumulate` exclude each other.
template <class T>
void gemm(const Context& context, const GemmArguments& arguments, const T* a, const T* b,
          const Epilogue& epilogue, T* c);

}  // namespace fastdl::cuda
