// Batched matrix products of any strides, of all dtypes, with ordinary multiply-adds. The arithmetic is
// gemm.cuh's; here are the loaders, which read in vectors where strides and alignment allow it.
#include <cstdlib>

#include "cuda/gemm.cuh"
#include "cuda/gemm_ffma.h"
#include "cuda/gemm_parts.h"

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

struct Problem {
  int64_t m, n, k;
  Operand a, b;
  int64_t c_row, c_batch;
  int64_t chunk;  // of k in one part
  int64_t parts;
  uint32_t tiles_m, tiles_n, batch;
  bool vector_c;
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
    gemm_kernel(const __grid_constant__ Problem p, const T* a, const T* b,
                const __grid_constant__ Finish<T> finish, T* c, Compute<T>* partials) {
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
        store_fragment(from, Finish<typename S::Acc>{}, j, p.n - j, false,
                       ((blockIdx.y * p.batch + z) * p.m + r) * p.n + j, partials);
      else
        store_fragment(from, finish, j, p.n - j, p.vector_c, z * p.c_batch + r * p.c_row + j, c);
    }
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
void run_tiles(const Context& context, Problem p, const T* a, const T* b, const Finish<T>& finish,
               T* c, Compute<T>* partials) {
  using S = Tile<T, F>;
  const Layout layout_a = prepare(p.a, a), layout_b = prepare(p.b, b);
  p.tiles_m = static_cast<uint32_t>(ceil_div(p.m, S::kSize));
  p.tiles_n = static_cast<uint32_t>(ceil_div(p.n, S::kSize));
  const dim3 grid(p.tiles_m * p.tiles_n, static_cast<unsigned>(p.parts), p.batch);
  const auto go = [&](auto kernel) {
    launch(context, kernel, grid, dim3(kBlock), p, a, b, finish, c, partials);
  };
  constexpr Layout along_k = Layout::along_k, across = Layout::across;
  if (layout_a == along_k)
    go(layout_b == along_k ? gemm_kernel<T, F, along_k, along_k>
                           : gemm_kernel<T, F, along_k, across>);
  else
    go(layout_b == along_k ? gemm_kernel<T, F, across, along_k>
                           : gemm_kernel<T, F, across, across>);
}

}  // namespace

template <class T>
bool ffma_reads_vectors(const GemmArguments& g, const void* a, const void* b) {
  Operand oa{g.a_row, g.a_col, g.a_batch, false}, ob{g.b_col, g.b_row, g.b_batch, false};
  prepare(oa, static_cast<const T*>(a));
  prepare(ob, static_cast<const T*>(b));
  return oa.vector && ob.vector;
}

template <class T>
void gemm_ffma(const Context& context, const GemmArguments& g, const GemmPlan& plan, const T* a,
               const T* b, const Epilogue& epilogue, T* c) {
  constexpr int64_t kWide = sizeof(T) == 8 ? 2 : kFragment;
  const auto whole = [](int64_t stride) { return stride % kWide == 0; };
  const Finish<T> finish(epilogue, g.accumulate ? c : nullptr);
  Problem p{};
  p.batch = static_cast<uint32_t>(g.batch);
  p.m = g.m;
  p.n = g.n;
  p.k = g.k;
  p.a = {g.a_row, g.a_col, g.a_batch, false};
  p.b = {g.b_col, g.b_row, g.b_batch, false};
  p.c_row = g.c_row;
  p.c_batch = g.c_batch;
  p.parts = plan.parts;
  p.chunk = plan.chunk;
  p.vector_c = is_aligned(c, kWide * sizeof(T)) && whole(g.c_row) && whole(g.c_batch) &&
               is_aligned(finish.residual, kWide * sizeof(T));
  const Scratch scratch(context, partial_bytes<T>(g, plan));
  Compute<T>* const partials = scratch.as<Compute<T>>();
  if constexpr (sizeof(T) < 8) {
    if (plan.tile_m == Tile<T, 2>::kSize) run_tiles<T, 2>(context, p, a, b, finish, c, partials);
  }
  if (plan.tile_m == Tile<T, 1>::kSize) run_tiles<T, 1>(context, p, a, b, finish, c, partials);
  if (plan.parts > 1) add_gemm_parts(context, g, plan.parts, partials, finish, c);
}

#define FASTDL_GEMM_FFMA(T)                                                                \
  template bool ffma_reads_vectors<T>(const GemmArguments&, const void*, const void*);     \
  template void gemm_ffma(const Context&, const GemmArguments&, const GemmPlan&, const T*, \
                          const T*, const Epilogue&, T*);
FASTDL_GEMM_FFMA(Half)
FASTDL_GEMM_FFMA(BFloat16)
FASTDL_GEMM_FFMA(float)
FASTDL_GEMM_FFMA(double)
#undef FASTDL_GEMM_FFMA

}  // namespace fastdl::cuda
