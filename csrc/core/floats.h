// Division with a remainder for floating numbers, by Python's rules: the remainder has the sign of the
// divisor, and quotient times divisor plus remainder is the dividend.
#pragma once

#include <cmath>

#include "core/half.h"

namespace fastdl::floats {

template <class T>
FASTDL_HD inline T remainder(T a, T b) {
  const T rest = std::fmod(a, b);  // exact
  if (rest == 0) return std::copysign(rest, b);
  return (rest < 0) != (b < 0) ? rest + b : rest;
}

// From the exact remainder, not from a / b, which may round up to the next whole number.
template <class T>
FASTDL_HD inline T floor_divide(T a, T b) {
  if (b == 0) return a / b;
  const T rest = std::fmod(a, b);
  T quotient = (a - rest) / b;
  if (rest != 0 && (rest < 0) != (b < 0)) quotient -= 1;
  if (quotient == 0) return std::copysign(T(0), a / b);
  const T whole = std::floor(quotient);
  return quotient - whole > T(0.5) ? whole + 1 : whole;
}

}  // namespace fastdl::floats
