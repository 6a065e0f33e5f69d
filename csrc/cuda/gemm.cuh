// What every product of matrices on CUDA shares, whichever way its operands are fetched.
//
// A block of 256 threads computes a tile of 64 F x 64 F, each thread F x F fragments of 4 x 4, from
// panels of kDepth columns of a and rows of b. While one panel is multiplied the next one is on its
// way from memory to registers (the scheme of Volkov and Demmel, "Benchmarking GPUs to tune dense
// linear algebra", SC 2008, with the warp tiles of CUTLASS). Panels lie in shared memory with k
// outermost, whatever the layout of the operand.
//
// A loader brings one operand's panels:
//   void fetch(int depth)            the next panel into registers; `depth` of its rows exist
//                                    (kDepth or more: all), the others are zeros
//   void store(Tile::Panel&) const   what was fetched, widened, into shared memory
#pragma once

#include <algorithm>

#include "cuda/epilogue.cuh"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"

namespace fastdl::cuda {

inline constexpr int kFragment = 4;

// F = 2: tiles of 128 x 128 and 64 accumulators a thread; F = 1: 64 x 64 and 16, for smaller
// problems and for doubles. A vector fills 16 bytes once it is widened to Acc.
template <class T, int F>
struct Tile {
  using Acc = Compute<T>;
  static constexpr int kSize = 64 * F;
  static constexpr int kVector = static_cast<int>(16 / sizeof(Acc));
  static constexpr int kDepth = kVector * kBlock / kSize;  // kVector elements a thread and operand
  static constexpr int kPitch = kSize + kFragment;         // staggers the banks
  static constexpr int kBlocks = sizeof(T) == 8 ? 1 : 2;   // of a multiprocessor, at least
  using Panel = Acc[kDepth][kPitch];
  using Sums = Acc[F * kFragment][F * kFragment];
};

// Where a tile lies in the output: tiles run down strips of kStrip tile rows, so that blocks at
// work together share panels in L2.
struct TileCorner {
  int64_t row, column;

  __device__ TileCorner(uint32_t tile, uint32_t tiles_m, uint32_t tiles_n, int size) {
    constexpr uint32_t kStrip = 8;
    const uint32_t per_strip = kStrip * tiles_n;
    const uint32_t strip = tile / per_strip, in_strip = tile % per_strip;
    const uint32_t strip_rows = min(kStrip, tiles_m - strip * kStrip);
    row = static_cast<int64_t>(strip * kStrip + in_strip % strip_rows) * size;
    column = static_cast<int64_t>(in_strip / strip_rows) * size;
  }
};

// Where this thread's accumulators lie in the tile. A warp covers 16 F x 32 F, its lanes 4 x 8
// fragments; 4 x 2 warps cover the tile. Fragments are 16 rows or 32 columns apart.
template <int F>
struct TileThread {
  int row, column;

  __device__ TileThread() {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    row = warp % 4 * (16 * F) + lane / 8 * kFragment;
    column = warp / 4 * (32 * F) + lane % 8 * kFragment;
  }
  __device__ int row_of(int i) const { return row + i / kFragment * 16 + i % kFragment; }
  __device__ int column_of(int fragment) const { return column + fragment * 32; }
};

// Four neighbours of a panel's row; doubles need two accesses.
template <class Acc>
__device__ inline void load_fragment(const Acc* row, Acc (&out)[kFragment]) {
  constexpr int kWide = static_cast<int>(16 / sizeof(Acc));
#pragma unroll
  for (int v = 0; v < kFragment; v += kWide) {
    const Pack<Acc, kWide> pack = load_pack<kWide>(row + v);
#pragma unroll
    for (int w = 0; w < kWide; ++w) out[v + w] = pack.v[w];
  }
}

// to[offset, + 4) = what `finish` makes of four sums, the first of `column`, as far as there are
// columns. `vector`: output and residual can be accessed four at a time (doubles: two).
template <class T>
__device__ inline void store_fragment(const Compute<T>* from, const Finish<T>& finish,
                                      int64_t column, int64_t columns, bool vector, int64_t offset,
                                      T* to) {
  using Acc = Compute<T>;
  constexpr int kWide = sizeof(T) == 8 ? 2 : kFragment;
  if (vector && columns >= kFragment) {
#pragma unroll
    for (int v = 0; v < kFragment; v += kWide) {
      Acc sums[kWide];
#pragma unroll
      for (int w = 0; w < kWide; ++w) sums[w] = from[v + w];
      store_pack(to + offset + v, finish.pack(sums, column + v, offset + v));
    }
    return;
  }
#pragma unroll
  for (int v = 0; v < kFragment; ++v)
    if (v < columns) to[offset + v] = T(finish.at(from[v], column + v, offset + v));
}

// sums += a b over `depth` of k, in the order of k. Every thread of the block calls it. Loaders
// with much state lower `unroll`: it bounds how many fragments the compiler holds ahead.
template <class T, int F, int unroll = Tile<T, F>::kDepth, class LoaderA, class LoaderB>
__device__ __forceinline__ void multiply_panels(LoaderA& a, LoaderB& b, int depth,
                                                typename Tile<T, F>::Panel (&panel_a)[2],
                                                typename Tile<T, F>::Panel (&panel_b)[2],
                                                typename Tile<T, F>::Sums& sums) {
  using S = Tile<T, F>;
  const TileThread<F> thread;
  a.fetch(depth);
  b.fetch(depth);
  a.store(panel_a[0]);
  b.store(panel_b[0]);
  __syncthreads();
#pragma unroll 1
  for (int now = 0; depth > 0; now ^= 1) {
    depth -= S::kDepth;
    if (depth > 0) {
      a.fetch(depth);
      b.fetch(depth);
    }
#pragma unroll unroll
    for (int d = 0; d < S::kDepth; ++d) {
      typename S::Acc x[F][kFragment], y[F][kFragment];
#pragma unroll
      for (int f = 0; f < F; ++f) {
        load_fragment(&panel_a[now][d][thread.row + f * 16], x[f]);
        load_fragment(&panel_b[now][d][thread.column + f * 32], y[f]);
      }
#pragma unroll
      for (int i = 0; i < F * kFragment; ++i)
#pragma unroll
        for (int j = 0; j < F * kFragment; ++j)
          sums[i][j] += x[i / kFragment][i % kFragment] * y[j / kFragment][j % kFragment];
    }
    if (depth > 0) {
      a.store(panel_a[now ^ 1]);
      b.store(panel_b[now ^ 1]);
    }
    __syncthreads();
  }
}

// How k is cut into parts, whose sums a second kernel adds in order: enough parts that the blocks
// come near `blocks`, none shorter than `shortest`. A function of sizes alone, as the order of the
// sums is.
struct KParts {
  int64_t count, chunk;  // chunk: of k in one part, a multiple of every kDepth, at most 2^30

  KParts(int64_t k, int64_t tiles, int64_t blocks, int64_t shortest) {
    constexpr int64_t kMultiple = 64;
    static_assert(kMultiple % Tile<float, 1>::kDepth == 0);
    count = std::clamp<int64_t>(blocks / tiles, 1, std::max<int64_t>(k / shortest, 1));
    chunk = ceil_div(ceil_div(k, count), kMultiple) * kMultiple;
    chunk = std::clamp<int64_t>(chunk, kMultiple, int64_t{1} << 30);
    count = std::max<int64_t>(ceil_div(k, chunk), 1);
  }
};

}  // namespace fastdl::cuda
