// The launchers of conv2d_wgmma.h. One source for each type includes this.
#pragma once

#include <optional>
#include <stdexcept>

#include "cuda/conv2d_wgmma.h"
#include "cuda/conv2d_wgmma_kernels.cuh"
#include "cuda/gemm_wgmma_launch.cuh"

namespace fastdl::cuda {
namespace wgmma_detail {

// A dense operand at an address that the copy engine takes: as it is, or copied.
template <class T>
class AlignedOperand {
 public:
  AlignedOperand(const Context& context, const T* data, int64_t elements) : data_(data) {
    if (is_aligned(data, 16)) return;
    const size_t bytes = sizeof(T) * static_cast<size_t>(elements);
    copy_.emplace(context, bytes);
    const DeviceGuard guard(context.device);
    cudaMemcpyAsync(copy_->template as<void>(), data, bytes, cudaMemcpyDeviceToDevice,
                    static_cast<cudaStream_t>(context.stream));
    data_ = copy_->template as<T>();
  }
  const T* data() const { return data_; }

 private:
  const T* data_;
  std::optional<Scratch> copy_;
};

// Filters [k, c, r, s] as [tap, k, c] or, transposed, [tap, c, k]: as they are, or laid out anew.
template <class T>
class LaidFilters {
  using Bits = std::conditional_t<sizeof(T) == 2, uint16_t, uint32_t>;

 public:
  LaidFilters(const Context& context, const Conv2dShape& s, const TapChoice& choice,
              bool transposed, const T* weight)
      : data_(weight) {
    if (choice.all == 1 && !transposed && is_aligned(weight, 16)) return;
    const int64_t taps = int64_t{choice.taps[0]} * choice.taps[1];
    copy_.emplace(context, sizeof(T) * static_cast<size_t>(taps * s.k * s.c));
    const dim3 grid(static_cast<unsigned>(ceil_div(s.c, kFilterTile)),
                    static_cast<unsigned>(ceil_div(s.k, kFilterTile)));
    launch(context, lay_filters_kernel<Bits>, grid, dim3(kBlock),
           reinterpret_cast<const Bits*>(weight), copy_->template as<Bits>(), static_cast<int>(s.k),
           static_cast<int>(s.c), choice, transposed);
    data_ = copy_->template as<T>();
  }
  const T* data() const { return data_; }

 private:
  const T* data_;
  std::optional<Scratch> copy_;
};

inline ConvWalk walk_of(const ConvWindows& w, int64_t depth) {
  ConvWalk walk;
  walk.plane = Divisor(static_cast<uint32_t>(w.positions[0] * w.positions[1]));
  walk.row = Divisor(static_cast<uint32_t>(w.positions[0]));
  walk.channel_blocks = Divisor(static_cast<uint32_t>(w.channel_blocks(depth)));
  walk.taps_w = Divisor(static_cast<uint32_t>(w.taps[0]));
  for (int i = 0; i < 2; ++i) {
    walk.lower[i] = static_cast<int>(w.lower[i]);
    walk.step[i] = static_cast<int>(w.step[i]);
    walk.dilation[i] = static_cast<int>(w.dilation[i]);
  }
  return walk;
}

template <class T>
TensorMap im2col_map(const ConvWindows& w, const T* x, int pixels) {
  Im2colTile tile{};
  tile.data = x;
  const int64_t sizes[] = {w.channels, w.size[0], w.size[1], w.images};
  uint64_t stride = sizeof(T);
  for (int d = 0; d < 4; ++d) {
    tile.size[d] = static_cast<uint64_t>(sizes[d]);
    tile.stride[d] = stride;
    stride *= tile.size[d];
  }
  for (int i = 0; i < 2; ++i) {
    tile.lower[i] = static_cast<int>(w.lower[i]);
    tile.upper[i] = static_cast<int>(w.upper(i));
    tile.step[i] = static_cast<uint32_t>(w.step[i]);
  }
  tile.channels = 128 / sizeof(T);
  tile.pixels = static_cast<uint32_t>(pixels);
  tile.swizzle = Swizzle::b128;
  TensorMap map;
  if (!make_im2col_map<T>(tile, map))
    throw std::runtime_error("conv2d: the driver refuses a tensor map");
  return map;
}

// A pass over windows with `columns` columns of filters [tap, column, channel] into `result`.
template <class T>
struct WindowsCall {
  const Context& context;
  const ConvWindows& windows;
  const T *x, *filters;
  const GemmArguments& g;
  const GemmPlan& plan;
  const WgmmaResult<T>& result;

  template <class Tile>
  ConvOperands<Tile> operands(int cluster) const {
    return {im2col_map(windows, x, Tile::kM),
            tensor_map<T>(filters, windows.channels, g.n, windows.channels, windows.all_taps(),
                          g.n * windows.channels, Tile::kDepth, Tile::kN / cluster),
            walk_of(windows, Tile::kDepth)};
  }
  WgmmaTask task(int depth, int64_t rows, int64_t columns) const {
    return {static_cast<int>(g.k / depth), static_cast<int>(ceil_div(g.m, rows)),
            static_cast<int>(ceil_div(g.n, columns)), 1};
  }

  template <class Tile>
  void many_tiles() const {
    const int cluster = g.m > Tile::kM ? 2 : 1;
    const WgmmaTask t = task(Tile::kDepth, Tile::kM * cluster, Tile::kN);
    const int64_t clusters = std::clamp<int64_t>(
        device_facts(context.device).multiprocessors / cluster, 1, int64_t{t.tiles_m} * t.tiles_n);
    const TensorMap c =
        tensor_map<T>(result.c, g.n, g.m, g.n, 1, 0, 128 / static_cast<int>(sizeof(T)), 64);
    launch(context, gemm_wgmma_kernel<ConvOperands<Tile>, T>,
           LaunchShape{dim3(static_cast<unsigned>(clusters * cluster)), dim3(Tile::kThreads),
                       PersistentShared<Tile>::bytes(), static_cast<unsigned>(cluster)},
           operands<Tile>(cluster), c, t, result);
  }
  template <class Tile>
  void few_tiles() const {
    const WgmmaTask t = task(Tile::kDepth, Tile::kM, Tile::kN);
    const auto parts = static_cast<unsigned>(plan.parts);
    const auto tiles = static_cast<unsigned>(t.tiles_m * t.tiles_n);
    launch(
        context, gemm_wgmma_parts_kernel<ConvOperands<Tile>>,
        LaunchShape{dim3(tiles * parts), dim3(Tile::kThreads), PartsShared<Tile>::bytes(), parts},
        operands<Tile>(1), t, result);
  }
  template <bool exact>
  void with_precision() const {
    if (plan.tile_m == 64) {
      few_tiles<WgmmaTile<T, 1, 128, 4, exact>>();
    } else if (plan.tile_n == 128) {
      many_tiles<WgmmaTile<T, 2, 128, exact ? 3 : 6, exact>>();
    } else if constexpr (!exact) {
      many_tiles<WgmmaTile<T, 2, 256, 4, exact>>();
    }
  }
  void go() const {
    if constexpr (sizeof(T) == 4) {
      if (g.precision == Precision::highest) return with_precision<true>();
    }
    with_precision<false>();
  }
};

template <class T>
void run_windows(const Context& context, const ConvWindows& windows, const T* x, const T* filters,
                 int64_t columns, Precision precision, const Epilogue& epilogue, T* to) {
  constexpr int64_t kDepth = 128 / sizeof(T);
  const AlignedOperand<T> ready(
      context, x, windows.images * windows.size[0] * windows.size[1] * windows.channels);
  const GemmArguments g = windows_product(windows, columns, kDepth, precision);
  const GemmPlan plan = plan_wgmma(g, dtype_of<T>::value, device_facts(context.device));
  const Finish<T> finish(epilogue);
  const WgmmaResult<T> result{static_cast<int>(g.m),
                              static_cast<int>(columns),
                              to,
                              columns,
                              0,
                              is_aligned(finish.residual, 4 * sizeof(T)),
                              finish};
  WindowsCall<T>{context, windows, ready.data(), filters, g, plan, result}.go();
}

template <class Tile>
void run_weight_grad(const Context& context, const ConvWindows& windows, int64_t filters,
                     const WeightGradPlan& plan, const typename Tile::T* x,
                     const typename Tile::T* dy, float* partial) {
  using T = typename Tile::T;
  const int64_t columns = windows.all_taps() * windows.channel_blocks(64) * 64;
  const ConvWeightGradOperands<Tile> operands{
      tensor_map<T>(dy, filters, windows.count(), filters, 1, 0, 64, 64),
      im2col_map(windows, x, 64), walk_of(windows, 64), static_cast<int>(plan.blocks),
      static_cast<int>(columns / 64 - 1)};
  const TensorMap c =
      tensor_map<float>(partial, columns, filters, columns, plan.parts, filters * columns, 32, 64);
  const WgmmaTask task{
      static_cast<int>(plan.blocks), static_cast<int>(ceil_div(filters, int64_t{Tile::kM})),
      static_cast<int>(ceil_div(columns, int64_t{Tile::kN})), static_cast<int>(plan.parts)};
  const WgmmaResult<float> result{static_cast<int>(filters),
                                  static_cast<int>(columns),
                                  partial,
                                  columns,
                                  filters * columns,
                                  true,
                                  Finish<float>()};
  const int64_t blocks = std::clamp<int64_t>(device_facts(context.device).multiprocessors, 1,
                                             int64_t{task.tiles_m} * task.tiles_n * task.batch);
  launch(context, gemm_wgmma_kernel<ConvWeightGradOperands<Tile>, float>,
         LaunchShape{dim3(static_cast<unsigned>(blocks)), dim3(Tile::kThreads),
                     PersistentShared<Tile>::bytes()},
         operands, c, task, result);
}

}  // namespace wgmma_detail

template <class T>
void conv2d_wgmma_forward(const Context& context, const Conv2dShape& s, const T* x, const T* weight,
                          const Epilogue& epilogue, T* y) {
  using namespace wgmma_detail;
  const TapChoice all{{static_cast<int>(s.s), static_cast<int>(s.r)},
                      {0, 0},
                      {1, 1},
                      static_cast<int>(s.s),
                      static_cast<int>(s.r * s.s)};
  const LaidFilters<T> filters(context, s, all, false, weight);
  run_windows(context, forward_windows(s), x, filters.data(), s.k, s.precision, epilogue, y);
}

template <class T>
void conv2d_wgmma_phase(const Context& context, const Conv2dShape& s, const Phase& row,
                        const Phase& column, const T* dy, const T* weight, const T* bias, T* to) {
  using namespace wgmma_detail;
  const auto last = [](const Phase& p) {
    return static_cast<int>(p.tap + (p.taps - 1) * p.tap_step);
  };
  const TapChoice backwards{{static_cast<int>(column.taps), static_cast<int>(row.taps)},
                            {last(column), last(row)},
                            {static_cast<int>(-column.tap_step), static_cast<int>(-row.tap_step)},
                            static_cast<int>(s.s),
                            static_cast<int>(s.r * s.s)};
  const LaidFilters<T> filters(context, s, backwards, true, weight);
  Epilogue epilogue;
  epilogue.bias = bias;
  run_windows(context, phase_windows(s, row, column), dy, filters.data(), s.c, s.precision,
              epilogue, to);
}

template <class T>
void conv2d_wgmma_weight_grad(const Context& context, const Conv2dShape& s, const T* x, const T* dy,
                              T* dw) {
  using namespace wgmma_detail;
  constexpr Major mn = Major::mn;
  const ConvWindows windows = forward_windows(s);
  const WeightGradPlan plan = plan_weight_grad(windows, s.k, device_facts(context.device));
  const AlignedOperand<T> ready_x(context, x, s.n * s.h * s.w * s.c),
      ready_dy(context, dy, windows.count() * s.k);
  const int64_t padded = windows.channel_blocks(64) * 64, elements = s.k * s.r * s.s * padded;
  const Scratch partial(context, sizeof(float) * static_cast<size_t>(plan.parts * elements));
  float* const sums = partial.as<float>();
  if (plan.tile_n == 256)
    run_weight_grad<WgmmaTile<T, 2, 256, 4, false, mn, mn>>(context, windows, s.k, plan,
                                                            ready_x.data(), ready_dy.data(), sums);
  else
    run_weight_grad<WgmmaTile<T, 2, 128, 6, false, mn, mn>>(context, windows, s.k, plan,
                                                            ready_x.data(), ready_dy.data(), sums);
  launch(context, add_weight_grads_kernel<T>, loop_grid(elements), dim3(kBlock),
         static_cast<const float*>(sums), dw, plan.parts, static_cast<int>(s.k),
         static_cast<int>(s.r * s.s), static_cast<int>(s.c), static_cast<int>(padded));
}

}  // namespace fastdl::cuda
