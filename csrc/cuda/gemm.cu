// Batched matrix products of any strides. The arithmetic is gemm.cuh's; here are the loaders, which
// read in vectors where strides and alignment allow it, and the choice of tiles. Where there are
// few tiles and k is long, k is cut into parts, and a second kernel adds the parts in order.
#include "cuda/gemm.h"

#include <algorithm>
#include <cstdlib>

#include "cuda/gemm.cuh"
#include "cuda/gemm_wgmma.h"
#include "cuda/gemm_wgmma_plan.h"

namespace fastdl::cuda {
namespace {

// The direction in which an operand's neighbours in memory lie: down k, or along m (of a) or n
// (of b). It decides which thread loads which element; with unit stride and alignment they come in
// vectors, else one by one.
enum class Layout { along_k, across };

// Element (i, k) of an operand is at data[i * step + k * k_step].
struct Operand {
  int64_t step, k_step, batch;
  bool vector;  // whether kVector neighbours can be read in one access
};

struct Plan {
  int64_t m, n, k;
  Operand a, b;
  int64_t c_row, c_batch;
  int64_t chunk;  // of k in one part
  int64_t parts;
  uint32_t tiles_m, tiles_n, batch;
  bool accumulate, vector_c;
};

// kernels

// Moves panels of one operand: memory -> registers -> shared memory. A thread moves one vector.
template <class T, int F, Layout layout>
class Loader {
 public:
  using S = Tile<T, F>;
  static constexpr bool kAlong = layout == Layout::along_k;

  // `data` is at the tile's first row of a (column of b), of `size`, and the part's first k.
  __device__ Loader(const Operand& operand, const T* data, int64_t size) : operand_(operand) {
    constexpr int kFast = (kAlong ? S::kDepth : S::kSize) / S::kVector;
    const int fast = static_cast<int>(threadIdx.x) % kFast * S::kVector;
    const int slow = static_cast<int>(threadIdx.x) / kFast;
    i_ = kAlong ? slow : fast;
    k_ = kAlong ? fast : slow;
    inside_ = size > i_ ? static_cast<int>(min(size - i_, int64_t{S::kVector})) : 0;
    data_ = data + i_ * operand.step + k_ * operand.k_step;
  }

  __device__ void fetch(int depth) {
    const int rows = depth - k_;
    const int count = kAlong ? (inside_ > 0 ? rows : 0) : (rows > 0 ? inside_ : 0);
    if (count >= S::kVector && (F > 1 || operand_.vector)) {
      pack_ = load_pack<S::kVector>(data_);
    } else {
      const int64_t next = F > 1 ? 1 : kAlong ? operand_.k_step : operand_.step;
#pragma unroll
      for (int v = 0; v < S::kVector; ++v) pack_.v[v] = v < count ? data_[v * next] : T(0.f);
    }
    data_ += S::kDepth * operand_.k_step;
  }

  __device__ void store(typename S::Panel& panel) const {
    if constexpr (kAlong) {
#pragma unroll
      for (int v = 0; v < S::kVector; ++v) panel[k_ + v][i_] = typename S::Acc(pack_.v[v]);
    } else {
      Pack<typename S::Acc, S::kVector> out;
#pragma unroll
      for (int v = 0; v < S::kVector; ++v) out.v[v] = typename S::Acc(pack_.v[v]);
      store_pack<S::kVector>(&panel[k_][i_], out);
    }
  }

 private:
  const Operand& operand_;
  const T* data_;
  int i_, k_, inside_;
  Pack<T, S::kVector> pack_;
};

// Grid: (tiles, parts of k, batch). `partials`, where there are several parts, is
// [part, batch, m, n].
template <class T, int F, Layout layout_a, Layout layout_b>
__global__ void __launch_bounds__(kBlock, Tile<T, F>::kBlocks)
    gemm_kernel(const __grid_constant__ Plan p, const T* a, const T* b, const T* bias, T* c,
                Compute<T>* partials) {
  using S = Tile<T, F>;
  alignas(16) __shared__ typename S::Panel panel_a[2];
  alignas(16) __shared__ typename S::Panel panel_b[2];

  const TileCorner corner(blockIdx.x, p.tiles_m, p.tiles_n, S::kSize);
  const int64_t k0 = blockIdx.y * p.chunk, z = blockIdx.z;
  const int depth = static_cast<int>(min(p.k - k0, p.chunk));  // of this part
  Loader<T, F, layout_a> loader_a(p.a, a + z * p.a.batch + corner.row * p.a.step + k0 * p.a.k_step,
                                  p.m - corner.row);
  Loader<T, F, layout_b> loader_b(
      p.b, b + z * p.b.batch + corner.column * p.b.step + k0 * p.b.k_step, p.n - corner.column);
  typename S::Sums sums = {};
  multiply_panels<T, F>(loader_a, loader_b, depth, panel_a, panel_b, sums);

  const TileThread<F> thread;
#pragma unroll
  for (int i = 0; i < F * kFragment; ++i) {
    const int64_t r = corner.row + thread.row_of(i);
    if (r >= p.m) continue;
#pragma unroll
    for (int f = 0; f < F; ++f) {
      const int64_t j = corner.column + thread.column_of(f);
      const typename S::Acc* const from = &sums[i][f * kFragment];
      if (p.parts > 1)
        store_fragment<typename S::Acc>(
            from, nullptr, p.n - j, false, false,
            partials + ((blockIdx.y * p.batch + z) * p.m + r) * p.n + j);
      else
        store_fragment<T>(from, bias ? bias + j : nullptr, p.n - j, p.accumulate, p.vector_c,
                          c + z * p.c_batch + r * p.c_row + j);
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    add_parts_kernel(const __grid_constant__ Plan p, const Compute<T>* partials, const T* bias,
                     T* c) {
  using Acc = Compute<T>;
  const int64_t total = int64_t{p.batch} * p.m * p.n,
                threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < total;
       i += threads) {
    const int64_t j = i % p.n, r = i / p.n % p.m, z = i / p.n / p.m;
    Acc acc(0);
    for (int64_t part = 0; part < p.parts; ++part) acc += partials[part * total + i];
    T* const to = c + z * p.c_batch + r * p.c_row + j;
    *to = T(acc + (bias ? Acc(bias[j]) : Acc(0)) + (p.accumulate ? Acc(*to) : Acc(0)));
  }
}

// launchers

// Which way the operand lies, and whether vectors suit it.
template <class T>
Layout prepare(Operand& operand, const T* data) {
  constexpr int64_t V = Tile<T, 1>::kVector;
  const auto fits = [&](int64_t near, int64_t far) {
    return near == 1 && far % V == 0 && operand.batch % V == 0 && is_aligned(data, V * sizeof(T));
  };
  const bool along = fits(operand.k_step, operand.step),
             across = fits(operand.step, operand.k_step);
  operand.vector = along || across;
  if (operand.vector) return along ? Layout::along_k : Layout::across;
  return std::abs(operand.k_step) < std::abs(operand.step) ? Layout::along_k : Layout::across;
}

template <class T, int F>
void run_tiles(const Context& context, Plan plan, bool few_tiles, Layout layout_a, Layout layout_b,
               const T* a, const T* b, const T* bias, T* c) {
  using S = Tile<T, F>;
  const int64_t tiles_m = ceil_div(plan.m, S::kSize), tiles_n = ceil_div(plan.n, S::kSize);
  plan.tiles_m = static_cast<uint32_t>(tiles_m);
  plan.tiles_n = static_cast<uint32_t>(tiles_n);

  const int64_t kEnoughBlocks = few_tiles ? 256 : 1, kShortest = 512;
  const KParts parts(plan.k, tiles_m * tiles_n * plan.batch, kEnoughBlocks, kShortest);
  plan.parts = parts.count;
  plan.chunk = parts.chunk;
  const int64_t elements = int64_t{plan.batch} * plan.m * plan.n;
  const Scratch scratch(context, plan.parts > 1 ? sizeof(Compute<T>) * plan.parts * elements : 0);
  Compute<T>* const partials = scratch.as<Compute<T>>();

  const dim3 grid(plan.tiles_m * plan.tiles_n, static_cast<unsigned>(plan.parts), plan.batch);
  const auto go = [&](auto kernel) {
    launch(context, kernel, grid, dim3(kBlock), plan, a, b, bias, c, partials);
  };
  constexpr Layout along_k = Layout::along_k, across = Layout::across;
  if (layout_a == along_k)
    go(layout_b == along_k ? gemm_kernel<T, F, along_k, along_k>
                           : gemm_kernel<T, F, along_k, across>);
  else
    go(layout_b == along_k ? gemm_kernel<T, F, across, along_k>
                           : gemm_kernel<T, F, across, across>);
  if (plan.parts > 1)
    launch(context, add_parts_kernel<T>, loop_grid(elements), dim3(kBlock), plan, partials, bias,
           c);
}

// As many batches as a grid can count, at most.
template <class T>
void run_batches(const Context& context, const GemmArguments& g, const T* a, const T* b,
                 const T* bias, T* c) {
  constexpr int64_t kWide = sizeof(T) == 8 ? 2 : kFragment;
  Plan plan{};
  plan.batch = static_cast<uint32_t>(g.batch);
  plan.m = g.m;
  plan.n = g.n;
  plan.k = g.k;
  plan.a = {g.a_row, g.a_col, g.a_batch, false};
  plan.b = {g.b_col, g.b_row, g.b_batch, false};
  plan.c_row = g.c_row;
  plan.c_batch = g.c_batch;
  plan.accumulate = g.accumulate;
  plan.vector_c =
      is_aligned(c, kWide * sizeof(T)) && g.c_row % kWide == 0 && g.c_batch % kWide == 0;
  const Layout layout_a = prepare(plan.a, a), layout_b = prepare(plan.b, b);
  constexpr int64_t kEnoughTiles = 128;
  const bool few_tiles = ceil_div(g.m, 128) * ceil_div(g.n, 128) * g.batch < kEnoughTiles;
  // Large tiles reuse more, small ones fill the device sooner and read any strides; doubles have
  // registers for the small ones only.
  if constexpr (sizeof(T) < 8) {
    if (plan.a.vector && plan.b.vector && !few_tiles)
      return run_tiles<T, 2>(context, plan, few_tiles, layout_a, layout_b, a, b, bias, c);
  }
  run_tiles<T, 1>(context, plan, few_tiles, layout_a, layout_b, a, b, bias, c);
}

}  // namespace

template <class T>
void gemm(const Context& context, const GemmArguments& arguments, const T* a, const T* b,
          const Epilogue& epilogue, T* c) {
  const T* const bias = static_cast<const T*>(epilogue.bias);
  if (arguments.batch == 0 || arguments.m == 0 || arguments.n == 0) return;
  if constexpr (sizeof(T) < 8) {
    const DeviceFacts& device = device_facts(context.device);
    if (suits_wgmma(arguments, dtype_of<T>::value, a, b, c, device))
      return gemm_wgmma(context, arguments, plan_wgmma(arguments, dtype_of<T>::value, device), a, b,
                        epilogue, c);
  }
  constexpr int64_t kMostBatches = 65535;  // what a grid can count
  for (int64_t first = 0; first < arguments.batch; first += kMostBatches) {
    GemmArguments g = arguments;
    g.batch = std::min(arguments.batch - first, kMostBatches);
    run_batches(context, g, a + first * g.a_batch, b + first * g.b_batch, bias,
                c + first * g.c_batch);
  }
}

template void gemm(const Context&, const GemmArguments&, const Half*, const Half*, const Epilogue&,
                   Half*);
template void gemm(const Context&, const GemmArguments&, const BFloat16*, const BFloat16*,
                   const Epilogue&, BFloat16*);
template void gemm(const Context&, const GemmArguments&, const float*, const float*,
                   const Epilogue&, float*);
template void gemm(const Context&, const GemmArguments&, const double*, const double*,
                   const Epilogue&, double*);

}  // namespace fastdl::cuda
