// What cells of recurrent layers have in common: where they find the rows of their weights.
#pragma once

#include <cmath>

#include "cuda/launch.cuh"
#include "cuda/math.cuh"

namespace fastdl::cuda {

// w[gates * hidden, hidden] as a product with h takes it: row r of a unit is that of its r-th gate.
template <class T>
struct GateWeights {
  const T* w;
  int hidden;
  bool vector;  // whether rows can be read 16 bytes at a time

  template <int V>
  __device__ Pack<T, V> read(int r, int unit, int k) const {
    Pack<T, V> out;
    const int64_t at = (static_cast<int64_t>(r) * hidden + unit) * hidden + k;
    if (vector && unit < hidden && k < hidden) return load_pack<V>(w + at);
#pragma unroll
    for (int v = 0; v < V; ++v) out.v[v] = unit < hidden && k + v < hidden ? w[at + v] : T(0.0f);
    return out;
  }
};

// The same weights as a product with the gradients of `gates` gates takes them: column `unit`, with
// the gates of a hidden unit side by side along k.
template <class T, int gates>
struct GateWeightsBack {
  const T* w;
  int hidden;

  template <int V>
  __device__ Pack<T, V> read(int unit, int k) const {
    Pack<T, V> out;
#pragma unroll
    for (int v = 0; v < V; ++v) {
      const int from = (k + v) / gates, gate = (k + v) % gates;
      out.v[v] = unit < hidden && from < hidden
                     ? w[(static_cast<int64_t>(gate) * hidden + from) * hidden + unit]
                     : T(0.0f);
    }
    return out;
  }
};

// The functions of gates, of which the whole step waits for the result. For 16 bits by the device's
// fast exponential and division, within 2^-16 of the result (tanh by its series near zero, where
// 1 - e^-2x would cancel): a third of the instructions.
template <class T>
__device__ inline float logistic(float x) {
  if constexpr (sizeof(T) == 2) return __fdividef(1.0f, 1.0f + __expf(-x));
  return sigmoid(Value<float>(x)).v;
}

template <class T>
__device__ inline float squashed(float x) {
  if constexpr (sizeof(T) == 2) {
    const float e = __expf(-2.0f * std::fabs(x));
    const float y = std::copysign(__fdividef(1.0f - e, 1.0f + e), x);
    return std::fabs(x) < 0.03f ? x - x * x * x * (1.0f / 3) : y;
  }
  return std::tanh(x);
}

}  // namespace fastdl::cuda
