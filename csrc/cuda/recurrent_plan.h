// Whether the steps of a recurrent layer run in one persistent kernel, and how it is cut into blocks.
// Plain numbers, a pure function: no device is asked.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "cuda/device.h"

namespace fastdl::cuda {

// A block has 16 hidden units, and 8 samples at a time: the tile of mma with the weights as its left
// operand. Its warps share out k. Along k both operands lie in chunks of 64 bytes.
inline constexpr int kTileUnits = 16, kTileSamples = 8, kTileCells = kTileUnits * kTileSamples;
inline constexpr int kRecurrentWarps = 8, kChunkBytes = 64;
inline constexpr int kExchangeTile = kTileSamples * kChunkBytes;  // bytes of a chunk for 8 samples

// Chunks of k whose weights a warp keeps in registers: 96 of a thread, or 64 where it needs some for
// the two parts of a float.
constexpr int register_chunks(int gates, size_t item) { return (item == 4 ? 8 : 12) / gates; }

struct RecurrentProblem {
  int64_t steps, n, hidden;
  size_t item;  // bytes of an element: 2 or 4, or 8, for which there is no such kernel
  int gates;    // rows of weights for each unit: of the product of one step
  int values;   // that a unit sends to the next step
};

// What FASTDL_CUDA_PERSISTENT asks for: 0, 1 (also where it does not pay), or nothing.
enum class Persistent { never, where_it_pays, where_it_fits };

struct RecurrentPlan {
  bool persistent = false;
  const char* why = "";
  int unit_blocks = 0, groups = 0;  // blocks: each group has its own samples, and all units
  int tiles = 0, all_tiles = 0;     // of samples: of a group, and in all
  int chunks = 0;                   // of k
  size_t kept = 0, shared = 0;      // bytes of shared memory: for weights, and in all
};

inline RecurrentPlan plan_recurrent(const RecurrentProblem& s, const DeviceFacts& device,
                                    Persistent wish) {
  // A persistent kernel takes as long to start as a few steps of one launch each.
  constexpr int64_t kFewSteps = 4;
  constexpr int64_t kMostUnits = 1 << 14, kMostSamples = 1 << 20;
  const auto ceil_div = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
  RecurrentPlan plan;
  const auto refuse = [&](const char* why) {
    plan.why = why;
    return plan;
  };
  if (wish == Persistent::never) return refuse("FASTDL_CUDA_PERSISTENT=0");
  if (s.steps < 1 || s.n < 1 || s.hidden < 1) return refuse("nothing to do");
  if (s.item > 4) return refuse("float64");
  if (wish == Persistent::where_it_pays && s.steps < kFewSteps) return refuse("few steps");
  if (s.hidden > kMostUnits || s.n > kMostSamples || s.steps > INT32_MAX / 2)
    return refuse("too large");

  plan.unit_blocks = static_cast<int>(ceil_div(s.hidden, kTileUnits));
  plan.all_tiles = static_cast<int>(ceil_div(s.n, kTileSamples));
  plan.groups = std::min(plan.all_tiles, device.multiprocessors / plan.unit_blocks);
  if (plan.groups == 0) return refuse("more blocks than multiprocessors");
  plan.tiles = static_cast<int>(ceil_div(plan.all_tiles, plan.groups));
  plan.groups = static_cast<int>(ceil_div(plan.all_tiles, plan.tiles));

  const auto row = static_cast<int64_t>(s.item) * s.values * s.hidden;
  plan.chunks = static_cast<int>(ceil_div(row, kChunkBytes));
  const int64_t of_warp = ceil_div(plan.chunks, kRecurrentWarps);
  const int64_t in_shared = std::max<int64_t>(0, of_warp - register_chunks(s.gates, s.item));
  plan.kept = static_cast<size_t>(in_shared) * kRecurrentWarps * s.gates * kTileUnits * kChunkBytes;
  const size_t sums = std::min<size_t>(plan.tiles, 2) * kRecurrentWarps * s.gates * kTileCells;
  const size_t state = static_cast<size_t>(plan.tiles) * kTileCells;
  plan.shared = plan.kept + (sums + state) * sizeof(float);
  if (plan.shared > static_cast<size_t>(device.shared_bytes))
    return refuse("weights larger than registers and shared memory");
  plan.persistent = true;
  plan.why = "weights stay in registers and shared memory";
  return plan;
}

}  // namespace fastdl::cuda
