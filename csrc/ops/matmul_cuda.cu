// Batched matrix product: register-blocked tiles from double-buffered shared memory.
//
// A block of 256 threads computes a tile of 64 F x 64 F of c, each thread F x F fragments of 4 x 4,
// from panels of kDepth columns of a and rows of b. While one panel is multiplied the next one is
// on its way from memory to registers (the scheme of Volkov and Demmel, "Benchmarking GPUs to tune
// dense linear algebra", SC 2008, with the warp tiles of CUTLASS). Panels lie in shared memory with
// k outermost, whatever the layout of the operand. Where there are few tiles and k is long, k is cut
// into parts, and a second kernel adds the parts in order.
#include <algorithm>

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "ops/matmul.h"

namespace fastdl::cuda {
namespace {

// The direction in which an operand's neighbours in memory lie: down k, or along m (of a) or n
// (of b). It decides which thread loads which element; with unit stride and alignment they come in
// vectors, else one by one.
enum class Layout { along_k, across };

constexpr int kFragment = 4;

// F = 2: tiles of 128 x 128, 64 accumulators a thread, for operands that can be read in vectors;
// F = 1: tiles of 64 x 64, for smaller problems and for any strides. A vector fills 16 bytes once
// it is widened to Acc.
template <class T, int F>
struct Tile {
  using Acc = Compute<T>;
  static constexpr int kSize = 64 * F;
  static constexpr int kVector = static_cast<int>(16 / sizeof(Acc));
  static constexpr int kDepth = kVector * kBlock / kSize;  // one vector a thread and operand
  static constexpr int kPitch = kSize + kFragment;         // staggers the banks
  using Panel = Acc[kDepth][kPitch];
};

// Element (i, k) of an operand is at data[i * step + k * k_step].
struct Operand {
  int64_t step, k_step, batch;
  bool vector;  // whether kVector neighbours can be read in one access
};

struct Plan {
  int64_t m, n, k;
  Operand a, b;
  int64_t c_row, c_batch;
  int64_t chunk;  // of k in one part; a multiple of every kDepth, at most 2^30
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

  // The next panel, of which `depth` rows exist (kDepth or more: all of them).
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

// to[0, 4) = from + bias (+ to), as far as there are columns.
template <class T>
__device__ inline void store_fragment(const Compute<T>* from, const T* bias, int64_t columns,
                                      bool accumulate, bool vector, T* to) {
  using Acc = Compute<T>;
  constexpr int kWide = sizeof(T) == 8 ? 2 : kFragment;
  const bool whole = vector && columns >= kFragment;
#pragma unroll
  for (int v = 0; v < kFragment; v += kWide) {
    Pack<T, kWide> out;
    if (whole && accumulate) out = load_pack<kWide>(to + v);
#pragma unroll
    for (int w = 0; w < kWide; ++w) {
      if (v + w >= columns) continue;
      Acc sum = from[v + w];
      if (bias) sum += Acc(bias[v + w]);
      if (accumulate) sum += Acc(whole ? out.v[w] : to[v + w]);
      out.v[w] = T(sum);
      if (!whole) to[v + w] = out.v[w];
    }
    if (whole) store_pack<kWide>(to + v, out);
  }
}

// Grid: (tiles, parts of k, batch). `partials`, where there are several parts, is
// [part, batch, m, n].
template <class T, int F, Layout layout_a, Layout layout_b>
__global__ void __launch_bounds__(kBlock, sizeof(T) == 8 ? 1 : 2)
    gemm_kernel(const __grid_constant__ Plan p, const T* a, const T* b, const T* bias, T* c,
                Compute<T>* partials) {
  using S = Tile<T, F>;
  using Acc = typename S::Acc;
  alignas(16) __shared__ typename S::Panel panel_a[2];
  alignas(16) __shared__ typename S::Panel panel_b[2];

  // Tiles run down strips of kStrip tile rows, so that blocks at work together share panels in L2.
  constexpr uint32_t kStrip = 8;
  const uint32_t per_strip = kStrip * p.tiles_n;
  const uint32_t strip = blockIdx.x / per_strip, in_strip = blockIdx.x % per_strip;
  const uint32_t strip_rows = min(kStrip, p.tiles_m - strip * kStrip);
  const int64_t m0 = static_cast<int64_t>(strip * kStrip + in_strip % strip_rows) * S::kSize;
  const int64_t n0 = static_cast<int64_t>(in_strip / strip_rows) * S::kSize;
  const int64_t k0 = blockIdx.y * p.chunk, z = blockIdx.z;
  int depth = static_cast<int>(min(p.k - k0, p.chunk));  // what is left of this part

  // A warp covers 16 F x 32 F, its lanes 4 x 8 fragments; 4 x 2 warps cover the tile.
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int row = warp % 4 * (16 * F) + lane / 8 * kFragment;
  const int column = warp / 4 * (32 * F) + lane % 8 * kFragment;

  Loader<T, F, layout_a> loader_a(p.a, a + z * p.a.batch + m0 * p.a.step + k0 * p.a.k_step,
                                  p.m - m0);
  Loader<T, F, layout_b> loader_b(p.b, b + z * p.b.batch + n0 * p.b.step + k0 * p.b.k_step,
                                  p.n - n0);
  loader_a.fetch(depth);
  loader_b.fetch(depth);
  loader_a.store(panel_a[0]);
  loader_b.store(panel_b[0]);
  __syncthreads();

  Acc acc[F * kFragment][F * kFragment] = {};
#pragma unroll 1
  for (int now = 0; depth > 0; now ^= 1) {
    depth -= S::kDepth;
    if (depth > 0) {
      loader_a.fetch(depth);
      loader_b.fetch(depth);
    }
#pragma unroll
    for (int d = 0; d < S::kDepth; ++d) {
      Acc x[F][kFragment], y[F][kFragment];
#pragma unroll
      for (int f = 0; f < F; ++f) {
        load_fragment(&panel_a[now][d][row + f * 16], x[f]);
        load_fragment(&panel_b[now][d][column + f * 32], y[f]);
      }
#pragma unroll
      for (int i = 0; i < F * kFragment; ++i)
#pragma unroll
        for (int j = 0; j < F * kFragment; ++j)
          acc[i][j] += x[i / kFragment][i % kFragment] * y[j / kFragment][j % kFragment];
    }
    if (depth > 0) {
      loader_a.store(panel_a[now ^ 1]);
      loader_b.store(panel_b[now ^ 1]);
    }
    __syncthreads();
  }

#pragma unroll
  for (int i = 0; i < F * kFragment; ++i) {
    const int64_t r = m0 + row + i / kFragment * 16 + i % kFragment;
    if (r >= p.m) continue;
#pragma unroll
    for (int f = 0; f < F; ++f) {
      const int64_t j = n0 + column + f * 32;
      const Acc* const from = &acc[i][f * kFragment];
      if (p.parts > 1)
        store_fragment<Acc>(from, nullptr, p.n - j, false, false,
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
void run_gemm(const Context& context, Plan plan, bool few_tiles, Layout layout_a, Layout layout_b,
              const T* a, const T* b, const T* bias, T* c) {
  using S = Tile<T, F>;
  const int64_t tiles_m = ceil_div(plan.m, S::kSize), tiles_n = ceil_div(plan.n, S::kSize);
  plan.tiles_m = static_cast<uint32_t>(tiles_m);
  plan.tiles_n = static_cast<uint32_t>(tiles_n);

  // Parts of k: a function of the shape alone, as the order of the sums is.
  constexpr int64_t kEnoughBlocks = 256, kShortest = 512, kMultiple = 64;
  static_assert(kMultiple % S::kDepth == 0);
  plan.parts = few_tiles ? std::clamp<int64_t>(kEnoughBlocks / (tiles_m * tiles_n * plan.batch), 1,
                                               std::max<int64_t>(plan.k / kShortest, 1))
                         : 1;
  plan.chunk = ceil_div(ceil_div(plan.k, plan.parts), kMultiple) * kMultiple;
  plan.chunk = std::clamp<int64_t>(plan.chunk, kMultiple, int64_t{1} << 30);
  plan.parts = std::max<int64_t>(ceil_div(plan.k, plan.chunk), 1);
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

template <class T>
void gemm_launch(const Context& context, const GemmShape& shape, const void* a, const void* b,
                 const void* bias, void* c) {
  if (shape.batch == 0 || shape.m == 0 || shape.n == 0) return;
  constexpr int64_t kWide = sizeof(T) == 8 ? 2 : kFragment;
  constexpr int64_t kMostBatches = 65535;  // what a grid can count
  const auto go = [&](int64_t first, int64_t batch) {
    const T* const a0 = static_cast<const T*>(a) + first * shape.a_batch;
    const T* const b0 = static_cast<const T*>(b) + first * shape.b_batch;
    T* const c0 = static_cast<T*>(c) + first * shape.c_batch;
    Plan plan{};
    plan.batch = static_cast<uint32_t>(batch);
    plan.m = shape.m;
    plan.n = shape.n;
    plan.k = shape.k;
    plan.a = {shape.a_row, shape.a_col, shape.a_batch, false};
    plan.b = {shape.b_col, shape.b_row, shape.b_batch, false};
    plan.c_row = shape.c_row;
    plan.c_batch = shape.c_batch;
    plan.accumulate = shape.accumulate;
    plan.vector_c =
        is_aligned(c0, kWide * sizeof(T)) && shape.c_row % kWide == 0 && shape.c_batch % kWide == 0;
    const Layout layout_a = prepare(plan.a, a0), layout_b = prepare(plan.b, b0);
    constexpr int64_t kEnoughTiles = 128;
    const bool few_tiles = ceil_div(shape.m, 128) * ceil_div(shape.n, 128) * batch < kEnoughTiles;
    const auto run = [&](auto f) {
      run_gemm<T, decltype(f)::value>(context, plan, few_tiles, layout_a, layout_b, a0, b0,
                                      static_cast<const T*>(bias), c0);
    };
    // Large tiles reuse more, small ones fill the device sooner; doubles have registers for the
    // small ones only.
    if constexpr (sizeof(T) < 8) {
      if (plan.a.vector && plan.b.vector && !few_tiles)
        return run(std::integral_constant<int, 2>{});
    }
    run(std::integral_constant<int, 1>{});
  };
  for (int64_t first = 0; first < shape.batch; first += kMostBatches)
    go(first, std::min(shape.batch - first, kMostBatches));
}

}  // namespace

void register_matmul(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<gemm>(dtype_of<T>::value, gemm_launch<T>);
  });
}

}  // namespace fastdl::cuda
