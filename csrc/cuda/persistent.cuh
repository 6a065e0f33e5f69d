// All steps of a recurrent layer in one kernel (Diamos et al., "Persistent RNNs: stashing recurrent
// weights on-chip", 2016). A block has 16 hidden units; it keeps their rows of the recurrent weights
// in registers and shared memory, forms their part of each step's product, and has their cells. What
// the cells send to the next step goes to all blocks through global memory, in two buffers in turn,
// and a step begins when the values that it multiplies are there (cuda/grid_barrier.cuh). One such
// exchange a step orders the buffers as well: a block that writes the values of step s + 1 over those
// of s - 1 has awaited those of s from every block, and each had read s - 1 before it sent them.
//
// A Cell says what a step does with the sums; forward and backward differ in it alone:
//   using Type;  static constexpr int kGates, kValues;  static constexpr bool kBackward;
//   int steps, n, hidden;
//   Pack<T, V> weights<V>(r, unit, k)     elements [k, k + V) of the r-th row of weights of a unit
//   float initial(sample, unit)           its state before the first step
//   using Operands;                       what it reads of a step, and what it will store
//   void fetch(step, sample, unit, Operands&)
//   void finish(step, Operands&, sums[kGates], float& state, T (&values)[kValues])
//   void store(step, sample, unit, const Operands&)
// Value v of a unit is element unit * kValues + v of k. Backward there is one more step, of a product
// alone, and none in the first; `step` counts from 0 as the kernel goes.
#pragma once

#include <cstdlib>

#include "cuda/device.h"
#include "cuda/grid_barrier.cuh"
#include "cuda/kept_product.cuh"
#include "cuda/shared.cuh"

namespace fastdl::cuda {

inline constexpr int kRecurrentThreads = kRecurrentWarps * kWarp;

struct Exchange {
  unsigned char* data;  // [2][all_tiles][chunks][8 samples][64 bytes]
  uint32_t* counters;   // [groups][unit_blocks], the last step whose values are there
  int unit_blocks, tiles, all_tiles, chunks;
  int kept;  // bytes of shared memory for weights

  __device__ unsigned char* tile(int step, int i) const {
    return data + (static_cast<int64_t>(step % 2) * all_tiles + i) * chunks * kExchangeTile;
  }
};

namespace detail {

// Where the sum of a unit and a sample lies: pairs of samples exchange places, so that neither the
// lanes of an accumulator nor 16 units in a row meet in a bank.
__device__ inline int sum_slot(int unit, int sample) {
  return unit * kTileSamples + ((sample / 2 ^ (unit / 4 & 3)) * 2 + sample % 2);
}

template <class Cell>
__global__ void __launch_bounds__(kRecurrentThreads, 1)
    persistent_kernel(const __grid_constant__ Cell cell,
                      const __grid_constant__ Exchange exchange) {
  using T = typename Cell::Type;
  constexpr int R = Cell::kGates, E = Cell::kValues;
  using Product = KeptProduct<T, R>;
  const int thread = static_cast<int>(threadIdx.x), warp = thread / kWarp, lane = thread % kWarp;
  const int group = static_cast<int>(blockIdx.x) / exchange.unit_blocks;
  const int block = static_cast<int>(blockIdx.x) % exchange.unit_blocks;
  const int first_tile = group * exchange.tiles;
  const int tiles = min(exchange.tiles, exchange.all_tiles - first_tile);
  uint32_t* const counters = exchange.counters + group * exchange.unit_blocks;

  unsigned char* const shared = dynamic_shared();
  const Product product(exchange.chunks, shared, [&](int r, int row, int k) {
    return cell.template weights<Product::kPerLane>(r, block * kTileUnits + row, k);
  });
  // The blocks whose values the warp multiplies.
  const int first_block = product.first() * Product::kChunk / E / kTileUnits;
  const int end_unit =
      min(ceil_div((product.first() + product.count()) * Product::kChunk, E), int64_t{cell.hidden});
  const int blocks =
      product.count() ? static_cast<int>(ceil_div(end_unit, kTileUnits)) - first_block : 0;

  // A thread has a cell of every other tile: the halves of the block take turns.
  float* const sums = reinterpret_cast<float*>(shared + exchange.kept);
  float* const states = sums + min(exchange.tiles, 2) * kRecurrentWarps * R * kTileCells;
  const int own = thread % kTileCells, turn = thread / kTileCells;
  const int sample_of_tile = own / kTileUnits, unit = block * kTileUnits + own % kTileUnits;
  const auto sample_of = [&](int i) { return (first_tile + i) * kTileSamples + sample_of_tile; };
  const auto has_cell = [&](int i) {
    return i % 2 == turn && unit < cell.hidden && sample_of(i) < cell.n;
  };
  for (int i = 0; i < tiles; ++i)
    if (has_cell(i)) states[i * kTileCells + own] = cell.initial(sample_of(i), unit);

  const int steps = cell.steps + (Cell::kBackward ? 1 : 0);
#pragma unroll 1
  for (int step = 0; step < steps; ++step) {
#pragma unroll 1
    for (int i = 0; i < tiles; ++i) {
      const bool active = has_cell(i);
      typename Cell::Operands operands;
      if (active) cell.fetch(step, sample_of(i), unit, operands);  // before there is need to wait
      if (i == 0 && step > 0) await(counters + first_block, blocks, static_cast<uint32_t>(step));

      float part[R][4] = {};
      if (!Cell::kBackward || step > 0) product.multiply(exchange.tile(step, first_tile + i), part);
      float* const parts = sums + i % 2 * kRecurrentWarps * R * kTileCells;
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          store_pack<2>(
              parts + (warp * R + r) * kTileCells + sum_slot(lane / 4 + 8 * half, lane % 4 * 2),
              Pack<float, 2>{{part[r][2 * half], part[r][2 * half + 1]}});
      __syncthreads();

      if (active) {
        float sum[R];
        const int slot = sum_slot(own % kTileUnits, sample_of_tile);
#pragma unroll
        for (int r = 0; r < R; ++r) {
          sum[r] = parts[r * kTileCells + slot];
#pragma unroll
          for (int w = 1; w < kRecurrentWarps; ++w)
            sum[r] += parts[(w * R + r) * kTileCells + slot];
        }
        T values[E];
        cell.finish(step, operands, sum, states[i * kTileCells + own], values);
        unsigned char* const to = exchange.tile(step + 1, first_tile + i);
        constexpr int kStored = E % 2 ? 1 : E;  // at a time
#pragma unroll
        for (int e = 0; e < E; e += kStored) {
          const int k = unit * E + e;
          T* const row = reinterpret_cast<T*>(to + k / Product::kChunk * kExchangeTile +
                                              sample_of_tile * kChunkBytes);
          Pack<T, kStored> pack;
#pragma unroll
          for (int v = 0; v < kStored; ++v) pack.v[v] = values[e + v];
          store_pack(row + k % Product::kChunk, pack);
        }
      }
      if (i + 1 == tiles) {
        __syncthreads();
        if (thread == 0) publish(counters + block, static_cast<uint32_t>(step + 1));
      }
      // What no block waits for comes last.
      if (active) cell.store(step, sample_of(i), unit, operands);
    }
  }
}

// The exchange before the first step: h, or nothing (null), and zeros beside it and in the other
// buffer. Counters are zero.
template <class T>
__global__ void __launch_bounds__(kBlock)
    begin_persistent_kernel(Exchange exchange, int counters, const T* h, int n, int hidden) {
  constexpr int kChunk = kChunkBytes / static_cast<int>(sizeof(T));
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
  const int64_t half = int64_t{exchange.all_tiles} * exchange.chunks * kTileSamples * kChunk;
  for (int64_t i = first; i < 2 * half; i += threads) {
    const int64_t row = i / kChunk, of_tile = row / kTileSamples;
    const int64_t sample = of_tile / exchange.chunks * kTileSamples + row % kTileSamples;
    const int64_t k = of_tile % exchange.chunks * kChunk + i % kChunk;
    const bool exists = h && i < half && sample < n && k < hidden;
    reinterpret_cast<T*>(exchange.data)[i] = exists ? h[sample * hidden + k] : T(0.0f);
  }
  for (int64_t i = first; i < counters; i += threads) exchange.counters[i] = 0;
}

}  // namespace detail

// Asked for at each call: tests set it.
inline Persistent persistent_wish() {
  const char* const text = std::getenv("FASTDL_CUDA_PERSISTENT");
  if (!text || !*text) return Persistent::where_it_pays;
  return *text == '0' ? Persistent::never : Persistent::where_it_fits;
}

template <class Cell>
RecurrentPlan plan_persistent(const Context& context, int64_t steps, int64_t n, int64_t hidden) {
  return plan_recurrent(
      {steps, n, hidden, sizeof(typename Cell::Type), Cell::kGates, Cell::kValues},
      device_facts(context.device), persistent_wish());
}

// `h`, before the first step, is null in a backward pass.
template <class Cell>
void run_persistent(const Context& context, const RecurrentPlan& plan, const Cell& cell,
                    const typename Cell::Type* h) {
  using T = typename Cell::Type;
  const size_t bytes = static_cast<size_t>(2) * plan.all_tiles * plan.chunks * kExchangeTile;
  const int blocks = plan.groups * plan.unit_blocks;
  const Scratch data(context, bytes), counters(context, blocks * sizeof(uint32_t));
  Exchange exchange{};
  exchange.data = data.as<unsigned char>();
  exchange.counters = counters.as<uint32_t>();
  exchange.unit_blocks = plan.unit_blocks;
  exchange.tiles = plan.tiles;
  exchange.all_tiles = plan.all_tiles;
  exchange.chunks = plan.chunks;
  exchange.kept = static_cast<int>(plan.kept);
  launch(context, detail::begin_persistent_kernel<T>,
         loop_grid(static_cast<int64_t>(bytes / sizeof(T))), dim3(kBlock), exchange, blocks, h,
         cell.n, cell.hidden);
  LaunchShape shape{dim3(static_cast<unsigned>(blocks)), dim3(kRecurrentThreads), plan.shared};
  shape.cooperative = true;
  launch(context, detail::persistent_kernel<Cell>, shape, cell, exchange);
}

}  // namespace fastdl::cuda
