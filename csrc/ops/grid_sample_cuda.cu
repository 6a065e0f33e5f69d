// Sampling at the points of a grid: a thread takes a point, and of the channels those of its slice.
//
// The gradient of the input is gathered: the pixels of all taps are sorted, stably (cuda/sort.cuh), the
// taps of a pixel are then neighbours in the order of the points, and a thread adds them up for one
// channel.
#include <algorithm>
#include <utility>

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/register.h"
#include "cuda/sort.cuh"
#include "ops/grid_sample_taps.h"

namespace fastdl::cuda {
namespace {

// kernels

__device__ inline int64_t first_item() {
  return static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
}
__device__ inline int64_t items_together() { return static_cast<int64_t>(gridDim.x) * kBlock; }

// Calls f(tap) for taps 0, 1, ..., each a constant, so that arrays of them can live in registers.
template <class F, int... tap>
__device__ inline void for_each_tap(std::integer_sequence<int, tap...>, F f) {
  (f(std::integral_constant<int, tap>()), ...);
}
template <class Taps, class F>
__device__ inline void for_taps(F f) {
  for_each_tap(std::make_integer_sequence<int, Taps::count>(), f);
}

template <int K, int D, class C>
__global__ void __launch_bounds__(kBlock, 1)
    sample_kernel(const __grid_constant__ GridShape s, const C* x, const C* grid, C* y) {
  using Taps = PointTaps<C, K, D>;
  for (int64_t p = first_item(); p < s.samples * s.points; p += items_together()) {
    const Taps taps = point_taps<C, K, D>(grid + p * D, s);
    const int64_t n = p / s.points, point = p - n * s.points;
#pragma unroll 1
    for (int64_t c = blockIdx.y; c < s.channels; c += gridDim.y) {
      const C* const plane = x + (n * s.channels + c) * s.pixels;
      C sum(0);
      for_taps<Taps>([&](auto tap) {
        const int32_t at = taps.pixel(tap, s);
        if (at >= 0) sum += taps.weight(tap) * plane[at];
      });
      y[(n * s.channels + c) * s.points + point] = sum;
    }
  }
}

template <int K, int D, class C>
__global__ void __launch_bounds__(kBlock)
    grid_gradient_kernel(const __grid_constant__ GridShape s, const C* dy, const C* x,
                         const C* grid, C* dgrid) {
  using Taps = PointTaps<C, K, D>;
  for (int64_t p = first_item(); p < s.samples * s.points; p += items_together()) {
    const Taps taps = point_taps<C, K, D>(grid + p * D, s);
    const int64_t n = p / s.points, point = p - n * s.points;
    const C* const planes = x + n * s.channels * s.pixels;
    const C* const g = dy + n * s.channels * s.points + point;
    C sum[D] = {};
    for_taps<Taps>([&](auto tap) {
      const int32_t at = taps.pixel(tap, s);
      if (at < 0) return;
      C over_channels(0);
#pragma unroll 1
      for (int64_t c = 0; c < s.channels; ++c)
        over_channels += g[c * s.points] * planes[c * s.pixels + at];
      for (int d = 0; d < D; ++d) sum[d] += over_channels * taps.slope(tap, d);
    });
    for (int d = 0; d < D; ++d) dgrid[p * D + d] = sum[d];
  }
}

// keys[tap of a point] = its pixel among those of all samples, or one behind the last.
template <int K, int D, class C, class Word>
__global__ void __launch_bounds__(kBlock)
    tap_keys_kernel(const __grid_constant__ GridShape s, const C* grid, Word* keys, C* weights) {
  using Taps = PointTaps<C, K, D>;
  for (int64_t p = first_item(); p < s.samples * s.points; p += items_together()) {
    const Taps taps = point_taps<C, K, D>(grid + p * D, s);
    const int64_t first_pixel = p / s.points * s.pixels;
    for_taps<Taps>([&](auto tap) {
      const int32_t at = taps.pixel(tap, s);
      keys[p * Taps::count + tap] =
          static_cast<Word>(at >= 0 ? first_pixel + at : s.samples * s.pixels);
      weights[p * Taps::count + tap] = taps.weight(tap);
    });
  }
}

template <class C>
__global__ void __launch_bounds__(kBlock) clear_kernel(int64_t n, C* x) {
  for (int64_t i = first_item(); i < n; i += items_together()) x[i] = C(0);
}

// dx of every run of equal keys, which are pixels; the thread of its first key sees to it.
template <int taps, class C, class Word>
__global__ void __launch_bounds__(kBlock)
    add_taps_kernel(const __grid_constant__ GridShape s, int64_t count, const Word* keys,
                    const Word* positions, const C* weights, const C* dy, C* dx) {
  for (int64_t first = first_item(); first < count; first += items_together()) {
    const Word key = keys[first];
    const int64_t cell = static_cast<int64_t>(key);
    if (cell == s.samples * s.pixels || (first > 0 && keys[first - 1] == key)) continue;
    const int64_t n = cell / s.pixels, pixel = cell - n * s.pixels;
    for (int64_t c = blockIdx.y; c < s.channels; c += gridDim.y) {
      const C* const g = dy + (n * s.channels + c) * s.points;
      C sum(0);
#pragma unroll 1
      for (int64_t i = first; i < count && keys[i] == key; ++i) {
        const int64_t tap = static_cast<int64_t>(positions[i]);
        sum += weights[tap] * g[tap / taps - n * s.points];
      }
      dx[(n * s.channels + c) * s.pixels + pixel] = sum;
    }
  }
}

// launchers

// Threads for all items, and for slices of the channels as far as the items leave room.
dim3 grid_for(int64_t items, int64_t channels) {
  constexpr int64_t kEnough = 4096;
  const dim3 items_grid = loop_grid(items);
  const int64_t slices = std::clamp<int64_t>(kEnough / items_grid.x, 1, channels);
  return dim3(items_grid.x, static_cast<unsigned>(slices));
}

template <class C>
void forward(const Context& context, const GridShape& s, const void* x, const void* grid, void* y) {
  const int64_t points = s.samples * s.points;
  if (points == 0 || s.channels == 0) return;
  with_taps(s, [&](auto k, auto d) {
    launch(context, sample_kernel<decltype(k)::value, decltype(d)::value, C>,
           grid_for(points, s.channels), dim3(kBlock), s, static_cast<const C*>(x),
           static_cast<const C*>(grid), static_cast<C*>(y));
  });
}

template <class C>
void backward_grid(const Context& context, const GridShape& s, const void* dy, const void* x,
                   const void* grid, void* dgrid) {
  const int64_t points = s.samples * s.points;
  if (points == 0) return;
  with_taps(s, [&](auto k, auto d) {
    if constexpr (decltype(k)::value > 1)
      launch(context, grid_gradient_kernel<decltype(k)::value, decltype(d)::value, C>,
             loop_grid(points), dim3(kBlock), s, static_cast<const C*>(dy),
             static_cast<const C*>(x), static_cast<const C*>(grid), static_cast<C*>(dgrid));
  });
}

template <class C, class Word>
void add_sorted(const Context& context, const GridShape& s, const C* dy, const C* grid, C* dx) {
  with_taps(s, [&](auto k, auto d) {
    constexpr int K = decltype(k)::value, D = decltype(d)::value;
    constexpr int taps = PointTaps<C, K, D>::count;
    const int64_t points = s.samples * s.points, count = points * taps;
    const Scratch weights(context, static_cast<size_t>(count) * sizeof(C));
    KeySort<Word> sorted(context, count, static_cast<uint64_t>(s.samples * s.pixels) + 1);
    launch(context, tap_keys_kernel<K, D, C, Word>, loop_grid(points), dim3(kBlock), s, grid,
           sorted.keys(), weights.template as<C>());
    sorted.sort();
    launch(context, add_taps_kernel<taps, C, Word>, grid_for(count, s.channels), dim3(kBlock), s,
           count, sorted.keys(), sorted.positions(), weights.template as<C>(), dy, dx);
  });
}

template <class C>
void backward_input(const Context& context, const GridShape& s, const void* dy_, const void* grid_,
                    void* dx_) {
  const C *const dy = static_cast<const C*>(dy_), *const grid = static_cast<const C*>(grid_);
  C* const dx = static_cast<C*>(dx_);
  const int64_t elements = s.samples * s.channels * s.pixels;
  if (elements == 0) return;
  launch(context, clear_kernel<C>, loop_grid(elements), dim3(kBlock), elements, dx);
  if (s.points == 0) return;
  constexpr int64_t kMostTaps = 16;
  if (s.samples * std::max(s.points * kMostTaps, s.pixels) < int64_t{UINT32_MAX})
    add_sorted<C, uint32_t>(context, s, dy, grid, dx);
  else
    add_sorted<C, uint64_t>(context, s, dy, grid, dx);
}

}  // namespace

void register_grid_sample(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<grid_sample_forward>(dtype_of<T>::value, forward<T>);
    registry.add<grid_sample_backward_input>(dtype_of<T>::value, backward_input<T>);
    registry.add<grid_sample_backward_grid>(dtype_of<T>::value, backward_grid<T>);
  });
}

}  // namespace fastdl::cuda
