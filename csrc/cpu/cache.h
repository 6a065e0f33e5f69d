// The sizes of this machine's caches, for choosing how much of an operand a loop keeps in one. They
// may decide what is computed where and when, but never the order of a sum.
#pragma once

#include <cstdint>

namespace fastdl::cpu {

struct CacheSizes {  // bytes; those of a common machine where the system does not say
  int64_t l1 = 32 << 10;
  int64_t l2 = 512 << 10;  // of one core
  int64_t l3 = 8 << 20;    // shared
};

const CacheSizes& cache_sizes();

}  // namespace fastdl::cpu
