// Products and sums over all steps of a recurrent layer.
#pragma once

#include "cuda/gemm.h"
#include "cuda/reduce.cuh"

namespace fastdl::cuda {

// c = a b (+ c): a[m, k] of any strides, b[k, n] and c[m, n] in rows.
template <class T>
void multiply(const Context& context, int64_t m, int64_t n, int64_t k, const T* a, int64_t a_row,
              int64_t a_col, const T* b, T* c, bool accumulate = false) {
  GemmArguments g{1, m, n, k};
  g.a_row = a_row;
  g.a_col = a_col;
  g.b_row = g.c_row = n;
  g.b_col = 1;
  g.accumulate = accumulate;
  gemm(context, g, a, b, Epilogue{}, c);
}

// out[j] = sum over i < rows of x[i, j]; rows of x are x_row apart.
template <class T>
void sum_rows(const Context& context, int64_t rows, int64_t cols, const T* x, int64_t x_row,
              T* out) {
  Strided<2> kept;
  kept.ndim = 1;
  kept.numel = kept.size[0] = cols;
  kept.stride[0][0] = kept.stride[1][0] = 1;
  Strided<1> reduced;
  reduced.ndim = 1;
  reduced.numel = reduced.size[0] = rows;
  reduced.stride[0][0] = x_row;
  reduce(context, kept, reduced, Sum<T>{}, x, out);
}

}  // namespace fastdl::cuda
