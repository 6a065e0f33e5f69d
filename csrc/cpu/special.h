// Less common functions over Vec<float> and Vec<double>: rounding, what libm computes lane by lane,
// and the error function. Largest errors found in single precision, in ulp: expm1 1.6, erf 2.5, erfc
// and with it gelu 10.
#pragma once

#include <cmath>

#include "core/floats.h"
#include "cpu/math.h"

namespace fastdl::cpu {

namespace detail {
template <class T, class F>
inline Vec<T> each_lane(Vec<T> x, F f) {
  for (int i = 0; i < Vec<T>::size; ++i) x.v[i] = f(x.v[i]);
  return x;
}
}  // namespace detail

// Exact in every lane, so that it does not matter who computes them.
#define FASTDL_LANES(name, function)                              \
  template <class T>                                              \
  inline Vec<T> name(Vec<T> x) {                                  \
    return detail::each_lane(x, [](T v) { return function(v); }); \
  }
FASTDL_LANES(floor, std::floor)
FASTDL_LANES(ceil, std::ceil)
FASTDL_LANES(trunc, std::trunc)
FASTDL_LANES(round, std::nearbyint)
// Few models spend time in these.
FASTDL_LANES(exp2, std::exp2)
FASTDL_LANES(log2, std::log2)
FASTDL_LANES(log10, std::log10)
FASTDL_LANES(log1p, std::log1p)
FASTDL_LANES(tan, std::tan)
FASTDL_LANES(asin, std::asin)
FASTDL_LANES(acos, std::acos)
FASTDL_LANES(atan, std::atan)
FASTDL_LANES(sinh, std::sinh)
FASTDL_LANES(cosh, std::cosh)
FASTDL_LANES(asinh, std::asinh)
FASTDL_LANES(acosh, std::acosh)
FASTDL_LANES(atanh, std::atanh)
#undef FASTDL_LANES

namespace detail {
template <class T, class F>
inline Vec<T> each_lane(Vec<T> a, Vec<T> b, F f) {
  for (int i = 0; i < Vec<T>::size; ++i) a.v[i] = f(a.v[i], b.v[i]);
  return a;
}
}  // namespace detail

template <class T>
inline Vec<T> atan2(Vec<T> a, Vec<T> b) {
  return detail::each_lane(a, b, [](T y, T x) { return std::atan2(y, x); });
}
// With the sign of a.
template <class T>
inline Vec<T> fmod(Vec<T> a, Vec<T> b) {
  return detail::each_lane(a, b, [](T x, T y) { return std::fmod(x, y); });
}
// With the sign of b.
template <class T>
inline Vec<T> remainder(Vec<T> a, Vec<T> b) {
  return detail::each_lane(a, b, [](T x, T y) { return floats::remainder(x, y); });
}
template <class T>
inline Vec<T> floor_divide(Vec<T> a, Vec<T> b) {
  return detail::each_lane(a, b, [](T x, T y) { return floats::floor_divide(x, y); });
}

template <class T>
inline Vec<T> square(Vec<T> x) {
  return x * x;
}
template <class T>
inline Vec<T> logsigmoid(Vec<T> x) {
  return -softplus(-x);
}
template <class T>
inline Vec<T> relu6(Vec<T> x) {
  return select(x < T(0), T(0), select(x > T(6), T(6), x));
}

// e^x - 1 = 2^n q + (2^n - 1), where e^x = 2^n (1 + q): no digits are lost near 0, where n = 0.
inline Vec<float> expm1(Vec<float> x) {
  using V = Vec<float>;
  V power, q;
  const V inside = select(x > 88.0f, 88.0f, select(x < -88.0f, -88.0f, x));
  detail::exp_parts(inside, &power, &q);
  const V y = q * power + (power - 1.0f);
  return select(x > 88.0f, exp(x), select(x == 0.0f, x, y));
}
inline Vec<double> expm1(Vec<double> x) {
  return detail::each_lane(x, [](double v) { return std::expm1(v); });
}

namespace detail {

// Rational approximations of the Cephes library (S. Moshier, ndtr.c): erf(x) / x in x^2 below 1, and
// exp(a^2) erfc(a) above.
inline Vec<float> erf_near(Vec<float> x) {
  using V = Vec<float>;
  const V z = x * x;
  const V p =
      polynomial(z, V(9.60497373987051638749f), 9.00260197203842689217e1, 2.23200534594684319226e3,
                 7.00332514112805075473e3, 5.55923013010394962768e4);
  const V q =
      polynomial(z, V(1.0f), 3.35617141647503099647e1, 5.21357949780152679795e2,
                 4.59432382970980127987e3, 2.26290000613890934246e4, 4.92673942608635921086e4);
  return x * p / q;
}
inline Vec<float> erfc_far(Vec<float> a) {
  using V = Vec<float>;
  const V p = polynomial(a, V(2.46196981473530512524e-10f), 5.64189564831068821977e-1,
                         7.46321056442269912687, 4.86371970985681366614e1, 1.96520832956077098242e2,
                         5.26445194995477358631e2, 9.34528527171957607540e2,
                         1.02755188689515710272e3, 5.57535335369399327526e2);
  const V q =
      polynomial(a, V(1.0f), 1.32281951154744992508e1, 8.67072140885989742329e1,
                 3.54937778887819891062e2, 9.75708501743205489753e2, 1.82390916687909736289e3,
                 2.24633760818710981792e3, 1.65666309194161350182e3, 5.57535340817727675546e2);
  // exp(-a^2) from a^2 = h^2 + (a - h)(a + h) with h of half the digits, so that h^2 is exact.
  const V h = from_bits<float>(bits(a) >> 12 << 12);
  return exp(-h * h) * exp((h - a) * (h + a)) * p / q;
}

}  // namespace detail

inline Vec<float> erfc(Vec<float> x) {
  using V = Vec<float>;
  const V a = abs(x), far = detail::erfc_far(select(a > 10.1f, 10.1f, a));  // 0 from there on
  return select(a < 1.0f, V(1.0f) - detail::erf_near(x), select(x < 0.0f, V(2.0f) - far, far));
}
inline Vec<float> erf(Vec<float> x) {
  using V = Vec<float>;
  const V a = abs(x), far = V(1.0f) - detail::erfc_far(select(a > 6.0f, 6.0f, a));
  return select(a < 1.0f, detail::erf_near(x), copysign(far, x));
}
inline Vec<double> erfc(Vec<double> x) {
  return detail::each_lane(x, [](double v) { return std::erfc(v); });
}
inline Vec<double> erf(Vec<double> x) {
  return detail::each_lane(x, [](double v) { return std::erf(v); });
}

}  // namespace fastdl::cpu
