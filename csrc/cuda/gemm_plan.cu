#include "cuda/gemm_plan.h"

#include <algorithm>

#include "cuda/gemm.cuh"
#include "cuda/gemm_ffma.h"
#include "cuda/gemm_wgmma_plan.h"

namespace fastdl::cuda {
namespace {

// Element (i, k) at i * step + k * k_step.
CopyLayout copy_layout(int64_t size, int64_t step, int64_t k, int64_t k_step, int64_t batch,
                       int64_t batch_step, size_t item, const void* data) {
  const auto line = static_cast<int64_t>(16 / item);
  const auto whole = [&](int64_t count, int64_t stride) {
    return count == 1 || stride % line == 0;
  };
  if (!is_aligned(data, 16) || !whole(batch, batch_step)) return CopyLayout::none;
  if ((k_step == 1 || k == 1) && whole(size, step)) return CopyLayout::along_k;
  if ((step == 1 || size == 1) && whole(k, k_step)) return CopyLayout::across;
  return CopyLayout::none;
}

bool reads_vectors(const GemmArguments& g, DType dtype, const void* a, const void* b) {
  switch (dtype) {
    case DType::f16: return ffma_reads_vectors<Half>(g, a, b);
    case DType::bf16: return ffma_reads_vectors<BFloat16>(g, a, b);
    case DType::f32: return ffma_reads_vectors<float>(g, a, b);
    default: return false;  // doubles have registers for small tiles only
  }
}

// Large tiles reuse more; small ones fill the device sooner and read any strides. Where there are
// few, k is cut into parts, towards 256 blocks, none shorter than 512.
GemmPlan plan_ffma(const GemmArguments& g, DType dtype, const void* a, const void* b,
                   const char* why) {
  constexpr int64_t kEnoughTiles = 128, kEnoughBlocks = 256, kShortest = 512;
  const auto tiles = [&](int64_t size) {
    return ceil_div(g.m, size) * ceil_div(g.n, size) * g.batch;
  };
  const bool few = tiles(128) < kEnoughTiles;
  const int size = !few && reads_vectors(g, dtype, a, b) ? 128 : 64;
  const KParts parts(g.k, tiles(size), few ? kEnoughBlocks : 1, kShortest);
  return {GemmAlgorithm::ffma, size, size, parts.count, parts.chunk, why};
}

// Three products of TF32 numbers take 96 cycles of the tensor cores for what takes the other
// arithmetic units 256 (8.0) or 128 (9.0); on 8.6 and 8.9 TF32 is no faster than float32. A small
// product is over before the difference shows.
bool suits_3xtf32(const GemmArguments& g, const DeviceFacts& device) {
  constexpr int64_t kShortest = 64;
  constexpr double kWorth = 1 << 21;
  const double products = static_cast<double>(g.m) * static_cast<double>(g.n) *
                          static_cast<double>(g.k) * static_cast<double>(g.batch);
  return (device.capability == 80 || device.capability == 90) &&
         std::min({g.m, g.n, g.k}) >= kShortest && products >= kWorth;
}

}  // namespace

CopyLayout copy_layout_a(const GemmArguments& g, size_t item, const void* a) {
  return copy_layout(g.m, g.a_row, g.k, g.a_col, g.batch, g.a_batch, item, a);
}
CopyLayout copy_layout_b(const GemmArguments& g, size_t item, const void* b) {
  return copy_layout(g.n, g.b_col, g.k, g.b_row, g.batch, g.b_batch, item, b);
}

double mma_rate(DType dtype, Precision precision) {
  if (dtype != DType::f32) return 16;  // 128 x 128 multiply-adds at 1024 a cycle
  return precision == Precision::high ? 32 : 96;
}

TileChoice choose_tile(int64_t m, int64_t n, int64_t k, int64_t batch, double rate,
                       const DeviceFacts& device) {
  // A small tile is a quarter of a large one, at the efficiency that its traffic from shared memory
  // leaves; parts are written and read once, as floats, at the bytes that a multiprocessor gets in a
  // cycle; the kernel that adds them has to start.
  constexpr double kSmall = 0.36, kBytes = 16, kStart = 4000;
  constexpr int64_t kMostParts = 32, kShortest = 256, kMultiple = 64;
  const auto processors = static_cast<double>(std::max(device.multiprocessors, 1));
  const double elements =
      static_cast<double>(m) * static_cast<double>(n) * static_cast<double>(batch);
  TileChoice best{};
  double least = 0;
  for (const int tile : {128, 64}) {
    const double tiles = static_cast<double>(ceil_div(m, tile) * ceil_div(n, tile) * batch);
    const int64_t most = std::clamp<int64_t>(k / kShortest, 1, kMostParts);
    for (int64_t want = 1; want <= most; ++want) {
      const int64_t chunk =
          std::max(ceil_div(ceil_div(k, want), kMultiple), int64_t{1}) * kMultiple;
      const int64_t parts = ceil_div(k, chunk);
      const double load = tiles * static_cast<double>(parts) / processors;
      double cycles =
          static_cast<double>(static_cast<int64_t>(load) +
                              (load > static_cast<double>(static_cast<int64_t>(load)))) *
          static_cast<double>(chunk) * rate * (tile == 128 ? 1 : kSmall);
      if (parts > 1)
        cycles += kStart + static_cast<double>(parts) * elements * 8 / (kBytes * processors);
      if (best.tile && cycles >= least) continue;
      least = cycles;
      best = {tile, parts, chunk};
    }
  }
  return best;
}

GemmPlan plan_gemm(const GemmArguments& g, DType dtype, const void* a, const void* b, const void* c,
                   const DeviceFacts& device) {
  const auto ffma = [&](const char* why) { return plan_ffma(g, dtype, a, b, why); };
  const bool is_float = dtype == DType::f32;
  if (dtype == DType::f64) return ffma("float64 has no kernels on tensor cores");
  if (device.capability < 80) return ffma("the device has no tensor cores of 8.0");
  if (g.k == 0) return ffma("there is nothing to sum");
  if (suits_wgmma(g, dtype, a, b, c, device)) return plan_wgmma(g, dtype, device);
  const size_t item = is_float ? 4 : 2;
  if (copy_layout_a(g, item, a) == CopyLayout::none ||
      copy_layout_b(g, item, b) == CopyLayout::none)
    return ffma("an operand cannot be read 16 bytes at a time");
  const bool exact = is_float && g.precision == Precision::highest;
  if (exact && !suits_3xtf32(g, device))
    return ffma("float32 at precision 'highest', and not worth three TF32 products");
  const TileChoice choice =
      choose_tile(g.m, g.n, g.k, g.batch, mma_rate(dtype, g.precision), device);
  return {GemmAlgorithm::mma,
          choice.tile,
          choice.tile,
          choice.parts,
          choice.chunk,
          exact      ? "float32 as three TF32 products, which is as exact and faster"
          : is_float ? "float32 as TF32, for precision is 'high'"
                     : "16-bit operands on tensor cores"};
}

}  // namespace fastdl::cuda
