// Local response normalisation across channels: a thread per element. Neighbouring threads have
// neighbouring pixels, and what they read of the other channels of a window is in the caches. The
// gradient computes the sums of the windows that have its channel again, rather than storing them.
#include "ops/local_response_norm.h"

#include "core/dtype.h"
#include "cuda/index.cuh"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

// A window's sum of squares, from x at the element's own channel.
template <class T>
struct Window {
  using C = Compute<T>;
  int64_t channels, inner, before, after;
  C alpha, beta, k;

  explicit Window(const ResponseShape& s)
      : channels(s.c),
        inner(s.inner),
        before(s.before),
        after(s.after),
        alpha(static_cast<C>(s.alpha)),
        beta(static_cast<C>(s.beta)),
        k(static_cast<C>(s.k)) {}
  __device__ C scale(const T* x, int64_t channel) const {
    const int64_t first = max(int64_t{0}, channel - before) - channel;
    const int64_t last = min(channels - 1, channel + after) - channel;
    C sum(0);
    for (int64_t j = first; j <= last; ++j) {
      const C v = C(x[j * inner]);
      sum += v * v;
    }
    return k + alpha * sum;
  }
};

// The walk's operands are elements and channels.
template <class F>
__global__ void __launch_bounds__(kBlock)
    elements_kernel(const __grid_constant__ Index<2> walk, uint32_t count, int64_t first_element,
                    int64_t first_channel, const F f) {
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < count; i += gridDim.x * kBlock) {
    int64_t at[2];
    walk.offsets(i, at);
    f(first_element + at[0], first_channel + at[1]);
  }
}

template <class T>
struct Forward {
  using C = Compute<T>;
  Window<T> window;
  const T* x;
  T* y;
  __device__ void operator()(int64_t at, int64_t channel) const {
    const C scale = window.scale(x + at, channel);
    y[at] = T(C(x[at]) * C(std::pow(scale, -window.beta)));
  }
};

template <class T>
struct Gradient {
  using C = Compute<T>;
  Window<T> window;
  const T *x, *dy;
  T* dx;
  __device__ void operator()(int64_t at, int64_t channel) const {
    const int64_t first = max(int64_t{0}, channel - window.after) - channel;
    const int64_t last = min(window.channels - 1, channel + window.before) - channel;
    C sum(0), direct(0);
    for (int64_t j = first; j <= last; ++j) {
      const int64_t other = at + j * window.inner;
      const C scale = window.scale(x + other, channel + j);
      const C term = C(dy[other]) * C(std::pow(scale, -window.beta));
      if (j == 0) direct = term;
      sum += term * C(x[other]) / scale;
    }
    dx[at] = T(direct - C(2) * window.alpha * window.beta * C(x[at]) * sum);
  }
};

// launchers

template <class F>
void for_elements(const Context& context, const ResponseShape& s, const F& f) {
  Strided<2> walk;
  const int64_t size[3] = {s.inner, s.c, s.n};
  const int64_t stride[2][3] = {{1, s.inner, s.c * s.inner}, {0, 1, 0}};
  for (int d = 0; d < 3; ++d) {
    walk.size[d] = size[d];
    walk.numel *= size[d];
    for (int i = 0; i < 2; ++i) walk.stride[i][d] = stride[i][d];
  }
  walk.ndim = 3;
  for_slices(walk, [&](const Strided<2>& slice, const int64_t (&first)[2]) {
    launch(context, elements_kernel<F>, loop_grid(slice.numel), dim3(kBlock), Index<2>(slice),
           static_cast<uint32_t>(slice.numel), first[0], first[1], f);
  });
}

template <class T>
void forward_launch(const Context& context, const ResponseShape& s, const void* x, void* y) {
  for_elements(context, s, Forward<T>{Window<T>(s), static_cast<const T*>(x), static_cast<T*>(y)});
}

template <class T>
void backward_launch(const Context& context, const ResponseShape& s, const void* x, const void* dy,
                     void* dx) {
  for_elements(context, s,
               Gradient<T>{Window<T>(s), static_cast<const T*>(x), static_cast<const T*>(dy),
                           static_cast<T*>(dx)});
}

}  // namespace

void register_local_response_norm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<local_response_forward>(dtype_of<T>::value, forward_launch<T>);
    registry.add<local_response_backward>(dtype_of<T>::value, backward_launch<T>);
  });
}

}  // namespace fastdl::cuda
