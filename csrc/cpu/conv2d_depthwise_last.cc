// Channels last. For a 3x3 filter a register of channels goes along a row: what is read of each
// column meets the results that see it. For any other, a table says for four neighbouring pixels of
// the result where each tap reads, or that it reads zeros, and then two registers of channels at a
// time run down the table.
#include <algorithm>

#include "cpu/conv2d_depthwise.h"
#include "cpu/divide.h"
#include "cpu/epilogue.h"
#include "cpu/slots.h"
#include "cpu/stream.h"

namespace fastdl::cpu {

// kernels

namespace {

constexpr int kPixels = 4;
constexpr int64_t kGrain = 1 << 18;  // multiplications of a chunk, about 10 us

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

// A row of results of a 3x3 filter.
template <class T>
struct Row3x3 {
  const T* from[3];  // rows of the source
  int64_t step[3];   // from a pixel of theirs to the next; 0 in a row of zeros
  const T* filter[9];
  int64_t channels, w, pad, q;  // w pixels with pad more on either side, q results
  int64_t ahead;                // from a row to the one that the next results add
  T* out;
  const T* residual;  // laid out as `out`, or null
};

// The part [c, c + 1 register) of the row.
template <int Stride, bool Whole, bool Streams, class T>
[[gnu::noinline]] void results_3x3(const Row3x3<T>& a, const Epilogue& e, int64_t c,
                                   int64_t lanes) {
  const auto get = [&](const T* p) __attribute__((always_inline)) {
    return Whole ? Vec<T>::load(p + c) : Vec<T>::load(p + c, lanes);
  };
  Vec<T> f[9];
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) f[t] = get(a.filter[t]);
  const Vec<T> bias = e.bias ? get(static_cast<const T*>(e.bias)) : Vec<T>(T(0));
  const bool plain = !a.residual && e.activation == Activation::none;
  const T* from[3] = {a.from[0], a.from[1], a.from[2]};
  const int64_t step[3] = {a.step[0], a.step[1], a.step[2]};
  const int64_t channels = a.channels, q = a.q, ahead = a.ahead, pad = a.pad, end = a.w + pad;
  const auto load = [&](Vec<T>(&s)[3]) __attribute__((always_inline)) {
    __builtin_prefetch(from[2] + c + ahead);
    if (Stride == 2) __builtin_prefetch(from[1] + c + ahead);
#pragma GCC unroll 3
    for (int r = 0; r < 3; ++r) {
      s[r] = get(from[r]);
      from[r] += step[r];
    }
  };
  // From a sum on: which product is rounded before it is added is not left to the compiler.
  const auto add = [&](Vec<T> sum, int s, const Vec<T>(&x)[3]) __attribute__((always_inline)) {
    return sum + f[s] * x[0] + f[3 + s] * x[1] + f[6 + s] * x[2];
  };
  T* out = a.out;
  const auto finish = [&](Vec<T> y) __attribute__((always_inline)) {
    if (!plain) {
      if (a.residual) y += get(a.residual + (out - a.out));
      y = activate(y, e.activation, static_cast<T>(e.slope));
    }
    if constexpr (Streams)
      y.stream(out + c);
    else
      Whole ? y.store(out + c) : y.store(out + c, lanes);
    out += channels;
  };
  Vec<T> s[3];
  if constexpr (Stride == 1) {
    Vec<T> one = bias, two = bias;  // results that have seen one and two of their columns
    int64_t v = pad;
    for (; v < std::min(end, q + 2); ++v) {
      load(s);
      const Vec<T> y = add(two, 2, s);
      two = add(one, 1, s);
      one = add(bias, 0, s);
      if (v >= 2) finish(y);
    }
    for (; v < q + 2; ++v) {
      if (v >= 2) finish(two);
      two = one;
      one = bias;
    }
  } else {
    const auto load_or_zero = [&](int64_t v) __attribute__((always_inline)) {
      if (v >= pad && v < end)
        load(s);
      else
        s[0] = s[1] = s[2] = Vec<T>(T(0));
    };
    load_or_zero(0);
    Vec<T> left = add(bias, 0, s);
    for (int64_t x = 0; x < q; ++x) {
      load_or_zero(2 * x + 1);
      const Vec<T> middle = add(left, 1, s);
      load_or_zero(2 * x + 2);
      finish(add(middle, 2, s));
      left = add(bias, 0, s);
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
  // The gradient by x is the same with the filter turned round.
  const int64_t pad = back ? 2 - d.pad_w : d.pad_w;
  const bool is_3x3 = d.r == 3 && d.s == 3 && d.dilation_w == 1 && pad >= 0 && pad <= 2 &&
                      (d.stride_w == 1 || (d.stride_w == 2 && !back));
  if (is_3x3) {
    const bool streamed = sizeof(Vec<T>) == 64 && streams(result, d.n * p * q * c * sizeof(T),
                                                          c * static_cast<int64_t>(sizeof(T)));
    const auto pick = [&](bool whole) {
      if (d.stride_w == 2)
        return !whole     ? results_3x3<2, false, false, T>
               : streamed ? results_3x3<2, true, true, T>
                          : results_3x3<2, true, false, T>;
      return !whole     ? results_3x3<1, false, false, T>
             : streamed ? results_3x3<1, true, true, T>
                        : results_3x3<1, true, false, T>;
    };
    const auto part = pick(false), whole = pick(true);
    const T* const residual = static_cast<const T*>(e.residual);
    context.parallel_for(d.n * p, grain, [&](int64_t begin, int64_t end) {
      for (int64_t row = begin; row < end; ++row) {
        const int64_t first = row * q * c;
        Row3x3<T> a{{}, {}, {}, c, w, pad, q, d.stride_h * w * c, result + first, nullptr};
        if (residual) a.residual = residual + first;
        for (int64_t r = 0; r < 3; ++r) {
          const int64_t at = rows.source(row % p, r);
          a.from[r] = at < 0 ? zeros : source + (row / p * h + at) * w * c;
          a.step[r] = at < 0 ? 0 : c;
          for (int64_t s = 0; s < 3; ++s)
            a.filter[3 * r + s] = filter + (3 * r + (back ? 2 - s : s)) * c;
        }
        int64_t k = 0;
        for (; k + kSize <= c; k += kSize) whole(a, e, k, kSize);
        if (k < c) part(a, e, k, c - k);
      }
      if (streamed) stream_end();
    });
    return;
  }
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
                                  const T* weight, const Epilogue& epilogue, T* dx) {
  all_pixels(context, d, true, dy, weight, epilogue, dx);
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
                                           const float*, const Epilogue&, float*);
template void depthwise_last_backward_data(const Context&, const Depthwise&, const double*,
                                           const double*, const Epilogue&, double*);
template void depthwise_last_backward_weight(const Context&, const Depthwise&, const float*,
                                             const float*, float*, float*);
template void depthwise_last_backward_weight(const Context&, const Depthwise&, const double*,
                                             const double*, double*, double*);

}  // namespace fastdl::cpu
