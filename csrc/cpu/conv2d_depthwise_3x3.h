// The filter that nearly every depthwise layer has: 3x3, stride 1, one column of padding on either
// side. Down a column of registers each row of the source is loaded once, at three shifts, and
// meets the three rows of results (or of dy) that see it. No copy is made: the shift at the left edge
// is one of lanes, at the right edge a partial load.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "cpu/epilogue.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

// What follows the sum at its store.
template <class T>
struct PlaneEnd {
  T bias;
  const T* residual;  // laid out as the result, or null
  Activation activation;
  T slope;

  bool plain() const { return !residual && activation == Activation::none; }
};

namespace detail {

template <class T, int... L>
Vec<T> shift_lanes(Vec<T> a, std::integer_sequence<int, L...>) {
  return __builtin_shufflevector(Vec<T>(T(0)).v, a.v, (L == 0 ? 0 : Vec<T>::size + L - 1)...);
}

// A source plane of rows as wide as the result's.
template <class T>
struct Plane3x3 {
  const T* source;
  int64_t h, w;
  int64_t pad_h;

  // Columns x - 1, x and x + 1 of the padded row `v`, for each lane's x.
  template <bool Inner>
  [[gnu::always_inline]] void load(int64_t v, int64_t x, Vec<T> (&s)[3]) const {
    constexpr int64_t kSize = Vec<T>::size;
    const int64_t row = v - pad_h;
    if (row < 0 || row >= h) {
      s[0] = s[1] = s[2] = Vec<T>(T(0));
      return;
    }
    const T* const p = source + row * w + x;
    if constexpr (Inner) {
      s[0] = Vec<T>::load(p - 1);
      s[1] = Vec<T>::load(p);
      s[2] = Vec<T>::load(p + 1);
    } else {
      s[1] = Vec<T>::load(p, std::min(kSize, w - x));
      s[0] = x > 0 ? Vec<T>::load(p - 1, std::min(kSize, w - x + 1))
                   : shift_lanes(s[1], std::make_integer_sequence<int, Vec<T>::size>());
      s[2] = Vec<T>::load(p + 1, std::min(kSize, w - x - 1));
    }
  }
};

template <bool Inner, bool Plain, class T>
void result_column(const Plane3x3<T>& plane, int64_t x, int64_t begin, int64_t end, const T* filter,
                   const PlaneEnd<T>& e, T* out) {
  const int64_t lanes = std::min<int64_t>(Vec<T>::size, plane.w - x);
  Vec<T> f[9];
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) f[t] = Vec<T>(filter[t]);
  const Vec<T> bias(e.bias);
  Vec<T> one = bias, two = bias;  // results that have seen one and two of their rows
  for (int64_t v = begin; v < end + 2; ++v) {
    Vec<T> s[3];
    plane.template load<Inner>(v, x, s);
    // Apart from each other, so that no sum waits for the one before.
    const Vec<T> top = bias + f[0] * s[0] + f[1] * s[1] + f[2] * s[2];
    const Vec<T> middle = f[3] * s[0] + f[4] * s[1] + f[5] * s[2];
    const Vec<T> bottom = f[6] * s[0] + f[7] * s[1] + f[8] * s[2];
    Vec<T> y = two + bottom;
    two = one + middle;
    one = top;
    if (v < begin + 2) continue;
    const int64_t at = (v - 2) * plane.w + x;
    if constexpr (!Plain) {
      if (e.residual) y += Vec<T>::load(e.residual + at, lanes);
      y = activate(y, e.activation, e.slope);
    }
    Inner ? y.store(out + at) : y.store(out + at, lanes);
  }
}

template <bool Inner, class T>
void correlate_column(const Plane3x3<T>& plane, int64_t x, int64_t begin, int64_t end, const T* dy,
                      Vec<T>* sum) {
  const int64_t lanes = std::min<int64_t>(Vec<T>::size, plane.w - x);
  Vec<T> acc[9];
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) acc[t] = sum[t];
  Vec<T> above = T(0), before = T(0);  // dy's rows v - 2 and v - 1
  for (int64_t v = begin; v < end + 2; ++v) {
    const T* const p = dy + v * plane.w + x;
    const Vec<T> here = v >= end ? Vec<T>(T(0)) : Inner ? Vec<T>::load(p) : Vec<T>::load(p, lanes);
    Vec<T> s[3];
    plane.template load<Inner>(v, x, s);
#pragma GCC unroll 3
    for (int c = 0; c < 3; ++c) {
      acc[c] += here * s[c];
      acc[3 + c] += before * s[c];
      acc[6 + c] += above * s[c];
    }
    above = before;
    before = here;
  }
#pragma GCC unroll 9
  for (int t = 0; t < 9; ++t) sum[t] = acc[t];
}

// body(inner, x, begin, end) over columns of registers, in bands of rows that stay in the
// first-level cache.
template <class T, class F>
void each_column(int64_t p, int64_t w, F&& body) {
  constexpr int64_t kSize = Vec<T>::size, kBand = 16384 / sizeof(T);
  const int64_t most = std::max<int64_t>(8, kBand / w), bands = (p + most - 1) / most;
  for (int64_t band = 0; band < bands; ++band)
    for (int64_t x = 0; x < w; x += kSize)
      body(x > 0 && x + kSize < w, x, band * p / bands, (band + 1) * p / bands);
}

}  // namespace detail

// out[p, w] = end(sum of filter * source [h, w]), where p = h + 2 pad_h - 2.
template <class T>
void results_3x3(const T* source, int64_t h, int64_t w, int64_t p, int64_t pad_h, const T* filter,
                 const PlaneEnd<T>& end, T* out) {
  const detail::Plane3x3<T> plane{source, h, w, pad_h};
  const bool plain = end.plain();
  detail::each_column<T>(p, w, [&](bool inner, int64_t x, int64_t first, int64_t last) {
    const auto run =
        inner
            ? (plain ? detail::result_column<true, true, T> : detail::result_column<true, false, T>)
            : (plain ? detail::result_column<false, true, T>
                     : detail::result_column<false, false, T>);
    run(plane, x, first, last, filter, end, out);
  });
}

// sum[tap] += dy [p, w] * source, lane by lane.
template <class T>
void correlate_3x3(const T* source, int64_t h, int64_t w, int64_t p, int64_t pad_h, const T* dy,
                   Vec<T>* sum) {
  const detail::Plane3x3<T> plane{source, h, w, pad_h};
  detail::each_column<T>(p, w, [&](bool inner, int64_t x, int64_t first, int64_t last) {
    (inner ? detail::correlate_column<true, T>
           : detail::correlate_column<false, T>)(plane, x, first, last, dy, sum);
  });
}

}  // namespace fastdl::cpu
