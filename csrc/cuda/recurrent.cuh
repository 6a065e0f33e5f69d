// Products and sums over all steps of a recurrent layer, and its arrays in another type.
#pragma once

#include <memory>
#include <vector>

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

// Whether rows of `size` from these on can be read in vectors.
template <class T>
bool in_vectors(int64_t size, const T* a, const T* b) {
  return size * sizeof(T) % 16 == 0 && is_aligned(a, 16) && is_aligned(b, 16);
}

template <class To, class From>
__global__ void __launch_bounds__(kBlock) convert_kernel(int64_t n, const From* from, To* to) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < n; i += threads)
    to[i] = convert_to<To>(from[i]);
}

// 16-bit arrays in float32, for kernels that take no 16 bits: operands are converted when they are
// added, results when they are given back. Arrays that are null stay so.
template <class T>
class Widened {
 public:
  explicit Widened(const Context& context) : context_(context) {}
  Widened(const Widened&) = delete;
  Widened& operator=(const Widened&) = delete;

  const float* operand(const void* from, int64_t n) {
    float* const to = array(from, n);
    if (to)
      launch(context_, convert_kernel<float, T>, loop_grid(n), dim3(kBlock), n, typed(from), to);
    return to;
  }
  float* result(void* to, int64_t n) {
    float* const from = array(to, n);
    if (from) results_.push_back({from, static_cast<T*>(to), n});
    return from;
  }
  // That is read as well.
  float* operand_and_result(void* data, int64_t n) {
    const float* const from = operand(data, n);
    if (from) results_.push_back({from, static_cast<T*>(data), n});
    return const_cast<float*>(from);
  }
  void give_back() const {
    for (const Result& r : results_)
      launch(context_, convert_kernel<T, float>, loop_grid(r.n), dim3(kBlock), r.n, r.from, r.to);
  }

 private:
  struct Result {
    const float* from;
    T* to;
    int64_t n;
  };

  static const T* typed(const void* p) { return static_cast<const T*>(p); }
  float* array(const void* like, int64_t n) {
    if (!like || n <= 0) return nullptr;
    scratch_.push_back(std::make_unique<Scratch>(context_, static_cast<size_t>(n) * sizeof(float)));
    return scratch_.back()->template as<float>();
  }

  const Context& context_;
  std::vector<std::unique_ptr<Scratch>> scratch_;
  std::vector<Result> results_;
};

}  // namespace fastdl::cuda
