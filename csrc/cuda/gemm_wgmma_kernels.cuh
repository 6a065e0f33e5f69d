// Matrix products on Hopper: two kernels around the main loop of gemm_wgmma.cuh. Who their operands
// are is a parameter: an Operands has a Tile, and a Panels that loads them into stages.
//
// gemm_wgmma_kernel, for many tiles: persistent blocks, one on each multiprocessor, of two consumer
// warpgroups. Two blocks above one another (a cluster) have b's panel in common: each loads half of
// it into both. Results leave through shared memory and the copy engine, while the ring is already
// being filled for the next tile.
//
// gemm_wgmma_parts_kernel, for few tiles: one tile for a cluster of 1 to 8 blocks, which cut k
// into as many parts. They add their sums in order of the parts through distributed shared memory,
// each for its share of the rows: no second kernel, and no partial sums in global memory.
#pragma once

#include "cuda/epilogue.cuh"
#include "cuda/gemm_wgmma.cuh"
#include "cuda/tma.cuh"

namespace fastdl::cuda {

// Where results lie, and what they go through.
template <class T>
struct WgmmaResult {
  int m, n;
  T* c;
  int64_t row, batch;  // strides
  bool vector;         // whether four neighbours of the residual can be read at once
  Finish<T> finish;
};

struct WgmmaTask {
  int blocks;            // of k
  int tiles_m, tiles_n;  // tiles_m: of clusters
  int batch;
};

// One tile of a cluster.
struct WgmmaPlace {
  int z, row, column;  // row: in tiles of clusters

  // Tiles run down strips, about 2048 rows high: blocks at work at one time form a square, which
  // reads the fewest panels into L2.
  __device__ WgmmaPlace(const WgmmaTask& task, int index, int strip) {
    const int each = task.tiles_m * task.tiles_n;
    z = index / each;
    const int in_batch = index - z * each, per_strip = strip * task.tiles_n;
    const int which = in_batch / per_strip, in_strip = in_batch - which * per_strip;
    const int rows = min(strip, task.tiles_m - which * strip);
    column = in_strip / rows;
    row = which * strip + in_strip - column * rows;
  }
};

// Starts the loads of `rows` rows of an operand's panel: in one box, or in boxes of 64.
template <Major major, class Copy>
__device__ inline void load_panel(unsigned char* to, int first, int rows, int k, int z, Copy copy) {
  if constexpr (major == Major::k) {
    copy(to, {k, first, z});
  } else {
#pragma unroll 1
    for (int i = 0; i < rows; i += 64) copy(to + i * 128, {first + i, k, z});
  }
}

// Two batches of matrices.
template <class Tile_>
struct MatrixOperands {
  using Tile = Tile_;
  TensorMap a, b;
  bool a_batched, b_batched;  // or the same matrix in every batch

  __device__ void prefetch_maps() const {
    prefetch(a);
    prefetch(b);
  }

  // The panels of one tile of c, of which b's is shared by `sharing` blocks: each loads a part.
  struct Panels {
    const MatrixOperands& from;
    int row, column, z;
    int rank, sharing;

    __device__ Panels(const MatrixOperands& operands, int row_, int column_, int z_, int rank_,
                      int sharing_)
        : from(operands), row(row_), column(column_), z(z_), rank(rank_), sharing(sharing_) {}

    __device__ void load(int block, unsigned char* stage, Mbarrier& full) const {
      const int k = block * Tile::kDepth, part = Tile::kN / sharing;
      load_panel<Tile::kMajorA>(
          stage, row, Tile::kM, k, from.a_batched ? z : 0,
          [&](void* to, const int (&box)[3]) { tile_load(to, from.a, box, full); });
      load_panel<Tile::kMajorB>(stage + Tile::kBytesA + rank * part * Tile::kRow,
                                column + rank * part, part, k, from.b_batched ? z : 0,
                                [&](void* to, const int (&box)[3]) {
                                  if (sharing == 1)
                                    tile_load(to, from.b, box, full);
                                  else
                                    tile_load_multicast(to, from.b, box, full, 3);
                                });
    }
  };
};

// act(std::integral_constant<int, i>) for 0 <= i < count: accumulators have constant numbers.
template <int count, class F>
__device__ __forceinline__ void for_each_number(F act) {
  if constexpr (count > 0) {
    for_each_number<count - 1>(act);
    act(std::integral_constant<int, count - 1>{});
  }
}

// ---- many tiles

template <class Tile>
struct PersistentShared {
  static constexpr uint32_t kResults = Tile::kRing;
  static constexpr uint32_t kBarriers = kResults + Tile::kConsumers * 2 * Tile::kBox;
  RingBarriers<Tile::kStages> ring;
  SplitterState<Tile::kStages> splitters;
  ConsumerBarrier results[Tile::kConsumers];
  static constexpr size_t bytes() { return kBarriers + sizeof(PersistentShared); }
  __device__ static PersistentShared& get() {
    return *reinterpret_cast<PersistentShared*>(dynamic_shared() + kBarriers);
  }
};

// Bias and the like for `count` accumulators from `first` on, which are 64 rows by the columns of a
// box from `column` on. Loads come before their uses, and none is guarded: what sticks out reads the
// last row and column, which lie in this box, and is not stored.
template <int first, int count, class T, class Sums>
__device__ __forceinline__ void finish_box(const WgmmaResult<T>& result, Sums& sums, int row,
                                           int column, int z, int thread) {
  const Finish<T>& finish = result.finish;
  const auto column_of = [&](int i) {
    return min(column + wgmma_position(thread, i).column, result.n - 1);
  };
  float add[count];
  if (finish.bias) {
#pragma unroll
    for (int i = 0; i < count; ++i)
      if (i % 4 < 2) add[i] = static_cast<float>(finish.bias[column_of(i)]);
#pragma unroll
    for (int i = 0; i < count; ++i) sums.v[first + i] += add[i & ~2];
  }
  if (finish.residual) {
#pragma unroll
    for (int half = 0; half < 2; ++half) {
      const int i = min(row + wgmma_position(thread, 2 * half).row, result.m - 1);
      const T* const line = finish.residual + z * result.batch + i * result.row;
#pragma unroll
      for (int e = 0; e < count; ++e)
        if (e / 2 % 2 == half) add[e] = static_cast<float>(line[column_of(e)]);
    }
#pragma unroll
    for (int i = 0; i < count; ++i) sums.v[first + i] += add[i];
  }
  if (finish.activation != Activation::none) {
#pragma unroll
    for (int i = 0; i < count; ++i) sums.v[first + i] = finish.activate(sums.v[first + i]);
  }
}

// 64 rows of 128 bytes of results, from the accumulators that begin at `first`, into a box.
template <class T, class Sums>
__device__ __forceinline__ void write_box(const Sums& sums, int first, unsigned char* box,
                                          int thread) {
  const int warp = thread / kWarp, lane = thread % kWarp;
  if constexpr (sizeof(T) == 2) {
#pragma unroll
    for (int j = 0; j < 4; ++j) {  // 16 columns: two fragments
      uint32_t r[4];
#pragma unroll
      for (int i = 0; i < 4; ++i)
        r[i] = pack_pair(T(sums.v[first + j * 8 + 2 * i]), T(sums.v[first + j * 8 + 2 * i + 1]));
      const int row = warp * 16 + lane % 16, column = j * 16 + lane / 16 * 8;
      store_matrix(box + swizzled(Swizzle::b128, static_cast<uint32_t>(row * 128 + column * 2)), r);
    }
  } else {
#pragma unroll
    for (int i = 0; i < 16; i += 2) {
      const Position p = wgmma_position(thread, i);
      const auto at = static_cast<uint32_t>(p.row * 128 + p.column * 4);
      store_pack<2>(reinterpret_cast<float*>(box + swizzled(Swizzle::b128, at)),
                    Pack<float, 2>{{sums.v[first + i], sums.v[first + i + 1]}});
    }
  }
}

// The results of one warpgroup, of which some exist. They go through two boxes: while the copy engine
// reads one, the other is written. `box` is the next one.
template <class Tile, class T>
__device__ __forceinline__ void store_results(const TensorMap& c, const WgmmaResult<T>& result,
                                              typename Tile::Sums& sums, int row, int column, int z,
                                              int consumer, int thread, uint32_t& box,
                                              uint32_t& parity) {
  using Shared = PersistentShared<Tile>;
  constexpr int kColumns = 128 / static_cast<int>(sizeof(T)), kCount = kColumns / 2;
  unsigned char* const boxes = dynamic_shared() + Shared::kResults + consumer * 2 * Tile::kBox;
  const auto store = [&](auto which) {
    constexpr int i = decltype(which)::value;
    const int begin = column + i * kColumns;
    if (begin >= result.n) return;
    finish_box<i * kCount, kCount>(result, sums, row, begin, z, thread);
    unsigned char* const to = boxes + box * Tile::kBox;
    write_box<T>(sums, i * kCount, to, thread);
    fence_proxy_async();
    if (thread == 0) bulk_wait_read<0>();  // the other box: it is written next
    Shared::get().results[consumer].sync(parity);
    if (thread == 0) {
      tile_store(c, {begin, row, z}, to);
      bulk_commit();
    }
    __syncwarp();
    box ^= 1;
  };
  for_each_number<Tile::kN / kColumns>(store);
}

// Grid: clusters of 1 or 2 blocks, at most one block for each multiprocessor.
template <class Operands, class T>
__global__ void __launch_bounds__(Operands::Tile::kThreads, 1)
    gemm_wgmma_kernel(const __grid_constant__ Operands operands,
                      const __grid_constant__ TensorMap c, const __grid_constant__ WgmmaTask task,
                      const __grid_constant__ WgmmaResult<T> result) {
  if constexpr (kHopperCode) {
    using Tile = typename Operands::Tile;
    using Shared = PersistentShared<Tile>;
    constexpr int kStages = Tile::kStages, kStripRows = 2048;
    Shared& shared = Shared::get();
    const int sharing = static_cast<int>(cluster_size()), rank = static_cast<int>(cluster_rank());
    const int thread = static_cast<int>(threadIdx.x) % kWarpgroup;
    const int tiles = task.tiles_m * task.tiles_n * task.batch;
    const int first = static_cast<int>(blockIdx.x) / sharing,
              step = static_cast<int>(gridDim.x) / sharing,
              strip = kStripRows / (Tile::kM * sharing);
    if (threadIdx.x == 0) {
      operands.prefetch_maps();
      prefetch(c);
      if (Tile::kExact) shared.splitters.met.init(kSplitters);
      shared.ring.init(Tile::kExact ? kSplitters : 0, Tile::kConsumers * sharing);
      for (ConsumerBarrier& barrier : shared.results) barrier.barrier.init(ConsumerBarrier::kWarps);
      fence_mbarrier_init();
    }
    cluster_sync();

    RingPlace<kStages> place;
    if (threadIdx.x < kWarpgroup) {
      decrease_registers<56>();
      if (threadIdx.x == 0) {
        for (int index = first; index < tiles; index += step) {
          const WgmmaPlace at(task, index, strip);
          const typename Operands::Panels panels(operands, (at.row * sharing + rank) * Tile::kM,
                                                 at.column * Tile::kN, at.z, rank, sharing);
          produce<Tile>(shared.ring, place, task.blocks,
                        [&](int block, unsigned char* stage, Mbarrier& full) {
                          panels.load(block, stage, full);
                        });
        }
      } else if (Tile::kExact && threadIdx.x >= kWarp) {
        uint32_t parity = 0;
        for (int index = first; index < tiles; index += step)
          split_panels<Tile>(shared.ring, shared.splitters, place, task.blocks, parity);
      }
      __syncwarp();
    } else {
      increase_registers<224>();
      const int consumer = static_cast<int>(threadIdx.x) / kWarpgroup - 1;
      const WgmmaConsumer who{consumer, thread, 0, static_cast<uint32_t>(sharing)};
      uint32_t box = 0, parity = 0;
      for (int index = first; index < tiles; index += step) {
        const WgmmaPlace at(task, index, strip);
        const int row = (at.row * sharing + rank) * Tile::kM + consumer * 64;
        const int column = at.column * Tile::kN;
        typename Tile::Sums sums;
        multiply_blocks<Tile>(shared.ring, place, task.blocks, who, sums);
        if (row < result.m)
          store_results<Tile>(c, result, sums, row, column, at.z, consumer, thread, box, parity);
      }
      if (thread == 0) bulk_wait_read<0>();
      __syncwarp();
    }
    cluster_sync();  // the other block may still send panels, and say that stages are free
  }
}

// ---- few tiles

template <class Tile>
struct PartsShared {
  static constexpr int kPitch = Tile::kN + 4;  // of sums, which take the place of the ring
  static_assert(sizeof(float) * Tile::kM * kPitch <= Tile::kRing);
  RingBarriers<Tile::kStages> ring;
  SplitterState<Tile::kStages> splitters;
  ConsumerBarrier multiplied;
  static constexpr size_t bytes() { return Tile::kRing + sizeof(PartsShared); }
  __device__ static PartsShared& get() {
    return *reinterpret_cast<PartsShared*>(dynamic_shared() + Tile::kRing);
  }
  __device__ static float* sums() { return reinterpret_cast<float*>(dynamic_shared()); }
};

// Adds the sums of all blocks of the cluster in order, for this block's share of the rows.
template <class Tile>
__device__ inline void add_parts(const WgmmaResult<typename Tile::T>& result, int row, int column,
                                 int z, uint32_t parts, uint32_t rank) {
  using T = typename Tile::T;
  using Shared = PartsShared<Tile>;
  constexpr int kWide = 4, kVectors = Tile::kN / kWide;
  const int share = Tile::kM / static_cast<int>(parts), begin = static_cast<int>(rank) * share;
  for (int i = static_cast<int>(threadIdx.x); i < share * kVectors; i += Tile::kThreads) {
    const int r = begin + i / kVectors, j = i % kVectors * kWide;
    if (row + r >= result.m || column + j >= result.n) continue;
    float sums[kWide] = {};
    for (uint32_t part = 0; part < parts; ++part) {
      const Pack<float, kWide> x =
          load_pack<kWide>(remote_shared(Shared::sums() + r * Shared::kPitch + j, part));
#pragma unroll
      for (int v = 0; v < kWide; ++v) sums[v] += x.v[v];
    }
    const int64_t start = z * result.batch + (row + r) * result.row;
    const int count = min(kWide, result.n - column - j);
    T* const to = result.c + start + column + j;
    if (count == kWide && result.vector) {
      store_pack<kWide>(to, result.finish.pack(sums, column + j, start + column + j));
    } else {
#pragma unroll
      for (int v = 0; v < kWide; ++v)
        if (v < count) to[v] = T(result.finish.at(sums[v], column + j + v, start + column + j + v));
    }
  }
}

// Grid: a cluster of as many blocks as there are parts for each tile.
template <class Operands>
__global__ void __launch_bounds__(Operands::Tile::kThreads,
                                  Operands::Tile::kRing <= 96 << 10 ? 2 : 1)
    gemm_wgmma_parts_kernel(
        const __grid_constant__ Operands operands, const __grid_constant__ WgmmaTask task,
        const __grid_constant__ WgmmaResult<typename Operands::Tile::T> result) {
  using Tile = typename Operands::Tile;
  if constexpr (kHopperCode) {
    using Shared = PartsShared<Tile>;
    constexpr int kStages = Tile::kStages, kStripRows = 1024;
    Shared& shared = Shared::get();
    const uint32_t parts = cluster_size(), part = cluster_rank();
    const int thread = static_cast<int>(threadIdx.x) % kWarpgroup;
    const WgmmaPlace at(task, static_cast<int>(blockIdx.x / parts), kStripRows / Tile::kM);
    const int row = at.row * Tile::kM, column = at.column * Tile::kN;
    const int each = (task.blocks + static_cast<int>(parts) - 1) / static_cast<int>(parts);
    const int first = min(task.blocks, each * static_cast<int>(part)),
              blocks = min(each, task.blocks - first);
    if (threadIdx.x == 0) {
      operands.prefetch_maps();
      if (Tile::kExact) shared.splitters.met.init(kSplitters);
      shared.ring.init(Tile::kExact ? kSplitters : 0, Tile::kConsumers);
      shared.multiplied.barrier.init(ConsumerBarrier::kWarps * Tile::kConsumers);
      fence_mbarrier_init();
    }
    cluster_sync();

    RingPlace<kStages> place;
    if (threadIdx.x < kWarpgroup) {
      if (threadIdx.x == 0) {
        const typename Operands::Panels panels(operands, row, column, at.z, 0, 1);
        produce<Tile>(shared.ring, place, blocks,
                      [&](int block, unsigned char* stage, Mbarrier& full) {
                        panels.load(first + block, stage, full);
                      });
      } else if (Tile::kExact && threadIdx.x >= kWarp) {
        uint32_t parity = 0;
        split_panels<Tile>(shared.ring, shared.splitters, place, blocks, parity);
      }
      __syncwarp();
    } else {
      // The barriers are this block's own: no other one shares its panels.
      const int consumer = static_cast<int>(threadIdx.x) / kWarpgroup - 1;
      uint32_t parity = 0;
      typename Tile::Sums sums;
      if (blocks > 0) {
        multiply_blocks<Tile>(shared.ring, place, blocks, WgmmaConsumer{consumer, thread, part, 1},
                              sums);
      } else {
#pragma unroll
        for (float& v : sums.v) v = 0;
      }
      shared.multiplied.sync(parity);  // nobody reads the ring any more
#pragma unroll
      for (int i = 0; i < Tile::Sums::kElements; i += 2) {
        const Position p = wgmma_position(thread, i);
        store_pack<2>(Shared::sums() + (consumer * 64 + p.row) * Shared::kPitch + p.column,
                      Pack<float, 2>{{sums.v[i], sums.v[i + 1]}});
      }
    }
    cluster_sync();
    add_parts<Tile>(result, row, column, at.z, parts, part);
    cluster_sync();  // others read these sums
  }
}

}  // namespace fastdl::cuda
