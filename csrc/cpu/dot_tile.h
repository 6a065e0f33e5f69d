// Inner products of R vectors with C vectors at once: for products whose two operands are both long
// in the summed dimension. Each accumulator is a register of partial sums, reduced once at the end;
// no operand is transposed or packed.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "cpu/gemm_pack.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

// R * C accumulators, R registers of u and one of v fit the register file.
inline constexpr int kDotRows = kVecBytes == 64 ? 6 : 3;
constexpr int dot_cols(int rows) {
  constexpr int wide[] = {8, 8, 7, 6, 5, 4}, narrow[] = {6, 6, 4};
  return kVecBytes == 64 ? wide[rows - 1] : narrow[std::min(rows, 3) - 1];
}
inline constexpr int kDotCols = 8;

template <class T>
struct DotArgs {
  int64_t length, repeats;  // the sums run over `repeats` pieces of `length`
  const T* u;               // row r at u + r * u_row, pieces u_repeat apart
  int64_t u_repeat, u_row;
  const T* v;  // column c at v + offset[c], pieces v_repeat apart
  int64_t v_repeat;
  const int64_t* offset;
  T* out;  // [R, C], rows out_row apart
  int64_t out_row;
  bool accumulate;
};

namespace detail {
// Lane i of the result is the sum of the lanes of r[i], in a fixed order.
template <int W, class T>
[[gnu::always_inline]] inline Vec<T> sum_each(Vec<T>* r) {
#pragma GCC unroll 16
  for (int i = 0; i < W; ++i) {
    exchange<W>(r[i], r[i + W], std::make_integer_sequence<int, Vec<T>::size>());
    r[i] += r[i + W];
  }
  if constexpr (W > 1) return sum_each<W / 2>(r);
  return r[0];
}

template <class T, int R, int C>
void dot_tile(const DotArgs<T>& t) {
  constexpr int kSize = Vec<T>::size, kAll = (R * C + kSize - 1) / kSize * kSize;
  Vec<T> acc[kAll] = {};
  const T* column[C];
  for (int64_t s = 0; s < t.repeats; ++s) {
    const T* const u = t.u + s * t.u_repeat;
    const int64_t u_row = t.u_row, length = t.length;
#pragma GCC unroll 8
    for (int c = 0; c < C; ++c) column[c] = t.v + s * t.v_repeat + t.offset[c];
    const auto step = [&](int64_t j, auto get) __attribute__((always_inline)) {
      Vec<T> x[R];
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) x[r] = get(u + r * u_row + j);
#pragma GCC unroll 8
      for (int c = 0; c < C; ++c) {
        const Vec<T> y = get(column[c] + j);
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) acc[r * C + c] += x[r] * y;
      }
    };
    int64_t j = 0;
    for (; j + kSize <= length; j += kSize) step(j, [](const T* p) { return Vec<T>::load(p); });
    if (const int64_t n = length - j; n > 0)
      step(j, [n](const T* p) { return Vec<T>::load(p, n); });
  }
  T sum[kAll];
#pragma GCC unroll 48
  for (int i = 0; i < kAll; i += kSize) sum_each<kSize / 2>(acc + i).store(sum + i);
  for (int r = 0; r < R; ++r)
    for (int c = 0; c < C; ++c) {
      T& out = t.out[r * t.out_row + c];
      out = t.accumulate ? out + sum[r * C + c] : sum[r * C + c];
    }
}

template <class T, int R, int... Cs>
auto pick_dot(int64_t cols, std::integer_sequence<int, Cs...>) {
  static constexpr void (*table[])(const DotArgs<T>&) = {dot_tile<T, R, Cs + 1>...};
  return table[cols - 1];
}
}  // namespace detail

// rows <= kDotRows, cols <= dot_cols(rows).
template <class T>
void (*dot_tile(int64_t rows, int64_t cols))(const DotArgs<T>&) {
  const auto pick = [&](auto r) {
    constexpr int kR = decltype(r)::value;
    return detail::pick_dot<T, kR>(cols, std::make_integer_sequence<int, dot_cols(kR)>());
  };
  switch (rows) {
    case 1: return pick(std::integral_constant<int, 1>());
    case 2: return pick(std::integral_constant<int, 2>());
    case 3: return pick(std::integral_constant<int, 3>());
    default: break;
  }
  if constexpr (kDotRows > 3) {
    if (rows == 4) return pick(std::integral_constant<int, 4>());
    if (rows == 5) return pick(std::integral_constant<int, 5>());
  }
  return pick(std::integral_constant<int, kDotRows>());
}

}  // namespace fastdl::cpu
