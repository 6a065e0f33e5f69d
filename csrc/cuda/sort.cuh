// A stable radix sort of keys that remembers where each key was.
//
// Least significant digit first, eight bits a pass. A block takes a tile of keys; a warp walks
// through its share of the tile in order, 32 keys at a time, and ranks them among the keys of the
// same digit by eight ballots. A pass counts the digits of every tile, sums the counts over the
// tiles before, and scatters (Satish, Harris and Garland, "Designing efficient sorting algorithms
// for manycore GPUs", IPDPS 2009; ballots for ranks as in Ashkiani et al., "GPU multisplit", PPoPP
// 2016). Where there is one tile the scatter alone is enough. There are no atomics.
#pragma once

#include <utility>

#include "cuda/launch.cuh"

namespace fastdl::cuda {
namespace detail {

inline constexpr int kDigitBits = 8, kDigits = 1 << kDigitBits;
inline constexpr int kSortWarps = kBlock / kWarp;
inline constexpr int kKeysPerThread = 8;
inline constexpr int kTileKeys = kBlock * kKeysPerThread;
static_assert(kDigits == kBlock);  // thread d looks after digit d

using DigitCounts = uint32_t[kSortWarps][kDigits];

// The keys of the block's tile that this thread looks at.
template <class Word>
struct TileKeys {
  int64_t first;  // key k is number first + k * kWarp
  Word key[kKeysPerThread];
  uint32_t rank[kKeysPerThread];  // among the keys of the same digit in the warp's share

  __device__ uint32_t digit(int k, int shift) const {
    return static_cast<uint32_t>(key[k] >> shift) % kDigits;
  }

  // Also leaves in counts[w][d] how many keys of warp w have digit d.
  __device__ void load_and_rank(const Word* keys, int64_t n, int shift, DigitCounts& counts) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int lane = static_cast<int>(threadIdx.x) % kWarp;
    const uint32_t lanes_before = (1u << lane) - 1;
    uint32_t* const count = counts[warp];
    for (int d = lane; d < kDigits; d += kWarp) count[d] = 0;
    __syncwarp();
    first = static_cast<int64_t>(blockIdx.x) * kTileKeys + warp * (kWarp * kKeysPerThread) + lane;
#pragma unroll
    for (int k = 0; k < kKeysPerThread; ++k) {
      const bool inside = first + k * kWarp < n;
      key[k] = inside ? keys[first + k * kWarp] : Word(0);
      const uint32_t mine = digit(k, shift);
      uint32_t same = __ballot_sync(0xffffffffu, inside);  // lanes with my digit
#pragma unroll
      for (int bit = 0; bit < kDigitBits; ++bit) {
        const bool one = mine >> bit & 1;
        const uint32_t ones = __ballot_sync(0xffffffffu, one);
        same &= one ? ones : ~ones;
      }
      const uint32_t before = same & lanes_before;
      rank[k] = count[mine] + static_cast<uint32_t>(__popc(before));
      __syncwarp();
      if (inside && before == 0) count[mine] += static_cast<uint32_t>(__popc(same));
      __syncwarp();
    }
  }
};

// The sum of x over the threads before this one; *total is that over all threads.
template <class Word>
__device__ inline Word block_exclusive_scan(Word x, Word (&warp_sums)[kSortWarps], Word* total) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  Word sum = x;
#pragma unroll
  for (int step = 1; step < kWarp; step *= 2) {
    const Word other = __shfl_up_sync(0xffffffffu, sum, step);
    if (lane >= step) sum += other;
  }
  if (lane == kWarp - 1) warp_sums[warp] = sum;
  __syncthreads();
  Word before = 0, all = 0;
#pragma unroll
  for (int w = 0; w < kSortWarps; ++w) {
    if (w < warp) before += warp_sums[w];
    all += warp_sums[w];
  }
  __syncthreads();  // `warp_sums` may be used again
  *total = all;
  return before + sum - x;
}

// before[d, tile] = how many keys of the tile have digit d. A block per tile.
template <class Word>
__global__ void __launch_bounds__(kBlock)
    count_digits_kernel(int64_t n, int shift, const Word* keys, Word* before) {
  __shared__ DigitCounts counts;
  TileKeys<Word> tile;
  tile.load_and_rank(keys, n, shift, counts);
  __syncthreads();
  Word sum = 0;
  for (int w = 0; w < kSortWarps; ++w) sum += counts[w][threadIdx.x];
  before[static_cast<int64_t>(threadIdx.x) * gridDim.x + blockIdx.x] = sum;
}

// before[d, tile] becomes the sum over the tiles before; total[d] is that over all. A block per
// digit.
template <class Word>
__global__ void __launch_bounds__(kBlock)
    sum_tiles_kernel(int64_t tiles, Word* before, Word* total) {
  __shared__ Word warp_sums[kSortWarps];
  Word* const row = before + blockIdx.x * tiles;
  Word done = 0;
  for (int64_t begin = 0; begin < tiles; begin += kBlock) {
    const int64_t tile = begin + threadIdx.x;
    Word sum;
    const Word x = block_exclusive_scan(tile < tiles ? row[tile] : Word(0), warp_sums, &sum);
    if (tile < tiles) row[tile] = done + x;
    done += sum;
  }
  if (threadIdx.x == 0) total[blockIdx.x] = done;
}

// Moves every key to its place in the order of this digit. `before` and `total` are null where there
// is one tile; `positions` is null in the first pass, when every key is in its own place.
template <class Word>
__global__ void __launch_bounds__(kBlock)
    move_keys_kernel(int64_t n, int shift, const Word* keys, const Word* positions,
                     const Word* before, const Word* total, Word* keys_out, Word* positions_out) {
  __shared__ DigitCounts counts;
  __shared__ Word start[kDigits], warp_sums[kSortWarps];
  TileKeys<Word> tile;
  tile.load_and_rank(keys, n, shift, counts);
  __syncthreads();
  const uint32_t d = threadIdx.x;
  uint32_t in_tile = 0;  // counts[w][d] becomes the sum over the warps before
  for (int w = 0; w < kSortWarps; ++w) {
    const uint32_t in_warp = counts[w][d];
    counts[w][d] = in_tile;
    in_tile += in_warp;
  }
  Word all;
  start[d] = block_exclusive_scan(total ? total[d] : Word(in_tile), warp_sums, &all);
  if (before) start[d] += before[static_cast<int64_t>(d) * gridDim.x + blockIdx.x];
  __syncthreads();
#pragma unroll
  for (int k = 0; k < kKeysPerThread; ++k) {
    const int64_t i = tile.first + k * kWarp;
    if (i >= n) continue;
    const uint32_t digit = tile.digit(k, shift);
    const int64_t to =
        static_cast<int64_t>(start[digit]) + counts[threadIdx.x / kWarp][digit] + tile.rank[k];
    keys_out[to] = tile.key[k];
    positions_out[to] = positions ? positions[i] : static_cast<Word>(i);
  }
}

}  // namespace detail

// n > 0 keys below `limit`, in scratch memory. Word (uint32_t or uint64_t) holds a key and a
// position.
template <class Word>
class KeySort {
 public:
  KeySort(const Context& context, int64_t n, uint64_t limit)
      : context_(context),
        n_(n),
        limit_(limit),
        tiles_(ceil_div(n, detail::kTileKeys)),
        scratch_{
            {context, bytes(n)}, {context, bytes(n)}, {context, bytes(n)}, {context, bytes(n)}},
        before_(context, bytes(tiles_ > 1 ? tiles_ * kCounts : 0)),
        total_(context, bytes(tiles_ > 1 ? kCounts : 0)) {}

  Word* keys() { return keys_; }  // to be filled before sort()

  // Afterwards keys() ascend, equal ones in the order they had, and keys()[i] was at positions()[i].
  void sort() {
    using namespace detail;
    const dim3 tiles(static_cast<unsigned>(tiles_)), block(kBlock);
    Word *const before = before_.template as<Word>(), *const total = total_.template as<Word>();
    int shift = 0;
    do {
      if (before) {
        launch(context_, count_digits_kernel<Word>, tiles, block, n_, shift, keys_, before);
        launch(context_, sum_tiles_kernel<Word>, dim3(kDigits), block, tiles_, before, total);
      }
      launch(context_, move_keys_kernel<Word>, tiles, block, n_, shift, keys_,
             shift ? positions_ : nullptr, before, total, keys_out_, positions_out_);
      std::swap(keys_, keys_out_);
      std::swap(positions_, positions_out_);
      shift += kDigitBits;
    } while (shift < 64 && (limit_ - 1) >> shift != 0);
  }

  const Word* positions() const { return positions_; }

 private:
  static constexpr int64_t kCounts = detail::kDigits;
  static size_t bytes(int64_t words) { return sizeof(Word) * static_cast<size_t>(words); }

  const Context& context_;
  const int64_t n_;
  const uint64_t limit_;
  const int64_t tiles_;
  const Scratch scratch_[4], before_, total_;  // the last two where there are several tiles
  Word* keys_ = scratch_[0].template as<Word>();
  Word* keys_out_ = scratch_[1].template as<Word>();
  Word* positions_ = scratch_[2].template as<Word>();
  Word* positions_out_ = scratch_[3].template as<Word>();
};

}  // namespace fastdl::cuda
