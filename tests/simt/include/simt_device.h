// CUDA C++ for device code: qualifiers, built-in variables, barriers, warp and atomic functions.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "simt.h"

// The sources use what CUDA puts into the global namespace.
#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__
#define __align__(n) alignas(n)
// Blocks of a host thread run one after another, so a thread-local static is what their threads
// share; it lies where the model finds it (memory.cc).
#define __shared__ static thread_local

struct uint3 {
  unsigned x, y, z;
};
struct dim3 {
  unsigned x = 1, y = 1, z = 1;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

// Calls, without the scope that would forbid `config.gridDim` (simt_runtime.h).
inline simt::Size3 simt_thread_index() { return simt::thread_index(); }
inline simt::Size3 simt_block_index() { return simt::block_index(); }
inline simt::Size3 simt_block_size() { return simt::block_size(); }
inline simt::Size3 simt_grid_size() { return simt::grid_size(); }
#define threadIdx simt_thread_index()
#define blockIdx simt_block_index()
#define blockDim simt_block_size()
#define gridDim simt_grid_size()
inline constexpr int warpSize = 32;

#define SIMT_SITE ::simt::Site site = ::simt::Site::here(__builtin_FILE(), __builtin_LINE())

// ---- barriers and fences

inline void __syncthreads(SIMT_SITE) { simt::block_barrier(false, site); }
inline int __syncthreads_count(int p, SIMT_SITE) { return simt::block_barrier(p != 0, site); }
inline int __syncthreads_or(int p, SIMT_SITE) { return simt::block_barrier(p != 0, site) > 0; }
inline int __syncthreads_and(int p, SIMT_SITE) { return simt::block_barrier(p == 0, site) == 0; }
inline void __syncwarp(unsigned mask = 0xffffffffu, SIMT_SITE) {
  simt::warp_meet(mask, "__syncwarp", true, site, nullptr, nullptr, nullptr);
}
inline void __threadfence() {}
inline void __threadfence_block() {}

// ---- shuffles and votes

namespace simt {

template <class T>
struct Shuffled {
  T value;
  int from;  // lane
};

// Each lane gets the value of lane `from`, which must take part.
template <class T>
SIMT_UNCHECKED T shuffle(unsigned mask, T value, int from, const char* what, Site site) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "shuffles move 4 or 8 bytes");
  Shuffled<T> mine{value, from};
  warp_exchange(mask, what, site, mine, [](Shuffled<T>** lanes) {
    T out[32];
    for (int i = 0; i < 32; ++i)
      if (lanes[i]) {
        const int source = lanes[i]->from;
        if (lanes[source]) out[i] = lanes[source]->value;
        lanes[i]->from = lanes[source] ? source : -1;
      }
    for (int i = 0; i < 32; ++i)
      if (lanes[i] && lanes[i]->from >= 0) lanes[i]->value = out[i];
  });
  if (mine.from < 0)
    fault("wrong-mask", "%s reads lane %d, which is not in the mask %#x", what, from, mask);
  return mine.value;
}

SIMT_UNCHECKED inline unsigned ballot(unsigned mask, bool predicate, const char* what, Site site) {
  struct Vote {
    bool predicate;
    unsigned result;
  } mine{predicate, 0};
  warp_exchange(mask, what, site, mine, [](Vote** lanes) {
    unsigned result = 0;
    for (unsigned i = 0; i < 32; ++i)
      if (lanes[i] && lanes[i]->predicate) result |= 1u << i;
    for (unsigned i = 0; i < 32; ++i)
      if (lanes[i]) lanes[i]->result = result;
  });
  return mine.result;
}

}  // namespace simt

// `+value`: as in CUDA, whose overloads begin with int, small integers are promoted.
template <class T>
inline auto __shfl_sync(unsigned mask, T value, int from, int width = 32, SIMT_SITE) {
  const int self = simt::lane(), first = self / width * width;
  return simt::shuffle(mask, +value, first + (from & (width - 1)), "__shfl_sync", site);
}
template <class T>
inline auto __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32, SIMT_SITE) {
  const int self = simt::lane(), from = self ^ lanes;
  return simt::shuffle(mask, +value, from < self / width * width + width ? from : self,
                       "__shfl_xor_sync", site);
}
template <class T>
inline auto __shfl_down_sync(unsigned mask, T value, unsigned by, int width = 32, SIMT_SITE) {
  const int self = simt::lane(), from = self + static_cast<int>(by);
  return simt::shuffle(mask, +value, from < self / width * width + width ? from : self,
                       "__shfl_down_sync", site);
}
template <class T>
inline auto __shfl_up_sync(unsigned mask, T value, unsigned by, int width = 32, SIMT_SITE) {
  const int self = simt::lane(), from = self - static_cast<int>(by);
  return simt::shuffle(mask, +value, from >= self / width * width ? from : self, "__shfl_up_sync",
                       site);
}
inline unsigned __ballot_sync(unsigned mask, int p, SIMT_SITE) {
  return simt::ballot(mask, p != 0, "__ballot_sync", site);
}
inline int __any_sync(unsigned mask, int p, SIMT_SITE) {
  return simt::ballot(mask, p != 0, "__any_sync", site) != 0;
}
inline int __all_sync(unsigned mask, int p, SIMT_SITE) {
  return simt::ballot(mask, p != 0, "__all_sync", site) == mask;
}

// ---- atomics

namespace simt {
template <class T, class F>
SIMT_UNCHECKED T atomic(T* p, F update) {
  check_atomic(p, sizeof(T));
  const T before = *p;
  *p = update(before);
  return before;
}
}  // namespace simt

template <class T>
inline T atomicAdd(T* p, T x) {
  return simt::atomic(p, [x](T old) { return static_cast<T>(old + x); });
}
template <class T>
inline T atomicMax(T* p, T x) {
  return simt::atomic(p, [x](T old) { return old < x ? x : old; });
}
template <class T>
inline T atomicMin(T* p, T x) {
  return simt::atomic(p, [x](T old) { return x < old ? x : old; });
}
template <class T>
inline T atomicOr(T* p, T x) {
  return simt::atomic(p, [x](T old) { return old | x; });
}
template <class T>
inline T atomicExch(T* p, T x) {
  return simt::atomic(p, [x](T) { return x; });
}
template <class T>
inline T atomicCAS(T* p, T expected, T x) {
  return simt::atomic(p, [expected, x](T old) { return old == expected ? x : old; });
}

// ---- arithmetic

using std::max;
using std::min;
#define SIMT_MIN_MAX(result, a_type, b_type)                                         \
  inline result min(a_type a, b_type b) {                                            \
    return static_cast<result>(a) < static_cast<result>(b) ? static_cast<result>(a)  \
                                                           : static_cast<result>(b); \
  }                                                                                  \
  inline result max(a_type a, b_type b) {                                            \
    return static_cast<result>(a) < static_cast<result>(b) ? static_cast<result>(b)  \
                                                           : static_cast<result>(a); \
  }
SIMT_MIN_MAX(unsigned, int, unsigned)
SIMT_MIN_MAX(unsigned, unsigned, int)
SIMT_MIN_MAX(long, int, long)
SIMT_MIN_MAX(long, long, int)
SIMT_MIN_MAX(long, unsigned, long)
SIMT_MIN_MAX(long, long, unsigned)
#undef SIMT_MIN_MAX

inline int __popc(unsigned x) { return __builtin_popcount(x); }
inline int __popcll(unsigned long long x) { return __builtin_popcountll(x); }
inline int __ffs(int x) { return __builtin_ffs(x); }
inline int __clz(int x) { return x ? __builtin_clz(static_cast<unsigned>(x)) : 32; }
inline unsigned __umulhi(unsigned a, unsigned b) {
  return static_cast<unsigned>((uint64_t{a} * b) >> 32);
}
template <class T>
inline T __ldg(const T* p) {
  return *p;
}
inline float rsqrtf(float x) { return 1 / std::sqrt(x); }
inline double rsqrt(double x) { return 1 / std::sqrt(x); }
inline float __expf(float x) { return std::exp(x); }
inline float __logf(float x) { return std::log(x); }
inline float __fdividef(float a, float b) { return a / b; }
inline unsigned __float_as_uint(float x) {
  unsigned bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
inline float __uint_as_float(unsigned bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}
