// Value<T>: a scalar over which the one-line formulas of ops/unary.h and ops/binary.h compile.
//
// It is not plain T because in `-0.5 * g` the number would turn a float formula into a double one;
// here the number becomes a Value<T> first. Integers wrap around.
#pragma once

#include <cmath>
#include <cstdint>
#include <type_traits>

#include "core/floats.h"
#include "core/half.h"
#include "core/integers.h"

namespace fastdl::cuda {

// The type in which arithmetic on T is done.
template <class T>
struct compute_type {
  using type = T;
};
template <>
struct compute_type<Half> {
  using type = float;
};
template <>
struct compute_type<BFloat16> {
  using type = float;
};
template <class T>
using Compute = typename compute_type<T>::type;

// Signed overflow is undefined in C++; the unsigned type of the same width wraps.
template <class T, bool integer = std::is_integral_v<T> && !std::is_same_v<T, bool>>
struct wrapping_type {
  using type = T;
};
template <class T>
struct wrapping_type<T, true> {
  using type = std::make_unsigned_t<T>;
};

template <class T>
struct Value {
  using Wrap = typename wrapping_type<T>::type;

  T v;

  FASTDL_HD Value(T value) : v(value) {}

  friend FASTDL_HD Value operator+(Value a, Value b) {
    return static_cast<T>(static_cast<Wrap>(a.v) + static_cast<Wrap>(b.v));
  }
  friend FASTDL_HD Value operator-(Value a, Value b) {
    return static_cast<T>(static_cast<Wrap>(a.v) - static_cast<Wrap>(b.v));
  }
  friend FASTDL_HD Value operator*(Value a, Value b) {
    return static_cast<T>(static_cast<Wrap>(a.v) * static_cast<Wrap>(b.v));
  }
  friend FASTDL_HD Value operator/(Value a, Value b) { return static_cast<T>(a.v / b.v); }
  friend FASTDL_HD Value operator-(Value a) {
    if constexpr (std::is_integral_v<T>) {
      return Value(T(0)) - a;
    } else {
      return -a.v;  // keeps the sign of zero
    }
  }

  friend FASTDL_HD bool operator<(Value a, Value b) { return a.v < b.v; }
  friend FASTDL_HD bool operator<=(Value a, Value b) { return a.v <= b.v; }
  friend FASTDL_HD bool operator>(Value a, Value b) { return a.v > b.v; }
  friend FASTDL_HD bool operator>=(Value a, Value b) { return a.v >= b.v; }
  friend FASTDL_HD bool operator==(Value a, Value b) { return a.v == b.v; }
  friend FASTDL_HD bool operator!=(Value a, Value b) { return a.v != b.v; }
  friend FASTDL_HD Value select(bool condition, Value a, Value b) { return condition ? a : b; }
};

template <class T>
FASTDL_HD inline Value<T> neg(Value<T> x) {
  return -x;
}
template <class T>
FASTDL_HD inline Value<T> abs(Value<T> x) {
  return select(x <= 0, 0 - x, x);
}
template <class T>
FASTDL_HD inline Value<T> square(Value<T> x) {
  return x * x;
}
template <class T>
FASTDL_HD inline Value<T> reciprocal(Value<T> x) {
  return 1 / x;
}
template <class T>
FASTDL_HD inline Value<T> relu(Value<T> x) {
  return select(x < 0, 0, x);
}
// -1, 0 or 1; NaN stays NaN.
template <class T>
FASTDL_HD inline Value<T> sign(Value<T> x) {
  if (x != x) return x;
  return static_cast<T>(static_cast<int>(x > Value<T>(T(0))) -
                        static_cast<int>(x < Value<T>(T(0))));
}
template <class T>
FASTDL_HD inline Value<T> relu6(Value<T> x) {
  return select(x < 0, 0, select(x > 6, 6, x));
}
// Integers are whole numbers already.
#define FASTDL_ROUNDING(name, function)            \
  template <class T>                               \
  FASTDL_HD inline Value<T> name(Value<T> x) {     \
    if constexpr (std::is_integral_v<T>) return x; \
    return static_cast<T>(function(x.v));          \
  }
FASTDL_ROUNDING(floor, std::floor)
FASTDL_ROUNDING(ceil, std::ceil)
FASTDL_ROUNDING(trunc, std::trunc)
FASTDL_ROUNDING(round, std::nearbyint)
#undef FASTDL_ROUNDING
#define FASTDL_LIBM(name)                      \
  template <class T>                           \
  FASTDL_HD inline Value<T> name(Value<T> x) { \
    return std::name(x.v);                     \
  }
FASTDL_LIBM(exp)
FASTDL_LIBM(exp2)
FASTDL_LIBM(expm1)
FASTDL_LIBM(log)
FASTDL_LIBM(log2)
FASTDL_LIBM(log10)
FASTDL_LIBM(log1p)
FASTDL_LIBM(sqrt)
FASTDL_LIBM(sin)
FASTDL_LIBM(cos)
FASTDL_LIBM(tan)
FASTDL_LIBM(asin)
FASTDL_LIBM(acos)
FASTDL_LIBM(atan)
FASTDL_LIBM(sinh)
FASTDL_LIBM(cosh)
FASTDL_LIBM(tanh)
FASTDL_LIBM(asinh)
FASTDL_LIBM(acosh)
FASTDL_LIBM(atanh)
FASTDL_LIBM(erf)
FASTDL_LIBM(erfc)
#undef FASTDL_LIBM
template <class T>
FASTDL_HD inline Value<T> rsqrt(Value<T> x) {
  return 1 / sqrt(x);
}
#define FASTDL_DIVISION(name, of_integers, of_floats)      \
  template <class T>                                       \
  FASTDL_HD inline Value<T> name(Value<T> a, Value<T> b) { \
    if constexpr (std::is_integral_v<T>)                   \
      return of_integers(a.v, b.v);                        \
    else                                                   \
      return of_floats(a.v, b.v);                          \
  }
FASTDL_DIVISION(pow, integers::power, std::pow)
FASTDL_DIVISION(fmod, integers::fmod, std::fmod)
FASTDL_DIVISION(remainder, integers::remainder, floats::remainder)
FASTDL_DIVISION(floor_divide, integers::floor_divide, floats::floor_divide)
#undef FASTDL_DIVISION
template <class T>
FASTDL_HD inline Value<T> atan2(Value<T> a, Value<T> b) {
  return std::atan2(a.v, b.v);
}
template <class T>
FASTDL_HD inline Value<T> sigmoid(Value<T> x) {
  return T(1) / (T(1) + std::exp(-x.v));
}
// log(1 + e^x), which neither overflows nor loses small values.
template <class T>
FASTDL_HD inline Value<T> softplus(Value<T> x) {
  if (x != x) return x;
  return (x.v > T(0) ? x.v : T(0)) + std::log1p(std::exp(-std::fabs(x.v)));
}

template <class T>
FASTDL_HD inline Value<T> logsigmoid(Value<T> x) {
  return -softplus(-x);
}

// The unsigned integer as wide as T: what only moves elements need not know their type.
template <class T>
using Bytes =
    std::conditional_t<sizeof(T) == 1, uint8_t,
                       std::conditional_t<sizeof(T) == 2, uint16_t,
                                          std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;

// Element conversion as copies do it: float to integer truncates, to bool is != 0.
template <class To, class From>
FASTDL_HD inline To convert_to(From x) {
  if constexpr (std::is_same_v<To, From>) {
    return x;
  } else if constexpr (std::is_same_v<To, bool>) {
    return static_cast<Compute<From>>(x) != Compute<From>(0);
  } else if constexpr (std::is_same_v<To, uint8_t> && !std::is_integral_v<From>) {
    return static_cast<uint8_t>(static_cast<int32_t>(static_cast<Compute<From>>(x)));
  } else {
    return To(static_cast<Compute<To>>(static_cast<Compute<From>>(x)));
  }
}

}  // namespace fastdl::cuda
