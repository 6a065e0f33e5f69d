// Which products the kernels for Hopper can compute, and with which tile: numbers alone, no kernels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/dtype.h"
#include "cuda/gemm_plan.h"

namespace fastdl::cuda {

// How an operand lies for the copy engine: rows of neighbours along k, or along m (of a) or n (of
// b); or in neither way, so that it has to be copied to rows along k before.
enum class WgmmaLayout : int8_t { along_k, across, copied };

// Element (i, p) of the operand is at i * step + p * k_step.
struct WgmmaOperand {
  const void* data;
  int64_t size, k;  // of i, and of p
  int64_t step, k_step, batch_step, batch;
  int bytes;  // of an element

  // The engine wants addresses and strides in multiples of 16 bytes.
  bool strides_suit(int64_t rows, int64_t row_step) const {
    const int64_t line = 16 / bytes, most = (int64_t{1} << 40) / bytes;
    const auto suits = [&](int64_t count, int64_t stride) {
      return count == 1 || (stride > 0 && stride % line == 0 && stride < most);
    };
    return suits(rows, row_step) && (batch_step == 0 || suits(batch, batch_step));
  }
  WgmmaLayout layout() const {
    if (reinterpret_cast<uintptr_t>(data) % 16) return WgmmaLayout::copied;
    if ((k_step == 1 || k == 1) && strides_suit(size, step)) return WgmmaLayout::along_k;
    const bool across = bytes == 2 && (step == 1 || size == 1) && strides_suit(k, k_step);
    return across ? WgmmaLayout::across : WgmmaLayout::copied;
  }
};

inline WgmmaOperand wgmma_operand_a(const GemmArguments& g, const void* a, int bytes) {
  return {a, g.m, g.k, g.a_row, g.a_col, g.a_batch, g.batch, bytes};
}
inline WgmmaOperand wgmma_operand_b(const GemmArguments& g, const void* b, int bytes) {
  return {b, g.n, g.k, g.b_col, g.b_row, g.b_batch, g.batch, bytes};
}

struct WgmmaShape {
  int64_t m, n;      // of the tile
  int64_t per_side;  // blocks side by side on one multiprocessor
  const char* why;
};
inline constexpr WgmmaShape kWgmmaLarge{128, 256, 1, "wgmma: many tiles"};
inline constexpr WgmmaShape kWgmmaMiddle{128, 128, 1, "wgmma: too few tiles of 128 x 256"};
inline constexpr WgmmaShape kWgmmaSmall{64, 128, 2, "wgmma: few tiles"};

// Whether gemm_wgmma computes this product, and is worth it: a single tile is faster elsewhere, sooner
// in 16 bits than as three products. Operands that have to be copied count as suited where the copies
// are small beside the product.
inline bool suits_wgmma(const GemmArguments& g, DType dtype, const void* a, const void* b,
                        const void* c, const DeviceFacts& device) {
  constexpr int64_t kMost = int64_t{1} << 30, kWorthCopying = 128;
  const bool half = dtype == DType::f16 || dtype == DType::bf16;
  constexpr int64_t kSmallest = int64_t{1} << 18, kSmallestExact = int64_t{1} << 21;
  if (device.capability != 90 || !(half || dtype == DType::f32)) return false;
  if (g.batch < 1 || g.m < 1 || g.n < 1 || g.k < 1) return false;
  if (std::max({g.batch, g.m, g.n, g.k}) > kMost) return false;
  const bool exact = !half && g.precision == Precision::highest;
  if (g.m * g.n < (exact ? kSmallestExact : kSmallest) / g.k) return false;
  const int64_t tiles_m = (g.m + 63) / 64, tiles_n = (g.n + 127) / 128;
  if (tiles_m * tiles_n > kMost / g.batch) return false;
  // A cluster has 8 blocks at most: long sums of few results want more parts than that.
  constexpr int64_t kParts = 8, kLong = 16384;
  if (g.k > kLong && tiles_m * tiles_n * g.batch * kParts * 4 < device.multiprocessors)
    return false;
  const int bytes = half ? 2 : 4;
  const WgmmaOperand result{c, g.m, g.n, g.c_row, 1, g.c_batch, g.batch, bytes};
  if (result.layout() != WgmmaLayout::along_k || (g.batch > 1 && g.c_batch == 0)) return false;
  const bool copied_a = wgmma_operand_a(g, a, bytes).layout() == WgmmaLayout::copied;
  const bool copied_b = wgmma_operand_b(g, b, bytes).layout() == WgmmaLayout::copied;
  return (!copied_a || g.n >= kWorthCopying) && (!copied_b || g.m >= kWorthCopying);
}

// An estimate of time, in cycles of a multiprocessor. A block of k takes as long as the tensor cores
// need for it, or shared memory, which the copy engine writes and wgmmas (and splitters) read; all
// of it no less than the second-level cache needs to send the panels; and a tile costs something
// besides. The figures are counts, not measurements: docs/kernels/gemm.md.
inline int64_t wgmma_cost(const GemmArguments& g, const WgmmaShape& shape, int64_t parts,
                          int64_t depth, bool exact, const DeviceFacts& device) {
  constexpr int64_t kProducts = 2048;            // multiply-adds of 16-bit numbers in a cycle
  constexpr int64_t kShared = 128, kCache = 32;  // bytes in a cycle; of the cache, where all read
  const auto up = [](int64_t x, int64_t y) { return (x + y - 1) / y; };
  const bool small = shape.m == 64;
  const int64_t products = exact ? 3 : 1, panels = 128 * (shape.m + shape.n);
  const int64_t reads = products * (shape.m / 64) * 4 * 32 * (64 + shape.n);
  const int64_t block = std::max(products * shape.m * shape.n * 64 / kProducts,
                                 ((exact ? 3 : 1) * panels + reads) / kShared);
  const int64_t tiles = up(g.m, shape.m) * up(g.n, shape.n) * g.batch;
  const int64_t blocks = up(up(g.k, depth), parts), sms = device.multiprocessors;
  const bool alone = small || parts > 1;  // one tile a cluster
  const int64_t sharing = alone || g.m <= shape.m ? 1 : 2;
  const int64_t sent = 128 * (shape.m + shape.n / sharing);
  const int64_t cache = tiles * parts * blocks * sent / (kCache * sms);
  const int64_t resident = up(tiles * parts, sms);
  const int64_t extra = alone ? 1500 + (parts > 1 ? 200 * parts : 0) : shape.n == 256 ? 1500 : 1000;
  return std::max(resident * blocks * block, cache) + extra * up(resident, shape.per_side);
}

// The tile and the parts of k of least cost: 128 x 256 (not fp32-accurate, whose two sets of sums do
// not fit), 128 x 128 and 64 x 128 with k in 1, 2, 4 or 8 parts.
inline GemmPlan plan_wgmma(const GemmArguments& g, DType dtype, const DeviceFacts& device) {
  const bool single = dtype == DType::f32, exact = single && g.precision == Precision::highest;
  const int64_t depth = single ? 32 : 64;
  GemmPlan best{};
  int64_t least = std::numeric_limits<int64_t>::max();
  const auto consider = [&](const WgmmaShape& shape, int64_t parts) {
    const int64_t cost = wgmma_cost(g, shape, parts, depth, exact, device);
    if (cost >= least) return;
    least = cost;
    const int64_t blocks = (g.k + depth - 1) / depth;
    best = {GemmAlgorithm::wgmma,
            static_cast<int>(shape.m),
            static_cast<int>(shape.n),
            parts,
            (blocks + parts - 1) / parts * depth,
            shape.why};
  };
  if (!exact) consider(kWgmmaLarge, 1);
  for (int64_t parts = 1; parts <= 8 && (parts == 1 || parts * 2 * depth <= g.k); parts *= 2) {
    consider(kWgmmaMiddle, parts);
    consider(kWgmmaSmall, parts);
  }
  return best;
}

}  // namespace fastdl::cuda
