// What a product does to its sums before it stores them (core/epilogue.h), as kernels are told it:
// in the type of the sums, by whichever kernel has the whole sum of a result.
#pragma once

#include "core/epilogue.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"

namespace fastdl::cuda {

// y = activation(sum + bias + residual). What is null is left out.
template <class T>
struct Finish {
  using Acc = Compute<T>;

  const T* bias = nullptr;      // of column 0
  const T* residual = nullptr;  // laid out like the output, and at its beginning
  Activation activation = Activation::none;
  Acc slope{};

  Finish() = default;
  // `accumulated` is the output where the product adds to what is there, else null. A residual and
  // such a sum exclude each other.
  explicit Finish(const Epilogue& epilogue, const T* accumulated = nullptr)
      : bias(static_cast<const T*>(epilogue.bias)),
        residual(accumulated ? accumulated : static_cast<const T*>(epilogue.residual)),
        activation(epilogue.activation),
        slope(static_cast<Acc>(epilogue.slope)) {}

  // NaN stays NaN.
  __device__ Acc activate(Acc x) const {
    if (activation != Activation::none && x < Acc(0))
      return activation == Activation::relu ? Acc(0) : x * slope;
    return x;
  }
  __device__ Acc operator()(Acc sum, Acc bias_value, Acc residual_value) const {
    return activate(sum + bias_value + residual_value);
  }
  // The result in `column`, at `offset` in the output.
  __device__ Acc at(Acc sum, int64_t column, int64_t offset) const {
    if (bias) sum += Acc(bias[column]);
    if (residual) sum += Acc(residual[offset]);
    return activate(sum);
  }
  // V neighbours in a row, of which `residual` can be read at once (bias may lie anywhere).
  template <int V>
  __device__ Pack<T, V> pack(const Acc (&sums)[V], int64_t column, int64_t offset) const {
    Pack<T, V> before, out;
    if (residual) before = load_pack<V>(residual + offset);
#pragma unroll
    for (int v = 0; v < V; ++v) {
      Acc sum = sums[v];
      if (bias) sum += Acc(bias[column + v]);
      if (residual) sum += Acc(before.v[v]);
      out.v[v] = T(activate(sum));
    }
    return out;
  }
};

}  // namespace fastdl::cuda
