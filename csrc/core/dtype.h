// Element types and the one switch that turns a run-time dtype into a C++ type.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/half.h"

namespace fastdl {

enum class DType : uint8_t { f16, bf16, f32, f64, i32, i64, u8, boolean };
inline constexpr int kDTypes = 8;

constexpr size_t item_size(DType t) {
  constexpr size_t sizes[kDTypes] = {2, 2, 4, 8, 4, 8, 1, 1};
  return sizes[static_cast<int>(t)];
}

constexpr const char* name_of(DType t) {
  constexpr const char* names[kDTypes] = {"float16", "bfloat16", "float32", "float64",
                                          "int32",   "int64",    "uint8",   "bool"};
  return names[static_cast<int>(t)];
}

constexpr bool is_floating(DType t) { return t <= DType::f64; }

template <class T>
struct dtype_of;
template <>
struct dtype_of<Half> {
  static constexpr DType value = DType::f16;
};
template <>
struct dtype_of<BFloat16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct dtype_of<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct dtype_of<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct dtype_of<int32_t> {
  static constexpr DType value = DType::i32;
};
template <>
struct dtype_of<int64_t> {
  static constexpr DType value = DType::i64;
};
template <>
struct dtype_of<uint8_t> {
  static constexpr DType value = DType::u8;
};
template <>
struct dtype_of<bool> {
  static constexpr DType value = DType::boolean;
};

// A type as a value: `with_dtype(t, [&](auto tag) { using T = typename decltype(tag)::type; ... })`.
template <class T>
struct Type {
  using type = T;
};

template <class F>
decltype(auto) with_dtype(DType t, F&& f) {
  switch (t) {
    case DType::f16: return f(Type<Half>{});
    case DType::bf16: return f(Type<BFloat16>{});
    case DType::f32: return f(Type<float>{});
    case DType::f64: return f(Type<double>{});
    case DType::i32: return f(Type<int32_t>{});
    case DType::i64: return f(Type<int64_t>{});
    case DType::u8: return f(Type<uint8_t>{});
    case DType::boolean: break;
  }
  return f(Type<bool>{});
}

// Calls f once per type of the list: how a kernel file registers itself for several dtypes.
template <class... Ts, class F>
void for_types(F&& f) {
  (f(Type<Ts>{}), ...);
}

}  // namespace fastdl
