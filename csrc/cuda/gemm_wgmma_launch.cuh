// The launchers of gemm_wgmma.h: tensor maps, copies of operands that the copy engine cannot read,
// and the choice of an instantiation. One source for each type includes this.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <stdexcept>

#include "cuda/gemm_wgmma.h"
#include "cuda/gemm_wgmma_kernels.cuh"
#include "cuda/gemm_wgmma_plan.h"

namespace fastdl::cuda {
namespace wgmma_detail {

constexpr int kCopyTile = 32, kCopyRows = 8;

// to[z, i, p] = from[z, i, p] of any strides, in rows of `pitch`. Tiles of 32 x 32 are read along
// whichever direction has the smaller stride, and written along k. Grid: (tiles of k, tiles of i,
// batch).
template <class Bits>
__global__ void __launch_bounds__(kCopyTile* kCopyRows)
    copy_operand_kernel(const __grid_constant__ WgmmaOperand from, const Bits* data, int64_t pitch,
                        bool along_k, Bits* to) {
  __shared__ Bits tile[kCopyTile][kCopyTile + 1];
  const int64_t k0 = int64_t{blockIdx.x} * kCopyTile, i0 = int64_t{blockIdx.y} * kCopyTile;
  const int x = static_cast<int>(threadIdx.x), y0 = static_cast<int>(threadIdx.y);
  for (int64_t z = blockIdx.z; z < from.batch; z += gridDim.z) {
    for (int y = y0; y < kCopyTile; y += kCopyRows) {
      const int i = along_k ? y : x, p = along_k ? x : y;
      if (i0 + i < from.size && k0 + p < from.k)
        tile[i][p] = data[z * from.batch_step + (i0 + i) * from.step + (k0 + p) * from.k_step];
    }
    __syncthreads();
    for (int y = y0; y < kCopyTile; y += kCopyRows)
      if (i0 + y < from.size && k0 + x < from.k)
        to[(z * from.size + i0 + y) * pitch + k0 + x] = tile[y][x];
    __syncthreads();
  }
}

// [batch, far, near] with neighbours along `near`. The stride of one row is never used, and has
// to be a valid one all the same.
template <class E>
TensorMap tensor_map(const void* data, int64_t near, int64_t far, int64_t step, int64_t batch,
                     int64_t batch_step, int box_near, int box_far) {
  constexpr int64_t kLine = 16 / sizeof(E);
  if (far == 1) step = ceil_div(near, kLine) * kLine;
  if (batch == 1) batch_step = step;
  const TensorTile tile{
      data,
      3,
      {static_cast<uint64_t>(near), static_cast<uint64_t>(far), static_cast<uint64_t>(batch)},
      {0, static_cast<uint64_t>(step) * sizeof(E), static_cast<uint64_t>(batch_step) * sizeof(E)},
      {static_cast<uint32_t>(box_near), static_cast<uint32_t>(box_far), 1},
      Swizzle::b128};
  TensorMap map;
  if (!make_tensor_map<E>(tile, map)) throw std::runtime_error("the driver refuses a tensor map");
  return map;
}

// An operand that the copy engine can read: as it is, or copied.
template <class T>
class ReadyOperand {
  using Bits = std::conditional_t<sizeof(T) == 2, uint16_t, uint32_t>;

 public:
  ReadyOperand(const Context& context, const WgmmaOperand& given)
      : operand_(given), layout_(given.layout()) {
    constexpr int64_t kLine = 16 / sizeof(T);
    if (layout_ != WgmmaLayout::copied) return;
    layout_ = WgmmaLayout::along_k;
    const int64_t pitch = ceil_div(given.k, kLine) * kLine;
    operand_.batch = given.batch_step == 0 ? 1 : given.batch;
    WgmmaOperand source = operand_;
    copy_.emplace(context, sizeof(T) * operand_.batch * given.size * pitch);
    const dim3 grid(static_cast<unsigned>(ceil_div(given.k, kCopyTile)),
                    static_cast<unsigned>(ceil_div(given.size, kCopyTile)),
                    static_cast<unsigned>(std::min<int64_t>(operand_.batch, 65535)));
    launch(context, copy_operand_kernel<Bits>, grid, dim3(kCopyTile, kCopyRows), source,
           static_cast<const Bits*>(given.data), pitch,
           std::abs(given.k_step) <= std::abs(given.step), copy_->template as<Bits>());
    operand_.data = copy_->template as<void>();
    operand_.step = pitch;
    operand_.k_step = 1;
    operand_.batch_step = operand_.batch > 1 ? given.size * pitch : 0;
  }

  Major major() const { return layout_ == WgmmaLayout::along_k ? Major::k : Major::mn; }
  bool batched() const { return operand_.batch_step != 0 && operand_.batch > 1; }

  // Boxes of `rows` rows along k, or of 64 by 64.
  TensorMap map(int rows) const { return make(rows, 128 / static_cast<int>(sizeof(T))); }

 private:
  TensorMap make(int rows, int depth) const {
    const bool along = layout_ == WgmmaLayout::along_k;
    const int64_t near = along ? operand_.k : operand_.size,
                  far = along ? operand_.size : operand_.k;
    return tensor_map<T>(operand_.data, near, far, along ? operand_.step : operand_.k_step,
                         batched() ? operand_.batch : 1, operand_.batch_step, depth,
                         along ? rows : depth);
  }

 private:
  WgmmaOperand operand_;
  WgmmaLayout layout_;
  std::optional<Scratch> copy_;
};

// One product, with its operands ready.
template <class T>
struct WgmmaCall {
  const Context& context;
  const GemmArguments& g;
  const GemmPlan& plan;
  const ReadyOperand<T>&a, &b;
  WgmmaResult<T> result;
  int multiprocessors;

  WgmmaTask task(int depth, int64_t rows, int64_t columns) const {
    return {static_cast<int>(ceil_div(g.k, depth)), static_cast<int>(ceil_div(g.m, rows)),
            static_cast<int>(ceil_div(g.n, columns)), static_cast<int>(g.batch)};
  }

  template <class Tile>
  void many_tiles() const {
    const int cluster = g.m > Tile::kM ? 2 : 1;
    const WgmmaTask t = task(Tile::kDepth, Tile::kM * cluster, Tile::kN);
    const int64_t tiles = int64_t{t.tiles_m} * t.tiles_n * t.batch;
    const int64_t clusters = std::clamp<int64_t>(multiprocessors / cluster, 1, tiles);
    const TensorMap c = tensor_map<T>(result.c, g.n, g.m, g.c_row, g.batch, g.c_batch,
                                      128 / static_cast<int>(sizeof(T)), 64);
    const MatrixOperands<Tile> operands{a.map(Tile::kM), b.map(Tile::kN / cluster), a.batched(),
                                        b.batched()};
    launch(context, gemm_wgmma_kernel<MatrixOperands<Tile>, T>,
           LaunchShape{dim3(static_cast<unsigned>(clusters * cluster)), dim3(Tile::kThreads),
                       PersistentShared<Tile>::bytes(), static_cast<unsigned>(cluster)},
           operands, c, t, result);
  }

  template <class Tile>
  void few_tiles() const {
    const WgmmaTask t = task(Tile::kDepth, Tile::kM, Tile::kN);
    const auto parts = static_cast<unsigned>(plan.parts);
    const auto tiles = static_cast<unsigned>(t.tiles_m * t.tiles_n * t.batch);
    const MatrixOperands<Tile> operands{a.map(Tile::kM), b.map(Tile::kN), a.batched(), b.batched()};
    launch(
        context, gemm_wgmma_parts_kernel<MatrixOperands<Tile>>,
        LaunchShape{dim3(tiles * parts), dim3(Tile::kThreads), PartsShared<Tile>::bytes(), parts},
        operands, t, result);
  }

  template <bool exact, Major major_a, Major major_b>
  void with_layouts() const {
    using Small = WgmmaTile<T, 1, 128, 4, exact, major_a, major_b>;
    using Middle = WgmmaTile<T, 2, 128, exact ? 3 : 6, exact, major_a, major_b>;
    if (plan.tile_m == 64) {
      few_tiles<Small>();
    } else if (plan.tile_n == 128) {
      plan.parts > 1 ? few_tiles<Middle>() : many_tiles<Middle>();
    } else if constexpr (!exact) {
      many_tiles<WgmmaTile<T, 2, 256, 4, exact, major_a, major_b>>();
    }
  }

  void go() const {
    constexpr Major k = Major::k, mn = Major::mn;
    if constexpr (sizeof(T) == 4) {
      if (g.precision == Precision::highest)
        with_layouts<true, k, k>();
      else
        with_layouts<false, k, k>();
    } else if (a.major() == k) {
      b.major() == k ? with_layouts<false, k, k>() : with_layouts<false, k, mn>();
    } else {
      b.major() == k ? with_layouts<false, mn, k>() : with_layouts<false, mn, mn>();
    }
  }
};

}  // namespace wgmma_detail

template <class T>
void gemm_wgmma(const Context& context, const GemmArguments& g, const GemmPlan& plan, const T* a,
                const T* b, const Epilogue& epilogue, T* c) {
  using namespace wgmma_detail;
  const ReadyOperand<T> ready_a(context, wgmma_operand_a(g, a, sizeof(T)));
  const ReadyOperand<T> ready_b(context, wgmma_operand_b(g, b, sizeof(T)));
  const Finish<T> finish(epilogue, g.accumulate ? c : nullptr);
  const WgmmaResult<T> result{static_cast<int>(g.m),
                              static_cast<int>(g.n),
                              c,
                              g.c_row,
                              g.c_batch,
                              is_aligned(finish.residual, 4 * sizeof(T)),
                              finish};
  WgmmaCall<T>{
      context, g, plan, ready_a, ready_b, result, device_facts(context.device).multiprocessors}
      .go();
}

}  // namespace fastdl::cuda
