// Asks for memory before it is needed, where the walk over it is not one that the hardware foresees:
// short rows, or pauses for arithmetic that are longer than what a core can look ahead.
#pragma once

#include <cstdint>

namespace fastdl::cpu {

// The lines of `bytes` from p on; they need not exist.
[[gnu::always_inline]] inline void prefetch(const void* p, int64_t bytes) {
#pragma GCC unroll 4
  for (int64_t i = 0; i < bytes; i += 64) __builtin_prefetch(static_cast<const char*>(p) + i);
}

}  // namespace fastdl::cpu
