// Products with a few rows or columns, which are bound by reading the large operand once: neither
// side is packed.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/context.h"
#include "cpu/cache.h"
#include "cpu/dot_tile.h"
#include "cpu/gemm.h"

namespace fastdl::cpu {

inline constexpr int64_t kSkinnyChunk = int64_t{1} << 18;  // elements of the large operand

// Rows of A and columns of B both contiguous along k, and one side short: inner products.
template <class T>
bool is_dots(const Gemm<T>& g) {
  return g.a_col == 1 && g.b_row == 1 && (g.m <= 2 * kDotRows || g.n <= kDotRows) &&
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

// The larger side of a vector's product with a matrix is read as one stream, asked for a little ahead:
// memory likes that, and is what it waits for.
template <class T>
[[gnu::always_inline]] inline T dot(int64_t k, const T* u, const T* v) {
  constexpr int64_t kSize = Vec<T>::size, kUnroll = 4, kAhead = 1024 / sizeof(T);
  Vec<T> acc[kUnroll] = {};
  int64_t p = 0;
  for (; p + kUnroll * kSize <= k; p += kUnroll * kSize)
#pragma GCC unroll 4
    for (int i = 0; i < kUnroll; ++i) {
      __builtin_prefetch(v + p + i * kSize + kAhead);
      acc[i] += Vec<T>::load(u + p + i * kSize) * Vec<T>::load(v + p + i * kSize);
    }
  for (; p + kSize <= k; p += kSize) acc[0] += Vec<T>::load(u + p) * Vec<T>::load(v + p);
  if (p < k) acc[1] += Vec<T>::load(u + p, k - p) * Vec<T>::load(v + p, k - p);
  return sum_lanes((acc[0] + acc[1]) + (acc[2] + acc[3]));
}

template <class T>
bool has_vector(const Gemm<T>& g) {
  return g.m == 1 || g.n == 1;
}

// One row or one column of C.
template <class T>
void gemm_vector_serial(const Gemm<T>& g) {
  for (int64_t i = 0; i < g.m; ++i)
    for (int64_t j = 0; j < g.n; ++j) {
      const T *a = g.a + i * g.a_row, *b = g.b + j * g.b_col;
      const T sum = g.n == 1 ? dot(g.k, b, a) : dot(g.k, a, b);
      T& c = g.c[i * g.c_row + j];
      c = g.accumulate ? c + sum : sum;
    }
  finish(g, 0, g.m, 0, g.n);
}

// A row by a matrix that comes from beyond the second-level cache: it is read as it lies, row after row,
// while the sums stay in the first-level cache. A tile has the sums in registers, and so reads narrow
// pieces of rows, at each of which the hardware's prefetching begins anew.
template <class T>
inline constexpr int64_t kStreamCols = 2048;  // of a piece, at most; at least a quarter

template <class T>
bool is_streamed(const Gemm<T>& g) {
  return g.m == 1 && g.b_col == 1 && g.n >= kStreamCols<T> / 4 &&
         g.k * g.n * static_cast<int64_t>(sizeof(T)) > cache_sizes().l2 / 2;
}

// sums[j] += a[0] b[j] + a[a_col] b[b_row + j] + ... over k rows; n is a multiple of the registers.
template <class T>
void add_rows(int64_t k, int64_t n, const T* a, int64_t a_col, const T* b, int64_t b_row, T* sums) {
  constexpr int64_t kSize = Vec<T>::size, kAhead = 1024 / sizeof(T);
  for (int64_t p = 0; p < k; ++p, b += b_row) {
    const Vec<T> factor(a[p * a_col]);
    const auto add = [&](int64_t from, int64_t to, const T* ahead) {
      for (int64_t j = from; j < to; j += kSize) {
        __builtin_prefetch(ahead + j);
        Vec<T> sum = Vec<T>::load(sums + j);
        sum += factor * Vec<T>::load(b + j);
        sum.store(sums + j);
      }
    };
    add(0, n - kAhead, b + kAhead);
    add(n - kAhead, n, b + b_row + kAhead - n);  // of the next row
  }
}

template <class T>
void gemm_dots_serial(const Gemm<T>& g) {
  const int64_t groups = (g.m + kDotRows - 1) / kDotRows;
  const int64_t rows = (g.m + groups - 1) / std::max<int64_t>(1, groups);
  int64_t offset[kDotCols];
  for (int64_t c = 0; c < kDotCols; ++c) offset[c] = c * g.b_col;
  // Two groups of rows share the columns, which then come from the first-level cache.
  const int64_t together = std::min(g.m, 2 * rows), step = dot_cols(static_cast<int>(rows));
  for (int64_t i0 = 0; i0 < g.m; i0 += together)
    for (int64_t j = 0; j < g.n; j += step) {
      const int64_t c = std::min(step, g.n - j);
      for (int64_t i = i0; i < std::min(i0 + together, g.m); i += rows) {
        const int64_t r = std::min(rows, g.m - i);
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
  const auto serial = has_vector(g) ? gemm_vector_serial<T> : gemm_dots_serial<T>;
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
    serial(part);
  });
}

}  // namespace fastdl::cpu
