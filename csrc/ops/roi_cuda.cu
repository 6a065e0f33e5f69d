// Pooling of regions: one thread for one element of what is computed. Gradients gather: an element of
// the image goes through the boxes of its image in order, and in each looks at the bins that may read
// it, so that nobody adds to another's sum.
#include <limits>

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"
#include "cuda/register.h"
#include "ops/roi_geometry.h"

namespace fastdl::cuda {
namespace {

// kernels

// One block.
__global__ void __launch_bounds__(kBlock)
    first_bad_kernel(const __grid_constant__ RoiShape s, const double* boxes, int64_t* position) {
  __shared__ int64_t found[kBlock];
  int64_t first = s.boxes;
  for (int64_t k = threadIdx.x; k < s.boxes && first == s.boxes; k += kBlock)
    if (!is_good_box(s, boxes + 5 * k)) first = k;
  found[threadIdx.x] = first;
  __syncthreads();
  if (threadIdx.x != 0) return;
  for (int i = 1; i < kBlock; ++i) first = found[i] < first ? found[i] : first;
  *position = first == s.boxes ? -1 : first;
}

// Element i of [boxes, channels, p, q].
struct Bin {
  int64_t q, p, channel, box;
  __device__ Bin(const RoiShape& s, int64_t i)
      : q(i % s.q),
        p(i / s.q % s.p),
        channel(i / (s.q * s.p) % s.channels),
        box(i / (s.q * s.p) / s.channels) {}
};

// Element i of [images, channels, h, w].
struct Pixel {
  int64_t w, h, channel, image;
  __device__ Pixel(const RoiShape& s, int64_t i)
      : w(i % s.w),
        h(i / s.w % s.h),
        channel(i / (s.w * s.h) % s.channels),
        image(i / (s.w * s.h) / s.channels) {}
};

template <class T>
__global__ void __launch_bounds__(kBlock)
    align_kernel(const __grid_constant__ RoiShape s, int64_t n, const double* boxes, const T* x,
                 T* y) {
  using C = Compute<T>;
  for (int64_t i = blockIdx.x * kBlock + threadIdx.x; i < n; i += gridDim.x * kBlock) {
    const Bin bin(s, i);
    const AlignBox box(s, boxes + 5 * bin.box);
    const T* const plane = x + (box.image * s.channels + bin.channel) * s.h * s.w;
    const Samples rows = box.rows.samples(bin.p, -1, static_cast<double>(s.h));
    const Samples columns = box.columns.samples(bin.q, -1, static_cast<double>(s.w));
    C sum(0);
    for (int64_t r = rows.first; r < rows.last; ++r) {
      const Tap row(box.rows.position(bin.p, r), s.h);
      if (row.low_weight + row.high_weight == 0) continue;
      const T* const low = plane + row.low * s.w;
      const T* const high = plane + row.high * s.w;
      for (int64_t c = columns.first; c < columns.last; ++c) {
        const Tap column(box.columns.position(bin.q, c), s.w);
        if (column.low_weight + column.high_weight == 0) continue;
        const C left = C(column.low_weight), right = C(column.high_weight);
        sum += C(row.low_weight) * (left * C(low[column.low]) + right * C(low[column.high])) +
               C(row.high_weight) * (left * C(high[column.low]) + right * C(high[column.high]));
      }
    }
    y[i] = T(sum / C(box.samples_of_bin()));
  }
}

// The sum of the weights that bin b gives to element i.
__device__ inline double weight_of(const AlignAxis& axis, int64_t b, int64_t i) {
  const double at = static_cast<double>(i);
  const Samples near = axis.samples(b, at - 1, at + 1);
  double sum = 0;
  for (int64_t k = near.first; k < near.last; ++k)
    sum += Tap(axis.position(b, k), axis.size).weight_of(i);
  return sum;
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    align_grad_kernel(const __grid_constant__ RoiShape s, int64_t n, const double* boxes,
                      const T* dy, T* dx) {
  using C = Compute<T>;
  for (int64_t i = blockIdx.x * kBlock + threadIdx.x; i < n; i += gridDim.x * kBlock) {
    const Pixel pixel(s, i);
    const double h = static_cast<double>(pixel.h), w = static_cast<double>(pixel.w);
    C sum(0);
    for (int64_t k = 0; k < s.boxes; ++k) {
      if (static_cast<int64_t>(boxes[5 * k]) != pixel.image) continue;
      const AlignBox box(s, boxes + 5 * k);
      const Samples rows = box.rows.bins_in(h - 1, h + 1);
      const Samples columns = box.columns.bins_in(w - 1, w + 1);
      const C share = C(1) / C(box.samples_of_bin());
      for (int64_t p = rows.first; p < rows.last; ++p) {
        const C down = C(weight_of(box.rows, p, pixel.h));
        if (down == C(0)) continue;
        const T* const line = dy + ((k * s.channels + pixel.channel) * s.p + p) * s.q;
        for (int64_t q = columns.first; q < columns.last; ++q)
          sum += C(line[q]) * share * down * C(weight_of(box.columns, q, pixel.w));
      }
    }
    dx[i] = T(sum);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    pool_kernel(const __grid_constant__ RoiShape s, int64_t n, const double* boxes, const T* x,
                T* y, int64_t* index) {
  using C = Compute<T>;
  for (int64_t i = blockIdx.x * kBlock + threadIdx.x; i < n; i += gridDim.x * kBlock) {
    const Bin bin(s, i);
    const PoolBox box(s, boxes + 5 * bin.box);
    const T* const plane = x + (box.image * s.channels + bin.channel) * s.h * s.w;
    const AdaptiveWindow rows = box.rows.window(bin.p), columns = box.columns.window(bin.q);
    C best(0);
    int64_t best_at = -1;
    for (int64_t r = rows.first; r < rows.last; ++r)
      for (int64_t c = columns.first; c < columns.last; ++c) {
        const C v = C(plane[r * s.w + c]);
        if (best_at >= 0 && (v <= best || best != best)) continue;
        best = v, best_at = r * s.w + c;  // what is larger, or the first NaN
      }
    y[i] = T(best);
    index[i] = best_at;
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    pool_grad_kernel(const __grid_constant__ RoiShape s, int64_t n, const double* boxes,
                     const T* dy, const int64_t* index, T* dx) {
  using C = Compute<T>;
  for (int64_t i = blockIdx.x * kBlock + threadIdx.x; i < n; i += gridDim.x * kBlock) {
    const Pixel pixel(s, i);
    const int64_t position = pixel.h * s.w + pixel.w;
    C sum(0);
    for (int64_t k = 0; k < s.boxes; ++k) {
      if (static_cast<int64_t>(boxes[5 * k]) != pixel.image) continue;
      const PoolBox box(s, boxes + 5 * k);
      const AdaptiveWindow rows = box.rows.bins_over(pixel.h);
      const AdaptiveWindow columns = box.columns.bins_over(pixel.w);
      for (int64_t p = rows.first; p < rows.last; ++p)
        for (int64_t q = columns.first; q < columns.last; ++q) {
          const int64_t at = ((k * s.channels + pixel.channel) * s.p + p) * s.q + q;
          if (index[at] == position) sum += C(dy[at]);
        }
    }
    dx[i] = T(sum);
  }
}

// launchers

void first_bad(const Context& context, const RoiShape& s, const double* boxes, int64_t* position) {
  launch(context, first_bad_kernel, dim3(1), dim3(kBlock), s, boxes, position);
}

int64_t outputs(const RoiShape& s) { return s.boxes * s.channels * s.p * s.q; }
int64_t pixels(const RoiShape& s) { return s.images * s.channels * s.h * s.w; }

template <class... P, class... A>
void launch_each(const Context& context, int64_t n, void (*kernel)(RoiShape, int64_t, P...),
                 const RoiShape& s, const A&... arguments) {
  if (n > 0) launch(context, kernel, loop_grid(n), dim3(kBlock), s, n, arguments...);
}

template <class T>
void align_forward(const Context& context, const RoiShape& s, const double* boxes, const void* x,
                   void* y) {
  launch_each(context, outputs(s), align_kernel<T>, s, boxes, static_cast<const T*>(x),
              static_cast<T*>(y));
}

template <class T>
void align_backward(const Context& context, const RoiShape& s, const double* boxes, const void* dy,
                    void* dx) {
  launch_each(context, pixels(s), align_grad_kernel<T>, s, boxes, static_cast<const T*>(dy),
              static_cast<T*>(dx));
}

template <class T>
void pool_forward(const Context& context, const RoiShape& s, const double* boxes, const void* x,
                  void* y, int64_t* index) {
  launch_each(context, outputs(s), pool_kernel<T>, s, boxes, static_cast<const T*>(x),
              static_cast<T*>(y), index);
}

template <class T>
void pool_backward(const Context& context, const RoiShape& s, const double* boxes, const void* dy,
                   const int64_t* index, void* dx) {
  launch_each(context, pixels(s), pool_grad_kernel<T>, s, boxes, static_cast<const T*>(dy), index,
              static_cast<T*>(dx));
}

}  // namespace

void register_roi(Registry& registry) {
  registry.add<roi_first_bad>(DType::f64, first_bad);
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<roi_align_forward>(dtype_of<T>::value, align_forward<T>);
    registry.add<roi_align_backward>(dtype_of<T>::value, align_backward<T>);
    registry.add<roi_pool_forward>(dtype_of<T>::value, pool_forward<T>);
    registry.add<roi_pool_backward>(dtype_of<T>::value, pool_backward<T>);
  });
}

}  // namespace fastdl::cuda
