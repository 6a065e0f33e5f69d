// Pooling of images in channels-last: a thread has a pack of 16 bytes, neighbouring channels of one
// pixel, so that neighbouring threads read and write neighbours whatever the window. Gradients gather,
// as in ops/pool2d_cuda.cu.
#pragma once

#include <limits>

#include "cuda/pool_windows.cuh"

namespace fastdl::cuda {

// The packs of a slice of [samples, height, width, channels]; the "operands" of the walk are the
// coordinates.
struct LastCells {
  Index<4> index;
  int64_t origin[4];
  uint32_t count;
  int64_t channels;
  bool aligned;

  struct Cell {
    int64_t channel, column, row, sample;
    // The first of the pack at (row, column) of this sample, in an image of the two sizes.
    __device__ int64_t at(int64_t rows, int64_t columns, int64_t channels, int64_t r,
                          int64_t c) const {
      return ((sample * rows + r) * columns + c) * channels + channel;
    }
  };
  template <int V>
  __device__ Cell cell(uint32_t i) const {
    int64_t at[4];
    index.offsets(i, at);
    return {(origin[0] + at[0]) * V, origin[1] + at[1], origin[2] + at[2], origin[3] + at[3]};
  }
};

// kernels

template <class T, class I>
__global__ void __launch_bounds__(kBlock)
    max_last_kernel(const __grid_constant__ LastCells cells,
                    const __grid_constant__ Windows windows, const T* x, T* y, I* index) {
  using C = Compute<T>;
  constexpr int V = kVector<T>;
  const Axis &rows = windows.rows, &columns = windows.columns;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    const auto cell = cells.cell<V>(i);
    const int64_t top = rows.start(cell.row), left = columns.start(cell.column);
    const Range r = rows.taps(top), c = columns.taps(left);
    const bool empty = r.first >= r.last || c.first >= c.last;
    const int first = static_cast<int>(r.first * columns.kernel + c.first);
    Pack<T, V> best;
    int tap_of[V];
#pragma unroll
    for (int v = 0; v < V; ++v) {
      best.v[v] = T(-std::numeric_limits<C>::infinity());
      tap_of[v] = empty ? static_cast<int>(kNoTap<I>) : first;
    }
#pragma unroll 1
    for (int64_t tap = r.first; tap < r.last; ++tap) {
      const int64_t row = top + tap * rows.dilation.by.divisor;
#pragma unroll 3
      for (int64_t t = c.first; t < c.last; ++t) {
        const int64_t from = cell.at(rows.size, columns.size, cells.channels, row,
                                     left + t * columns.dilation.by.divisor);
        const auto in = load_elements<V>(x + from, cells.aligned);
        const int number = static_cast<int>(tap * columns.kernel + t);
#pragma unroll
        for (int v = 0; v < V; ++v) {
          const C now = C(in.v[v]), so_far = C(best.v[v]);
          if (now <= so_far || so_far != so_far) continue;  // what is larger, or the first NaN
          best.v[v] = in.v[v], tap_of[v] = number;
        }
      }
    }
    const int64_t out =
        cell.at(rows.outputs, columns.outputs, cells.channels, cell.row, cell.column);
    store_elements<V>(y + out, best, cells.aligned);
    if (!index) continue;
    Pack<I, V> taps;
#pragma unroll
    for (int v = 0; v < V; ++v) taps.v[v] = static_cast<I>(tap_of[v]);
    store_pack<V>(index + out, taps);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    average_last_kernel(const __grid_constant__ LastCells cells,
                        const __grid_constant__ Windows windows, const T* x, T* y) {
  using C = Compute<T>;
  constexpr int V = kVector<T>;
  const Axis &rows = windows.rows, &columns = windows.columns;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    const auto cell = cells.cell<V>(i);
    const int64_t top = rows.start(cell.row), left = columns.start(cell.column);
    const Range r = rows.taps(top), c = columns.taps(left);
    C sum[V] = {};
#pragma unroll 1
    for (int64_t tap = r.first; tap < r.last; ++tap) {
      const int64_t row = top + tap * rows.dilation.by.divisor;
#pragma unroll 3
      for (int64_t t = c.first; t < c.last; ++t) {
        const int64_t from = cell.at(rows.size, columns.size, cells.channels, row,
                                     left + t * columns.dilation.by.divisor);
        const auto in = load_elements<V>(x + from, cells.aligned);
#pragma unroll
        for (int v = 0; v < V; ++v) sum[v] += C(in.v[v]);
      }
    }
    const C divisor = windows.divisor<C>(cell.row, cell.column);
    Pack<T, V> out;
#pragma unroll
    for (int v = 0; v < V; ++v) out.v[v] = T(sum[v] / divisor);
    store_elements<V>(
        y + cell.at(rows.outputs, columns.outputs, cells.channels, cell.row, cell.column), out,
        cells.aligned);
  }
}

// What a window sends to a pixel: of the maximum, where its tap is the pixel's.
template <class T, class I>
struct MaxShareLast {
  const T* dy;
  const I* index;
  template <int V>
  __device__ void add(Compute<T> (&sum)[V], const Windows&, int64_t out, int64_t, int64_t,
                      int64_t tap, bool aligned) const {
    const auto g = load_elements<V>(dy + out, aligned);
    const auto taps = load_pack<V>(index + out);
#pragma unroll
    for (int v = 0; v < V; ++v)
      if (static_cast<int64_t>(taps.v[v]) == tap) sum[v] += Compute<T>(g.v[v]);
  }
};
template <class T>
struct AverageShareLast {
  const T* dy;
  template <int V>
  __device__ void add(Compute<T> (&sum)[V], const Windows& windows, int64_t out, int64_t p,
                      int64_t q, int64_t, bool aligned) const {
    const auto g = load_elements<V>(dy + out, aligned);
    const Compute<T> divisor = windows.divisor<Compute<T>>(p, q);
#pragma unroll
    for (int v = 0; v < V; ++v) sum[v] += Compute<T>(g.v[v]) / divisor;
  }
};

template <class T, class Share>
__global__ void __launch_bounds__(kBlock)
    gather_last_kernel(const __grid_constant__ LastCells cells,
                       const __grid_constant__ Windows windows, const Share share, T* dx) {
  constexpr int V = kVector<T>;
  const Axis &rows = windows.rows, &columns = windows.columns;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    const auto cell = cells.cell<V>(i);
    const Range p = rows.windows(cell.row), q = columns.windows(cell.column);
    Compute<T> sum[V] = {};
#pragma unroll 1
    for (int64_t row = p.first; row < p.last; ++row) {
      if (!rows.touches(cell.row, row)) continue;
      const int64_t tap = rows.tap(cell.row, row) * columns.kernel;
#pragma unroll 2
      for (int64_t column = q.first; column < q.last; ++column)
        if (columns.touches(cell.column, column))
          share.template add<V>(sum, windows,
                                cell.at(rows.outputs, columns.outputs, cells.channels, row, column),
                                row, column, tap + columns.tap(cell.column, column), cells.aligned);
    }
    Pack<T, V> out;
#pragma unroll
    for (int v = 0; v < V; ++v) out.v[v] = T(sum[v]);
    store_elements<V>(dx + cell.at(rows.size, columns.size, cells.channels, cell.row, cell.column),
                      out, cells.aligned);
  }
}

// launchers

// A thread for each pack of [samples, height, width, channels].
template <int V, class Shape, class... P, class... A>
void launch_last(const Context& context, int64_t height, int64_t width, bool aligned,
                 void (*kernel)(LastCells, Windows, P...), const Shape& shape,
                 const A&... arguments) {
  const int64_t size[4] = {shape.channels / V, width, height, shape.planes / shape.channels};
  Strided<4> walk;
  walk.ndim = 4;
  for (int d = 0; d < 4; ++d) {
    walk.size[d] = size[d], walk.stride[d][d] = 1;
    walk.numel *= size[d];
  }
  for_slices(walk, [&](const Strided<4>& slice, const int64_t (&origin)[4]) {
    const LastCells cells{Index<4>(slice),
                          {origin[0], origin[1], origin[2], origin[3]},
                          static_cast<uint32_t>(slice.numel),
                          shape.channels,
                          aligned};
    launch(context, kernel, loop_grid(slice.numel), dim3(kBlock), cells, Windows(shape),
           arguments...);
  });
}

}  // namespace fastdl::cuda
