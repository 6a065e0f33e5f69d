// Products with a few rows or columns, which are bound by reading the large operand once: neither
// side is packed.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/context.h"
#include "cpu/dot_tile.h"
#include "cpu/gemm.h"

namespace fastdl::cpu {

inline constexpr int64_t kSkinnyChunk = int64_t{1} << 18;  // elements of the large operand

// Rows of A and columns of B both contiguous along k, and one side short: inner products.
template <class T>
bool is_dots(const Gemm<T>& g) {
  return g.a_col == 1 && g.b_row == 1 && (g.m <= kDotRows || g.n <= kDotRows) &&
         g.k >= 2 * Vec<T>::size;
}

template <class T>
void finish(const Gemm<T>& g, int64_t i, int64_t rows, int64_t j, int64_t cols) {
  if (!g.bias && !g.residual && g.activation == Activation::none) return;
  constexpr int64_t kSize = Vec<T>::size;
  for (int64_t r = i; r < i + rows; ++r) {
    T* const c = g.c + r * g.c_row;
    for (int64_t q = j; q < j + cols; q += kSize) {
      const int64_t n = std::min(kSize, j + cols - q);
      Vec<T> x = Vec<T>::load(c + q, n);
      if (g.bias) x += Vec<T>::load(g.bias + q, n);
      if (g.residual) x += Vec<T>::load(g.residual + r * g.residual_row + q, n);
      activate(x, g.activation, g.slope).store(c + q, n);
    }
  }
}

template <class T>
void gemm_dots_serial(const Gemm<T>& g) {
  const int64_t rows = std::min<int64_t>(g.m, kDotRows);
  int64_t offset[kDotCols];
  for (int64_t c = 0; c < kDotCols; ++c) offset[c] = c * g.b_col;
  for (int64_t i = 0; i < g.m; i += rows) {
    const int64_t r = std::min(rows, g.m - i), step = dot_cols(static_cast<int>(r));
    for (int64_t j = 0; j < g.n; j += step) {
      const int64_t c = std::min(step, g.n - j);
      dot_tile<T>(r, c)({g.k, 1, g.a + i * g.a_row, 0, g.a_row, g.b + j * g.b_col, 0, offset,
                         g.c + i * g.c_row + j, g.c_row, g.accumulate});
      finish(g, i, r, j, c);
    }
  }
}

template <class T>
void gemm_dots(const Context& context, const Gemm<T>& g) {
  const bool by_rows = g.m > g.n;
  const int64_t unit = by_rows ? kDotRows : kDotCols * 4;
  const int64_t grain = std::max<int64_t>(1, kSkinnyChunk / (g.k * unit)) * unit;
  context.parallel_for(by_rows ? g.m : g.n, grain, [&](int64_t begin, int64_t end) {
    Gemm<T> part = g;
    if (by_rows) {
      part.m = end - begin;
      part.a += begin * g.a_row;
      part.c += begin * g.c_row;
      if (g.residual) part.residual += begin * g.residual_row;
    } else {
      part.n = end - begin;
      part.b += begin * g.b_col;
      part.c += begin;
      if (g.bias) part.bias += begin;
      if (g.residual) part.residual += begin;
    }
    gemm_dots_serial(part);
  });
}

// One to four rows of A by a B with contiguous rows: rows of B are read in order, four at a time,
// into sums for a strip of columns that stays in the first-level cache. The order of additions is
// that of the tiles.
inline constexpr int64_t kStrip = 512;

template <class T>
bool is_row_sums(const Gemm<T>& g) {
  return g.m <= 4 && g.b_col == 1 && g.n >= 2 * kTileCols<T>;
}

template <class T, int R>
void row_sums_strip(const Gemm<T>& g, int64_t j0, int64_t cols) {
  constexpr int64_t kSize = Vec<T>::size, kUnroll = 4;
  alignas(64) T sum[R][kStrip];
  int64_t p0 = 0;
  do {
    const int64_t kn = std::min(kBlockK, g.k - p0);
    const T *a = g.a + p0 * g.a_col, *b = g.b + p0 * g.b_row + j0;
    for (int r = 0; r < R; ++r) std::fill(sum[r], sum[r] + cols, T(0));
    const auto rows = [&](int64_t p, auto count) __attribute__((always_inline)) {
      constexpr int kCount = decltype(count)::value;
      Vec<T> x[R][kCount];
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r)
#pragma GCC unroll 4
        for (int i = 0; i < kCount; ++i) x[r][i] = Vec<T>(a[r * g.a_row + (p + i) * g.a_col]);
      const auto step = [&](int64_t j, auto get, auto put) __attribute__((always_inline)) {
        Vec<T> y[kCount];
#pragma GCC unroll 4
        for (int i = 0; i < kCount; ++i) y[i] = get(b + (p + i) * g.b_row + j);
#pragma GCC unroll 4
        for (int r = 0; r < R; ++r) {
          Vec<T> acc = get(sum[r] + j);
#pragma GCC unroll 4
          for (int i = 0; i < kCount; ++i) acc += x[r][i] * y[i];
          put(acc, sum[r] + j);
        }
      };
      int64_t j = 0;
      for (; j + kSize <= cols; j += kSize)
        step(j, [](const T* q) { return Vec<T>::load(q); }, [](Vec<T> v, T* q) { v.store(q); });
      if (const int64_t n = cols - j; n > 0)
        step(
            j, [n](const T* q) { return Vec<T>::load(q, n); },
            [n](Vec<T> v, T* q) { v.store(q, n); });
    };
    int64_t p = 0;
    for (; p + kUnroll <= kn; p += kUnroll) rows(p, std::integral_constant<int, kUnroll>());
    for (; p < kn; ++p) rows(p, std::integral_constant<int, 1>());
    for (int r = 0; r < R; ++r) {
      T* const c = g.c + r * g.c_row + j0;
      for (int64_t j = 0; j < cols; ++j) {
        const T x = sum[r][j];
        c[j] = p0 > 0 || g.accumulate ? c[j] + x : x;
      }
    }
    p0 += kBlockK;
  } while (p0 < g.k);
  finish(g, 0, R, j0, cols);
}

template <class T>
void gemm_row_sums(const Context& context, const Gemm<T>& g) {
  constexpr int64_t kUnit = 128 / sizeof(T);
  const int64_t share = kSkinnyChunk / std::max<int64_t>(1, g.k) / kUnit * kUnit;
  const int64_t grain = std::clamp<int64_t>(share, kUnit, kStrip);
  context.parallel_for(g.n, grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; j += kStrip) {
      const int64_t cols = std::min(kStrip, end - j);
      switch (g.m) {
        case 1: row_sums_strip<T, 1>(g, j, cols); break;
        case 2: row_sums_strip<T, 2>(g, j, cols); break;
        case 3: row_sums_strip<T, 3>(g, j, cols); break;
        default: row_sums_strip<T, 4>(g, j, cols); break;
      }
    }
  });
}

}  // namespace fastdl::cpu
