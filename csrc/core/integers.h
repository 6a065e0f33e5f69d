// Arithmetic on integers that is defined for every operand, on every device: what overflows wraps
// around, and a division by zero gives 0.
#pragma once

#include <type_traits>

#include "core/half.h"

namespace fastdl::integers {

template <class T>
using Wide = std::make_unsigned_t<T>;

template <class T>
FASTDL_HD constexpr T negative(T a) {
  return static_cast<T>(static_cast<Wide<T>>(0) - static_cast<Wide<T>>(a));
}

// Rounded towards zero.
template <class T>
FASTDL_HD constexpr T divide(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return negative(a);  // the quotient of the least number has no room
  return static_cast<T>(a / b);
}
// What divide leaves, with the sign of a.
template <class T>
FASTDL_HD constexpr T fmod(T a, T b) {
  if (b == 0) return 0;
  if constexpr (std::is_signed_v<T>)
    if (b == -1) return 0;
  return static_cast<T>(a % b);
}
template <class T>
FASTDL_HD constexpr bool signs_differ(T a, T b) {
  if constexpr (std::is_signed_v<T>) return (a < 0) != (b < 0);
  return false;
}
// Rounded towards minus infinity.
template <class T>
FASTDL_HD constexpr T floor_divide(T a, T b) {
  const T quotient = divide(a, b), rest = fmod(a, b);
  return rest != 0 && signs_differ(rest, b) ? static_cast<T>(quotient - 1) : quotient;
}
// What floor_divide leaves, with the sign of b.
template <class T>
FASTDL_HD constexpr T remainder(T a, T b) {
  const T rest = fmod(a, b);
  return rest != 0 && signs_differ(rest, b) ? static_cast<T>(rest + b) : rest;
}
// By squaring. A negative exponent gives the whole part of the fraction: 0 but for a = 1 and -1.
template <class T>
FASTDL_HD constexpr T power(T a, T b) {
  if constexpr (std::is_signed_v<T>)
    if (b < 0) return a == 1 ? 1 : a == -1 ? (b & 1 ? -1 : 1) : 0;
  Wide<T> base = static_cast<Wide<T>>(a), result = 1;
  for (Wide<T> n = static_cast<Wide<T>>(b); n; n = static_cast<Wide<T>>(n >> 1)) {
    if (n & 1) result = static_cast<Wide<T>>(result * base);
    base = static_cast<Wide<T>>(base * base);
  }
  return static_cast<T>(result);
}
// Shifts by less than 0, or by all bits and more, leave nothing; to the right, the sign.
template <class T>
FASTDL_HD constexpr bool shifts_out(T n) {
  return static_cast<Wide<T>>(n) >= 8 * sizeof(T);
}
template <class T>
FASTDL_HD constexpr T left_shift(T a, T n) {
  return shifts_out(n) ? 0 : static_cast<T>(static_cast<Wide<T>>(a) << n);
}
template <class T>
FASTDL_HD constexpr T right_shift(T a, T n) {
  if (!shifts_out(n)) return static_cast<T>(a >> n);
  if constexpr (std::is_signed_v<T>) return a < 0 ? -1 : 0;
  return 0;
}

}  // namespace fastdl::integers
