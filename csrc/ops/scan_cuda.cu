// Running sums, products and extremes. Along contiguous elements a block takes a row, 256 elements at a time:
// warps scan by shuffles, their totals meet in shared memory, and the block's total goes on to the
// next 256. Elsewhere a thread takes a column.
#include "ops/scan.h"

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

// Of integers an unsigned type, which wraps around.
template <class T>
using Total = typename wrapping_type<Compute<T>>::type;

template <Scan op, class C>
__device__ inline C combine(C a, C b) {
  return op == Scan::sum ? a + b : a * b;
}

// kernels

template <Scan op, class T>
__global__ void __launch_bounds__(kBlock)
    scan_rows_kernel(bool reverse, int64_t rows, int64_t n, const T* x, T* y) {
  using C = Total<T>;
  constexpr int kWarps = kBlock / kWarp;
  __shared__ C totals[kWarps];
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    C carry(op == Scan::sum ? 0 : 1);
    for (int64_t first = 0; first < n; first += kBlock) {
      const int64_t i = first + threadIdx.x, at = row * n + (reverse ? n - 1 - i : i);
      C value = i < n ? static_cast<C>(Compute<T>(x[at])) : C(op == Scan::sum ? 0 : 1);
#pragma unroll
      for (int step = 1; step < kWarp; step *= 2) {
        const C before = __shfl_up_sync(0xffffffff, value, step);
        if (lane >= step) value = combine<op>(before, value);
      }
      if (lane == kWarp - 1) totals[warp] = value;
      __syncthreads();
      C chunk = carry;
      for (int w = 0; w < kWarps; ++w) {
        if (w == warp) value = combine<op>(chunk, value);
        chunk = combine<op>(chunk, totals[w]);
      }
      carry = chunk;
      if (i < n) y[at] = T(static_cast<Compute<T>>(value));
      __syncthreads();
    }
  }
}

template <Scan op, class T>
__global__ void __launch_bounds__(kBlock)
    scan_columns_kernel(bool reverse, int64_t columns, int64_t n, int64_t inner, const T* x, T* y) {
  using C = Total<T>;
  for (int64_t c = blockIdx.x * kBlock + threadIdx.x; c < columns; c += gridDim.x * kBlock) {
    const int64_t base = c / inner * n * inner + c % inner;
    C total(op == Scan::sum ? 0 : 1);
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = base + (reverse ? n - 1 - i : i) * inner;
      total = combine<op>(total, static_cast<C>(Compute<T>(x[at])));
      y[at] = T(static_cast<Compute<T>>(total));
    }
  }
}

// An extreme so far and where it is; -1: there is none yet.
template <class C>
struct Best {
  C value;
  int64_t at;
};

// `b` comes after `a`, and takes its place also where it equals it, or is NaN.
template <bool largest, class C>
__device__ inline Best<C> better(Best<C> a, Best<C> b) {
  if (a.at < 0 || b.at < 0) return b.at < 0 ? a : b;
  const bool wins = (largest ? b.value >= a.value : b.value <= a.value) || b.value != b.value;
  return wins ? b : a;
}

template <bool largest, class T>
__global__ void __launch_bounds__(kBlock)
    extreme_rows_kernel(int64_t rows, int64_t n, const T* x, T* y, int64_t* index) {
  using C = Compute<T>;
  constexpr int kWarps = kBlock / kWarp;
  __shared__ C totals[kWarps];
  __shared__ int64_t places[kWarps];
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    Best<C> carry{C(0), -1};
    for (int64_t first = 0; first < n; first += kBlock) {
      const int64_t i = first + threadIdx.x, at = row * n + i;
      Best<C> best{C(0), -1};
      if (i < n) best = {static_cast<C>(x[at]), i};
#pragma unroll
      for (int step = 1; step < kWarp; step *= 2) {
        const Best<C> before{static_cast<C>(__shfl_up_sync(0xffffffff, best.value, step)),
                             __shfl_up_sync(0xffffffff, best.at, step)};
        if (lane >= step) best = better<largest>(before, best);
      }
      if (lane == kWarp - 1) totals[warp] = best.value, places[warp] = best.at;
      __syncthreads();
      Best<C> chunk = carry;
      for (int w = 0; w < kWarps; ++w) {
        if (w == warp) best = better<largest>(chunk, best);
        chunk = better<largest>(chunk, Best<C>{totals[w], places[w]});
      }
      carry = chunk;
      if (i < n) y[at] = T(best.value), index[at] = best.at;
      __syncthreads();
    }
  }
}

template <bool largest, class T>
__global__ void __launch_bounds__(kBlock)
    extreme_columns_kernel(int64_t columns, int64_t n, int64_t inner, const T* x, T* y,
                           int64_t* index) {
  using C = Compute<T>;
  for (int64_t c = blockIdx.x * kBlock + threadIdx.x; c < columns; c += gridDim.x * kBlock) {
    const int64_t base = c / inner * n * inner + c % inner;
    Best<C> best{C(0), -1};
    for (int64_t i = 0; i < n; ++i) {
      const int64_t at = base + i * inner;
      best = better<largest>(best, Best<C>{static_cast<C>(x[at]), i});
      y[at] = T(best.value);
      index[at] = best.at;
    }
  }
}

// launchers

constexpr int64_t kMostBlocks = 8192;

template <bool largest, class T>
void scan_extremes(const Context& context, int64_t outer, int64_t n, int64_t inner, const T* x,
                   T* y, int64_t* index) {
  if (inner == 1)
    launch(context, extreme_rows_kernel<largest, T>,
           dim3(static_cast<unsigned>(outer < kMostBlocks ? outer : kMostBlocks)), dim3(kBlock),
           outer, n, x, y, index);
  else
    launch(context, extreme_columns_kernel<largest, T>, loop_grid(outer * inner), dim3(kBlock),
           outer * inner, n, inner, x, y, index);
}

template <class T>
void scan_extreme_launch(const Context& context, bool largest, int64_t outer, int64_t n,
                         int64_t inner, const void* x, void* y, int64_t* index) {
  if (outer * n * inner == 0) return;
  const auto run = largest ? scan_extremes<true, T> : scan_extremes<false, T>;
  run(context, outer, n, inner, static_cast<const T*>(x), static_cast<T*>(y), index);
}

template <Scan op, class T>
void scan(const Context& context, bool reverse, int64_t outer, int64_t n, int64_t inner, const T* x,
          T* y) {
  if (inner == 1)
    launch(context, scan_rows_kernel<op, T>,
           dim3(static_cast<unsigned>(outer < kMostBlocks ? outer : kMostBlocks)), dim3(kBlock),
           reverse, outer, n, x, y);
  else
    launch(context, scan_columns_kernel<op, T>, loop_grid(outer * inner), dim3(kBlock), reverse,
           outer * inner, n, inner, x, y);
}

template <class T>
void scan_launch(const Context& context, Scan op, bool reverse, int64_t outer, int64_t n,
                 int64_t inner, const void* x, void* y) {
  if (outer * n * inner == 0) return;
  const auto run = op == Scan::sum ? scan<Scan::sum, T> : scan<Scan::prod, T>;
  run(context, reverse, outer, n, inner, static_cast<const T*>(x), static_cast<T*>(y));
}

}  // namespace

void register_scan(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<scan_forward>(dtype_of<T>::value, scan_launch<T>);
  });
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<scan_extreme>(dtype_of<T>::value, scan_extreme_launch<T>);
  });
}

}  // namespace fastdl::cuda
