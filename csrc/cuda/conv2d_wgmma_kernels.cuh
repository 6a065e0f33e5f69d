// Convolution on Hopper's tensor cores as an implicit matrix product: the kernels are those of matrix
// products (gemm_wgmma_kernels.cuh); here is who loads their panels. The copy engine walks the pixels
// itself (im2col_load), so the im2col matrix is never written, and no thread computes an address for
// each pixel. The scheme is that of CUTLASS's implicit GEMM for sm_90.
//
//   over taps       rows are positions, columns filters, k = (tap, channel)
//   over positions  rows are filters, columns (tap, channel), k = position; both across (Major::mn)
#pragma once

#include "cuda/gemm_wgmma_kernels.cuh"
#include "cuda/index.cuh"

namespace fastdl::cuda {

// ConvWindows for kernels. Pairs are of w and of h.
struct ConvWalk {
  Divisor plane, row;  // positions of an image, and of one of its rows
  int lower[2], step[2], dilation[2];
  Divisor channel_blocks, taps_w;
};

// Where the window's corner is at a position.
struct ConvCorner {
  int w, h, n;
  __device__ ConvCorner(const ConvWalk& walk, int position) {
    const auto p = static_cast<uint32_t>(position);
    const uint32_t image = walk.plane.quotient(p), rest = p - image * walk.plane.divisor;
    const uint32_t i = walk.row.quotient(rest), j = rest - i * walk.row.divisor;
    w = walk.lower[0] + static_cast<int>(j) * walk.step[0];
    h = walk.lower[1] + static_cast<int>(i) * walk.step[1];
    n = static_cast<int>(image);
  }
};

// A block of channels of one tap.
struct ConvTap {
  int tap, channel_block;
  uint16_t offset[2];
  __device__ ConvTap(const ConvWalk& walk, int block) {
    const auto b = static_cast<uint32_t>(block);
    const uint32_t t = walk.channel_blocks.quotient(b), i = walk.taps_w.quotient(t);
    tap = static_cast<int>(t);
    channel_block = static_cast<int>(b - t * walk.channel_blocks.divisor);
    offset[0] =
        static_cast<uint16_t>(static_cast<int>(t - i * walk.taps_w.divisor) * walk.dilation[0]);
    offset[1] = static_cast<uint16_t>(static_cast<int>(i) * walk.dilation[1]);
  }
};

// `filters`: [tap, filter, channel].
template <class Tile_>
struct ConvOperands {
  using Tile = Tile_;
  TensorMap x, filters;
  ConvWalk walk;

  __device__ void prefetch_maps() const {
    prefetch(x);
    prefetch(filters);
  }

  struct Panels {
    const ConvOperands& from;
    ConvCorner corner;
    int column, rank, sharing;

    __device__ Panels(const ConvOperands& operands, int row, int column_, int, int rank_,
                      int sharing_)
        : from(operands),
          corner(operands.walk, row),
          column(column_),
          rank(rank_),
          sharing(sharing_) {}

    __device__ void load(int block, unsigned char* stage, Mbarrier& full) const {
      const ConvTap t(from.walk, block);
      const int channel = t.channel_block * Tile::kDepth, part = Tile::kN / sharing;
      im2col_load(stage, from.x, {channel, corner.w, corner.h, corner.n}, t.offset, full);
      unsigned char* const to = stage + Tile::kBytesA + rank * part * Tile::kRow;
      const int box[] = {channel, column + rank * part, t.tap};
      if (sharing == 1)
        tile_load(to, from.filters, box, full);
      else
        tile_load_multicast(to, from.filters, box, full, 3);
    }
  };
};

// Batch z has the positions of part z; `last` is the last column block that exists.
template <class Tile_>
struct ConvWeightGradOperands {
  using Tile = Tile_;
  TensorMap dy, x;
  ConvWalk walk;
  int blocks, last;

  __device__ void prefetch_maps() const {
    prefetch(dy);
    prefetch(x);
  }

  struct Panels {
    const ConvWeightGradOperands& from;
    int row, column, first;

    __device__ Panels(const ConvWeightGradOperands& operands, int row_, int column_, int z, int,
                      int)
        : from(operands), row(row_), column(column_), first(z * operands.blocks) {}

    __device__ void load(int block, unsigned char* stage, Mbarrier& full) const {
      static_assert(Tile::kMajorA == Major::mn && Tile::kMajorB == Major::mn);
      const int position = (first + block) * Tile::kDepth;
      const ConvCorner corner(from.walk, position);
#pragma unroll 1
      for (int i = 0; i < Tile::kM; i += 64)
        tile_load(stage + i * Tile::kRow, from.dy, {row + i, position, 0}, full);
#pragma unroll 1
      for (int i = 0; i < Tile::kN; i += 64) {
        const ConvTap t(from.walk, min((column + i) / 64, from.last));
        im2col_load(stage + Tile::kBytesA + i * Tile::kRow, from.x,
                    {t.channel_block * 64, corner.w, corner.h, corner.n}, t.offset, full);
      }
    }
  };
};

// ---- filters and their gradients between layouts

// Taps (i, j) of `taps[1]` x `taps[0]` are taps first + i * step of filters [k, c, r, s].
struct TapChoice {
  int taps[2], first[2], step[2];  // w, h
  int row, all;                    // s, and r * s
};

constexpr int kFilterTile = 32, kFilterTaps = 9;

// to[tap, k, c], or [tap, c, k] if `transposed`, through tiles of 32 x 32 filters and channels and a
// few taps, so that reads run along (c, taps) and writes along the last. Grid: (tiles of c, of k).
template <class Bits>
__global__ void __launch_bounds__(kBlock)
    lay_filters_kernel(const Bits* from, Bits* to, int filters, int channels, TapChoice choice,
                       bool transposed) {
  constexpr int kPitch = kFilterTile * kFilterTaps + 1;
  __shared__ Bits tile[kFilterTile][kPitch];
  const int c0 = static_cast<int>(blockIdx.x) * kFilterTile,
            k0 = static_cast<int>(blockIdx.y) * kFilterTile;
  const int count = choice.taps[0] * choice.taps[1], thread = static_cast<int>(threadIdx.x);
  for (int first = 0; first < count; first += kFilterTaps) {
    const int taps = min(kFilterTaps, count - first), line = kFilterTile * taps;
    for (int e = thread; e < kFilterTile * line; e += kBlock) {
      const int k = e / line, at = e - k * line, c = at / taps, tap = first + at - c * taps;
      const int i = tap / choice.taps[0], j = tap - i * choice.taps[0];
      const int source = (choice.first[1] + i * choice.step[1]) * choice.row + choice.first[0] +
                         j * choice.step[0];
      if (k0 + k < filters && c0 + c < channels)
        tile[k][at] = from[(int64_t{k0 + k} * channels + c0 + c) * choice.all + source];
    }
    __syncthreads();
    for (int e = thread; e < kFilterTile * line; e += kBlock) {
      const int near = e % kFilterTile, rest = e / kFilterTile, far = rest % kFilterTile;
      const int tap = rest / kFilterTile;
      const int k = transposed ? near : far, c = transposed ? far : near;
      if (k0 + k >= filters || c0 + c >= channels) continue;
      const int64_t place =
          transposed ? int64_t{c0 + c} * filters + k0 + k : int64_t{k0 + k} * channels + c0 + c;
      to[int64_t{first + tap} * filters * channels + place] = tile[k][c * taps + tap];
    }
    __syncthreads();
  }
}

// dw[k, c, tap] = the sum of partial[part, k, tap, padded c], in order of the parts.
template <class T>
__global__ void __launch_bounds__(kBlock)
    add_weight_grads_kernel(const float* partial, T* dw, int64_t parts, int filters, int taps,
                            int channels, int padded) {
  const int64_t columns = int64_t{taps} * padded, part = filters * columns;
  const int64_t step = int64_t{gridDim.x} * kBlock;
  for (int64_t e = int64_t{blockIdx.x} * kBlock + threadIdx.x; e < part; e += step) {
    const int64_t k = e / columns, at = e - k * columns, tap = at / padded, c = at - tap * padded;
    if (c >= channels) continue;
    float sum = 0;
    for (int64_t p = 0; p < parts; ++p) sum += partial[p * part + e];
    dw[(k * channels + c) * taps + tap] = T(sum);
  }
}

}  // namespace fastdl::cuda
