// Pooling to a given size: one thread for one element of what is computed. Gradients gather, over the
// windows that have the element, which are windows by the same formula. Loops are not unrolled: that
// would take more registers than a thread has.
#include "ops/adaptive_pool.h"

#include <limits>

#include "core/dtype.h"
#include "cuda/index.cuh"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

// The cells of a slice of [planes, ...out]. The "operands" of the walk are the coordinates, the
// innermost first.
struct Cells {
  Index<4> index;
  int64_t origin[4];
  uint32_t count;
  __device__ void at(uint32_t i, int64_t (&cell)[4]) const {
    index.offsets(i, cell);
    for (int d = 0; d < 4; ++d) cell[d] += origin[d];
  }
};

__device__ inline int64_t place(const int64_t (&size)[3], int64_t d, int64_t h, int64_t w) {
  return (d * size[1] + h) * size[2] + w;
}
__device__ inline int64_t plane_size(const int64_t (&size)[3]) {
  return size[0] * size[1] * size[2];
}

// kernels: the result is [planes, ...to], what is read [planes, ...from]

template <bool turned, class T>
__global__ void __launch_bounds__(kBlock)
    mean_kernel(const __grid_constant__ Cells cells, const __grid_constant__ AdaptiveShape s,
                const T* x, T* y) {
  using C = Compute<T>;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    int64_t cell[4];
    cells.at(i, cell);
    const AdaptiveWindow depth(cell[2], s.in[0], s.out[0]);
    const AdaptiveWindow height(cell[1], s.in[1], s.out[1]);
    const AdaptiveWindow width(cell[0], s.in[2], s.out[2]);
    const T* const plane = x + cell[3] * plane_size(s.in);
    C sum(0);
#pragma unroll 1
    for (int64_t d = depth.first; d < depth.last; ++d)
#pragma unroll 1
      for (int64_t h = height.first; h < height.last; ++h) {
        const T* const row = plane + place(s.in, d, h, 0);
        int own = 1;
        if (turned)
          own = static_cast<int>(AdaptiveWindow(d, s.out[0], s.in[0]).length() *
                                 AdaptiveWindow(h, s.out[1], s.in[1]).length());
#pragma unroll 1
        for (int w = static_cast<int>(width.first); w < width.last; ++w) {
          C v = C(row[w]);
          if (turned) v /= static_cast<C>(own * AdaptiveWindow(w, s.out[2], s.in[2]).length());
          sum += v;
        }
      }
    const int64_t count = turned ? 1 : depth.length() * height.length() * width.length();
    y[cell[3] * plane_size(s.out) + place(s.out, cell[2], cell[1], cell[0])] =
        T(sum / static_cast<C>(count));
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    max_kernel(const __grid_constant__ Cells cells, const __grid_constant__ AdaptiveShape s,
               const T* x, T* y, int64_t* index) {
  using C = Compute<T>;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    int64_t cell[4];
    cells.at(i, cell);
    const AdaptiveWindow depth(cell[2], s.in[0], s.out[0]);
    const AdaptiveWindow height(cell[1], s.in[1], s.out[1]);
    const AdaptiveWindow width(cell[0], s.in[2], s.out[2]);
    const T* const plane = x + cell[3] * plane_size(s.in);
    C best = -std::numeric_limits<C>::infinity();
    int64_t best_at = -1;
#pragma unroll 1
    for (int64_t d = depth.first; d < depth.last; ++d)
#pragma unroll 1
      for (int64_t h = height.first; h < height.last; ++h)
#pragma unroll 1
        for (int64_t w = width.first; w < width.last; ++w) {
          const int64_t at = place(s.in, d, h, w);
          const C v = C(plane[at]);
          if (best_at >= 0 && (v <= best || best != best)) continue;
          best = v, best_at = at;  // what is larger, or the first NaN
        }
    const int64_t out = cell[3] * plane_size(s.out) + place(s.out, cell[2], cell[1], cell[0]);
    y[out] = T(best);
    index[out] = best_at;
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    max_grad_kernel(const __grid_constant__ Cells cells, const __grid_constant__ AdaptiveShape s,
                    const T* dy, const int64_t* index, T* dx) {
  using C = Compute<T>;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    int64_t cell[4];
    cells.at(i, cell);
    // The windows that have this element.
    const AdaptiveWindow depth(cell[2], s.out[0], s.in[0]);
    const AdaptiveWindow height(cell[1], s.out[1], s.in[1]);
    const AdaptiveWindow width(cell[0], s.out[2], s.in[2]);
    const int64_t position = place(s.in, cell[2], cell[1], cell[0]);
    const int64_t plane = cell[3] * plane_size(s.out);
    C sum(0);
#pragma unroll 1
    for (int64_t d = depth.first; d < depth.last; ++d)
#pragma unroll 1
      for (int64_t h = height.first; h < height.last; ++h)
#pragma unroll 1
        for (int64_t w = width.first; w < width.last; ++w) {
          const int64_t out = plane + place(s.out, d, h, w);
          if (index[out] == position) sum += C(dy[out]);
        }
    dx[cell[3] * plane_size(s.in) + position] = T(sum);
  }
}

// launchers

// One thread for each cell of [planes, ...size].
template <class... P, class... A>
void launch_cells(const Context& context, const AdaptiveShape& s, const int64_t (&size)[3],
                  void (*kernel)(Cells, AdaptiveShape, P...), const A&... arguments) {
  const int64_t sizes[4] = {size[2], size[1], size[0], s.planes};
  Strided<4> walk;
  walk.ndim = 4;
  for (int d = 0; d < 4; ++d) {
    walk.size[d] = sizes[d], walk.stride[d][d] = 1;
    walk.numel *= sizes[d];
  }
  for_slices(walk, [&](const Strided<4>& slice, const int64_t (&origin)[4]) {
    Cells cells{Index<4>(slice), {}, static_cast<uint32_t>(slice.numel)};
    for (int d = 0; d < 4; ++d) cells.origin[d] = origin[d];
    launch(context, kernel, loop_grid(slice.numel), dim3(kBlock), cells, s, arguments...);
  });
}

template <class T>
void mean(const Context& context, const AdaptiveShape& s, bool turned, const void* x, void* y) {
  launch_cells(context, s, s.out, turned ? mean_kernel<true, T> : mean_kernel<false, T>,
               static_cast<const T*>(x), static_cast<T*>(y));
}

template <class T>
void maximum_of(const Context& context, const AdaptiveShape& s, const void* x, void* y,
                int64_t* index) {
  launch_cells(context, s, s.out, max_kernel<T>, static_cast<const T*>(x), static_cast<T*>(y),
               index);
}

template <class T>
void max_grad(const Context& context, const AdaptiveShape& s, const void* dy, const int64_t* index,
              void* dx) {
  launch_cells(context, s, s.in, max_grad_kernel<T>, static_cast<const T*>(dy), index,
               static_cast<T*>(dx));
}

}  // namespace

void register_adaptive_pool(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<adaptive_mean>(dtype_of<T>::value, mean<T>);
    registry.add<adaptive_max>(dtype_of<T>::value, maximum_of<T>);
    registry.add<adaptive_max_grad>(dtype_of<T>::value, max_grad<T>);
  });
}

}  // namespace fastdl::cuda
