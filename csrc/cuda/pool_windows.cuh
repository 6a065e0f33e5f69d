// How the windows of two-dimensional pooling lie over an image. Taps and windows are found from their
// first and last, so that no loop tests for the border.
#pragma once

#include <cstdint>
#include <limits>

#include "cuda/index.cuh"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"

namespace fastdl::cuda {

// The number of no tap, where taps are numbered in I.
template <class I>
inline constexpr I kNoTap = std::numeric_limits<I>::max();

// n / d; the divisors are at most kMaxWindow, the rare n that Divisor cannot hold is divided.
struct LongDivisor {
  Divisor by;
  explicit LongDivisor(int64_t d) : by(static_cast<uint32_t>(d)) {}
  __device__ int64_t quotient(int64_t n) const {
    return n <= INT32_MAX ? by.quotient(static_cast<uint32_t>(n)) : n / by.divisor;
  }
  __device__ int64_t quotient_up(int64_t n) const { return quotient(n + by.divisor - 1); }
};

struct Range {
  int64_t first, last;  // [first, last)
};

// Rows or columns: how windows lie along one of the two dimensions.
struct Axis {
  int64_t size, outputs, kernel, pad;
  LongDivisor stride, dilation;

  __device__ int64_t start(int64_t output) const { return output * stride.by.divisor - pad; }

  // The taps of a window at `start` that fall into [-margin, size + margin).
  __device__ Range taps(int64_t start, int64_t margin = 0) const {
    const int64_t before = -margin - start, room = size + margin - start;
    return {before > 0 ? min(dilation.quotient_up(before), kernel) : 0,
            room > 0 ? min(dilation.quotient_up(room), kernel) : 0};
  }

  // How many taps count as elements in an average.
  __device__ int64_t counted(int64_t output, bool include_pad) const {
    const Range inside = taps(start(output), include_pad ? pad : 0);
    return max(inside.last - inside.first, int64_t{1});
  }

  // The outputs whose windows reach from at or before element i to at or behind it ...
  __device__ Range windows(int64_t i) const {
    const int64_t end = i + pad, begin = end - (kernel - 1) * dilation.by.divisor;
    return {begin > 0 ? stride.quotient_up(begin) : 0, min(stride.quotient(end) + 1, outputs)};
  }
  // ... and whether such a window has a tap there.
  __device__ bool touches(int64_t i, int64_t output) const {
    if (dilation.by.divisor == 1) return true;
    const int64_t distance = i - start(output);
    return distance == dilation.quotient(distance) * dilation.by.divisor;
  }
  // The tap of a window that touches element i.
  __device__ int64_t tap(int64_t i, int64_t output) const {
    return dilation.quotient(i - start(output));
  }
};

struct Windows {
  Axis rows, columns;
  bool include_pad;
  double same_divisor;  // or 0

  template <class Shape>  // Pool2dShape of ops/pool2d.h
  explicit Windows(const Shape& s)
      : rows{s.h, s.p, s.kernel_h, s.pad_h, LongDivisor(s.stride_h), LongDivisor(s.dilation_h)},
        columns{s.w, s.q, s.kernel_w, s.pad_w, LongDivisor(s.stride_w), LongDivisor(s.dilation_w)},
        include_pad(s.count_include_pad),
        same_divisor(s.divisor) {}

  __device__ int64_t inputs() const { return rows.size * columns.size; }  // of a plane
  __device__ int64_t outputs() const { return rows.outputs * columns.outputs; }
  template <class C>
  __device__ C divisor(int64_t p, int64_t q) const {
    if (same_divisor != 0) return static_cast<C>(same_divisor);
    return static_cast<C>(rows.counted(p, include_pad)) *
           static_cast<C>(columns.counted(q, include_pad));
  }
};

}  // namespace fastdl::cuda
