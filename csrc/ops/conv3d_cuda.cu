// Frames of volumes side by side, and added together again. A warp takes a plane, so that what
// depends on the frame is worked out once for all of its elements.
#include "ops/conv3d.h"

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

constexpr int kRows = kBlock / kWarp;  // planes that a block takes at a time

// kernels

// The rows of this warp, one after another.
template <class F>
__device__ inline void for_rows(int64_t rows, const F& f) {
  for (int64_t row = int64_t{blockIdx.x} * kRows + threadIdx.x / kWarp; row < rows;
       row += int64_t{gridDim.x} * kRows)
    f(row);
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    frames_gather_kernel(const __grid_constant__ FrameShape s, int64_t rows, const T* x,
                         T* columns) {
  for_rows(rows, [&](int64_t row) {
    const int64_t tap = row % s.taps, c = row / s.taps % s.c, image = row / s.taps / s.c;
    const int64_t n = image / s.outputs;
    const int64_t frame = (image - n * s.outputs) * s.stride - s.pad + tap * s.dilation;
    const bool inside = frame >= 0 && frame < s.frames;
    const T* const from = x + ((n * s.c + c) * s.frames + (inside ? frame : 0)) * s.plane;
    for (int64_t i = threadIdx.x % kWarp; i < s.plane; i += kWarp)
      columns[row * s.plane + i] = inside ? from[i] : T(0.f);
  });
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    frames_sum_kernel(const __grid_constant__ FrameShape s, int64_t rows, const T* columns,
                      const T* bias, T* x) {
  using C = Compute<T>;
  for_rows(rows, [&](int64_t row) {
    const int64_t volume = row / s.frames, n = volume / s.c, c = volume - n * s.c;
    const int64_t frame = row - volume * s.frames;
    for (int64_t i = threadIdx.x % kWarp; i < s.plane; i += kWarp) {
      C total = bias ? C(bias[c]) : C(0);
      for (int64_t t = 0; t < s.taps; ++t) {
        const int64_t start = frame + s.pad - t * s.dilation, output = start / s.stride;
        if (start < 0 || output * s.stride != start || output >= s.outputs) continue;
        total += C(columns[(((n * s.outputs + output) * s.c + c) * s.taps + t) * s.plane + i]);
      }
      x[row * s.plane + i] = T(total);
    }
  });
}

// launchers

template <class T>
void gather_launch(const Context& context, const FrameShape& s, const void* x, void* columns) {
  const int64_t rows = s.n * s.outputs * s.c * s.taps;
  launch(context, frames_gather_kernel<T>, loop_grid(rows * kWarp), dim3(kBlock), s, rows,
         static_cast<const T*>(x), static_cast<T*>(columns));
}

template <class T>
void sum_launch(const Context& context, const FrameShape& s, const void* columns, const void* bias,
                void* x) {
  const int64_t rows = s.n * s.c * s.frames;
  launch(context, frames_sum_kernel<T>, loop_grid(rows * kWarp), dim3(kBlock), s, rows,
         static_cast<const T*>(columns), static_cast<const T*>(bias), static_cast<T*>(x));
}

}  // namespace

void register_conv3d(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<frames_gather>(dtype_of<T>::value, gather_launch<T>);
    registry.add<frames_sum>(dtype_of<T>::value, sum_launch<T>);
  });
}

}  // namespace fastdl::cuda
