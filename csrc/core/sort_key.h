// Keys by which any dtype sorts as unsigned integers do, on every device.
#pragma once

#include <cstdint>
#include <type_traits>

#include "core/half.h"

namespace fastdl {

namespace detail {
template <size_t bytes>
struct key_word {
  using type = uint64_t;
};
template <>
struct key_word<1> {
  using type = uint8_t;
};
template <>
struct key_word<2> {
  using type = uint16_t;
};
template <>
struct key_word<4> {
  using type = uint32_t;
};

// The bits of infinity: of a magnitude that is larger, the number is NaN.
template <class T>
inline constexpr uint64_t kInfinityBits = std::is_same_v<T, Half>       ? 0x7c00
                                          : std::is_same_v<T, BFloat16> ? 0x7f80
                                          : std::is_same_v<T, float>    ? 0x7f800000
                                                                        : 0x7ff0000000000000;
}  // namespace detail

template <class T>
using KeyWord = typename detail::key_word<sizeof(T)>::type;

// Ascends with x. NaN is above all numbers, and equal to itself; -0 is equal to 0.
template <class T>
FASTDL_HD inline KeyWord<T> sort_key(T x) {
  using U = KeyWord<T>;
  constexpr U top = static_cast<U>(U{1} << (8 * sizeof(T) - 1));
  const U bits = detail::bits_as<U>(x);
  if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    return static_cast<U>(bits ^ top);
  } else if constexpr (std::is_integral_v<T>) {
    return bits;
  } else {
    const U magnitude = static_cast<U>(bits & ~top);
    // Of negative numbers all bits are turned, of others the sign. There are no branches, which nobody
    // could foretell.
    const U negative = static_cast<U>(U{0} - (bits >> (8 * sizeof(T) - 1)));
    const U key = magnitude ? static_cast<U>(bits ^ (negative | top)) : top;
    return magnitude > detail::kInfinityBits<T> ? static_cast<U>(~U{0}) : key;
  }
}

}  // namespace fastdl
