// Channels last: for four neighbouring pixels of the result a table says where each tap reads, or
// that it reads zeros, and then two registers of channels at a time run down the table.
#include <algorithm>

#include "cpu/conv2d_depthwise.h"
#include "cpu/epilogue.h"
#include "cpu/slots.h"

namespace fastdl::cpu {

// kernels

namespace {

constexpr int kPixels = 4;
constexpr int64_t kGrain = 1 << 18;  // multiplications of a chunk, about 10 us

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// One dimension: where a result reads for a tap, or -1.
struct Reach {
  int64_t size, stride, pad, dilation;
  bool back;  // the gradient by x: results are x's elements and dy is read

  int64_t source(int64_t result, int64_t tap) const {
    int64_t at = back ? result + pad - tap * dilation : result * stride - pad + tap * dilation;
    if (back) at = at % stride == 0 ? at / stride : -1;
    return at >= 0 && at < size ? at : -1;
  }
};

// The part [c, c + V registers) of kPixels results.
template <int V, bool Whole, class T>
[[gnu::always_inline]] inline void pixels(const T* const* from, const T* const* weight,
                                          int64_t taps, int64_t c, int64_t lanes, const Epilogue& e,
                                          int64_t count, int64_t channels, int64_t first, T* out) {
  constexpr int kSize = Vec<T>::size;
  const auto get = [&](const T* p, int v) __attribute__((always_inline)) {
    return Whole ? Vec<T>::load(p + c + v * kSize) : Vec<T>::load(p + c + v * kSize, lanes);
  };
  Vec<T> acc[kPixels][V];
  const T* const bias = static_cast<const T*>(e.bias);
#pragma GCC unroll 4
  for (int i = 0; i < kPixels; ++i)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) acc[i][v] = bias ? get(bias, v) : Vec<T>(T(0));
  for (int64_t t = 0; t < taps; ++t) {
    Vec<T> w[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) w[v] = get(weight[t], v);
#pragma GCC unroll 4
    for (int i = 0; i < kPixels; ++i)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[i][v] += w[v] * get(from[t * kPixels + i], v);
  }
  const T* const residual = static_cast<const T*>(e.residual);
#pragma GCC unroll 4
  for (int i = 0; i < kPixels; ++i) {
    if (i >= count) break;
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      Vec<T> y = acc[i][v];
      const int64_t at = first + i * channels;
      if (residual) y += get(residual + at, v);
      y = activate(y, e.activation, static_cast<T>(e.slope));
      T* const to = out + at + c + v * kSize;
      Whole ? y.store(to) : y.store(to, lanes);
    }
  }
}

// out[tap, channel] = weight[channel, tap]
template <class T>
void turn_weight(const T* weight, int64_t channels, int64_t taps, T* out) {
  for (int64_t t = 0; t < taps; ++t)
    for (int64_t c = 0; c < channels; ++c) out[t * channels + c] = weight[c * taps + t];
}

}  // namespace

// launchers

namespace {

template <class T>
void all_pixels(const Context& context, const Depthwise& d, bool back, const T* source,
                const T* weight, const Epilogue& e, T* result) {
  constexpr int64_t kSize = Vec<T>::size;
  const int64_t taps = d.r * d.s, c = d.c;
  const int64_t p = back ? d.h : d.p, q = back ? d.w : d.q;
  const int64_t h = back ? d.p : d.h, w = back ? d.q : d.w;
  const Reach rows{h, d.stride_h, d.pad_h, d.dilation_h, back};
  const Reach cols{w, d.stride_w, d.pad_w, d.dilation_w, back};
  Scratch scratch(context, static_cast<size_t>((taps + 1) * c) * sizeof(T));
  T* const zeros = scratch.as<T>();
  T* const filter = zeros + c;
  std::fill(zeros, zeros + c, T(0));
  turn_weight(weight, c, taps, filter);
  const int64_t grain = std::max<int64_t>(1, kGrain / (q * c * taps + 1));
  Slots slots(context, divide_up(d.n * p, grain),
              static_cast<size_t>((kPixels + 1) * taps) * sizeof(T*));
  context.parallel_for(d.n * p, grain, [&](int64_t begin, int64_t end) {
    const Slots::Lease lease(slots);
    const T** const from = lease.as<const T*>();
    const T** const tap = from + kPixels * taps;
    for (int64_t row = begin; row < end; ++row) {
      const int64_t sample = row / p, y = row % p;
      for (int64_t x = 0; x < q; x += kPixels) {
        int64_t n = 0;
        for (int64_t r = 0; r < d.r; ++r) {
          const int64_t at = rows.source(y, r);
          if (at < 0) continue;
          for (int64_t s = 0; s < d.s; ++s) {
            bool any = false;
            for (int64_t i = 0; i < kPixels; ++i) {
              const int64_t column = x + i < q ? cols.source(x + i, s) : -1;
              any |= column >= 0;
              from[n * kPixels + i] =
                  column < 0 ? zeros : source + ((sample * h + at) * w + column) * c;
            }
            if (any) tap[n++] = filter + (r * d.s + s) * c;
          }
        }
        const int64_t first = (row * q + x) * c, count = std::min<int64_t>(kPixels, q - x);
        int64_t k = 0;
        for (; k + 2 * kSize <= c; k += 2 * kSize)
          pixels<2, true>(from, tap, n, k, 0, e, count, c, first, result);
        for (; k < c; k += kSize)
          pixels<1, false>(from, tap, n, k, std::min(kSize, c - k), e, count, c, first, result);
      }
    }
  });
}

}  // namespace

template <class T>
void depthwise_last_forward(const Context& context, const Depthwise& d, const T* x, const T* weight,
                            const Epilogue& epilogue, T* y) {
  all_pixels(context, d, false, x, weight, epilogue, y);
}

template <class T>
void depthwise_last_backward_data(const Context& context, const Depthwise& d, const T* dy,
                                  const T* weight, T* dx) {
  all_pixels(context, d, true, dy, weight, Epilogue{}, dx);
}

// Chunks of result rows, whose sums [tap, channel] are added in order.
template <class T>
void depthwise_last_backward_weight(const Context& context, const Depthwise& d, const T* x,
                                    const T* dy, T* dweight, T* dbias) {
  constexpr int64_t kSize = Vec<T>::size;
  constexpr int kWide = 4;
  const int64_t taps = d.r * d.s, c = d.c, rows = d.n * d.p;
  const int64_t size = (taps + 1) * c;
  const int64_t most = std::clamp<int64_t>(rows * d.q * c * taps / kGrain, 1, 32);
  const int64_t chunk = std::max<int64_t>(1, divide_up(rows, most));
  const int64_t chunks = std::max<int64_t>(1, divide_up(rows, chunk));
  Scratch scratch(context, static_cast<size_t>(chunks * size) * sizeof(T));
  T* const sums = scratch.as<T>();
  std::fill(sums, sums + chunks * size, T(0));
  const Reach row_reach{d.h, d.stride_h, d.pad_h, d.dilation_h, false};
  // sum[k] += the sum over columns [begin, end) of dy * x, or of dy alone
  const auto add_row = [&](const T* g, const T* from, int64_t step, int64_t n, T* sum) {
    for (int64_t k = 0; k < c; k += kWide * kSize) {
      Vec<T> acc[kWide];
      int64_t lanes[kWide];
      for (int i = 0; i < kWide; ++i) {
        lanes[i] = std::clamp<int64_t>(c - k - i * kSize, 0, kSize);
        acc[i] = Vec<T>::load(sum + k + i * kSize, lanes[i]);
      }
      for (int64_t j = 0; j < n; ++j)
#pragma GCC unroll 4
        for (int i = 0; i < kWide; ++i) {
          const int64_t at = k + i * kSize;
          const Vec<T> a = Vec<T>::load(g + j * c + at, lanes[i]);
          acc[i] += from ? a * Vec<T>::load(from + j * step + at, lanes[i]) : a;
        }
      for (int i = 0; i < kWide; ++i) acc[i].store(sum + k + i * kSize, lanes[i]);
    }
  };
  context.parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      T* const sum = sums + i * size;
      for (int64_t row = i * chunk; row < std::min(rows, (i + 1) * chunk); ++row) {
        const int64_t sample = row / d.p;
        const T* const g = dy + row * d.q * c;
        if (dbias) add_row(g, nullptr, 0, d.q, sum + taps * c);
        for (int64_t r = 0; r < d.r; ++r) {
          const int64_t at = row_reach.source(row % d.p, r);
          if (at < 0) continue;
          const T* const from = x + (sample * d.h + at) * d.w * c;
          for (int64_t s = 0; s < d.s; ++s) {
            // Columns j with 0 <= j * stride + shift < w.
            const int64_t shift = s * d.dilation_w - d.pad_w;
            const int64_t first = shift < 0 ? divide_up(-shift, d.stride_w) : 0;
            const int64_t last =
                std::min(d.q, d.w > shift ? (d.w - 1 - shift) / d.stride_w + 1 : 0);
            if (first < last)
              add_row(g + first * c, from + (first * d.stride_w + shift) * c, d.stride_w * c,
                      last - first, sum + (r * d.s + s) * c);
          }
        }
      }
    }
  });
  for (int64_t i = 1; i < chunks; ++i)
    for (int64_t j = 0; j < size; ++j) sums[j] += sums[i * size + j];
  for (int64_t k = 0; k < c; ++k)
    for (int64_t t = 0; t < taps; ++t) dweight[k * taps + t] = sums[t * c + k];
  if (dbias) std::copy(sums + taps * c, sums + size, dbias);
}

template void depthwise_last_forward(const Context&, const Depthwise&, const float*, const float*,
                                     const Epilogue&, float*);
template void depthwise_last_forward(const Context&, const Depthwise&, const double*, const double*,
                                     const Epilogue&, double*);
template void depthwise_last_backward_data(const Context&, const Depthwise&, const float*,
                                           const float*, float*);
template void depthwise_last_backward_data(const Context&, const Depthwise&, const double*,
                                           const double*, double*);
template void depthwise_last_backward_weight(const Context&, const Depthwise&, const float*,
                                             const float*, float*, float*);
template void depthwise_last_backward_weight(const Context&, const Depthwise&, const double*,
                                             const double*, double*, double*);

}  // namespace fastdl::cpu
