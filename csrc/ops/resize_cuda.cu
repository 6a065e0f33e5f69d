// Resizing along an axis: a thread computes one output. Neighbouring threads have neighbouring outputs,
// so that they read one line, or neighbours along the axis.
#include "core/dtype.h"
#include "cuda/elementwise.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "ops/resize.h"

namespace fastdl::cuda {
namespace {

// `walk` over [outer, m, inner] gives the offsets of (o, j, i) in y, of (o, 0, i) in x, and j.
template <class T>
__global__ void __launch_bounds__(kBlock)
    resize_kernel(const __grid_constant__ Index<3> walk, uint32_t numel, int64_t inner,
                  const int64_t* start, const Tap* taps, const T* x, T* y) {
  using C = Compute<T>;
  for (uint32_t e = blockIdx.x * kBlock + threadIdx.x; e < numel; e += gridDim.x * kBlock) {
    int64_t at[3];
    walk.offsets(e, at);
    C sum(0);
    for (int64_t k = start[at[2]]; k < start[at[2] + 1]; ++k)
      sum += static_cast<C>(taps[k].weight) * C(x[at[1] + taps[k].source * inner]);
    y[at[0]] = T(sum);
  }
}

Strided<3> walk_of(const ResizeShape& s) {
  const int64_t size[] = {s.inner, s.m, s.outer};
  const int64_t stride[3][3] = {{1, s.inner, s.m * s.inner}, {1, 0, s.n * s.inner}, {0, 1, 0}};
  Strided<3> walk;
  for (int d = 0; d < 3; ++d) {
    walk.numel *= size[d];
    if (size[d] == 1) continue;
    walk.size[walk.ndim] = size[d];
    for (int k = 0; k < 3; ++k) walk.stride[k][walk.ndim] = stride[k][d];
    ++walk.ndim;
  }
  return walk;
}

// A copy of a host array for the length of a launch. The host's memory is not pinned: it has been read
// when the copy returns.
template <class T>
class OnDevice {
 public:
  OnDevice(const Context& context, const T* host, int64_t count)
      : scratch_(context, static_cast<size_t>(count) * sizeof(T)) {
    const DeviceGuard guard(context.device);
    if (count > 0)
      cudaMemcpyAsync(scratch_.template as<T>(), host, static_cast<size_t>(count) * sizeof(T),
                      cudaMemcpyHostToDevice, static_cast<cudaStream_t>(context.stream));
  }
  const T* data() const { return scratch_.template as<T>(); }

 private:
  const Scratch scratch_;
};

template <class T>
void resize(const Context& context, const ResizeShape& s, const int64_t* start, const Tap* taps,
            const void* x_, void* y_) {
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  if (s.outer == 0 || s.m == 0 || s.inner == 0) return;
  const OnDevice<int64_t> starts(context, start, s.m + 1);
  const OnDevice<Tap> list(context, taps, start[s.m]);
  for_slices(walk_of(s), [&](const Strided<3>& part, const int64_t (&offset)[3]) {
    launch(context, resize_kernel<T>, loop_grid(part.numel), dim3(kBlock), Index<3>(part),
           static_cast<uint32_t>(part.numel), s.inner, starts.data() + offset[2], list.data(),
           x + offset[1], y + offset[0]);
  });
}

}  // namespace

void register_resize(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<resize_axis>(dtype_of<T>::value, resize<T>);
  });
}

}  // namespace fastdl::cuda
