// Copies that turn a tensor around: the source's neighbours lie along one dimension, the target's along
// another (a matrix transposed; NCHW to channels-last and back). A square of both dimensions goes
// through shared memory, so that rows of 128 bytes or more are read and written. Elements narrower
// than 4 bytes move as packs of 4 where addresses and sizes allow.
#pragma once

#include <algorithm>

#include "cuda/index.cuh"
#include "cuda/launch.cuh"

namespace fastdl::cuda {

// A slice of [rest..., rows, columns]: columns are neighbours in x, rows in y.
struct TransposePlan {
  int64_t rows, columns;          // to be moved
  int64_t x_row, y_column;        // strides
  Divisor row_tiles, both_tiles;  // tiles along the rows, and tiles of a matrix
  Index<2> rest;                  // the matrices
  bool x_packs, y_packs;
};

namespace detail {

template <class T>
inline constexpr int kTransposePack = static_cast<int>(sizeof(T) < 4 ? 4 / sizeof(T) : 1);
template <class T>
inline constexpr int kTransposeTile = kWarp * kTransposePack<T>;

// The first `count` of P elements.
template <int P, class T>
__device__ inline Pack<T, P> load_first(const T* p, int64_t count, bool packed) {
  if (packed && count >= P) return load_pack<P>(p);
  Pack<T, P> out{};
#pragma unroll
  for (int v = 0; v < P; ++v)
    if (v < count) out.v[v] = p[v];
  return out;
}

// Block of (32, 8) threads; a tile a block.
template <class T>
__global__ void __launch_bounds__(kBlock)
    transpose_kernel(const __grid_constant__ TransposePlan p, const T* x, T* y) {
  constexpr int P = kTransposePack<T>, kTile = kTransposeTile<T>, kStep = kBlock / kWarp;
  // A row is one bank longer than a multiple of 32.
  __shared__ Pack<T, P> tile[kTile][kWarp + 1];
  const uint32_t matrix = p.both_tiles.quotient(blockIdx.x);
  const uint32_t in_matrix = blockIdx.x - matrix * p.both_tiles.divisor;
  const uint32_t tile_column = p.row_tiles.quotient(in_matrix);
  const uint32_t tile_row = in_matrix - tile_column * p.row_tiles.divisor;
  int64_t at[2];
  p.rest.offsets(matrix, at);
  const int64_t row = int64_t{tile_row} * kTile, column = int64_t{tile_column} * kTile;
  const int across = static_cast<int>(threadIdx.x) * P;
  x += at[0] + row * p.x_row + column;
  y += at[1] + column * p.y_column + row;
#pragma unroll
  for (int r = 0; r < kTile; r += kStep) {
    const int down = r + static_cast<int>(threadIdx.y);
    if (row + down >= p.rows) continue;
    const Pack<T, P> in =
        load_first<P>(x + down * p.x_row + across, p.columns - column - across, p.x_packs);
    tile[down][threadIdx.x] = in;
  }
  __syncthreads();
#pragma unroll
  for (int c = 0; c < kTile; c += kStep) {
    const int down = c + static_cast<int>(threadIdx.y);
    const int64_t left = p.rows - row - across;
    if (column + down >= p.columns || left <= 0) continue;
    T* const to = y + down * p.y_column + across;
    Pack<T, P> out{};
#pragma unroll
    for (int v = 0; v < P; ++v)
      if (v < left) out.v[v] = tile[across + v][down / P].v[down % P];
    if (p.y_packs && left >= P) {
      store_pack<P>(to, out);
    } else {
#pragma unroll
      for (int v = 0; v < P; ++v)
        if (v < left) to[v] = out.v[v];
    }
  }
}

}  // namespace detail

// Copies x to y if that is a transposition of matrices large enough for tiles; else returns false.
template <class T>
bool transpose(const Context& context, const Strided<2>& walk, const T* x, T* y) {
  constexpr int64_t kLeast = 8;  // rows and columns
  constexpr int P = detail::kTransposePack<T>, kTile = detail::kTransposeTile<T>;
  int column = -1, row = -1;
  for (int d = 0; d < walk.ndim; ++d) {
    if (walk.stride[0][d] == 1 && walk.size[d] >= kLeast && column < 0) column = d;
    if (walk.stride[1][d] == 1 && walk.size[d] >= kLeast && row < 0) row = d;
  }
  if (row < 0 || column < 0 || row == column) return false;
  const int64_t rows = walk.size[row], columns = walk.size[column];
  const int64_t row_tiles = ceil_div(rows, kTile), both = row_tiles * ceil_div(columns, kTile);
  if (both >= INT32_MAX) return false;

  Strided<2> rest = detail::drop_dimension(walk, std::max(row, column));
  rest = detail::drop_dimension(rest, std::min(row, column));
  const auto packs = [&](int operand, int along, int across, const void* p) {
    bool ok = walk.size[along] % P == 0 && walk.stride[operand][across] % P == 0 &&
              is_aligned(p, P * sizeof(T));
    for (int d = 0; d < rest.ndim; ++d) ok = ok && rest.stride[operand][d] % P == 0;
    return ok;
  };
  TransposePlan plan{rows,
                     columns,
                     walk.stride[0][row],
                     walk.stride[1][column],
                     Divisor(static_cast<uint32_t>(row_tiles)),
                     Divisor(static_cast<uint32_t>(both)),
                     {},
                     packs(0, column, row, x),
                     packs(1, row, column, y)};
  for_slices(rest, [&](const Strided<2>& matrices, const int64_t (&offset)[2]) {
    // So many matrices a launch that its blocks can be counted in 31 bits.
    const int64_t most = INT32_MAX / both, last = matrices.ndim ? matrices.ndim - 1 : 0;
    const int64_t inner = matrices.ndim ? matrices.numel / matrices.size[last] : 1;
    const int64_t step = std::max<int64_t>(most / inner, 1);
    const int64_t count = matrices.ndim ? matrices.size[last] : 1;
    for (int64_t begin = 0; begin < count; begin += step) {
      Strided<2> some = matrices;
      const int64_t now = std::min(step, count - begin);
      if (some.ndim) some.size[last] = now;
      some.numel = inner * now;
      plan.rest = Index<2>(some);
      const int64_t from = matrices.ndim ? begin * matrices.stride[0][last] : 0;
      const int64_t to = matrices.ndim ? begin * matrices.stride[1][last] : 0;
      launch(context, detail::transpose_kernel<T>, dim3(static_cast<unsigned>(some.numel * both)),
             dim3(kWarp, kBlock / kWarp), plan, x + offset[0] + from, y + offset[1] + to);
    }
  });
  return true;
}

}  // namespace fastdl::cuda
