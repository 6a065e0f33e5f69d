// A product whose left operand stays in a block from step to step: 16 R rows of weights times columns
// of samples, 8 at a time, on the tensor cores.
//
// Along k both operands lie in chunks of 64 bytes, and a lane reads 16 neighbouring bytes of a row's
// chunk: the quads of mma get another order of k than the manual gives them, the same for both
// operands, so that the sum is over the same products. A chunk is two steps of mma, of 16 16-bit
// elements or 8 floats each. The warps share out the chunks; the sums of all warps are to be added.
//
// float32: x = hi + lo, where the tensor core takes hi from x by itself (the upper 19 bits) and lo is
// the exact rest; a b is a_hi b_hi + a_hi b_lo + a_lo b_hi, which is fp32-accurate but for the
// product of the rests, 2^-20 of it. A warp with a weight that is not finite leaves the rests out:
// infinity times a rest of zero would be no number.
#pragma once

#include "cuda/launch.cuh"
#include "cuda/mma.cuh"
#include "cuda/recurrent_plan.h"

namespace fastdl::cuda {

using Words = Pack<uint32_t, 4>;  // a lane's part of a row's chunk

template <class T>
struct multiplicand {
  using type = T;
};
template <>
struct multiplicand<float> {
  using type = Tf32;
};

__device__ inline bool is_finite(uint32_t bits) { return (bits & 0x7f800000u) != 0x7f800000u; }

// What the tensor core leaves out of a float that is finite.
__device__ inline uint32_t tf32_rest(uint32_t bits) {
  return fastdl::detail::bits_as<uint32_t>(fastdl::detail::bits_as<float>(bits) -
                                           fastdl::detail::bits_as<float>(bits & 0xffffe000u));
}

// One of the products of step `s` of a chunk: of both operands (0), or of one and the rest of the
// other (1, 2). `low` and `high` are a lane's words of the rows lane / 4 and lane / 4 + 8 of the
// weights, x those of sample lane / 4.
template <int part, class M>
__device__ inline void multiply_words(Accumulator<M>& sums, const Words& low, const Words& high,
                                      const Words& x, int s) {
  FragmentA<M> a{{low.v[2 * s], high.v[2 * s], low.v[2 * s + 1], high.v[2 * s + 1]}};
  FragmentB<M> b{{x.v[2 * s], x.v[2 * s + 1]}};
  if constexpr (part == 1) {
#pragma unroll
    for (uint32_t& bits : b.r) bits = is_finite(bits) ? tf32_rest(bits) : 0u;
  } else if constexpr (part == 2) {
#pragma unroll
    for (uint32_t& bits : a.r) bits = tf32_rest(bits);
#pragma unroll
    for (uint32_t& bits : b.r) bits = is_finite(bits) ? bits : 0u;  // times zero: no number
  }
  mma(sums, a, b);
}

// R tiles of 16 rows, W warps. Each keeps C chunks of its share in registers, the others in shared
// memory.
template <class T, int R, int W = kRecurrentWarps, int C = register_chunks(R, sizeof(T))>
class KeptProduct {
 public:
  static constexpr int kPerLane = static_cast<int>(16 / sizeof(T));
  static constexpr int kChunk = kChunkBytes / static_cast<int>(sizeof(T));  // elements
  using Elements = Pack<T, kPerLane>;

  // weights(r, row, k): elements [k, k + kPerLane) of a row of tile r. `shared` has room for what
  // does not fit into registers (RecurrentPlan::kept).
  template <class F>
  __device__ KeptProduct(int chunks, unsigned char* shared, F&& weights) {
    const int warp = static_cast<int>(threadIdx.x) / kWarp;
    const int share = (chunks + W - 1) / W;
    lane_ = static_cast<int>(threadIdx.x) % kWarp;
    first_ = min(warp * share, chunks);
    count_ = min(share, chunks - first_);
    shared_ = reinterpret_cast<Words*>(shared) + warp * max(share - C, 0) * kWordsOfChunk + lane_;
    bool finite = true;
    const auto read = [&](int i, int r, int half) {
      const int k = (first_ + i) * kChunk + lane_ % 4 * kPerLane;
      const auto words = fastdl::detail::bits_as<Words>(weights(r, lane_ / 4 + 8 * half, k));
#pragma unroll
      for (int v = 0; v < 4; ++v) finite = finite && is_finite(words.v[v]);
      return words;
    };
#pragma unroll
    for (int i = 0; i < C; ++i)
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int half = 0; half < 2; ++half)
          kept_[i][r][half] = i < count_ ? read(i, r, half) : Words{};
#pragma unroll 1
    for (int i = C; i < count_; ++i)
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int half = 0; half < 2; ++half) in_shared(i, r, half) = read(i, r, half);
    finite_ = __all_sync(0xffffffffu, finite);
  }

  __device__ int first() const { return first_; }  // of the warp's chunks
  __device__ int count() const { return count_; }

  // The warp's part of the sums with 8 samples x[chunk][sample][64 bytes]. out[r] is an Accumulator:
  // rows of tile r by samples.
  __device__ void multiply(const void* x, float (&out)[R][4]) const {
    Sums sums = {};
    Words now[kAhead], next[kAhead];
    fetch(x, 0, now);
#pragma unroll
    for (int at = 0; at < C; at += kAtOnce) {
      fetch(x, at + kAtOnce, next);
#pragma unroll
      for (int i = 0; i < kAtOnce; ++i)
        if (at + i < count_)
          multiply_chunk(sums, i, now[i], [&](int r, int half) { return kept_[at + i][r][half]; });
#pragma unroll
      for (int i = 0; i < kAhead; ++i) now[i] = next[i];
    }
#pragma unroll 1
    for (int at = C; at < count_; at += kAhead) {
      fetch(x, at + kAhead, next);
#pragma unroll
      for (int i = 0; i < kAhead; ++i)
        if (at + i < count_)
          multiply_chunk(sums, i, now[i],
                         [&](int r, int half) { return in_shared(at + i, r, half); });
#pragma unroll
      for (int i = 0; i < kAhead; ++i) now[i] = next[i];
    }
#pragma unroll
    for (int r = 0; r < R; ++r)
#pragma unroll
      for (int e = 0; e < 4; ++e) {
        out[r][e] = sums.of[0][r].v[e];
#pragma unroll
        for (int c = 1; c < kChains; ++c) out[r][e] += sums.of[c][r].v[e];
      }
  }

 private:
  using M = typename multiplicand<T>::type;
  // Chunks of samples that are read before the others are multiplied.
  static constexpr int kAhead = 4, kAtOnce = C < kAhead ? C : kAhead;
  static constexpr int kChains = R == 1 ? 4 : 1;  // sums that do not wait for one another
  static constexpr int kWordsOfChunk = R * 2 * kWarp;
  static_assert(C % kAtOnce == 0);
  struct Sums {
    Accumulator<M> of[kChains][R];
  };

  // The i-th of a batch of chunks, whose words are words(r, half).
  template <class F>
  __device__ void multiply_chunk(Sums& sums, int i, const Words& x, F&& words) const {
    Words low[R], high[R];
#pragma unroll
    for (int r = 0; r < R; ++r) low[r] = words(r, 0), high[r] = words(r, 1);
    // Neighbouring instructions have sums of their own, as far as there are any.
    const auto go = [&](auto part, int s, int number) {
#pragma unroll
      for (int r = 0; r < R; ++r)
        multiply_words<decltype(part)::value>(sums.of[number % kChains][r], low[r], high[r], x, s);
    };
    using Whole = std::integral_constant<int, 0>;
    if (sizeof(T) < 4 || !finite_) {
#pragma unroll
      for (int s = 0; s < 2; ++s) go(Whole{}, s, 2 * i + s);
      return;
    }
    if constexpr (sizeof(T) == 4)
#pragma unroll
      for (int s = 0; s < 2; ++s) {
        const int number = 3 * (2 * i + s);
        go(std::integral_constant<int, 2>{}, s, number);
        go(std::integral_constant<int, 1>{}, s, number + 1);
        go(Whole{}, s, number + 2);
      }
  }

  __device__ Words& in_shared(int i, int r, int half) const {
    return shared_[(i - C) * kWordsOfChunk + (r * 2 + half) * kWarp];
  }

  __device__ void fetch(const void* x, int at, Words (&to)[kAhead]) const {
    const Words* const from = static_cast<const Words*>(x) + first_ * kWarp + lane_;
#pragma unroll
    for (int i = 0; i < kAhead; ++i)
      if (at + i < count_) to[i] = from[(at + i) * kWarp];
  }

  int lane_, first_, count_;
  bool finite_;  // whether all weights of the warp are
  Words* shared_;
  Words kept_[C][R][2];
};

}  // namespace fastdl::cuda
