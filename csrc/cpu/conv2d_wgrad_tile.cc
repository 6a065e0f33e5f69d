#include "cpu/conv2d_wgrad_tile.h"

namespace fastdl::cpu {

// kernels

namespace {

template <class T, int R, int V>
void tile(const WgradTile<T>& t) {
  constexpr int64_t kSize = Vec<T>::size;
  Vec<T> acc[R][V] = {};
  if (t.accumulate) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[r][v] = Vec<T>::load(t.sum + r * kTileCols<T> + v * kSize);
  }
  int64_t offset[R];
  for (int r = 0; r < R; ++r) offset[r] = t.offset[r];
  const int64_t lanes_step = t.lanes_step, rows_step = t.rows_step;
  for (const Run* run = t.runs; run < t.runs + t.n_runs; ++run) {
    const T* const lanes = t.lanes + run->lanes;
    const T* const rows = t.rows + run->rows;
    multiply_add<T, R, V>(
        run->length,
        [&](int64_t p, int r)
            __attribute__((always_inline)) { return rows[p * rows_step + offset[r]]; },
        [&](int64_t p, int v) __attribute__((always_inline)) {
          return Vec<T>::load(lanes + p * lanes_step + v * kSize);
        },
        acc);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) acc[r][v].store(t.sum + r * kTileCols<T> + v * kSize);
}

template <class T, int V, int... Rs>
constexpr WgradTileFn<T> pick(int64_t rows, std::integer_sequence<int, Rs...>) {
  constexpr WgradTileFn<T> table[] = {tile<T, Rs + 1, V>...};
  return table[rows - 1];
}

}  // namespace

template <class T>
WgradTileFn<T> wgrad_tile(int64_t rows, int64_t lanes) {
  constexpr auto all = std::make_integer_sequence<int, kTileRows>();
  return lanes <= Vec<T>::size ? pick<T, 1>(rows, all) : pick<T, 2>(rows, all);
}

template WgradTileFn<float> wgrad_tile<float>(int64_t, int64_t);
template WgradTileFn<double> wgrad_tile<double>(int64_t, int64_t);

}  // namespace fastdl::cpu
