// The cells of an LSTM for the persistent kernel (cuda/persistent.cuh; equations in ops/lstm.h).
#pragma once

#include "cuda/recurrent_cells.cuh"

namespace fastdl::cuda {

template <class T>
struct LstmCell {
  using Type = T;
  static constexpr int kGates = 4, kValues = 1;
  static constexpr bool kBackward = false;

  int steps, n, hidden;
  GateWeights<T> w;
  const T *bias, *c0;        // bias may be null
  T *gates, *cells, *c, *y;  // as in lstm_forward; gates has the input's part before

  struct Operands {
    float gate[4], c, h;
  };

  template <int V>
  __device__ Pack<T, V> weights(int r, int unit, int k) const {
    return w.template read<V>(r, unit, k);
  }

  __device__ float initial(int sample, int unit) const {
    return c0[static_cast<int64_t>(sample) * hidden + unit];
  }

  __device__ void fetch(int step, int sample, int unit, Operands& x) const {
    const T* const from = gates + at(step, sample) * 4 + unit;
#pragma unroll
    for (int g = 0; g < 4; ++g) {
      x.gate[g] = from[g * int64_t{hidden}];
      if (bias) x.gate[g] += bias[g * int64_t{hidden} + unit];
    }
  }

  __device__ void finish(int, Operands& x, const float (&sums)[4], float& state,
                         T (&values)[1]) const {
#pragma unroll
    for (int g = 0; g < 4; ++g) {
      const float sum = x.gate[g] + sums[g];
      x.gate[g] = g == 2 ? squashed<T>(sum) : logistic<T>(sum);
    }
    x.c = state = x.gate[1] * state + x.gate[0] * x.gate[2];
    x.h = x.gate[3] * squashed<T>(x.c);
    values[0] = T(x.h);
  }

  __device__ void store(int step, int sample, int unit, const Operands& x) const {
    y[at(step, sample) + unit] = T(x.h);
    if (cells) {
      cells[at(step, sample) + unit] = T(x.c);
      T* const to = gates + at(step, sample) * 4 + unit;
#pragma unroll
      for (int g = 0; g < 4; ++g) to[g * int64_t{hidden}] = T(x.gate[g]);
    } else if (step + 1 == steps) {
      c[static_cast<int64_t>(sample) * hidden + unit] = T(x.c);
    }
  }

 private:
  __device__ int64_t at(int t, int sample) const {
    return (static_cast<int64_t>(t) * n + sample) * hidden;
  }
};

// Step 0 is the last of the sequence. What goes back to the step before is dgates W_hh.
template <class T>
struct LstmCellBack {
  using Type = T;
  static constexpr int kGates = 1, kValues = 4;
  static constexpr bool kBackward = true;

  int steps, n, hidden;
  GateWeightsBack<T, 4> w;
  const T *gates, *cells, *c0;  // as they were saved
  const T *dy, *dh, *dc;        // each may be null
  T *dgates, *dh0, *dc0;

  struct Operands {
    float gate[4];  // afterwards their gradients
    float before, squashed, dy, dh0, dc0;
  };

  template <int V>
  __device__ Pack<T, V> weights(int, int unit, int k) const {
    return w.template read<V>(unit, k);
  }

  __device__ float initial(int sample, int unit) const {
    return dc ? static_cast<float>(dc[static_cast<int64_t>(sample) * hidden + unit]) : 0.0f;
  }

  __device__ void fetch(int step, int sample, int unit, Operands& x) const {
    const int t = steps - 1 - step;
    if (t < 0) return;
    const int64_t here = at(t, sample) + unit, state = at(0, sample) + unit;
    const T* const from = gates + at(t, sample) * 4 + unit;
#pragma unroll
    for (int g = 0; g < 4; ++g) x.gate[g] = from[g * int64_t{hidden}];
    x.before = t ? cells[at(t - 1, sample) + unit] : c0[state];
    x.squashed = squashed<T>(cells[here]);
    x.dy = dy ? static_cast<float>(dy[here]) : 0.0f;
    if (dh && step == 0) x.dy += static_cast<float>(dh[state]);
  }

  __device__ void finish(int step, Operands& x, const float (&sums)[1], float& state,
                         T (&values)[4]) const {
    if (step == steps) {
      x.dh0 = sums[0];
      x.dc0 = state;
    } else {
      const float i = x.gate[0], f = x.gate[1], g = x.gate[2], o = x.gate[3];
      const float by_h = sums[0] + x.dy;
      const float by_c = state + by_h * o * (1 - x.squashed * x.squashed);
      x.gate[0] = by_c * g * i * (1 - i);
      x.gate[1] = by_c * x.before * f * (1 - f);
      x.gate[2] = by_c * i * (1 - g * g);
      x.gate[3] = by_h * x.squashed * o * (1 - o);
      state = by_c * f;
    }
#pragma unroll
    for (int g = 0; g < 4; ++g) values[g] = T(step == steps ? 0.0f : x.gate[g]);
  }

  __device__ void store(int step, int sample, int unit, const Operands& x) const {
    if (step == steps) {
      dh0[at(0, sample) + unit] = T(x.dh0);
      dc0[at(0, sample) + unit] = T(x.dc0);
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
