// Choosing a category by weight, in one order of additions on every device.
//
// Weights are summed in double, chunk by chunk, each from its first to its last; chunks are summed in
// order. Nothing is multiplied and added in one expression, which a compiler may round once or twice.
#pragma once

#include <cstdint>

#include "core/rng.h"

namespace fastdl {

inline constexpr int64_t kWeightChunk = 128;

constexpr int64_t weight_chunks(int64_t n) { return (n + kWeightChunk - 1) / kWeightChunk; }

// [0, 1) on a grid of 2^-53.
FASTDL_HD inline double fine_uniform(const PhiloxBlock& block) {
  const uint64_t word = uint64_t{block.word[0]} << 32 | block.word[1];
  return static_cast<double>(word >> 11) * (1.0 / 9007199254740992.0);
}

template <class T>
FASTDL_HD inline double weight_of_chunk(const T* weights, int64_t n, int64_t chunk) {
  const int64_t begin = chunk * kWeightChunk;
  const int64_t end = begin + kWeightChunk < n ? begin + kWeightChunk : n;
  double sum = 0;
  for (int64_t i = begin; i < end; ++i) sum += static_cast<double>(weights[i]);
  return sum;
}

// The category where the running sum exceeds uniform * total. before[c] is the weight before chunk
// c, and one more that of all. Never one without weight.
template <class T>
FASTDL_HD inline int64_t weighted_choice(const T* weights, int64_t n, const double* before,
                                         double uniform) {
  const int64_t chunks = weight_chunks(n);
  const double target = uniform * before[chunks];
  int64_t low = 0, high = chunks - 1;  // the first chunk behind which the sum exceeds the target
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (before[middle + 1] > target)
      high = middle;
    else
      low = middle + 1;
  }
  while (low > 0 && !(before[low + 1] > before[low])) --low;  // rounding led behind all weight
  const int64_t begin = low * kWeightChunk;
  const int64_t end = begin + kWeightChunk < n ? begin + kWeightChunk : n;
  double sum = before[low];
  int64_t last = begin;
  for (int64_t i = begin; i < end; ++i) {
    const double weight = static_cast<double>(weights[i]);
    if (!(weight > 0)) continue;
    last = i;
    sum += weight;
    if (sum > target) break;
  }
  return last;
}

// The same, after which the category weighs nothing. sums[c] is the weight of chunk c.
template <class T>
FASTDL_HD inline int64_t weighted_removal(T* weights, int64_t n, double* sums, double* before,
                                          double uniform) {
  const int64_t chosen = weighted_choice(weights, n, before, uniform);
  weights[chosen] = T(0);
  const int64_t changed = chosen / kWeightChunk;
  sums[changed] = weight_of_chunk(weights, n, changed);
  for (int64_t c = changed; c < weight_chunks(n); ++c) before[c + 1] = before[c] + sums[c];
  return chosen;
}

}  // namespace fastdl
