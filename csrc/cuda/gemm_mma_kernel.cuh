// Batched matrix products on gemm_mma.cuh: the loader of a plain matrix, the kernel, and which of
// its instantiations a plan means. One source for each type instantiates them (gemm_mma_*.cu).
#pragma once

#include "cuda/gemm.cuh"
#include "cuda/gemm_mma.cuh"
#include "cuda/gemm_mma.h"
#include "cuda/gemm_parts.h"
#include "cuda/shared.cuh"

namespace fastdl::cuda {

// Element (i, k) of an operand is at data[i * step + k] if it is K-major, else at data[i + k * step].
struct MmaOperand {
  int64_t step, batch;
};

struct MmaProblem {
  int64_t m, n, k;
  MmaOperand a, b;
  int64_t c_row, c_batch, chunk, parts;
  uint32_t tiles_m, tiles_n, batch;
  bool vector_c;
};

// kernels

// Panels of a matrix: `size` rows and `depth` of k exist from `data` on.
template <class S, Major major>
class MatrixLoader {
 public:
  using T = typename S::T;

  __device__ MatrixLoader(const T* data, int64_t step, int64_t size, int depth)
      : data_(data),
        step_(step),
        size_(static_cast<int>(min(size, int64_t{S::kSize}))),
        depth_(depth) {}

  __device__ void copy(unsigned char* panel, int block) const {
    const int along = thread_.chunk * S::kVector, k0 = block * S::kDepth;
#pragma unroll
    for (int i = 0; i < PanelThread<S>::kLines; ++i) {
      const int line = thread_.line + i * PanelThread<S>::kApart;
      int64_t at;
      int bytes;
      if constexpr (major == Major::k) {
        at = line * step_ + k0 + along;
        bytes = line < size_ ? chunk_bytes<T>(depth_ - k0 - along) : 0;
      } else {
        const int k = k0 + line % S::kDepth, row = line / S::kDepth * S::kDepth + along;
        at = k * step_ + row;
        bytes = k < depth_ ? chunk_bytes<T>(size_ - row) : 0;
      }
      thread_.template copy<major>(panel, i, bytes > 0 ? data_ + at : data_, bytes);
    }
  }

 private:
  const PanelThread<S> thread_;
  const T* data_;
  int64_t step_;
  int size_, depth_;
};

// Grid: (tiles, parts of k, batch). `partials`, where there are several parts, is
// [part, batch, m, n].
template <class S, Major major_a, Major major_b, class T = typename S::T>
__global__ void __launch_bounds__(S::kThreads, S::kBlocks)
    gemm_mma_kernel(const __grid_constant__ MmaProblem p, const T* a, const T* b,
                    const __grid_constant__ Finish<T> finish, T* c, float* partials) {
  unsigned char* const ring = dynamic_shared();
  const TileCorner corner(blockIdx.x, p.tiles_m, p.tiles_n, S::kSize);
  const int64_t k0 = blockIdx.y * p.chunk, z = blockIdx.z;
  const int depth = static_cast<int>(min(p.k - k0, p.chunk));  // of this part
  const auto start = [&](Major major, const MmaOperand& operand, int64_t i) {
    return z * operand.batch + (major == Major::k ? i * operand.step + k0 : i + k0 * operand.step);
  };
  MatrixLoader<S, major_a> loader_a(a + start(major_a, p.a, corner.row), p.a.step, p.m - corner.row,
                                    depth);
  MatrixLoader<S, major_b> loader_b(b + start(major_b, p.b, corner.column), p.b.step,
                                    p.n - corner.column, depth);
  typename S::Sums sums = {};
  multiply_ring<S, major_a, major_b>(loader_a, loader_b, (depth + S::kDepth - 1) / S::kDepth, ring,
                                     sums);

  const int64_t columns = p.n - corner.column;
  if (p.parts > 1) {
    const int64_t first = (blockIdx.y * p.batch + z) * p.m;
    store_tile<S>(
        sums, ring, Finish<float>{},
        [&](int r) {
          const int64_t row = corner.row + r;
          return row < p.m ? (first + row) * p.n + corner.column : int64_t{-1};
        },
        corner.column, columns, p.n % 4 == 0, partials);
    return;
  }
  store_tile<S>(
      sums, ring, finish,
      [&](int r) {
        const int64_t row = corner.row + r;
        return row < p.m ? z * p.c_batch + row * p.c_row + corner.column : int64_t{-1};
      },
      corner.column, columns, p.vector_c, c);
}

// launchers

template <class S, class T = typename S::T>
void run_mma(const Context& context, MmaProblem p, Major major_a, Major major_b, const T* a,
             const T* b, const Finish<T>& finish, T* c, float* partials) {
  p.tiles_m = static_cast<uint32_t>(ceil_div(p.m, S::kSize));
  p.tiles_n = static_cast<uint32_t>(ceil_div(p.n, S::kSize));
  const LaunchShape shape{dim3(p.tiles_m * p.tiles_n, static_cast<unsigned>(p.parts), p.batch),
                          dim3(S::kThreads), S::kShared};
  const auto go = [&](auto kernel) {
    launch(context, kernel, shape, p, a, b, finish, c, partials);
  };
  if (major_a == Major::k)
    go(major_b == Major::k ? gemm_mma_kernel<S, Major::k, Major::k>
                           : gemm_mma_kernel<S, Major::k, Major::mn>);
  else
    go(major_b == Major::k ? gemm_mma_kernel<S, Major::mn, Major::k>
                           : gemm_mma_kernel<S, Major::mn, Major::mn>);
}

template <class T>
void gemm_mma(const Context& context, const GemmArguments& g, const GemmPlan& plan, const T* a,
              const T* b, const Epilogue& epilogue, T* c) {
  const Finish<T> finish(epilogue, g.accumulate ? c : nullptr);
  const auto whole = [](int64_t stride) { return stride % (16 / sizeof(T)) == 0; };
  const auto major = [](CopyLayout layout) {
    return layout == CopyLayout::along_k ? Major::k : Major::mn;
  };
  const Major major_a = major(copy_layout_a(g, sizeof(T), a)),
              major_b = major(copy_layout_b(g, sizeof(T), b));
  MmaProblem p{};
  p.batch = static_cast<uint32_t>(g.batch);
  p.m = g.m;
  p.n = g.n;
  p.k = g.k;
  p.a = {major_a == Major::k ? g.a_row : g.a_col, g.a_batch};
  p.b = {major_b == Major::k ? g.b_col : g.b_row, g.b_batch};
  p.c_row = g.c_row;
  p.c_batch = g.c_batch;
  p.parts = plan.parts;
  p.chunk = plan.chunk;
  p.vector_c =
      is_aligned(c, 16) && whole(g.c_row) && whole(g.c_batch) && is_aligned(finish.residual, 16);
  const Scratch scratch(context, partial_bytes<T>(g, plan));
  float* const partials = scratch.as<float>();
  const auto run = [&](auto tile) {
    run_mma<decltype(tile)>(context, p, major_a, major_b, a, b, finish, c, partials);
  };
  constexpr bool is_float = sizeof(T) == 4;
  if (is_float && g.precision == Precision::highest)
    plan.tile_m == 128 ? run(MmaTile<T, 128, is_float>{}) : run(MmaTile<T, 64, is_float>{});
  else
    plan.tile_m == 128 ? run(MmaTile<T, 128>{}) : run(MmaTile<T, 64>{});
  if (plan.parts > 1) add_gemm_parts(context, g, plan.parts, partials, finish, c);
}

}  // namespace fastdl::cuda
