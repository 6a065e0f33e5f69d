// Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011): a block of
// four 32-bit words is a function of key and counter, so that any element can be drawn alone.
#pragma once

#include <cstdint>

#include "core/half.h"

namespace fastdl {

struct PhiloxBlock {
  uint32_t word[4];
};

FASTDL_HD inline PhiloxBlock philox(uint64_t key, uint64_t counter) {
  uint32_t c0 = static_cast<uint32_t>(counter), c1 = static_cast<uint32_t>(counter >> 32);
  uint32_t c2 = 0, c3 = 0;
  uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const uint64_t p0 = uint64_t{0xD2511F53u} * c0, p1 = uint64_t{0xCD9E8D57u} * c2;
    c0 = static_cast<uint32_t>(p1 >> 32) ^ c1 ^ k0;
    c2 = static_cast<uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<uint32_t>(p1);
    c3 = static_cast<uint32_t>(p0);
    k0 += 0x9E3779B9u;
    k1 += 0xBB67AE85u;
  }
  return {{c0, c1, c2, c3}};
}

// [0, 1) on a grid of 2^-24: every value is exact in float.
FASTDL_HD inline float uniform_of(uint32_t word) {
  return static_cast<float>(word >> 8) * 5.9604644775390625e-8f;
}

// A seed and how many blocks have been used. Not thread safe: callers hold the GIL.
struct Generator {
  uint64_t seed = 0;
  uint64_t offset = 0;

  // Reserves `blocks` blocks and returns the first.
  uint64_t advance(uint64_t blocks) {
    const uint64_t first = offset;
    offset += blocks;
    return first;
  }
};

}  // namespace fastdl
