// Sums of columns: a thread gathers the terms of one element.
#include <algorithm>

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "ops/fold.h"

namespace fastdl::cuda {
namespace {

// kernels

// Of a coordinate that is not negative: sizes and paddings are below 2^25 (the door), and 64 bits
// would be a call.
__device__ inline int64_t quotient(int64_t a, int64_t b) {
  return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
}

// A block for a row of an image; blocks go on to further images.
template <class T>
__global__ void __launch_bounds__(kBlock)
    fold_kernel(const __grid_constant__ FoldShape s, const T* x, T* y) {
  const int64_t h = blockIdx.x;
  for (int64_t b = blockIdx.y; b < s.batch; b += gridDim.y) {
    const T* const image = x + b * s.x_batch;
    T* const row = y + (b * s.h + h) * s.w;
    for (int64_t w = threadIdx.x; w < s.w; w += kBlock) {
      Compute<T> total(0);
      for (int64_t i = 0; i < s.kernel_h; ++i) {
        const int64_t down = h + s.pad_h - i * s.dilation_h;
        if (down < 0) break;
        const int64_t p = quotient(down, s.stride_h);
        if (p >= s.p || p * s.stride_h != down) continue;
        for (int64_t j = 0; j < s.kernel_w; ++j) {
          const int64_t right = w + s.pad_w - j * s.dilation_w;
          if (right < 0) break;
          const int64_t q = quotient(right, s.stride_w);
          if (q >= s.q || q * s.stride_w != right) continue;
          total += Compute<T>(image[i * s.x_row + j * s.x_column + p * s.x_p + q * s.x_q]);
        }
      }
      row[w] = T(total);
    }
  }
}

// launchers

template <class T>
void fold_launch(const Context& context, const FoldShape& s, const void* x, void* y) {
  const dim3 grid(static_cast<unsigned>(s.h),
                  static_cast<unsigned>(std::min<int64_t>(s.batch, 65535)));
  launch(context, fold_kernel<T>, grid, dim3(kBlock), s, static_cast<const T*>(x),
         static_cast<T*>(y));
}

}  // namespace

void register_fold(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<fold_forward>(dtype_of<T>::value, fold_launch<T>);
  });
}

}  // namespace fastdl::cuda
