#include "cpu/conv2d_tile.h"

#include <utility>

#include "cpu/epilogue.h"

namespace fastdl::cpu {
namespace {

// kernels

template <class T, int R, int V>
void tile(const ChannelTile<T>& t) {
  constexpr int kSize = Vec<T>::size;
  const int64_t tail = t.cols - (V - 1) * kSize;
  const auto load = [&](const T* p, int v) {
    return v == V - 1 ? Vec<T>::load(p + v * kSize, tail) : Vec<T>::load(p + v * kSize);
  };
  Vec<T> acc[R][V];
  if (t.accumulate) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[r][v] = load(t.out[r] + t.out_shift, v);
  } else {
    Vec<T> start[V];
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) start[v] = t.bias ? load(t.bias, v) : Vec<T>(T(0));
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) acc[r][v] = start[v];
  }
  const T* b = t.b;
  const char* ahead = t.ahead;
  const int64_t run = t.run, ahead_step = t.ahead_step;
  for (int64_t k = 0; k < t.runs; ++k) {
    const int64_t offset = t.offset[k] + t.shift;
    const T* a[R];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) a[r] = t.rows[r] + offset;
    for (int64_t i = 0; i < run; ++i, b += V * kSize, ahead += ahead_step) {
      __builtin_prefetch(ahead, 0, 2);  // it may lie past the end: no harm
      Vec<T> bv[V];
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) bv[v] = Vec<T>::load(b + v * kSize);
#pragma GCC unroll 16
      for (int r = 0; r < R; ++r) {
        const Vec<T> av(a[r][i]);
#pragma GCC unroll 2
        for (int v = 0; v < V; ++v) acc[r][v] += av * bv[v];
      }
    }
  }
  if (t.last && (t.residual || t.activation != Activation::none)) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
      for (int v = 0; v < V; ++v) {
        if (t.residual) acc[r][v] += load(t.residual + (t.out[r] + t.out_shift - t.y), v);
        acc[r][v] = activate(acc[r][v], t.activation, t.slope);
      }
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) {
      T* const p = t.out[r] + t.out_shift + v * kSize;
      v == V - 1 && tail < kSize ? acc[r][v].store(p, tail) : acc[r][v].store(p);
    }
}

template <class T, int V, int... Rs>
ChannelTileFn<T> pick(int64_t rows, std::integer_sequence<int, Rs...>) {
  static constexpr ChannelTileFn<T> table[] = {tile<T, Rs + 1, V>...};
  return table[rows - 1];
}

}  // namespace

template <class T>
ChannelTileFn<T> channel_tile(int64_t rows, int64_t cols) {
  constexpr auto all = std::make_integer_sequence<int, kChannelRows>();
  return cols > Vec<T>::size ? pick<T, 2>(rows, all) : pick<T, 1>(rows, all);
}

template ChannelTileFn<float> channel_tile<float>(int64_t, int64_t);
template ChannelTileFn<double> channel_tile<double>(int64_t, int64_t);

}  // namespace fastdl::cpu
