// The gradient of a convolution by its input, as convolutions of stride 1. Numbers alone.
#pragma once

#include <algorithm>
#include <cstdint>
#include <numeric>

namespace fastdl::cuda {

// The rows (or columns) of x that are congruent modulo the stride and that some taps reach: x's row
// first + i * stride takes tap + t * tap_step from dy's row origin + i + t * reach.
struct Phase {
  int64_t first, count, tap, tap_step, taps;
  int64_t reach, origin;
};

struct PhaseAxis {
  int64_t size, window, stride, pad, dilation;
  int64_t tap_step = stride / std::gcd(stride, dilation);

  // Each of the first tap_step taps reaches a phase of its own; the others repeat them.
  int64_t candidates() const { return std::min(window, tap_step); }

  Phase phase(int64_t tap) const {
    const auto up = [](int64_t a, int64_t b) { return (a + b - 1) / b; };
    const int64_t at = tap * dilation - pad, first = (at % stride + stride) % stride;
    return {first,
            up(size - first, stride),
            tap,
            tap_step,
            up(window - tap, tap_step),
            -dilation * tap_step / stride,
            (first - at) / stride};
  }

  // Whether all of x is reached.
  bool complete() const {
    int64_t reached = 0;
    for (int64_t tap = 0; tap < candidates(); ++tap) reached += phase(tap).first < size;
    return reached == std::min(stride, size);
  }
};

}  // namespace fastdl::cuda
