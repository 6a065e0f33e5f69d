// Index arithmetic: from a linear index to the offsets of N operands of a Strided walk.
//
// Division is by multiplication (Granlund and Montgomery, "Division by invariant integers using
// multiplication", PLDI 1994) and 32 bits wide, offsets are 64 bits wide. A walk that is too large
// for that is cut into slices by the launcher, so that no kernel exists twice.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "core/strided.h"

namespace fastdl::cuda {

// Of one slice. A build for tests asks for a few hundred, so that every walk is cut (docs/simt.md).
#ifndef FASTDL_MOST_ELEMENTS
#define FASTDL_MOST_ELEMENTS (int64_t{1} << 30)
#endif
inline constexpr int64_t kMostElements = FASTDL_MOST_ELEMENTS;

// n / d and n % d for n < 2^31 and 1 <= d < 2^31.
struct Divisor {
  uint32_t divisor = 1, multiplier = 1, shift = 0;

  Divisor() = default;
  explicit Divisor(uint32_t d) : divisor(d) {
    while ((uint64_t{1} << shift) < d) ++shift;
    multiplier = static_cast<uint32_t>((((uint64_t{1} << shift) - d) << 32) / d + 1);
  }

  __device__ uint32_t quotient(uint32_t n) const {
    const uint32_t high = static_cast<uint32_t>((uint64_t{n} * multiplier) >> 32);
    return (high + n) >> shift;
  }
};

// What a kernel needs of a Strided<N> whose numel is at most kMostElements and whose strides fit
// 32 bits.
template <int N>
struct Index {
  int ndim = 1;
  Divisor size[kMaxDims];
  int32_t stride[N][kMaxDims] = {};

  Index() = default;
  explicit Index(const Strided<N>& walk) {
    if (walk.ndim == 0 || walk.numel == 0) return;  // one element, or none: no index to take apart
    ndim = walk.ndim;
    for (int d = 0; d < ndim; ++d) {
      size[d] = Divisor(static_cast<uint32_t>(walk.size[d]));
      for (int n = 0; n < N; ++n) stride[n][d] = static_cast<int32_t>(walk.stride[n][d]);
    }
  }

  __device__ void offsets(uint32_t i, int64_t (&at)[N]) const {
    for (int n = 0; n < N; ++n) at[n] = 0;
#pragma unroll 1
    for (int d = 0; d + 1 < ndim; ++d) {
      const uint32_t rest = size[d].quotient(i);
      const uint32_t r = i - rest * size[d].divisor;
      for (int n = 0; n < N; ++n) at[n] += static_cast<int64_t>(r) * stride[n][d];
      i = rest;
    }
    for (int n = 0; n < N; ++n) at[n] += static_cast<int64_t>(i) * stride[n][ndim - 1];
  }
};

namespace detail {

// Without dimension d.
template <int N>
Strided<N> drop_dimension(const Strided<N>& walk, int d) {
  Strided<N> out = walk;
  out.numel = walk.size[d] ? walk.numel / walk.size[d] : 0;
  out.ndim = walk.ndim - 1;
  for (int e = d; e < out.ndim; ++e) {
    out.size[e] = walk.size[e + 1];
    for (int n = 0; n < N; ++n) out.stride[n][e] = walk.stride[n][e + 1];
  }
  return out;
}

template <int N>
bool has_long_stride(const Strided<N>& walk, int d) {
  for (int n = 0; n < N; ++n)
    if (walk.stride[n][d] > INT32_MAX || walk.stride[n][d] < -int64_t{INT32_MAX}) return true;
  return false;
}

template <int N>
struct Offsets {
  int64_t at[N] = {};

  Offsets advanced(const Strided<N>& walk, int d, int64_t steps) const {
    Offsets out = *this;
    for (int n = 0; n < N; ++n) out.at[n] += steps * walk.stride[n][d];
    return out;
  }
};

template <int N, class F>
void slice(const Strided<N>& walk, const Offsets<N>& offsets, F& f) {
  // Memory bounds how many steps a stride of 2^31 elements can make, so this stays a short loop.
  for (int d = 0; d < walk.ndim; ++d) {
    if (!has_long_stride(walk, d)) continue;
    const Strided<N> inner = drop_dimension(walk, d);
    for (int64_t i = 0; i < walk.size[d]; ++i) slice(inner, offsets.advanced(walk, d, i), f);
    return;
  }
  if (walk.numel <= kMostElements) return f(walk, offsets.at);
  const int last = walk.ndim - 1;
  const Strided<N> inner = drop_dimension(walk, last);
  const int64_t step = inner.numel < kMostElements ? kMostElements / inner.numel : 1;
  for (int64_t begin = 0; begin < walk.size[last]; begin += step) {
    const Offsets<N> here = offsets.advanced(walk, last, begin);
    Strided<N> part = walk;
    part.size[last] = walk.size[last] - begin < step ? walk.size[last] - begin : step;
    part.numel = inner.numel * part.size[last];
    if (step == 1)
      slice(inner, here, f);
    else
      f(part, here.at);
  }
}

}  // namespace detail

// Calls f(slice, offsets) for slices that cover the walk and that Index can hold; offsets[n] is
// where the slice of operand n starts, in elements. Nearly always there is one slice.
template <int N, class F>
void for_slices(const Strided<N>& walk, F&& f) {
  if (walk.numel > 0) detail::slice(walk, detail::Offsets<N>{}, f);
}

}  // namespace fastdl::cuda
