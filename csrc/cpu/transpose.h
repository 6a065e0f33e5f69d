// Copies between two layouts of a matrix of which one is contiguous along rows and the other along
// columns, in tiles of registers: both sides are then read and written in whole vectors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "cpu/stream.h"

namespace fastdl::cpu {

// y[j, i] = x[i, j] for 8 by 8 elements, by three rounds of exchanging off-diagonal blocks
// (Eklundh, "A fast computer method for matrix transposing", 1972).
template <class T>
inline void transpose_tile(const T* x, int64_t x_row, T* y, int64_t y_row) {
  constexpr int size = 8;
  typedef T Row __attribute__((vector_size(size * sizeof(T))));
  Row r[size];
  for (int i = 0; i < size; ++i) memcpy(&r[i], x + i * x_row, sizeof(Row));
  const auto exchange = [&](int width, const Row& low, const Row& high) {
    for (int i = 0; i < size; ++i) {
      if (i & width) continue;
      const Row a = r[i], b = r[i + width];
      r[i] = __builtin_shuffle(a, b, low);
      r[i + width] = __builtin_shuffle(a, b, high);
    }
  };
  exchange(4, Row{0, 1, 2, 3, 8, 9, 10, 11}, Row{4, 5, 6, 7, 12, 13, 14, 15});
  exchange(2, Row{0, 1, 8, 9, 4, 5, 12, 13}, Row{2, 3, 10, 11, 6, 7, 14, 15});
  exchange(1, Row{0, 8, 2, 10, 4, 12, 6, 14}, Row{1, 9, 3, 11, 5, 13, 7, 15});
  for (int j = 0; j < size; ++j) memcpy(y + j * y_row, &r[j], sizeof(Row));
}

// y[j * y_row + i] = x[i * x_row + j] for i < m, j < n. Tiles as wide as a cache line of y are put
// together aside, so that every line of y is written whole and once; `stream` bypasses the cache,
// for which y and its rows have to be aligned to lines.
template <class T>
inline void transpose(int64_t m, int64_t n, const T* x, int64_t x_row, T* y, int64_t y_row,
                      bool stream) {
  constexpr int64_t kLine = 64 / sizeof(T), kDepth = 16;
  alignas(64) T tile[kDepth][kLine];
  for (int64_t i0 = 0; i0 < m; i0 += kLine) {
    for (int64_t j0 = 0; j0 < n; j0 += kDepth) {
      const int64_t rows = std::min(kLine, m - i0), columns = std::min(kDepth, n - j0);
      const T* const from = x + i0 * x_row + j0;
      T* const to = y + j0 * y_row + i0;
      if (rows < kLine || columns < kDepth) {
        for (int64_t i = 0; i < rows; ++i)
          for (int64_t j = 0; j < columns; ++j) to[j * y_row + i] = from[i * x_row + j];
        continue;
      }
      for (int64_t i = 0; i < kLine; i += 8)
        for (int64_t j = 0; j < kDepth; j += 8)
          transpose_tile(from + i * x_row + j, x_row, &tile[j][i], kLine);
      if (stream)
        for (int64_t j = 0; j < kDepth; ++j) stream_copy(to + j * y_row, tile[j], 64);
      else
        for (int64_t j = 0; j < kDepth; ++j) memcpy(to + j * y_row, tile[j], 64);
    }
  }
}

}  // namespace fastdl::cpu
