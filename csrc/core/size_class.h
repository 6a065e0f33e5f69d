// Size classes of the caches: steps of an eighth of a power of two, so that at most 12.5 % of a
// block is unused.
#pragma once

#include <cstddef>

namespace fastdl {

inline constexpr size_t kSmallestBlock = 64;
inline constexpr size_t kLargestBlock = size_t{1} << 52;  // beyond any memory
inline constexpr int kSizeClasses = 8 * 48;

// Class c = 8 * octave + step holds blocks of (8 + step) * 8 << octave bytes: 64, 72, 80, ... 120,
// 128, 144, ... rounded up to whole cache lines.
inline int class_of(size_t bytes) {
  if (bytes < kSmallestBlock) bytes = kSmallestBlock;
  const int octave = 63 - __builtin_clzll(bytes) - 6;
  const size_t step_size = size_t{8} << octave;
  const size_t steps = (bytes - (kSmallestBlock << octave) + step_size - 1) / step_size;
  return 8 * octave + static_cast<int>(steps);
}
inline size_t class_bytes(int c) {
  const size_t bytes = (static_cast<size_t>(8 + c % 8) * 8) << (c / 8);
  return (bytes + 63) / 64 * 64;
}

}  // namespace fastdl
