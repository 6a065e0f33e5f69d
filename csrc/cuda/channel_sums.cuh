// Sums over the channels of contiguous tensors x[n, c, inner], read once.
//
// A team of threads walks the rows of a channel, neighbours along a row; where inner = 1 (channels are
// neighbours), a thread may own a pack of channels instead: sum_channel_columns. Long channels are cut into parts, whose results
// a second kernel joins. The order depends on the shape alone.
//
// Sum is a reducer of cuda/reduce.cuh (Acc, init, combine, shuffle), and
//   Part begin(int64_t channel) const;         a thread's own sum
//   void add<V, K>(Part&, const int64_t (&at)[K], int taken, bool aligned) const;
//                                              takes the packs of V elements at the first offsets
//   Acc total(Part) const;
//   void finish(int64_t channel, Acc) const;   stores the results
// and for sum_channel_columns the same for V channels at once:
//   Columns<V> begin_columns<V>(int64_t channel) const;
//   void add_columns<V, K>(Columns<V>&, const int64_t (&at)[K], int taken, bool aligned) const;
//   Acc total_column<V>(const Columns<V>&, int v) const;
#pragma once

#include <algorithm>
#include <type_traits>

#include "cuda/launch.cuh"
#include "cuda/reduce.cuh"

namespace fastdl::cuda {

// How the elements of a channel lie: in packs of V neighbours, and these in rows.
struct ChannelPlan {
  int64_t channels, distance;   // how many, and elements from one to the next
  int64_t length, row, stride;  // packs of a channel and of a row; elements from row to row
  int64_t chunk, parts;         // packs of a part
  bool aligned;
};

// `threads` neighbours share a channel: block (threads, kBlock / threads).
template <int threads>
struct ChannelRowTeam {
  static constexpr int kThreads = threads, kChannels = kBlock / threads, kSlots = kBlock / kWarp;
  __device__ static int rank() { return static_cast<int>(threadIdx.x); }
  __device__ static int channel() { return static_cast<int>(threadIdx.y); }
  template <class R>
  __device__ static typename R::Acc join(const R& reducer, const typename R::Acc& acc,
                                         typename R::Acc (&shared)[kSlots]) {
    return block_reduce<threads>(reducer, acc, shared);
  }
};

// Part blockIdx.y of the channels of block blockIdx.x.
template <class Sum, class Team, int V>
__global__ void __launch_bounds__(kBlock)
    channel_sums_kernel(const __grid_constant__ ChannelPlan p, const Sum sum,
                        typename Sum::Acc* partials) {
  constexpr int K = V == 1 ? 8 : V == 8 ? 2 : 4;  // packs at a time
  __shared__ typename Sum::Acc shared[Team::kSlots];
  const int64_t channel = int64_t{blockIdx.x} * Team::kChannels + Team::channel();
  const bool active = channel < p.channels;
  const int64_t first = blockIdx.y * p.chunk + Team::rank();
  const int64_t end = active ? min(p.length, (blockIdx.y + 1) * p.chunk) : 0;
  auto part = sum.begin(active ? channel : 0);
  if (first < end) {
    // Pack i is in column i % row; the next of ours is a fixed step further, or in the row after.
    const int64_t column_step = Team::kThreads % p.row;
    const int64_t step = Team::kThreads / p.row * p.stride + column_step * V;
    int64_t column = first % p.row;
    int64_t offset = channel * p.distance + first / p.row * p.stride + column * V;
    for (int64_t i = first; i < end; i += K * Team::kThreads) {
      int64_t at[K];
#pragma unroll
      for (int k = 0; k < K; ++k) {
        at[k] = offset;
        offset += step;
        column += column_step;
        if (column >= p.row) column -= p.row, offset += p.stride - p.row * V;
      }
      const int64_t rest = ceil_div(end - i, Team::kThreads);
      sum.template add<V>(part, at, static_cast<int>(min(rest, int64_t{K})), p.aligned);
    }
  }
  const auto acc = Team::join(sum, sum.total(part), shared);
  if (!active || Team::rank() > 0) return;
  if (partials)
    partials[channel * p.parts + blockIdx.y] = acc;
  else
    sum.finish(channel, acc);
}

// A warp joins the parts of a channel. Block of (32, 8) threads.
template <class Sum>
__global__ void __launch_bounds__(kBlock)
    channel_finish_kernel(int64_t channels, int64_t parts, const Sum sum,
                          const typename Sum::Acc* partials) {
  const int64_t channel = int64_t{blockIdx.x} * (kBlock / kWarp) + threadIdx.y;
  auto acc = sum.init();
  const int64_t end = channel < channels ? parts : 0;
#pragma unroll 1
  for (int64_t part = threadIdx.x; part < end; part += kWarp)
    acc = sum.combine(acc, partials[channel * parts + part]);
  acc = warp_reduce(sum, acc);
  if (channel < channels && threadIdx.x == 0) sum.finish(channel, acc);
}

template <class Sum, class Team, int V>
void launch_channel_sums(const Context& context, ChannelPlan p, int64_t shortest, const Sum& sum) {
  using Acc = typename Sum::Acc;
  constexpr int64_t kEnoughBlocks = 1024;  // fills the largest device a few times
  const int64_t blocks = ceil_div(p.channels, Team::kChannels);
  p.parts = std::clamp<int64_t>(kEnoughBlocks / blocks, 1,
                                std::max<int64_t>(ceil_div(p.length, shortest), 1));
  p.chunk = std::max<int64_t>(ceil_div(p.length, p.parts), 1);
  p.parts = std::max<int64_t>(ceil_div(p.length, p.chunk), 1);
  const Scratch scratch(context, p.parts > 1 ? sizeof(Acc) * p.channels * p.parts : 0);
  Acc* const partials = scratch.as<Acc>();
  const dim3 grid(static_cast<unsigned>(blocks), static_cast<unsigned>(p.parts));
  launch(context, channel_sums_kernel<Sum, Team, V>, grid, dim3(Team::kThreads, Team::kChannels), p,
         sum, partials);
  if (p.parts > 1)
    launch(context, channel_finish_kernel<Sum>,
           dim3(static_cast<unsigned>(ceil_div(p.channels, kBlock / kWarp))),
           dim3(kWarp, kBlock / kWarp), p.channels, p.parts, sum, partials);
}

// Calls sum.finish for every channel of x[n, c, inner]. Packs are of `vector` elements if the shape
// allows it, and `aligned` says whether they can be loaded as such: it does not change the order.
template <int vector, class Sum>
void sum_channels(const Context& context, int64_t n, int64_t c, int64_t inner, bool aligned,
                  const Sum& sum) {
  if (c == 0) return;
  constexpr int64_t kShort = 1024;  // elements for which a warp is enough
  ChannelPlan p{};
  p.channels = c;
  p.distance = inner;
  p.stride = c * inner;
  p.aligned = aligned;
  const auto run_rows = [&](auto width) {
    constexpr int V = width();
    p.row = std::max<int64_t>(inner / V, 1);
    p.length = n * (inner / V);
    if (n * inner <= kShort)
      launch_channel_sums<Sum, ChannelRowTeam<kWarp>, V>(context, p, kShort, sum);
    else
      launch_channel_sums<Sum, ChannelRowTeam<kBlock>, V>(context, p, 8192 / V, sum);
  };
  if (inner % vector == 0) {
    run_rows(std::integral_constant<int, vector>{});
  } else {
    run_rows(std::integral_constant<int, 1>{});
  }
}

// x[n, c]: block (threads along packs of channels, rows), part blockIdx.y of the rows.
template <class Sum, int V>
__global__ void __launch_bounds__(kBlock)
    channel_columns_kernel(int64_t n, int64_t c, int64_t chunk, bool aligned, const Sum sum,
                           typename Sum::Acc* partials) {
  constexpr int K = V == 1 ? 8 : 4;  // rows at a time
  using Acc = typename Sum::Acc;
  __shared__ Acc shared[kBlock];
  const int64_t channel = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * V;
  const bool active = channel < c;
  const int64_t end = active ? min(n, (blockIdx.y + 1) * chunk) : 0;
  const int rows = static_cast<int>(blockDim.y);
  auto columns = sum.template begin_columns<V>(active ? channel : 0);
  for (int64_t i = blockIdx.y * chunk + threadIdx.y; i < end; i += K * rows) {
    int64_t at[K];
    int taken = 0;
#pragma unroll
    for (int k = 0; k < K; ++k) {
      at[k] = (i + k * rows) * c + channel;
      taken += i + k * rows < end;
    }
    sum.template add_columns<V>(columns, at, taken, aligned);
  }
  const int place = static_cast<int>(threadIdx.y * blockDim.x + threadIdx.x);
#pragma unroll
  for (int v = 0; v < V; ++v) {
    Acc acc = sum.template total_column<V>(columns, v);
    shared[place] = acc;
    __syncthreads();
    if (threadIdx.y == 0 && active) {
#pragma unroll 1
      for (int t = 1; t < rows; ++t)
        acc = sum.combine(acc, shared[t * static_cast<int>(blockDim.x) + place]);
      if (partials)
        partials[(channel + v) * gridDim.y + blockIdx.y] = acc;
      else
        sum.finish(channel + v, acc);
    }
    __syncthreads();
  }
}

// Threads along `packs` of channels, of a block of rows.
inline dim3 column_block(int64_t packs) {
  unsigned lanes = 4;
  while (lanes < kWarp && lanes < packs) lanes *= 2;
  return dim3(lanes, kBlock / lanes);
}

// Calls sum.finish for every channel of x[n, c]. Packs are of V channels, which divides c.
template <int V, class Sum>
void sum_channel_columns(const Context& context, int64_t n, int64_t c, bool aligned,
                         const Sum& sum) {
  using Acc = typename Sum::Acc;
  if (c == 0) return;
  constexpr int64_t kEnoughBlocks = 1024, kRows = 32;  // rows that a thread should have
  const dim3 block = column_block(c / V);
  const int64_t blocks = ceil_div(c / V, block.x);
  const int64_t most = std::max<int64_t>(ceil_div(n, kRows * block.y), 1);
  int64_t parts = std::clamp<int64_t>(kEnoughBlocks / blocks, 1, most);
  const int64_t chunk = std::max<int64_t>(ceil_div(n, parts), 1);
  parts = std::max<int64_t>(ceil_div(n, chunk), 1);
  const Scratch scratch(context, parts > 1 ? sizeof(Acc) * static_cast<size_t>(c * parts) : 0);
  Acc* const partials = scratch.as<Acc>();
  launch(context, channel_columns_kernel<Sum, V>,
         dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(parts)), block, n, c, chunk,
         aligned, sum, partials);
  if (parts > 1)
    launch(context, channel_finish_kernel<Sum>,
           dim3(static_cast<unsigned>(ceil_div(c, kBlock / kWarp))), dim3(kWarp, kBlock / kWarp), c,
           parts, sum, partials);
}

}  // namespace fastdl::cuda
