// Batch normalisation over x[n, c, inner]: statistics (cuda/moments.cuh) and gradient sums by
// cuda/channel_sums.cuh, then element by element.
#include "ops/batch_norm.h"

#include "core/dtype.h"
#include "cuda/channel_sums.cuh"
#include "cuda/math.cuh"
#include "cuda/moments.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

// kernels: sums over a channel (for cuda/channel_sums.cuh)

template <class T>
struct Statistics : ChannelMoments<T> {
  using C = Compute<T>;
  C *mean, *variance;
  __device__ void finish(int64_t channel, const Moments<double>& a) const {
    mean[channel] = static_cast<C>(a.mean);
    variance[channel] = static_cast<C>(a.count > 0 ? a.squares / a.count : 0.0);
  }
};

template <class C>
struct Dots {
  C dy, dy_x;  // sums of dy and of dy * (x - mean)
};

// dx = scale * dy + slope * (x - mean) + shift
template <class T>
struct GradientSums {
  using C = Compute<T>;
  struct Part {
    Dots<C> dots;
    C centre;
  };
  using Acc = Dots<double>;
  const T *x, *dy;
  const C *mean, *rstd, *weight;
  C *dweight, *dbias, *slope, *shift;  // results; null where nobody wants them
  double count;

  __device__ Part begin(int64_t channel) const { return {{C(0), C(0)}, mean[channel]}; }

  template <int V, int K>
  __device__ void add(Part& part, const int64_t (&at)[K], int taken, bool aligned) const {
    Pack<T, V> in[K], g[K];
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (k < taken) {
        in[k] = load_elements<V>(x + at[k], aligned);
        g[k] = load_elements<V>(dy + at[k], aligned);
      }
    Dots<C> here{C(0), C(0)};
#pragma unroll
    for (int k = 0; k < K; ++k)
      for (int v = 0; v < V; ++v)
        if (k < taken) {
          here.dy += C(g[k].v[v]);
          here.dy_x += C(g[k].v[v]) * (C(in[k].v[v]) - part.centre);
        }
    part.dots.dy += here.dy;
    part.dots.dy_x += here.dy_x;
  }
  __device__ Acc total(const Part& p) const { return {p.dots.dy, p.dots.dy_x}; }
  __device__ Acc init() const { return {0, 0}; }
  __device__ Acc combine(const Acc& a, const Acc& b) const {
    return {a.dy + b.dy, a.dy_x + b.dy_x};
  }
  static __device__ Acc shuffle(const Acc& a, int mask) {
    return {shuffle_xor(a.dy, mask), shuffle_xor(a.dy_x, mask)};
  }
  __device__ void finish(int64_t channel, const Acc& a) const {
    const double r = rstd[channel];
    const double scale = weight ? rstd[channel] * weight[channel] : rstd[channel];
    if (dweight) dweight[channel] = static_cast<C>(a.dy_x * r);
    if (dbias) dbias[channel] = static_cast<C>(a.dy);
    if (!slope) return;
    slope[channel] = static_cast<C>(-scale * a.dy_x * r * r / count);
    shift[channel] = static_cast<C>(-scale * a.dy / count);
  }
};

// kernels: element by element

// The coefficients of V neighbouring elements, which are of one channel or (`across`) of
// neighbouring ones.
template <int V, bool across, class C>
__device__ inline Pack<C, V> coefficients(const C* p, int64_t channel, C otherwise) {
  if constexpr (across) {
    if (p) return load_pack<V>(p + channel);
  }
  const C value = p ? p[channel] : otherwise;
  Pack<C, V> out;
#pragma unroll
  for (int v = 0; v < V; ++v) out.v[v] = value;
  return out;
}

template <class T>
struct Apply {
  using C = Compute<T>;
  const T* x;
  const C *mean, *rstd, *weight, *bias;
  T* y;

  bool aligned(size_t elements, size_t channels) const {
    return is_aligned(x, elements) && is_aligned(y, elements) && is_aligned(mean, channels) &&
           is_aligned(rstd, channels) && is_aligned(weight, channels) && is_aligned(bias, channels);
  }
  template <int V, bool across>
  __device__ void visit(int64_t at, int64_t channel) const {
    const auto m = coefficients<V, across>(mean, channel, C(0));
    const auto r = coefficients<V, across>(rstd, channel, C(1));
    const auto w = coefficients<V, across>(weight, channel, C(1));
    const auto b = coefficients<V, across>(bias, channel, C(0));
    Pack<T, V> v = load_pack<V>(x + at);
#pragma unroll
    for (int k = 0; k < V; ++k) v.v[k] = T((C(v.v[k]) - m.v[k]) * (r.v[k] * w.v[k]) + b.v[k]);
    store_pack<V>(y + at, v);
  }
};

template <class T>
struct Gradient {
  using C = Compute<T>;
  const T *x, *dy;
  const C *mean, *rstd, *weight, *slope, *shift;  // slope and shift: null in evaluation
  T* dx;

  bool aligned(size_t elements, size_t channels) const {
    return is_aligned(x, elements) && is_aligned(dy, elements) && is_aligned(dx, elements) &&
           is_aligned(mean, channels) && is_aligned(rstd, channels) &&
           is_aligned(weight, channels) && is_aligned(slope, channels) &&
           is_aligned(shift, channels);
  }
  template <int V, bool across>
  __device__ void visit(int64_t at, int64_t channel) const {
    const auto r = coefficients<V, across>(rstd, channel, C(1));
    const auto w = coefficients<V, across>(weight, channel, C(1));
    Pack<T, V> g = load_pack<V>(dy + at);
    if (slope) {
      const auto m = coefficients<V, across>(mean, channel, C(0));
      const auto b = coefficients<V, across>(slope, channel, C(0));
      const auto d = coefficients<V, across>(shift, channel, C(0));
      const Pack<T, V> v = load_pack<V>(x + at);
#pragma unroll
      for (int k = 0; k < V; ++k)
        g.v[k] = T(r.v[k] * w.v[k] * C(g.v[k]) + (b.v[k] * (C(v.v[k]) - m.v[k]) + d.v[k]));
    } else {
#pragma unroll
      for (int k = 0; k < V; ++k) g.v[k] = T(r.v[k] * w.v[k] * C(g.v[k]));
    }
    store_pack<V>(dx + at, g);
  }
};

// The walk's operands are elements and channels.
template <class F, int V, bool across>
__global__ void __launch_bounds__(kBlock)
    elements_kernel(const __grid_constant__ Index<2> walk, uint32_t groups, int64_t first_element,
                    int64_t first_channel, const F f) {
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < groups; i += gridDim.x * kBlock) {
    int64_t at[2];
    walk.offsets(i, at);
    f.template visit<V, across>(first_element + at[0], first_channel + at[1]);
  }
}

// launchers

// Calls f.visit for all elements, in groups of 16 bytes where the shape and the addresses allow.
template <class T, class F>
void for_elements(const Context& context, const BatchNormShape& s, const F& f) {
  constexpr int V = kVector<T>;
  const bool across = s.inner == 1;
  const bool groups = (across ? s.c : s.inner) % V == 0 &&
                      f.aligned(16, across ? V * sizeof(Compute<T>) : sizeof(Compute<T>));
  const int64_t width = groups ? V : 1;
  const int64_t size[3] = {s.inner, s.c, s.n};
  const int64_t stride[2][3] = {{1, s.inner, s.c * s.inner}, {0, 1, 0}};
  Strided<2> walk;
  for (int d = across ? 1 : 0; d < 3; ++d) {
    const int64_t unit = walk.ndim == 0 ? width : 1;
    walk.size[walk.ndim] = size[d] / unit;
    for (int i = 0; i < 2; ++i) walk.stride[i][walk.ndim] = stride[i][d] * unit;
    walk.numel *= walk.size[walk.ndim++];
  }
  const auto kernel = !groups  ? elements_kernel<F, 1, false>
                      : across ? elements_kernel<F, V, true>
                               : elements_kernel<F, V, false>;
  for_slices(walk, [&](const Strided<2>& slice, const int64_t (&first)[2]) {
    launch(context, kernel, loop_grid(slice.numel), dim3(kBlock), Index<2>(slice),
           static_cast<uint32_t>(slice.numel), first[0], first[1], f);
  });
}

template <class T>
void statistics_launch(const Context& context, const BatchNormShape& s, const void* x, void* mean,
                       void* variance) {
  using C = Compute<T>;
  sum_channels<kVector<T>>(
      context, s.n, s.c, s.inner, is_aligned(x, 16),
      Statistics<T>{{static_cast<const T*>(x)}, static_cast<C*>(mean), static_cast<C*>(variance)});
}

template <class T>
void apply_launch(const Context& context, const BatchNormShape& s, const void* x, const void* mean,
                  const void* rstd, const void* weight, const Epilogue& epilogue, void* y) {
  using C = Compute<T>;
  for_elements<T>(context, s,
                  Apply<T>{static_cast<const T*>(x), static_cast<const C*>(mean),
                           static_cast<const C*>(rstd), static_cast<const C*>(weight),
                           static_cast<const C*>(epilogue.bias), static_cast<T*>(y)});
}

template <class T>
void backward_launch(const Context& context, const BatchNormShape& s, const BatchNormGradient& g) {
  using C = Compute<T>;
  const T *const x = static_cast<const T*>(g.x), *const dy = static_cast<const T*>(g.dy);
  const C *const mean = static_cast<const C*>(g.mean), *const rstd = static_cast<const C*>(g.rstd);
  const C* const weight = static_cast<const C*>(g.weight);
  const double count = static_cast<double>(s.n * s.inner);
  const bool centred = g.training && g.dx && count > 0;
  const size_t bytes = centred ? sizeof(C) * static_cast<size_t>(s.c) : 0;
  const Scratch slopes(context, bytes), shifts(context, bytes);
  C *const slope = slopes.as<C>(), *const shift = shifts.as<C>();
  if (centred || g.dweight || g.dbias)
    sum_channels<kVector<T>>(context, s.n, s.c, s.inner, is_aligned(x, 16) && is_aligned(dy, 16),
                             GradientSums<T>{x, dy, mean, rstd, weight, static_cast<C*>(g.dweight),
                                             static_cast<C*>(g.dbias), slope, shift, count});
  if (g.dx)
    for_elements<T>(context, s,
                    Gradient<T>{x, dy, mean, rstd, weight, slope, shift, static_cast<T*>(g.dx)});
}

}  // namespace

void register_batch_norm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<batch_norm_statistics>(dtype_of<T>::value, statistics_launch<T>);
    registry.add<batch_norm_apply>(dtype_of<T>::value, apply_launch<T>);
    registry.add<batch_norm_backward>(dtype_of<T>::value, backward_launch<T>);
  });
}

}  // namespace fastdl::cuda
