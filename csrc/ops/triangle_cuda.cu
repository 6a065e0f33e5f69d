// Triangles: a warp takes a row at a time.
#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "ops/triangle.h"

namespace fastdl::cuda {
namespace {

constexpr int kRows = kBlock / kWarp;  // of a block

// kernels

template <class T>
__global__ void __launch_bounds__(kBlock)
    triangle_kernel(bool lower, int64_t diagonal, int64_t rows, int64_t m, int64_t n, const T* x,
                    T* y) {
  const int64_t step = static_cast<int64_t>(gridDim.x) * kRows;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kRows + threadIdx.y; row < rows;
       row += step) {
    const int64_t edge = row % m + diagonal;
    for (int64_t j = threadIdx.x; j < n; j += kWarp)
      y[row * n + j] = (lower ? j <= edge : j >= edge) ? x[row * n + j] : T(0);
  }
}

// launchers

template <class T>
void triangle_launch(const Context& context, bool lower, int64_t diagonal, int64_t batch, int64_t m,
                     int64_t n, const void* x, void* y) {
  constexpr int64_t kMostBlocks = 8192;
  const int64_t rows = batch * m, blocks = ceil_div(rows, kRows);
  launch(context, triangle_kernel<T>,
         dim3(static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks)),
         dim3(kWarp, kRows), lower, diagonal, rows, m, n, static_cast<const T*>(x),
         static_cast<T*>(y));
}

}  // namespace

void register_triangle(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t, bool>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<triangle_forward>(dtype_of<T>::value, triangle_launch<Bytes<T>>);
  });
}

}  // namespace fastdl::cuda
