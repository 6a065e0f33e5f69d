// A product of few rows, for steps that wait for one another: x[samples, k] times weights[rows, k],
// both with k along their rows, in small tiles. Panels of the operands stream through shared memory
// ahead of the arithmetic: what a step waits for is memory.
#pragma once

#include <algorithm>

#include "cuda/launch.cuh"
#include "cuda/mma.cuh"

namespace fastdl::cuda {

inline constexpr int kRowsPerThread = 4;  // of weights

// What a block forms: the products of 8 R samples and 32 rows of weights. The tile is small because
// a step is: more blocks get a share. So that a thread has several sums to use what it reads for,
// each quarter of the block multiplies a quarter of every panel.
template <class T, int R>
struct SmallTile {
  static constexpr int kVector = static_cast<int>(16 / sizeof(T));
  static constexpr int kUnits = 8, kRows = kRowsPerThread * kUnits;
  static constexpr int kQuarters = 4, kGroups = kBlock / (kUnits * kQuarters);
  static constexpr int kSamples = kGroups * R;
  static constexpr int kVectors = 8, kDepth = kVectors * kVector;  // of a panel's rows
  static constexpr int kPitch = kDepth + kVector;                  // staggers the banks
  static constexpr int kPanel = (kSamples + kRows) * kPitch, kPanels = 4;
  static constexpr int kSums = kQuarters * kSamples * kRows;
  static constexpr int kShared = std::max(kPanels * kPanel, kSums);  // panels, afterwards the sums
  static_assert(kBlock / kVectors == kRows && kSamples <= kRows);
};

// Starts to copy elements [k, k + V) of a row, and zeros beyond its end or where there is no row
// (null).
template <int V, class T>
__device__ inline void copy_part(T* to, const T* row, int64_t k, int64_t size, bool vector) {
  constexpr int kBytes = static_cast<int>(sizeof(T));
  if (vector) {  // V divides the size
    const bool exists = row && k < size;
    return copy_async<16>(to, exists ? row + k : row, exists ? 16 : 0);
  }
#pragma unroll
  for (int v = 0; v < V; ++v) {
    const bool exists = row && k + v < size;
    copy_async<kBytes>(to + v, exists ? row + k + v : row, exists ? kBytes : 0);
  }
}

// sums[r][g] += the products of R samples, kGroups apart, and four rows of weights, kUnits apart,
// over a quarter of a panel.
template <class T, int R>
__device__ inline void multiply_quarter(const T* samples, const T* weights,
                                        T (&sums)[R][kRowsPerThread]) {
  using S = SmallTile<T, R>;
  constexpr int V = S::kVector;
#pragma unroll
  for (int k = 0; k < S::kDepth / S::kQuarters; k += V) {
    Pack<T, V> x[R], w[kRowsPerThread];
#pragma unroll
    for (int r = 0; r < R; ++r) x[r] = load_pack<V>(samples + r * S::kGroups * S::kPitch + k);
#pragma unroll
    for (int g = 0; g < kRowsPerThread; ++g)
      w[g] = load_pack<V>(weights + g * S::kUnits * S::kPitch + k);
#pragma unroll
    for (int v = 0; v < V; ++v)
#pragma unroll
      for (int r = 0; r < R; ++r)
#pragma unroll
        for (int g = 0; g < kRowsPerThread; ++g) sums[r][g] += x[r].v[v] * w[g].v[v];
  }
}

// The tile's products over `size` columns. Every thread brings the row threadIdx.x / kVectors of
// both operands (null: there is none), and gets the sums of sample threadIdx.x / kUnits, if the tile
// has that, with the rows threadIdx.x % kUnits + g * kUnits of the weights. `vector`: rows are
// aligned to 16 bytes.
template <class T, int R>
__device__ inline void multiply_small(const T* sample_row, const T* weight_row, int64_t size,
                                      bool vector, T* shared, T (&out)[kRowsPerThread]) {
  using S = SmallTile<T, R>;
  constexpr int V = S::kVector, kUnits = S::kUnits, kAhead = S::kPanels - 1;
  const int thread = static_cast<int>(threadIdx.x);
  const int row = thread / S::kVectors, column = thread % S::kVectors * V;
  const int panels = static_cast<int>(ceil_div(size, S::kDepth));
  const auto fetch = [&](int p) {
    if (p < panels) {
      T* const panel = shared + p % S::kPanels * S::kPanel;
      const int64_t k = static_cast<int64_t>(p) * S::kDepth + column;
      if (row < S::kSamples)
        copy_part<V>(panel + row * S::kPitch + column, sample_row, k, size, vector);
      copy_part<V>(panel + (S::kSamples + row) * S::kPitch + column, weight_row, k, size, vector);
    }
    copy_commit();  // an empty group, too, so that waiting counts panels
  };

  const int unit = thread % kUnits, group = thread / kUnits % S::kGroups;
  const int quarter = thread / (kUnits * S::kGroups);
  const int samples_at = group * S::kPitch + quarter * (S::kDepth / S::kQuarters);
  const int weights_at = samples_at + (S::kSamples + unit - group) * S::kPitch;
  T sums[R][kRowsPerThread] = {};
  for (int p = 0; p < kAhead; ++p) fetch(p);
#pragma unroll 1
  for (int p = 0; p < panels; ++p) {
    copy_wait<kAhead - 1>();  // panel p is here, as far as this thread copied it
    __syncthreads();          // all of it, and nobody reads panel p - 1 any more
    fetch(p + kAhead);
    const T* const panel = shared + p % S::kPanels * S::kPanel;
    multiply_quarter<T, R>(panel + samples_at, panel + weights_at, sums);
  }
  __syncthreads();

  // The quarters' sums join: [quarter, sample, unit, row].
#pragma unroll
  for (int r = 0; r < R; ++r) {
    const int sample = group + r * S::kGroups;
    T* const to = shared + ((quarter * S::kSamples + sample) * kUnits + unit) * kRowsPerThread;
#pragma unroll
    for (int g = 0; g < kRowsPerThread; ++g) to[g] = sums[r][g];
  }
  __syncthreads();
  if (thread >= S::kSamples * kUnits) return;
#pragma unroll
  for (int g = 0; g < kRowsPerThread; ++g) {
    out[g] = shared[thread * kRowsPerThread + g];
#pragma unroll
    for (int q = 1; q < S::kQuarters; ++q)
      out[g] += shared[(q * S::kSamples * kUnits + thread) * kRowsPerThread + g];
  }
}

}  // namespace fastdl::cuda
