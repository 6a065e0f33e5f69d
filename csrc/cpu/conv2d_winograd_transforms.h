// The three transforms of Winograd's minimal filtering F(M, 3), one-dimensional, over registers; A
// is M + 2 points. The points are 0, 1, -1 and infinity, and for M = 4 also 2 and -2.
#pragma once

#include "cpu/vec.h"

namespace fastdl::cpu {

template <int M>
struct Winograd;

template <>
struct Winograd<2> {
  static constexpr int A = 4;
  template <class V>
  [[gnu::always_inline]] static void source(const V (&d)[4], V (&o)[4]) {
    o[0] = d[0] - d[2];
    o[1] = d[1] + d[2];
    o[2] = d[2] - d[1];
    o[3] = d[1] - d[3];
  }
  template <class V>
  [[gnu::always_inline]] static void filter(const V (&g)[3], V (&o)[4]) {
    const V ends = (g[0] + g[2]) * V(0.5f), middle = g[1] * V(0.5f);
    o[0] = g[0];
    o[1] = ends + middle;
    o[2] = ends - middle;
    o[3] = g[2];
  }
  template <class V>
  [[gnu::always_inline]] static void result(const V (&m)[4], V (&y)[2]) {
    y[0] = m[0] + m[1] + m[2];
    y[1] = m[1] - m[2] - m[3];
  }
};

template <>
struct Winograd<4> {
  static constexpr int A = 6;
  template <class V>
  [[gnu::always_inline]] static void source(const V (&d)[6], V (&o)[6]) {
    const V even = d[4] - V(4) * d[2], odd = d[3] - V(4) * d[1];
    const V even2 = d[4] - d[2], odd2 = d[3] - d[1];
    o[0] = V(4) * d[0] - V(5) * d[2] + d[4];
    o[1] = even + odd;
    o[2] = even - odd;
    o[3] = even2 + V(2) * odd2;
    o[4] = even2 - V(2) * odd2;
    o[5] = V(4) * d[1] - V(5) * d[3] + d[5];
  }
  template <class V>
  [[gnu::always_inline]] static void filter(const V (&g)[3], V (&o)[6]) {
    const V ends = (g[0] + g[2]) * V(-1.0f / 6), middle = g[1] * V(1.0f / 6);
    const V ends2 = g[0] * V(1.0f / 24) + g[2] * V(1.0f / 6), middle2 = g[1] * V(1.0f / 12);
    o[0] = g[0] * V(0.25f);
    o[1] = ends - middle;
    o[2] = ends + middle;
    o[3] = ends2 + middle2;
    o[4] = ends2 - middle2;
    o[5] = g[2];
  }
  template <class V>
  [[gnu::always_inline]] static void result(const V (&m)[6], V (&y)[4]) {
    const V sum = m[1] + m[2], difference = m[1] - m[2];
    const V sum2 = m[3] + m[4], difference2 = m[3] - m[4];
    y[0] = m[0] + sum + sum2;
    y[1] = difference + V(2) * difference2;
    y[2] = sum + V(4) * sum2;
    y[3] = difference + V(8) * difference2 + m[5];
  }
};

}  // namespace fastdl::cpu
