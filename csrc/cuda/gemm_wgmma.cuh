// The main loop of matrix products on Hopper (sm_90a): a ring of stages in shared memory between
// one thread that has the copy engine fill them and warpgroups that multiply them.
//
//   producer   waits until a stage is empty, says how many bytes come, starts the copies
//   splitters  (fp32-accurate products only) write the lower halves of the numbers beside them
//   consumers  wait until a stage is full, start its wgmmas, and release the stage before it once
//              those have begun: tensor cores always have the next stage's work queued
//
// The scheme is that of CUTLASS's warp-specialised kernels ("Efficient GEMM in CUDA", NVIDIA) and
// of Bikshandi and Shah, "A Case Study in CUDA Kernel Fusion ... on Hopper" (2023). Nothing here
// knows what the operands are: GEMM and convolution differ in who fills the stages.
#pragma once

#include <cstdint>
#include <type_traits>

#include "cuda/cluster.cuh"
#include "cuda/launch.cuh"
#include "cuda/mbarrier.cuh"
#include "cuda/shared.cuh"
#include "cuda/wgmma.cuh"

namespace fastdl::cuda {

inline constexpr int kWarpgroup = 128;

// Whether this pass of the compiler makes code that runs on Hopper. Kernels of other passes are
// empty: launchers ask for the capability.
#if !defined(__CUDA_ARCH__) || defined(__CUDA_ARCH_FEAT_SM90_ALL)
inline constexpr bool kHopperCode = true;
#else
inline constexpr bool kHopperCode = false;
#endif

// A tile of c of 64 `consumers` x `columns`, by as many warpgroups of 64 rows, and the stages of
// its operands. A stage has the panel of a, then that of b, 128 bytes of k deep, as tile_load
// leaves them with Swizzle::b128:
//   Major::k   a row for each m (or n), 128 bytes of k
//   Major::mn  boxes of 64 neighbours along m (or n), a row of 128 bytes for each k
// `exact` (float): 3xTF32. The tensor core reads a float32 without its lower 13 bits, hi; the stage
// has lo = x - hi beside the panels, and products are lo hi + hi lo + hi hi.
template <class T_, int consumers, int columns, int stages, bool exact_ = false,
          Major a_major_ = Major::k, Major b_major_ = Major::k>
struct WgmmaTile {
  using T = T_;
  using Multiplicand = std::conditional_t<std::is_same_v<T, float>, Tf32, T>;
  static constexpr Major kMajorA = a_major_, kMajorB = b_major_;
  static constexpr bool kExact = exact_;
  static constexpr int kConsumers = consumers, kStages = stages;
  static constexpr int kM = 64 * consumers, kN = columns;
  static constexpr int kThreads = kWarpgroup * (1 + consumers);  // the first one copies

  static constexpr int kRow = 128;                                   // bytes
  static constexpr int kDepth = kRow / static_cast<int>(sizeof(T));  // of k in a stage
  static constexpr int kSteps = kDepth / Mma<Multiplicand>::k;
  static constexpr uint32_t kBox = 64 * kRow;  // 64 rows of 128 bytes, in either layout
  static constexpr uint32_t kBytesA = kM * kRow, kBytesB = kN * kRow;
  static constexpr uint32_t kPanels = kBytesA + kBytesB;
  static constexpr uint32_t kStage = exact_ ? 2 * kPanels : kPanels;
  static constexpr uint32_t kRing = stages * kStage;

  using Sums = WgmmaAccumulator<columns>;
};

// Where a role stands in the ring: the stage, and the parity of the round.
template <int stages>
struct RingPlace {
  int stage = 0;
  uint32_t parity = 0;

  __device__ void advance() {
    if (++stage == stages) {
      stage = 0;
      parity ^= 1;
    }
  }
};

template <int stages>
struct RingBarriers {
  Mbarrier full[stages], split[stages], empty[stages];

  // By one thread. `releases`: how many consumers, of all blocks that share panels, use a stage.
  __device__ void init(uint32_t splitters, uint32_t releases) {
    for (int s = 0; s < stages; ++s) {
      full[s].init(1);
      if (splitters) split[s].init(splitters);
      empty[s].init(releases);
    }
  }
};

// Warps of consumers meet: as many as it was initialised with, kWarps for a warpgroup. An object in
// shared memory.
struct ConsumerBarrier {
  static constexpr uint32_t kWarps = kWarpgroup / kWarp;
  Mbarrier barrier;

  __device__ void sync(uint32_t& parity) {
    __syncwarp();
    if (threadIdx.x % kWarp == 0) barrier.arrive();
    barrier.wait(parity);
    parity ^= 1;
  }
};

// ---- producer

// Calls load(block, stage, barrier) for `blocks` blocks of k, each once its stage is free. The
// loads have to bring kPanels bytes.
template <class Tile, class Load>
__device__ void produce(RingBarriers<Tile::kStages>& ring, RingPlace<Tile::kStages>& place,
                        int blocks, Load load) {
#pragma unroll 1
  for (int block = 0; block < blocks; ++block) {
    const int s = place.stage;
    ring.empty[s].wait(place.parity ^ 1);
    ring.full[s].arrive_expect(Tile::kPanels);
    load(block, dynamic_shared() + s * Tile::kStage, ring.full[s]);
    place.advance();
  }
}

// ---- splitters

inline constexpr int kSplitters = 3;  // warps: those of the producer's warpgroup that do not copy

// An object in shared memory.
template <int stages>
struct SplitterState {
  Mbarrier met;  // by kSplitters
  uint32_t special[stages][kSplitters];
};

__device__ inline bool is_special(float x) {  // infinite or NaN
  return (__float_as_uint(x) & 0x7f800000u) == 0x7f800000u;
}

// What the tensor core does not see of x. It cuts off 13 bits, so the rest is exact; of the rest it
// would cut off up to three, so that is rounded. Of an infinity
// the number itself: then it times anything is right in both products that it occurs in. Of a NaN one
// that is still a NaN without those bits.
__device__ inline float lower_part(float x) {
  const uint32_t bits = __float_as_uint(x);
  if ((bits & 0x7fffffffu) == 0x7f800000u) return x;
  return __uint_as_float(to_tf32(x - __uint_as_float(bits & 0xffffe000u)));
}

// Beside infinities a lower part of zero will not do: its product with one is NaN, where that of the
// number itself is infinite. So it becomes something that is lost in rounding.
__device__ inline float lower_part_beside_infinity(float x, float low) {
  if (low != 0.f || x == 0.f) return low;
  return copysignf(fmaxf(fabsf(x) * 0x1p-25f, 0x1p-126f), x);
}

// Element by element, in place of layout: the swizzle is the same.
template <class Tile>
__device__ void split_panels(RingBarriers<Tile::kStages>& ring, SplitterState<Tile::kStages>& state,
                             RingPlace<Tile::kStages>& place, int blocks, uint32_t& parity) {
  constexpr uint32_t kBytes = 16, kStep = kSplitters * kWarp * kBytes;
  const uint32_t warp = threadIdx.x / kWarp - 1, lane = threadIdx.x % kWarp;
  const uint32_t begin = (threadIdx.x - kWarp) * kBytes;
#pragma unroll 1
  for (int block = 0; block < blocks; ++block) {
    const int s = place.stage;
    unsigned char* const stage = dynamic_shared() + s * Tile::kStage;
    bool special = false;
    ring.full[s].wait(place.parity);
#pragma unroll 4
    for (uint32_t at = begin; at < Tile::kPanels; at += kStep) {
      Pack<float, 4> x = load_pack<4>(reinterpret_cast<const float*>(stage + at));
#pragma unroll
      for (float& v : x.v) {
        special |= is_special(v);
        v = lower_part(v);
      }
      store_pack<4>(reinterpret_cast<float*>(stage + Tile::kPanels + at), x);
    }
    special = __any_sync(0xffffffffu, special);
    if (lane == 0) {
      state.special[s][warp] = special;
      state.met.arrive();
    }
    state.met.wait(parity);
    parity ^= 1;
    if (state.special[s][0] | state.special[s][1] | state.special[s][2]) {
#pragma unroll 1
      for (uint32_t at = begin; at < Tile::kPanels; at += kStep) {
        const Pack<float, 4> x = load_pack<4>(reinterpret_cast<const float*>(stage + at));
        float* const to = reinterpret_cast<float*>(stage + Tile::kPanels + at);
        Pack<float, 4> low = load_pack<4>(to);
#pragma unroll
        for (int v = 0; v < 4; ++v) low.v[v] = lower_part_beside_infinity(x.v[v], low.v[v]);
        store_pack<4>(to, low);
      }
    }
    fence_proxy_async();
    __syncwarp();
    if (lane == 0) ring.split[s].arrive();
    place.advance();
  }
}

// ---- consumers

// Starts the products of one stage: 64 rows of a by all columns of b.
template <class Tile>
__device__ __forceinline__ void start_products(typename Tile::Sums& sums, const unsigned char* a,
                                               const unsigned char* b, bool accumulate) {
  using M = typename Tile::Multiplicand;
  const auto descriptor_a = [](const unsigned char* p) {
    if constexpr (Tile::kMajorA == Major::k)
      return k_descriptor<Swizzle::b128>(p);
    else
      return mn_descriptor<Swizzle::b128>(p, Tile::kBox);
  };
  const auto descriptor_b = [](const unsigned char* p) {
    if constexpr (Tile::kMajorB == Major::k)
      return k_descriptor<Swizzle::b128>(p);
    else
      return mn_descriptor<Swizzle::b128>(p, Tile::kBox);
  };
  constexpr uint32_t kAlongK = Tile::kRow / Tile::kSteps;                    // bytes of a row
  constexpr uint32_t kRows = Mma<M>::k * static_cast<uint32_t>(Tile::kRow);  // rows of k
  constexpr uint32_t step_a = Tile::kMajorA == Major::k ? kAlongK : kRows;
  constexpr uint32_t step_b = Tile::kMajorB == Major::k ? kAlongK : kRows;
  const MatrixDescriptor hi_a = descriptor_a(a), hi_b = descriptor_b(b);
#pragma unroll
  for (uint32_t step = 0; step < Tile::kSteps; ++step) {
    const MatrixDescriptor x = hi_a + step * step_a, y = hi_b + step * step_b;
    const bool adds = accumulate || step > 0;
    if constexpr (Tile::kExact) {
      wgmma<M>(sums, x + Tile::kPanels, y, adds);
      wgmma<M>(sums, x, y + Tile::kPanels, true);
      wgmma<M>(sums, x, y, true);
    } else {
      wgmma<M, Tile::kMajorA, Tile::kMajorB>(sums, x, y, adds);
    }
  }
}

// Who multiplies: a warpgroup, and its thread. The blocks of the cluster from `rank` on, `sharing`
// of them, have panels in common: all of them are told when a stage is free.
struct WgmmaConsumer {
  int index, thread;
  uint32_t rank, sharing;

  __device__ void release(Mbarrier& empty) const {
    if (static_cast<uint32_t>(thread) < sharing)
      empty.arrive_remote_reader(rank + static_cast<uint32_t>(thread));
  }
};

// One warpgroup's products of `blocks` > 0 blocks of k: sums = a b.
template <class Tile>
__device__ __forceinline__ void multiply_run(RingBarriers<Tile::kStages>& ring,
                                             RingPlace<Tile::kStages>& place, int blocks,
                                             const WgmmaConsumer& consumer,
                                             typename Tile::Sums& sums) {
  int last = 0, block = 0;  // last: the stage before
#pragma unroll 1
  do {
    const int s = place.stage;
    const unsigned char* const stage = dynamic_shared() + s * Tile::kStage;
    (Tile::kExact ? ring.split[s] : ring.full[s]).wait(place.parity);
    wgmma_fence();
    start_products<Tile>(sums, stage + consumer.index * Tile::kBox, stage + Tile::kBytesA,
                         block > 0);
    wgmma_commit();
    wgmma_wait<1>();
    if (block > 0) consumer.release(ring.empty[last]);
    last = s;
    place.advance();
  } while (++block < blocks);
  wgmma_wait<0>(sums);
  consumer.release(ring.empty[last]);
}

// The same in the precision that T asks for. A tensor core cuts off, and does not round, what does not fit
// when it adds to an accumulator, which biases long sums; fp32-accurate products therefore add
// partial sums of kRun of k in registers.
template <class Tile>
__device__ __forceinline__ void multiply_blocks(RingBarriers<Tile::kStages>& ring,
                                                RingPlace<Tile::kStages>& place, int blocks,
                                                const WgmmaConsumer& consumer,
                                                typename Tile::Sums& sums) {
  constexpr int kRun = 128 / Tile::kDepth;  // blocks
  if constexpr (Tile::kExact) {
    typename Tile::Sums partial;
#pragma unroll
    for (float& v : sums.v) v = 0;
#pragma unroll 1
    for (int first = 0; first < blocks; first += kRun) {
      multiply_run<Tile>(ring, place, min(kRun, blocks - first), consumer, partial);
#pragma unroll
      for (int i = 0; i < Tile::Sums::kElements; ++i) sums.v[i] += partial.v[i];
    }
  } else {
    multiply_run<Tile>(ring, place, blocks, consumer, sums);
  }
}

}  // namespace fastdl::cuda
