// Convolution as an implicit matrix product on gemm_mma.cuh, channels last: the loaders compute where
// 16 bytes of neighbouring channels lie in x while they copy panels of the im2col matrix, which never
// exists. The sum over taps has positions as rows, and the output's channels as columns; the sum
// over positions has dy's channels as rows, and taps x channels of x as columns.
#pragma once

#include "core/dtype.h"
#include "cuda/conv2d_mma.h"
#include "cuda/gemm_mma_kernel.cuh"
#include "cuda/gemm_plan.h"

namespace fastdl::cuda {

struct ConvMmaProblem {
  Radix position;            // (n, p, q)
  Divisor channels, window;  // a tap is (r * window + s) * channels + c
  int32_t height, width, step[2], reach[2], origin[2];
  int64_t m, n, k;             // of the product
  int64_t y_stride[3], f_row;  // y by (n, p, q)
  int64_t chunk;
  uint32_t parts, tiles_m, tiles_n;
  bool vector;
};

// kernels

// What a position or a tap adds to the row, the column and the offset in x.
struct ConvPoint {
  int32_t row, column;
  uint32_t offset;
};

__device__ inline ConvPoint conv_position(const ConvMmaProblem& p, uint32_t i) {
  const Digits d = p.position.digits(i);
  const auto row = static_cast<int32_t>(d.middle) * p.step[0] + p.origin[0],
             column = static_cast<int32_t>(d.inner) * p.step[1] + p.origin[1];
  const auto height = static_cast<uint32_t>(p.height), width = static_cast<uint32_t>(p.width);
  return {
      row, column,
      ((d.outer * height + static_cast<uint32_t>(row)) * width + static_cast<uint32_t>(column)) *
          p.channels.divisor};
}

__device__ inline ConvPoint conv_tap(const ConvMmaProblem& p, uint32_t i) {
  const uint32_t tap = p.channels.quotient(i), r = p.window.quotient(tap);
  const auto row = static_cast<int32_t>(r) * p.reach[0],
             column = static_cast<int32_t>(tap - r * p.window.divisor) * p.reach[1];
  return {row, column,
          (static_cast<uint32_t>(row) * static_cast<uint32_t>(p.width) +
           static_cast<uint32_t>(column)) *
                  p.channels.divisor +
              (i - tap * p.channels.divisor)};
}

// Offsets wrap around; where row and column are in the plane, their sum does not.
__device__ inline bool conv_inside(const ConvMmaProblem& p, const ConvPoint& a,
                                   const ConvPoint& b) {
  return static_cast<uint32_t>(a.row + b.row) < static_cast<uint32_t>(p.height) &&
         static_cast<uint32_t>(a.column + b.column) < static_cast<uint32_t>(p.width);
}

// K-major panels of x: a line is a position, and runs along taps and channels. A chunk lies in one
// tap, as channels are whole vectors.
template <class S>
class TapLoader {
 public:
  using T = typename S::T;

  __device__ TapLoader(const ConvMmaProblem& p, const T* x, int64_t row, uint32_t k0, int depth)
      : p_(p), x_(x), k0_(k0), depth_(depth) {
#pragma unroll
    for (int i = 0; i < PanelThread<S>::kLines; ++i) {
      const int64_t at = row + thread_.line + i * PanelThread<S>::kApart;
      points_[i] = conv_position(p, static_cast<uint32_t>(min(at, p.m - 1)));
      if (at >= p.m) points_[i].row = -(1 << 30);  // outside, with every tap
    }
  }

  __device__ void copy(unsigned char* panel, int block) const {
    const int k = block * S::kDepth + thread_.chunk * S::kVector;
    const bool exists = k < depth_;
    const ConvPoint tap = conv_tap(p_, exists ? k0_ + static_cast<uint32_t>(k) : 0);
#pragma unroll
    for (int i = 0; i < PanelThread<S>::kLines; ++i) {
      const bool read = exists && conv_inside(p_, points_[i], tap);
      thread_.template copy<Major::k>(panel, i, read ? x_ + (points_[i].offset + tap.offset) : x_,
                                      read ? kChunk : 0);
    }
  }

 private:
  const PanelThread<S> thread_;
  const ConvMmaProblem& p_;
  const T* x_;
  uint32_t k0_;
  int depth_;
  ConvPoint points_[PanelThread<S>::kLines];
};

// MN-major panels of x: a line is a position, and runs along taps and channels, which are columns.
template <class S>
class PositionLoader {
 public:
  using T = typename S::T;

  __device__ PositionLoader(const ConvMmaProblem& p, const T* x, int64_t column, uint32_t k0,
                            int depth)
      : p_(p), x_(x), k0_(k0), depth_(depth) {
#pragma unroll
    for (int i = 0; i < PanelThread<S>::kLines; ++i) {
      const int line = thread_.line + i * PanelThread<S>::kApart;
      const int64_t at = column + line / S::kDepth * S::kDepth + thread_.chunk * S::kVector;
      taps_[i] = conv_tap(p, static_cast<uint32_t>(min(at, p.n - 1)));
      if (at >= p.n) taps_[i].row = -(1 << 30);
    }
  }

  __device__ void copy(unsigned char* panel, int block) const {
#pragma unroll
    for (int i = 0; i < PanelThread<S>::kLines; ++i) {
      const int k = block * S::kDepth + (thread_.line + i * PanelThread<S>::kApart) % S::kDepth;
      const bool exists = k < depth_;
      const ConvPoint point = conv_position(p_, exists ? k0_ + static_cast<uint32_t>(k) : 0);
      const bool read = exists && conv_inside(p_, point, taps_[i]);
      thread_.template copy<Major::mn>(panel, i, read ? x_ + (point.offset + taps_[i].offset) : x_,
                                       read ? kChunk : 0);
    }
  }

 private:
  const PanelThread<S> thread_;
  const ConvMmaProblem& p_;
  const T* x_;
  uint32_t k0_;
  int depth_;
  ConvPoint taps_[PanelThread<S>::kLines];
};

// Stores sums as partials [part, m, n].
template <class S>
__device__ inline void store_part(const ConvMmaProblem& p, const TileCorner& corner,
                                  const typename S::Sums& sums, unsigned char* ring,
                                  float* partials) {
  store_tile<S>(
      sums, ring, Finish<float>{},
      [&](int r) {
        const int64_t row = corner.row + r;
        return row < p.m ? (blockIdx.y * p.m + row) * p.n + corner.column : int64_t{-1};
      },
      corner.column, p.n - corner.column, p.n % 4 == 0, partials);
}

__device__ inline int64_t conv_output(const ConvMmaProblem& p, int64_t row) {
  const Digits d = p.position.digits(static_cast<uint32_t>(row));
  return d.outer * p.y_stride[0] + d.middle * p.y_stride[1] + d.inner * p.y_stride[2];
}

// Grid: (tiles, parts of k). `f` is [n, k].
template <class S, class T = typename S::T>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    conv_mma_taps_kernel(const __grid_constant__ ConvMmaProblem p, const T* x, const T* f,
                         const __grid_constant__ Finish<T> finish, T* y, float* partials) {
  unsigned char* const ring = dynamic_shared();
  const TileCorner corner(blockIdx.x, p.tiles_m, p.tiles_n, S::kSize);
  const int64_t k0 = blockIdx.y * p.chunk;
  const int depth = static_cast<int>(min(p.k - k0, p.chunk));
  TapLoader<S> loader_a(p, x, corner.row, static_cast<uint32_t>(k0), depth);
  MatrixLoader<S, Major::k> loader_b(f + corner.column * p.k + k0, p.k, p.n - corner.column, depth);
  typename S::Sums sums = {};
  multiply_ring<S, Major::k, Major::k>(loader_a, loader_b, (depth + S::kDepth - 1) / S::kDepth,
                                       ring, sums);
  if (p.parts > 1) return store_part<S>(p, corner, sums, ring, partials);
  store_tile<S>(
      sums, ring, finish,
      [&](int r) {
        const int64_t row = corner.row + r;
        return row < p.m ? conv_output(p, row) + corner.column : int64_t{-1};
      },
      corner.column, p.n - corner.column, p.vector, y);
}

// Grid: (tiles, parts of k). `dy` is [k, m].
template <class S, class T = typename S::T>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    conv_mma_positions_kernel(const __grid_constant__ ConvMmaProblem p, const T* x, const T* dy,
                              float* partials) {
  unsigned char* const ring = dynamic_shared();
  const TileCorner corner(blockIdx.x, p.tiles_m, p.tiles_n, S::kSize);
  const int64_t k0 = blockIdx.y * p.chunk;
  const int depth = static_cast<int>(min(p.k - k0, p.chunk));
  MatrixLoader<S, Major::mn> loader_a(dy + corner.row + k0 * p.m, p.m, p.m - corner.row, depth);
  PositionLoader<S> loader_b(p, x, corner.column, static_cast<uint32_t>(k0), depth);
  typename S::Sums sums = {};
  multiply_ring<S, Major::mn, Major::mn>(loader_a, loader_b, (depth + S::kDepth - 1) / S::kDepth,
                                         ring, sums);
  store_part<S>(p, corner, sums, ring, partials);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_add_tap_parts_kernel(const __grid_constant__ ConvMmaProblem p, const float* partials,
                              const __grid_constant__ Finish<T> finish, T* y) {
  const int64_t total = p.m * p.n, threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < total;
       i += threads) {
    float sum = 0;
    for (uint32_t part = 0; part < p.parts; ++part) sum += partials[part * total + i];
    const int64_t row = i / p.n, at = conv_output(p, row) + i % p.n;
    y[at] = T(finish.at(sum, i % p.n, at));
  }
}

// The filters as they are stored, by (row, c, r, s), and as products read them, [row, r, s, c].
struct FilterWalk {
  ConvSide f;
  int64_t rows, channels, height, width;

  __device__ int64_t stored(int64_t i) const {
    const int64_t c = i % channels, s = i / channels % width, r = i / channels / width % height;
    return i / channels / width / height * f.row + c * f.stride[0] + r * f.stride[1] +
           s * f.stride[2];
  }
};

template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_filters_kernel(const __grid_constant__ FilterWalk walk, const T* f, T* turned) {
  const int64_t total = walk.rows * walk.channels * walk.height * walk.width,
                threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < total; i += threads)
    turned[i] = f[walk.stored(i)];
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_add_filter_parts_kernel(const __grid_constant__ FilterWalk walk, int64_t parts,
                                 const float* partials, T* f) {
  const int64_t total = walk.rows * walk.channels * walk.height * walk.width,
                threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < total;
       i += threads) {
    float sum = 0;
    for (int64_t part = 0; part < parts; ++part) sum += partials[part * total + i];
    f[walk.stored(i)] = T(sum);
  }
}

// launchers

inline ConvMmaProblem conv_mma_problem(const ConvForm& form) {
  ConvMmaProblem p{};
  p.position = Radix(form.position);
  p.channels = Divisor(static_cast<uint32_t>(form.tap[0]));
  p.window = Divisor(static_cast<uint32_t>(form.tap[2]));
  p.height = static_cast<int32_t>(form.axis[0].size);
  p.width = static_cast<int32_t>(form.axis[1].size);
  for (int i = 0; i < 2; ++i) {
    p.step[i] = static_cast<int32_t>(form.axis[i].step);
    p.reach[i] = static_cast<int32_t>(form.axis[i].reach);
    p.origin[i] = static_cast<int32_t>(form.axis[i].origin);
  }
  for (int i = 0; i < 3; ++i) p.y_stride[i] = form.y.stride[i];
  return p;
}

inline FilterWalk filter_walk(const ConvForm& form) {
  return {form.f, form.rows, form.tap[0], form.tap[1], form.tap[2]};
}

// Chooses the tile and the parts, and calls go(tile, grid) with the tile's type.
template <class T, class Go>
void with_tile(const Context& context, ConvMmaProblem& p, Precision precision, const Go& go) {
  constexpr bool is_float = sizeof(T) == 4;
  const TileChoice choice = choose_tile(p.m, p.n, p.k, 1, mma_rate(dtype_of<T>::value, precision),
                                        device_facts(context.device));
  p.parts = static_cast<uint32_t>(choice.parts);
  p.chunk = choice.chunk;
  p.tiles_m = static_cast<uint32_t>(ceil_div(p.m, choice.tile));
  p.tiles_n = static_cast<uint32_t>(ceil_div(p.n, choice.tile));
  const auto run = [&](auto tile) {
    using S = decltype(tile);
    go(tile, LaunchShape{dim3(p.tiles_m * p.tiles_n, p.parts), dim3(S::kThreads), S::kShared});
  };
  if (is_float && precision == Precision::highest)
    choice.tile == 128 ? run(MmaTile<T, 128, is_float>{}) : run(MmaTile<T, 64, is_float>{});
  else
    choice.tile == 128 ? run(MmaTile<T, 128>{}) : run(MmaTile<T, 64>{});
}

template <class T>
void conv_mma_taps(const Context& context, const ConvForm& form, Precision precision, const T* x,
                   const T* f, const Epilogue& epilogue, T* y) {
  ConvMmaProblem p = conv_mma_problem(form);
  p.m = form.position[0] * form.position[1] * form.position[2];
  p.n = form.rows;
  p.k = form.tap[0] * form.tap[1] * form.tap[2];
  const Finish<T> finish(epilogue);
  p.vector = is_aligned(y, 16) && is_aligned(finish.residual, 16);
  const Scratch filters(context, sizeof(T) * static_cast<size_t>(p.n * p.k));
  T* const turned = filters.as<T>();
  launch(context, conv_filters_kernel<T>, loop_grid(p.n * p.k), dim3(kBlock), filter_walk(form), f,
         turned);
  with_tile<T>(context, p, precision, [&](auto tile, const LaunchShape& shape) {
    const Scratch scratch(
        context, p.parts > 1 ? sizeof(float) * p.parts * static_cast<size_t>(p.m * p.n) : 0);
    float* const partials = scratch.as<float>();
    launch(context, conv_mma_taps_kernel<decltype(tile)>, shape, p, x, turned, finish, y, partials);
    if (p.parts > 1)
      launch(context, conv_add_tap_parts_kernel<T>, loop_grid(p.m * p.n), dim3(kBlock), p, partials,
             finish, y);
  });
}

template <class T>
void conv_mma_positions(const Context& context, const ConvForm& form, Precision precision,
                        const T* x, const T* dy, T* f) {
  ConvMmaProblem p = conv_mma_problem(form);
  p.m = form.rows;
  p.n = form.tap[0] * form.tap[1] * form.tap[2];
  p.k = form.position[0] * form.position[1] * form.position[2];
  with_tile<T>(context, p, precision, [&](auto tile, const LaunchShape& shape) {
    const Scratch scratch(context, sizeof(float) * p.parts * static_cast<size_t>(p.m * p.n));
    float* const partials = scratch.as<float>();
    launch(context, conv_mma_positions_kernel<decltype(tile)>, shape, p, x, dy, partials);
    launch(context, conv_add_filter_parts_kernel<T>, loop_grid(p.m * p.n), dim3(kBlock),
           filter_walk(form), int64_t{p.parts}, partials, f);
  });
}

}  // namespace fastdl::cuda
