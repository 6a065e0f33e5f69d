// The cells of a GRU for the persistent kernel (cuda/persistent.cuh; equations in ops/gru.h).
#pragma once

#include "cuda/recurrent_cells.cuh"

namespace fastdl::cuda {

template <class T>
struct GruCell {
  using Type = T;
  static constexpr int kGates = 3, kValues = 1;
  static constexpr bool kBackward = false;

  int steps, n, hidden;
  GateWeights<T> w;
  const T *bias, *h0;  // bias may be null
  T *gates, *y;        // gates[t, n, 4 hidden] has the input's part before
  bool keeps_gates;    // whether somebody reads them afterwards

  struct Operands {
    float gate[4], h;  // r, z, n and the recurrent part of n, at first its bias
  };

  template <int V>
  __device__ Pack<T, V> weights(int r, int unit, int k) const {
    return w.template read<V>(r, unit, k);
  }

  __device__ float initial(int sample, int unit) const { return h0[at(0, sample) + unit]; }

  __device__ void fetch(int step, int sample, int unit, Operands& x) const {
    const T* const from = gates + at(step, sample) * 4 + unit;
    float own[3] = {};
#pragma unroll
    for (int g = 0; g < 3; ++g) {
      x.gate[g] = from[g * int64_t{hidden}];
      if (bias) own[g] = bias[g * int64_t{hidden} + unit];
    }
    x.gate[0] += own[0];
    x.gate[1] += own[1];
    x.gate[3] = own[2];
  }

  // The state is h, as it was before it was rounded.
  __device__ void finish(int, Operands& x, const float (&sums)[3], float& state,
                         T (&values)[1]) const {
    const float r = logistic<T>(x.gate[0] + sums[0]), z = logistic<T>(x.gate[1] + sums[1]);
    const float recurrent = x.gate[3] + sums[2], fresh = squashed<T>(x.gate[2] + r * recurrent);
    x.h = state = fresh + z * (state - fresh);
    x.gate[0] = r;
    x.gate[1] = z;
    x.gate[2] = fresh;
    x.gate[3] = recurrent;
    values[0] = T(x.h);
  }

  __device__ void store(int step, int sample, int unit, const Operands& x) const {
    y[at(step, sample) + unit] = T(x.h);
    if (!keeps_gates) return;
    T* const to = gates + at(step, sample) * 4 + unit;
#pragma unroll
    for (int g = 0; g < 4; ++g) to[g * int64_t{hidden}] = T(x.gate[g]);
  }

 private:
  __device__ int64_t at(int t, int sample) const {
    return (static_cast<int64_t>(t) * n + sample) * hidden;
  }
};

// Step 0 is the last of the sequence. dgates[t, n, 4 hidden] is n, r, z, n by h (ops/gru_cuda.cu); the
// last three go back through W_hh. The state is the gradient of h that goes past the gates.
template <class T>
struct GruCellBack {
  using Type = T;
  static constexpr int kGates = 1, kValues = 3;
  static constexpr bool kBackward = true;

  int steps, n, hidden;
  GateWeightsBack<T, 3> w;
  const T *gates, *y, *h0;  // as they were saved
  const T *dy, *dh;         // each may be null
  T *dgates, *dh0;

  struct Operands {
    float gate[4];  // afterwards the gradients
    float before, dy, dh0;
  };

  template <int V>
  __device__ Pack<T, V> weights(int, int unit, int k) const {
    return w.template read<V>(unit, k);
  }

  __device__ float initial(int sample, int unit) const {
    return dh ? static_cast<float>(dh[at(0, sample) + unit]) : 0.0f;
  }

  __device__ void fetch(int step, int sample, int unit, Operands& x) const {
    const int t = steps - 1 - step;
    if (t < 0) return;
    const T* const from = gates + at(t, sample) * 4 + unit;
#pragma unroll
    for (int g = 0; g < 4; ++g) x.gate[g] = from[g * int64_t{hidden}];
    x.before = t ? y[at(t - 1, sample) + unit] : h0[at(0, sample) + unit];
    x.dy = dy ? static_cast<float>(dy[at(t, sample) + unit]) : 0.0f;
  }

  __device__ void finish(int step, Operands& x, const float (&sums)[1], float& state,
                         T (&values)[3]) const {
    if (step == steps) {
      x.dh0 = state + sums[0];
    } else {
      const float r = x.gate[0], z = x.gate[1], fresh = x.gate[2], recurrent = x.gate[3];
      const float by_h = state + sums[0] + x.dy;
      const float by_n = by_h * (1 - z) * (1 - fresh * fresh);
      x.gate[0] = by_n;
      x.gate[1] = by_n * recurrent * r * (1 - r);
      x.gate[2] = by_h * (x.before - fresh) * z * (1 - z);
      x.gate[3] = by_n * r;
      state = by_h * z;
    }
#pragma unroll
    for (int g = 0; g < 3; ++g) values[g] = T(step == steps ? 0.0f : x.gate[g + 1]);
  }

  __device__ void store(int step, int sample, int unit, const Operands& x) const {
    if (step == steps) {
      dh0[at(0, sample) + unit] = T(x.dh0);
      return;
    }
    T* const to = dgates + at(steps - 1 - step, sample) * 4 + unit;
#pragma unroll
    for (int g = 0; g < 4; ++g) to[g * int64_t{hidden}] = T(x.gate[g]);
  }

 private:
  __device__ int64_t at(int t, int sample) const {
    return (static_cast<int64_t>(t) * n + sample) * hidden;
  }
};

}  // namespace fastdl::cuda
