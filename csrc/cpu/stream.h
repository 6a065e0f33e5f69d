// Stores that bypass the caches, for results too large to be found there by whoever reads them
// next: an ordinary store would first read the line that it is about to overwrite.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace fastdl::cpu {

// Results from this size on are streamed: half of the last-level cache, which operands share.
int64_t stream_bytes();

inline bool is_line_aligned(const void* p) { return reinterpret_cast<uintptr_t>(p) % 64 == 0; }

// Whether to stream a result of rows that start `row_bytes` apart: all of them on lines of their own.
inline bool streams(const void* y, int64_t bytes, int64_t row_bytes = 64) {
  return bytes >= stream_bytes() && is_line_aligned(y) && row_bytes % 64 == 0;
}

// memcpy to a line-aligned address. Call stream_end() before others may read.
inline void stream_copy(void* to, const void* from, size_t bytes) {
  char* y = static_cast<char*>(to);
  const char* x = static_cast<const char*>(from);
#if defined(__SSE2__)
  for (; bytes >= 64; bytes -= 64, x += 64, y += 64) {
#if defined(__AVX512F__)
    _mm512_stream_si512(reinterpret_cast<__m512i*>(y), _mm512_loadu_si512(x));
#elif defined(__AVX2__)
    for (int i = 0; i < 64; i += 32)
      _mm256_stream_si256(reinterpret_cast<__m256i*>(y + i),
                          _mm256_loadu_si256(reinterpret_cast<const __m256i*>(x + i)));
#else
    for (int i = 0; i < 64; i += 16)
      _mm_stream_si128(reinterpret_cast<__m128i*>(y + i),
                       _mm_loadu_si128(reinterpret_cast<const __m128i*>(x + i)));
#endif
  }
#endif
  memcpy(y, x, bytes);
}

inline void stream_end() {
#if defined(__SSE2__)
  _mm_sfence();
#endif
}

}  // namespace fastdl::cpu
