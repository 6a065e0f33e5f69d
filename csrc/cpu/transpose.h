// Copies between two layouts of a matrix of which one is contiguous along rows and the other along
// columns, in tiles of registers: both sides are then read and written in whole vectors.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

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

// y[j * y_row + i] = x[i * x_row + j] for i < m, j < n.
template <class T>
inline void transpose(int64_t m, int64_t n, const T* x, int64_t x_row, T* y, int64_t y_row) {
  // Tiles of one cache line of x by as many rows keep both sides in the first-level cache.
  constexpr int64_t kTile = 64 / sizeof(T) < 8 ? 8 : 64 / sizeof(T);
  for (int64_t i0 = 0; i0 < m; i0 += kTile) {
    const int64_t i1 = std::min(m, i0 + kTile);
    for (int64_t j0 = 0; j0 < n; j0 += kTile) {
      const int64_t j1 = std::min(n, j0 + kTile);
      int64_t i = i0;
      for (; i + 8 <= i1; i += 8) {
        int64_t j = j0;
        for (; j + 8 <= j1; j += 8)
          transpose_tile(x + i * x_row + j, x_row, y + j * y_row + i, y_row);
        for (; j < j1; ++j)
          for (int64_t k = i; k < i + 8; ++k) y[j * y_row + k] = x[k * x_row + j];
      }
      for (; i < i1; ++i)
        for (int64_t j = j0; j < j1; ++j) y[j * y_row + i] = x[i * x_row + j];
    }
  }
}

}  // namespace fastdl::cpu
