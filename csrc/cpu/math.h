// Elementary functions over Vec<float> and Vec<double>, and the integers as the op tables see them.
//
// Method: range reduction, a polynomial, reconstruction, with no branches on the data but for
// arguments of sin and cos too large to reduce in a few terms. Polynomials of exp, tanh, sin, cos
// and the single-precision log are from the Cephes library (S. Moshier, 1984-2000), the
// double-precision log from fdlibm's e_log.c (Sun Microsystems, 1993); exp in double precision is
// its Taylor series. Largest errors found over millions of arguments, ends and subnormal numbers
// included, in ulp: exp and log 1.1, softplus 2, sigmoid and tanh 2.4, sin and cos 1.6 (2.5 in
// single precision beyond 1000).
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "core/integers.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

// ---- integers ----

// An integer that wraps around instead of overflowing, for the formulas of ops/unary.h and
// ops/binary.h.
template <class T>
struct Integer {
  using Wide = std::make_unsigned_t<T>;
  T v;

  Integer() = default;
  Integer(T value) : v(value) {}
  static Integer wrapped(Wide w) { return static_cast<T>(w); }

  friend Integer operator+(Integer a, Integer b) {
    return wrapped(static_cast<Wide>(static_cast<Wide>(a.v) + static_cast<Wide>(b.v)));
  }
  friend Integer operator-(Integer a, Integer b) {
    return wrapped(static_cast<Wide>(static_cast<Wide>(a.v) - static_cast<Wide>(b.v)));
  }
  friend Integer operator*(Integer a, Integer b) {
    return wrapped(static_cast<Wide>(static_cast<Wide>(a.v) * static_cast<Wide>(b.v)));
  }
  friend Integer operator-(Integer a) { return Integer(0) - a; }
  friend bool operator<(Integer a, Integer b) { return a.v < b.v; }
  friend bool operator<=(Integer a, Integer b) { return a.v <= b.v; }
  friend bool operator>(Integer a, Integer b) { return a.v > b.v; }
  friend bool operator>=(Integer a, Integer b) { return a.v >= b.v; }
  friend bool operator==(Integer a, Integer b) { return a.v == b.v; }
  friend bool operator!=(Integer a, Integer b) { return a.v != b.v; }
  friend Integer select(bool c, Integer a, Integer b) { return c ? a : b; }
  friend Integer sign(Integer a) { return static_cast<T>((a.v > T(0)) - (a.v < T(0))); }
  friend Integer floor(Integer a) { return a; }
  friend Integer ceil(Integer a) { return a; }
  friend Integer round(Integer a) { return a; }
  friend Integer trunc(Integer a) { return a; }
  friend Integer pow(Integer a, Integer b) { return integers::power(a.v, b.v); }
  friend Integer fmod(Integer a, Integer b) { return integers::fmod(a.v, b.v); }
  friend Integer remainder(Integer a, Integer b) { return integers::remainder(a.v, b.v); }
  friend Integer floor_divide(Integer a, Integer b) { return integers::floor_divide(a.v, b.v); }
};

// ---- helpers ----

namespace detail {

template <class T>
using Bits = typename Vec<T>::Mask;

template <class T>
inline Bits<T> bits(Vec<T> x) {
  return (Bits<T>)x.v;
}
template <class T>
inline Vec<T> from_bits(Bits<T> b) {
  return Vec<T>((typename Vec<T>::Native)b);
}

template <class T>
struct Format;
template <>
struct Format<float> {
  typedef uint32_t Unsigned __attribute__((vector_size(kVecBytes)));
  static constexpr int32_t mantissa_bits = 23, bias = 127, sign = INT32_MIN;
  static constexpr int32_t mantissa = 0x007fffff;
  static constexpr float round = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer
  static constexpr float smallest = 1.17549435e-38f, scale = 16777216.0f;  // 2^24
  static constexpr int32_t scale_bits = 24;
};
template <>
struct Format<double> {
  typedef uint64_t Unsigned __attribute__((vector_size(kVecBytes)));
  static constexpr int64_t mantissa_bits = 52, bias = 1023, sign = INT64_MIN;
  static constexpr int64_t mantissa = 0x000fffffffffffff;
  static constexpr double round = 6755399441055744.0;  // 1.5 * 2^52
  static constexpr double smallest = 2.2250738585072014e-308, scale = 18014398509481984.0;  // 2^54
  static constexpr int64_t scale_bits = 54;
};

// Horner's rule, highest coefficient first.
template <class V, class... C>
inline V polynomial(V x, V first, C... rest) {
  V p = first;
  ((p = p * x + V(static_cast<typename V::Scalar>(rest))), ...);
  return p;
}

// 2^n for -bias < n <= bias.
template <class T>
inline Vec<T> power_of_two(Bits<T> n) {
  return from_bits<T>((n + Format<T>::bias) << Format<T>::mantissa_bits);
}

template <class T>
inline bool any(Bits<T> m) {
  Bits<T> zero = {};
  return memcmp(&m, &zero, sizeof m) != 0;
}

}  // namespace detail

// ---- simple functions ----

template <class T>
inline Vec<T> abs(Vec<T> x) {
  return detail::from_bits<T>(detail::bits(x) & ~detail::Format<T>::sign);
}

// The magnitude of x with the sign of s.
template <class T>
inline Vec<T> copysign(Vec<T> x, Vec<T> s) {
  constexpr auto sign_bit = detail::Format<T>::sign;
  return detail::from_bits<T>((detail::bits(x) & ~sign_bit) | (detail::bits(s) & sign_bit));
}

// -1, 0 or 1; zeros keep their sign and NaN stays.
template <class T>
inline Vec<T> sign(Vec<T> x) {
  return select(x > T(0), T(1), select(x < T(0), T(-1), x));
}

// The larger of two by one instruction: of a NaN and a number, the second.
template <class T>
inline Vec<T> larger(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return _mm512_maskz_max_ps(static_cast<__mmask16>(-1), a.v, b.v);
  else
    return _mm512_maskz_max_pd(static_cast<__mmask8>(-1), a.v, b.v);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return _mm256_max_ps(a.v, b.v);
  else
    return _mm256_max_pd(a.v, b.v);
#else
  return select(a > b, a, b);
#endif
}

// The larger and the smaller of two; NaN if either is NaN. The instructions of x86 give their second
// operand where they cannot decide.
template <class T>
inline Vec<T> maximum(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return select(b != b, b, Vec<T>(_mm512_maskz_max_ps(static_cast<__mmask16>(-1), b.v, a.v)));
  else
    return select(b != b, b, Vec<T>(_mm512_maskz_max_pd(static_cast<__mmask8>(-1), b.v, a.v)));
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return select(b != b, b, Vec<T>(_mm256_max_ps(b.v, a.v)));
  else
    return select(b != b, b, Vec<T>(_mm256_max_pd(b.v, a.v)));
#else
  return select((b > a) | (b != b), b, a);
#endif
}
template <class T>
inline Vec<T> minimum(Vec<T> a, Vec<T> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return select(b != b, b, Vec<T>(_mm512_maskz_min_ps(static_cast<__mmask16>(-1), b.v, a.v)));
  else
    return select(b != b, b, Vec<T>(_mm512_maskz_min_pd(static_cast<__mmask8>(-1), b.v, a.v)));
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return select(b != b, b, Vec<T>(_mm256_min_ps(b.v, a.v)));
  else
    return select(b != b, b, Vec<T>(_mm256_min_pd(b.v, a.v)));
#else
  return select((b < a) | (b != b), b, a);
#endif
}

template <class T>
inline Vec<T> sqrt(Vec<T> x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return _mm512_maskz_sqrt_ps(static_cast<__mmask16>(-1), x.v);
  else
    return _mm512_maskz_sqrt_pd(static_cast<__mmask8>(-1), x.v);
#elif defined(__AVX2__)
  if constexpr (sizeof(T) == 4)
    return _mm256_sqrt_ps(x.v);
  else
    return _mm256_sqrt_pd(x.v);
#else
  for (int i = 0; i < Vec<T>::size; ++i) x.v[i] = std::sqrt(x.v[i]);
  return x;
#endif
}

// ---- exponentials ----

namespace detail {

// y 2^n for y near 1. Results beyond either end of the exponent's range overflow to infinity or round
// to a subnormal number once: AVX-512 has an instruction for that, elsewhere the scale is applied in
// two halves. t = n + Format<T>::round.
template <class T>
inline Vec<T> times_power_of_two(Vec<T> y, [[maybe_unused]] Vec<T> n, [[maybe_unused]] Vec<T> t) {
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    return _mm512_maskz_scalef_ps(static_cast<__mmask16>(-1), y.v, n.v);
  else
    return _mm512_maskz_scalef_pd(static_cast<__mmask8>(-1), y.v, n.v);
#else
  const auto k = bits(t) - bits(Vec<T>(Format<T>::round));
  const auto half = k >> 1;
  return y * power_of_two<T>(half) * power_of_two<T>(k - half);
#endif
}

}  // namespace detail

// e^x = 2^n e^r with |r| <= ln(2) / 2.
inline Vec<float> exp(Vec<float> x) {
  using V = Vec<float>;
#if defined(__AVX512F__)
  constexpr auto all = static_cast<__mmask16>(-1);  // of two, the second where one is NaN
  x = _mm512_maskz_max_ps(all, V(-104.0f).v, _mm512_maskz_min_ps(all, V(89.0f).v, x.v));
#else
  const auto vanishes = x < -104.0f;  // computing that underflow would be slow on many CPUs
  x = select(vanishes, 0.0f, select(x > 89.0f, 89.0f, x));
#endif
  const V t = x * 1.44269504088896341f + detail::Format<float>::round;
  const V n = t - detail::Format<float>::round;
  const V r = x - n * 0.693359375f - n * -2.12194440e-4f;
  const V p = detail::polynomial(r, V(1.9875691500e-4f), 1.3981999507e-3, 8.3334519073e-3,
                                 4.1665795894e-2, 1.6666665459e-1, 5.0000001201e-1);
  const V y = detail::times_power_of_two(p * (r * r) + r + 1.0f, n, t);
#if defined(__AVX512F__)
  return y;
#else
  return select(vanishes, 0.0f, y);
#endif
}

// e^x for x <= 0, as in softmax: results below 2^-126 are zero, and nothing overflows. The lowest bits
// of t are n and the bias of exponents; of two, `larger` gives the second where one is NaN. The
// polynomial is the one of degree 5 with the least largest relative error, 9.2e-8, and of 1
// at 0; with rounding the largest found is 2.3 ulp.
inline Vec<float> exp_nonpositive(Vec<float> x) {
  using V = Vec<float>;
  constexpr float round = detail::Format<float>::round + detail::Format<float>::bias;
  x = larger(V(-88.0f), x);  // n = -127, whose exponent is that of zero
  const V t = x * 1.44269504088896341f + round;
  const V n = t - round;
  const V r = x - n * 0.693359375f - n * -2.12194440e-4f;
  const V p = detail::polynomial(r, V(8.29027221e-3f), 4.18981612e-2, 1.66676387e-1, 4.99991477e-1,
                                 9.99999702e-1, 1.0);
  return p * detail::from_bits<float>(detail::bits(t) << detail::Format<float>::mantissa_bits);
}

inline Vec<double> exp(Vec<double> x) {
  using V = Vec<double>;
  const auto vanishes = x < -746.0;
  x = select(vanishes, 0.0, select(x > 710.0, 710.0, x));
  const V t = x * 1.4426950408889634 + detail::Format<double>::round;
  const V n = t - detail::Format<double>::round;
  const V r = x - n * 6.93145751953125e-1 - n * 1.42860682030941723212e-6;
  const V p = detail::polynomial(r, V(1.0 / 6227020800), 1.0 / 479001600, 1.0 / 39916800,
                                 1.0 / 3628800, 1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720,
                                 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5);
  const V y = detail::times_power_of_two(p * (r * r) + r + 1.0, n, t);
  return select(vanishes, 0.0, y);
}
inline Vec<double> exp_nonpositive(Vec<double> x) { return exp(x); }

namespace detail {

// x = m 2^e with sqrt(1/2) <= m < sqrt(2), for positive finite x; e as a number.
template <class T>
inline void split(Vec<T> x, Vec<T>* m, Vec<T>* e) {
  using F = Format<T>;
  const auto tiny = x < F::smallest;
  const Bits<T> b = bits(select(tiny, x * F::scale, x));
  // Counting exponents from that of sqrt(1/2) puts the fraction in the wanted interval.
  const Bits<T> origin = bits(Vec<T>(static_cast<T>(0.70710678118654752440)));
  // (unsigned, because the offset of what is not a positive number may wrap around)
  const Bits<T> offset = (Bits<T>)((typename F::Unsigned)b - (typename F::Unsigned)origin);
  const Bits<T> k = (offset >> F::mantissa_bits) - (tiny & F::scale_bits);
  *m = from_bits<T>((offset & F::mantissa) + origin);
  *e = from_bits<T>(k + bits(Vec<T>(F::round))) - F::round;
}

// What the logarithm is where it is not a number between the ends.
template <class T>
inline Vec<T> log_ends(Vec<T> x, Vec<T> y) {
  const T infinity = static_cast<T>(INFINITY);
  y = select(x == T(0), -infinity, y);
  y = select(x < T(0), static_cast<T>(NAN), y);
  return select((x == infinity) | (x != x), x, y);
}

}  // namespace detail

inline Vec<float> log(Vec<float> x) {
  using V = Vec<float>;
  V m, e;
  detail::split(x, &m, &e);
  const V f = m - 1.0f, z = f * f;
  V y = detail::polynomial(f, V(7.0376836292e-2f), -1.1514610310e-1, 1.1676998740e-1,
                           -1.2420140846e-1, 1.4249322787e-1, -1.6668057665e-1, 2.0000714765e-1,
                           -2.4999993993e-1, 3.3333331174e-1);
  y = y * f * z + e * -2.12194440e-4f - z * 0.5f;
  return detail::log_ends(x, f + y + e * 0.693359375f);
}

inline Vec<double> log(Vec<double> x) {
  using V = Vec<double>;
  V m, e;
  detail::split(x, &m, &e);
  const V f = m - 1.0, s = f / (f + 2.0), z = s * s;
  const V r = z * detail::polynomial(z, V(1.479819860511658591e-1), 1.531383769920937332e-1,
                                     1.818357216161805012e-1, 2.222219843214978396e-1,
                                     2.857142874366239149e-1, 3.999999999940941908e-1,
                                     6.666666666666735130e-1);
  const V half = f * f * 0.5;
  const V y = f - (half - (s * (half + r) + e * 1.90821492927058770002e-10));
  return detail::log_ends(x, y + e * 6.93147180369123816490e-1);
}

// log(1 + x) for x in [0, 1]: the rounding error of 1 + x is known, and its effect added back.
template <class T>
inline Vec<T> log1p_unit(Vec<T> x) {
  const Vec<T> u = x + T(1);
  return log(u) + (x - (u - T(1))) / u;
}

template <class T>
inline Vec<T> sigmoid(Vec<T> x) {
  const Vec<T> e = exp(-abs(x));  // in [0, 1]: neither branch overflows
  return select(x < T(0), e, T(1)) / (e + T(1));
}

template <class T>
inline Vec<T> softplus(Vec<T> x) {
  return select(x < T(0), T(0), x) + log1p_unit(exp(-abs(x)));
}

// tanh through e^x - 1 needs neither a second formula near 0 nor a second division:
// with x = n ln 2 + r and q = e^r - 1, e^x = 2^n (1 + q) for |n| < 127.
namespace detail {
inline void exp_parts(Vec<float> x, Vec<float>* power, Vec<float>* q) {
  using V = Vec<float>;
  const V t = x * 1.44269504088896341f + Format<float>::round;
  const V n = t - Format<float>::round;
  const V r = x - n * 0.693359375f - n * -2.12194440e-4f;
  const V p = polynomial(r, V(1.9875691500e-4f), 1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2,
                         1.6666665459e-1, 5.0000001201e-1);
  *power = from_bits<float>((bits(t) << 23) + bits(V(1.0f)));  // the low bits of `round` are zero
  *q = p * (r * r) + r;
}
}  // namespace detail

inline Vec<float> tanh(Vec<float> x) {
  using V = Vec<float>;
  V a = abs(x), power, q;
  a = select(a > 10.0f, 10.0f, a);  // where it is 1
  detail::exp_parts(a + a, &power, &q);
  const V e = q * power + (power - 1.0f);
  return copysign(e / (e + 2.0f), x);
}

// sigmoid for gates: below -87 it stays at 2e-38, which saves a third of the instructions.
inline Vec<float> gate_sigmoid(Vec<float> x) {
  using V = Vec<float>;
  V power, q;
  detail::exp_parts(select(x > 87.0f, -87.0f, select(x < -87.0f, 87.0f, -x)), &power, &q);
  return V(1.0f) / (q * power + (power + 1.0f));
}
inline Vec<double> gate_sigmoid(Vec<double> x) { return sigmoid(x); }

inline Vec<double> tanh(Vec<double> x) {
  using V = Vec<double>;
  const V a = abs(x), z = x * x;
  const V p = detail::polynomial(z, V(-9.64399179425052238628e-1), -9.92877231001918586564e1,
                                 -1.61468768441708447952e3);
  const V q = detail::polynomial(z, V(1.0), 1.12811678491632931402e2, 2.23548839060100448583e3,
                                 4.84406305325125486048e3);
  const V small = p / q * z * a + a;
  const V large = V(1.0) - V(2.0) / (exp(a + a) + 1.0);
  return copysign(select(a < 0.625, small, large), x);
}

// ---- trigonometric functions ----

namespace detail {

// sin(x + shift * pi / 2): x = n pi / 2 + r, |r| <= pi / 4, and n + shift picks one of the four
// quarter waves. pi / 2 is split into terms whose products with n are exact.
inline Vec<float> sine(Vec<float> x, int shift) {
  using V = Vec<float>;
  const V t = x * 0.636619772367581343f + Format<float>::round;
  const V n = t - Format<float>::round;
  V r = x - n * 1.5703125f;
  r = r - n * 4.8351287841796875e-4f;
  r = r - n * 3.13855707645416259765625e-7f;
  r = r - n * 6.077100628276710381e-11f;
  const V z = r * r;
  const V s = polynomial(z, V(-1.9515295891e-4f), 8.3321608736e-3, -1.6666654611e-1) * z * r + r;
  const V c =
      polynomial(z, V(2.443315711809948e-5f), -1.388731625493765e-3, 4.166664568298827e-2) * z * z -
      z * 0.5f + 1.0f;
  const Bits<float> quarter = bits(t) + shift;  // the low bits of `round` are zero
  const V y = select((quarter & 1) != 0, c, s);
  return from_bits<float>(bits(y) ^ ((quarter & 2) << 30));
}

inline Vec<double> sine(Vec<double> x, int shift) {
  using V = Vec<double>;
  const V t = x * 0.63661977236758134308 + Format<double>::round;
  const V n = t - Format<double>::round;
  V r = x - n * 1.57079632673412561417;
  r = r - n * 6.07710050630396597660e-11;
  r = r - n * 2.02226624879595063154e-21;
  const V z = r * r;
  const V s = polynomial(z, V(1.58962301576546568060e-10), -2.50507477628578072866e-8,
                         2.75573136213857245213e-6, -1.98412698295895385996e-4,
                         8.33333333332211858878e-3, -1.66666666666666307295e-1) *
                  z * r +
              r;
  const V c = polynomial(z, V(-1.13585365213876817300e-11), 2.08757008419747316778e-9,
                         -2.75573141792967388112e-7, 2.48015872888517045348e-5,
                         -1.38888888888730564116e-3, 4.16666666666665929218e-2) *
                  z * z -
              z * 0.5 + 1.0;
  const Bits<double> quarter = bits(t) + shift;
  const V y = select((quarter & 1) != 0, c, s);
  return from_bits<double>(bits(y) ^ ((quarter & 2) << 62));
}

// Lanes beyond the reach of the reduction, infinity and NaN go through libm.
template <class T, class F>
inline Vec<T> repair(Vec<T> x, T limit, Vec<T> y, F libm) {
  const Bits<T> beyond = ~(abs(x) <= limit);
  if (__builtin_expect(any<T>(beyond), 0))
    for (int i = 0; i < Vec<T>::size; ++i)
      if (beyond[i]) y.v[i] = libm(x.v[i]);
  return y;
}

template <class T>
inline constexpr T kReductionLimit = sizeof(T) == 4 ? T(20000) : T(100000);

}  // namespace detail

template <class T>
inline Vec<T> sin(Vec<T> x) {
  const Vec<T> y = select(x == T(0), x, detail::sine(x, 0));  // keeps the sign of zero
  return detail::repair(x, detail::kReductionLimit<T>, y, [](T v) { return std::sin(v); });
}
template <class T>
inline Vec<T> cos(Vec<T> x) {
  return detail::repair(x, detail::kReductionLimit<T>, detail::sine(x, 1),
                        [](T v) { return std::cos(v); });
}

// ---- powers ----

// By libm, lane by lane, but for the exponents that people write: x**2, x**3, 1/x. The choice is
// made for each lane alone, so that no result depends on its neighbours.
template <class T>
inline Vec<T> pow(Vec<T> a, Vec<T> b) {
  const Vec<T> square = a * a;
  const auto is2 = b == T(2), is3 = b == T(3), inverse = b == T(-1), same = b == T(1);
  Vec<T> y = select(is2, square, select(is3, square * a, select(inverse, T(1) / a, a)));
  const detail::Bits<T> rest = ~(is2 | is3 | inverse | same);
  if (detail::any<T>(rest))
    for (int i = 0; i < Vec<T>::size; ++i)
      if (rest[i]) y.v[i] = std::pow(a.v[i], b.v[i]);
  return y;
}

}  // namespace fastdl::cpu
