// Convolution with few rows in a group (depthwise above all), where tiles of 64 rows would compute
// mostly padding: each thread computes a few sums by itself.
#pragma once

#include "cuda/conv2d_form.cuh"
#include "cuda/epilogue.cuh"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"

namespace fastdl::cuda {

inline constexpr int kDirectTaps = 9;  // of a thread that sums over positions: 3 x 3 at one go

// kernels

// Sums over taps: a thread computes kRows rows of one position. The whole block reads the same
// filters. Grid: (blocks of positions, blocks of kRows rows, groups).
template <class T, int kRows>
__global__ void __launch_bounds__(kBlock)
    conv_direct_taps_kernel(const __grid_constant__ ConvPlan p, const T* x, const T* f,
                            const __grid_constant__ Finish<T> finish, T* y) {
  using Acc = Compute<T>;
  const uint32_t j = blockIdx.x * kBlock + threadIdx.x;
  if (j >= p.position.size) return;
  const Digits digits = p.position.digits(j);
  const Place position = p.at_position(digits);
  const int64_t row = int64_t{blockIdx.y} * kRows, z = blockIdx.z;
  const int rows = static_cast<int>(min(p.rows - row, int64_t{kRows}));
  x += z * p.x_group;
  f += z * p.f.group + row * p.f.row;

  Acc acc[kRows] = {};
  for (uint32_t t = 0; t < p.tap.size; ++t) {
    const Digits tap = p.tap.digits(t);
    const Acc value(p.value(x, position, p.at_tap(tap)));
    const T* const filter = f + offset_of(p.f, tap);
#pragma unroll
    for (int r = 0; r < kRows; ++r)
      if (r < rows) acc[r] += Acc(filter[r * p.f.row]) * value;
  }

  const int64_t start = z * p.y.group + row * p.y.row + offset_of(p.y, digits);
#pragma unroll
  for (int r = 0; r < kRows; ++r)
    if (r < rows) {
      const int64_t at = start + r * p.y.row;
      y[at] = T(finish.at(acc[r], z * p.rows + row + r, at));
    }
}

// Sums over positions: a block computes kDirectTaps taps of one row. Grid: (rows x blocks of taps,
// parts of the sum, groups).
template <class T>
__global__ void __launch_bounds__(kBlock)
    conv_direct_positions_kernel(const __grid_constant__ ConvPlan p, const T* x, const T* y,
                                 const __grid_constant__ Finish<T> finish, T* f,
                                 Compute<T>* partials) {
  using Acc = Compute<T>;
  __shared__ Acc shared[kBlock / kWarp];
  const uint32_t blocks = (p.tap.size + kDirectTaps - 1) / kDirectTaps;
  const int64_t row = blockIdx.x / blocks, z = blockIdx.z;
  const uint32_t first = blockIdx.x % blocks * kDirectTaps;
  x += z * p.x_group;
  y += z * p.y.group + row * p.y.row;

  Place taps[kDirectTaps];
#pragma unroll
  for (int t = 0; t < kDirectTaps; ++t)
    taps[t] = p.at_tap(p.tap.digits(min(first + t, p.tap.size - 1)));

  Acc acc[kDirectTaps] = {};
  const uint32_t begin = blockIdx.y * p.chunk, end = min(p.position.size, begin + p.chunk);
  for (uint32_t j = begin + threadIdx.x; j < end; j += kBlock) {
    const Digits digits = p.position.digits(j);
    const Place position = p.at_position(digits);
    const Acc dy(y[offset_of(p.y, digits)]);
#pragma unroll
    for (int t = 0; t < kDirectTaps; ++t) acc[t] += dy * Acc(p.value(x, position, taps[t]));
  }

  const int64_t sums = p.tap.size, total = p.groups * p.rows * sums;
#pragma unroll
  for (int t = 0; t < kDirectTaps; ++t) {
    const Acc sum = block_reduce<kBlock>(Sum<T>{}, acc[t], shared);
    if (threadIdx.x > 0 || first + t >= p.tap.size) continue;
    if (p.parts > 1) {
      partials[blockIdx.y * total + (z * p.rows + row) * sums + first + t] = sum;
    } else {
      const int64_t at = z * p.f.group + row * p.f.row + offset_of(p.f, p.tap.digits(first + t));
      f[at] = T(finish.at(sum, 0, at));
    }
  }
}

}  // namespace fastdl::cuda
