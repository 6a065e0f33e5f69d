// Which pixels a point of a grid reads and with what weights: one axis at a time, for the kernels of all
// devices. A weight's slope is its derivative by the grid's coordinate.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "core/half.h"
#include "ops/grid_sample.h"

namespace fastdl {

// A place in pixels, pixel i having its centre at i, and its derivative by the coordinate.
template <class C>
struct GridPlace {
  C at, slope;
};

// Beyond this place, which is beyond any image, nothing is told apart; it fits an int32_t.
inline constexpr int32_t kFarPlace = 1 << 30;

// From [-1, 1]: the centres of the first and the last pixel (align_corners), else their outer edges. NaN
// counts as -1. Without branches, so that loops over points become loops over vectors.
template <class C>
FASTDL_HD inline GridPlace<C> place_of(C g, int64_t size, bool align_corners) {
  const C n = static_cast<C>(size), far = static_cast<C>(kFarPlace);
  const C number = g == g ? g : C(-1);
  const C at = align_corners ? (number + 1) / 2 * (n - 1) : ((number + 1) * n - 1) / 2;
  const C bounded = at >= -far ? (at > far ? far : at) : -far;  // infinity times 0 too
  const C slope = align_corners ? (n - 1) / 2 : n / 2;
  return {bounded, (g == g) & (bounded == at) ? slope : C(0)};
}

// Mirrored at the centres of the border pixels, or at their outer edges, as often as it takes.
template <class C>
FASTDL_HD inline GridPlace<C> reflected(GridPlace<C> p, int64_t size, bool align_corners) {
  const C low = align_corners ? C(0) : C(-0.5);
  const C span = static_cast<C>(align_corners ? size - 1 : size);
  if (span == 0) return {C(0), C(0)};
  C from = p.at - low, slope = p.slope;
  if (from < 0) from = -from, slope = -slope;
  from = std::fmod(from, 2 * span);
  if (from < span) return {from + low, slope};
  return {2 * span - from + low, -slope};
}

template <class C>
FASTDL_HD inline GridPlace<C> clipped(GridPlace<C> p, int64_t size) {
  const C last = static_cast<C>(size - 1);
  const C at = p.at <= 0 ? C(0) : p.at >= last ? last : p.at;
  return {at, (p.at > 0) & (p.at < last) ? p.slope : C(0)};
}

// The pixel that is read as pixel i, or -1 for none.
FASTDL_HD inline int32_t padded_pixel(int64_t i, int64_t size, GridPadding padding,
                                      bool align_corners) {
  if (padding == GridPadding::zeros) {
    const auto at = static_cast<uint32_t>(i),
               n = static_cast<uint32_t>(size);  // below 0: far above
    return at < n ? static_cast<int32_t>(at) : int32_t{-1};
  }
  if (i >= 0 && i < size) return static_cast<int32_t>(i);
  if (padding == GridPadding::border) return static_cast<int32_t>(i < 0 ? 0 : size - 1);
  if (align_corners && size == 1) return 0;
  const int64_t from = i >= 0 ? i : align_corners ? -i : -1 - i;
  const int64_t period = align_corners ? 2 * (size - 1) : 2 * size;
  const int64_t rest = from % period;
  if (rest < size) return static_cast<int32_t>(rest);
  return static_cast<int32_t>(align_corners ? period - rest : period - 1 - rest);
}

// K pixels along one axis: 1 is the nearest, 2 linear, 4 cubic.
template <class C, int K>
struct AxisTaps {
  int32_t at[K];  // -1: nothing is read there
  C weight[K], slope[K];
};

// Keys' cubic, 1981, with a = -0.75, at distances up to 1 and from 1 to 2, and its derivative.
template <class C>
FASTDL_HD inline C cubic_near(C x) {
  return (C(1.25) * x - C(2.25)) * x * x + 1;
}
template <class C>
FASTDL_HD inline C cubic_far(C x) {
  return ((C(-0.75) * x + C(3.75)) * x - 6) * x + 3;
}
template <class C>
FASTDL_HD inline C cubic_near_slope(C x) {
  return (C(3.75) * x - C(4.5)) * x;
}
template <class C>
FASTDL_HD inline C cubic_far_slope(C x) {
  return (C(-2.25) * x + C(7.5)) * x - 6;
}

template <int K, class C>
FASTDL_HD inline AxisTaps<C, K> axis_taps(C g, int64_t size, const GridShape& s) {
  GridPlace<C> p = place_of(g, size, s.align_corners);
  if (K < 4 && s.padding == GridPadding::reflection) p = reflected(p, size, s.align_corners);
  if (K < 4 && s.padding != GridPadding::zeros) p = clipped(p, size);
  const C whole = K == 1 ? std::nearbyint(p.at) : std::floor(p.at);
  const C t = p.at - whole;
  AxisTaps<C, K> taps;
  for (int k = 0; k < K; ++k)
    taps.at[k] = padded_pixel(static_cast<int32_t>(whole) + k - (K == 4 ? 1 : 0), size,
                              K == 2 ? GridPadding::zeros : s.padding, s.align_corners);
  if constexpr (K == 1) {
    taps.weight[0] = C(1), taps.slope[0] = C(0);
  } else if constexpr (K == 2) {
    taps.weight[0] = 1 - t, taps.weight[1] = t;
    taps.slope[0] = -p.slope, taps.slope[1] = p.slope;
  } else {
    taps.weight[0] = cubic_far(t + 1), taps.slope[0] = cubic_far_slope(t + 1) * p.slope;
    taps.weight[1] = cubic_near(t), taps.slope[1] = cubic_near_slope(t) * p.slope;
    taps.weight[2] = cubic_near(1 - t), taps.slope[2] = -cubic_near_slope(1 - t) * p.slope;
    taps.weight[3] = cubic_far(2 - t), taps.slope[3] = -cubic_far_slope(2 - t) * p.slope;
  }
  return taps;
}

// All taps of a point: the products of those of its axes, the first axis fastest.
template <class C, int K, int D>
struct PointTaps {
  static constexpr int count = D == 2 ? K * K : K * K * K;
  AxisTaps<C, K> axis[D];

  FASTDL_HD static constexpr int along(int tap, int d) {
    return d == 0 ? tap % K : d == 1 ? tap / K % K : tap / (K * K);
  }
  // Its pixel, or -1.
  FASTDL_HD int32_t pixel(int tap, const GridShape& s) const {
    int32_t at = 0;
    for (int d = D - 1; d >= 0; --d) {
      const int32_t i = axis[d].at[along(tap, d)];
      if (i < 0) return -1;
      at = at * static_cast<int32_t>(s.size[d]) + i;
    }
    return at;
  }
  FASTDL_HD C weight(int tap) const {
    C product = axis[0].weight[along(tap, 0)];
    for (int d = 1; d < D; ++d) product *= axis[d].weight[along(tap, d)];
    return product;
  }
  FASTDL_HD C slope(int tap, int by) const {
    C product = C(1);
    for (int d = 0; d < D; ++d) {
      const int k = along(tap, d);
      product *= d == by ? axis[d].slope[k] : axis[d].weight[k];
    }
    return product;
  }
};

template <class C, int K, int D>
FASTDL_HD inline PointTaps<C, K, D> point_taps(const C* point, const GridShape& s) {
  PointTaps<C, K, D> taps;
  for (int d = 0; d < D; ++d) taps.axis[d] = axis_taps<K>(point[d], s.size[d], s);
  return taps;
}

// Calls f(K, D) with constants.
template <class F>
void with_taps(const GridShape& s, F f) {
  constexpr std::integral_constant<int, 1> one;
  constexpr std::integral_constant<int, 2> two;
  constexpr std::integral_constant<int, 3> three;
  constexpr std::integral_constant<int, 4> four;
  if (s.mode == GridMode::bicubic) return f(four, two);
  const bool nearest = s.mode == GridMode::nearest;
  if (s.dims == 2) return nearest ? f(one, two) : f(two, two);
  nearest ? f(one, three) : f(two, three);
}

}  // namespace fastdl
