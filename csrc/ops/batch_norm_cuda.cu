// Batch normalisation over x[n, c, inner]: statistics (cuda/moments.cuh) and gradient sums by
// cuda/channel_sums.cuh, then element by element.
#include "ops/batch_norm.h"

#include "core/dtype.h"
#include "cuda/channel_sums.cuh"
#include "cuda/elementwise.cuh"
#include "cuda/math.cuh"
#include "cuda/moments.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

// kernels: sums over a channel (for cuda/channel_sums.cuh)

template <class T>
struct Statistics : ChannelMoments<T> {
  using C = Compute<T>;
  double eps;
  C *mean, *variance, *rstd;
  __device__ void finish(int64_t channel, const Moments<double>& a) const {
    const C biased = static_cast<C>(a.count > 0 ? a.squares / a.count : 0.0);
    mean[channel] = static_cast<C>(a.mean);
    variance[channel] = biased;
    rstd[channel] = C(1) / std::sqrt(biased + static_cast<C>(eps));
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

  template <int V>
  struct Columns {
    Dots<C> dots[V];
    Pack<C, V> centre;
  };
  template <int V>
  __device__ Columns<V> begin_columns(int64_t channel) const {
    Columns<V> out{};
#pragma unroll
    for (int v = 0; v < V; ++v) out.centre.v[v] = mean[channel + v];
    return out;
  }
  template <int V, int K>
  __device__ void add_columns(Columns<V>& part, const int64_t (&at)[K], int taken,
                              bool aligned) const {
    Pack<T, V> in[K], g[K];
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (k < taken) {
        in[k] = load_elements<V>(x + at[k], aligned);
        g[k] = load_elements<V>(dy + at[k], aligned);
      }
#pragma unroll
    for (int v = 0; v < V; ++v) {
      Dots<C> here{C(0), C(0)};
#pragma unroll
      for (int k = 0; k < K; ++k)
        if (k < taken) {
          here.dy += C(g[k].v[v]);
          here.dy_x += C(g[k].v[v]) * (C(in[k].v[v]) - part.centre.v[v]);
        }
      part.dots[v].dy += here.dy;
      part.dots[v].dy_x += here.dy_x;
    }
  }
  template <int V>
  __device__ Acc total_column(const Columns<V>& p, int v) const {
    return {p.dots[v].dy, p.dots[v].dy_x};
  }
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

// An element's function: `own` has the coefficients of its channels, load and store are apart so that
// several loads are under way.
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
  template <int V>
  struct Own {
    Pack<C, V> mean, scale, bias;
  };
  template <int V, bool across>
  __device__ Own<V> own(int64_t channel) const {
    Own<V> out{coefficients<V, across>(mean, channel, C(0)),
               coefficients<V, across>(rstd, channel, C(1)),
               coefficients<V, across>(bias, channel, C(0))};
    const auto w = coefficients<V, across>(weight, channel, C(1));
#pragma unroll
    for (int k = 0; k < V; ++k) out.scale.v[k] *= w.v[k];
    return out;
  }
  template <int V>
  __device__ Pack<T, V> load(int64_t at) const {
    return load_pack<V>(x + at);
  }
  template <int V>
  __device__ void store(int64_t at, Pack<T, V> v, const Own<V>& own) const {
#pragma unroll
    for (int k = 0; k < V; ++k)
      v.v[k] = T((C(v.v[k]) - own.mean.v[k]) * own.scale.v[k] + own.bias.v[k]);
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
  template <int V>
  struct Own {
    Pack<C, V> scale, mean, slope, shift;
  };
  template <int V, bool across>
  __device__ Own<V> own(int64_t channel) const {
    Own<V> out{coefficients<V, across>(rstd, channel, C(1)),
               coefficients<V, across>(slope ? mean : nullptr, channel, C(0)),
               coefficients<V, across>(slope, channel, C(0)),
               coefficients<V, across>(shift, channel, C(0))};
    const auto w = coefficients<V, across>(weight, channel, C(1));
#pragma unroll
    for (int k = 0; k < V; ++k) out.scale.v[k] *= w.v[k];
    return out;
  }
  template <int V>
  struct Both {
    Pack<T, V> x, dy;
  };
  template <int V>
  __device__ Both<V> load(int64_t at) const {
    const auto g = load_pack<V>(dy + at);
    return {slope ? load_pack<V>(x + at) : g, g};
  }
  template <int V>
  __device__ void store(int64_t at, const Both<V>& v, const Own<V>& own) const {
    Pack<T, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const C g = own.scale.v[k] * C(v.dy.v[k]);
      out.v[k] =
          T(slope ? g + (own.slope.v[k] * (C(v.x.v[k]) - own.mean.v[k]) + own.shift.v[k]) : g);
    }
    store_pack<V>(dx + at, out);
  }
};

// The walk's operands are elements and channels.
template <class F, int V>
__global__ void __launch_bounds__(kBlock)
    elements_kernel(const __grid_constant__ Index<2> walk, uint32_t groups, int64_t first_element,
                    int64_t first_channel, const F f) {
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < groups; i += gridDim.x * kBlock) {
    int64_t at[2];
    walk.offsets(i, at);
    f.store(first_element + at[0], f.template load<V>(first_element + at[0]),
            f.template own<V, false>(first_channel + at[1]));
  }
}

// Of x[n, c]: a thread keeps the coefficients of V channels and goes down the rows. Block (threads
// along packs of channels, rows).
template <class F, int V>
__global__ void __launch_bounds__(kBlock) columns_kernel(int64_t n, int64_t c, const F f) {
  constexpr int K = 2;  // rows at a time
  const int64_t channel = (int64_t{blockIdx.x} * blockDim.x + threadIdx.x) * V;
  if (channel >= c) return;
  const auto own = f.template own<V, (V > 1)>(channel);
  const int64_t step = int64_t{gridDim.y} * blockDim.y;
  for (int64_t row = int64_t{blockIdx.y} * blockDim.y + threadIdx.y; row < n; row += K * step) {
    decltype(f.template load<V>(0)) in[K];
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (row + k * step < n) in[k] = f.template load<V>((row + k * step) * c + channel);
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (row + k * step < n) f.store((row + k * step) * c + channel, in[k], own);
  }
}

// launchers

template <class F, int V>
void for_columns(const Context& context, const BatchNormShape& s, const F& f) {
  constexpr int64_t kMostBlocks = 2048, kRows = 8;  // rows that pay for a thread's coefficients
  if (s.n == 0 || s.c == 0) return;
  const dim3 block = column_block(s.c / V);
  const int64_t blocks = ceil_div(s.c / V, block.x);
  const int64_t parts =
      std::clamp<int64_t>(std::min(ceil_div(s.n, kRows * block.y), kMostBlocks / blocks), 1, 65535);
  launch(context, columns_kernel<F, V>,
         dim3(static_cast<unsigned>(blocks), static_cast<unsigned>(parts)), block, s.n, s.c, f);
}

// Calls f for all elements, in groups of 16 bytes where the shape and the addresses allow.
template <class T, class F>
void for_elements(const Context& context, const BatchNormShape& s, const F& f) {
  constexpr int V = kVector<T>;
  if (s.inner == 1)
    return s.c % V == 0 && f.aligned(16, V * sizeof(Compute<T>)) ? for_columns<F, V>(context, s, f)
                                                                 : for_columns<F, 1>(context, s, f);
  const bool groups = s.inner % V == 0 && f.aligned(16, sizeof(Compute<T>));
  const int64_t width = groups ? V : 1;
  const int64_t size[3] = {s.inner / width, s.c, s.n};
  const int64_t stride[2][3] = {{width, s.inner, s.c * s.inner}, {0, 1, 0}};
  Strided<2> walk;
  walk.ndim = 3;
  for (int d = 0; d < 3; ++d) {
    walk.size[d] = size[d];
    for (int i = 0; i < 2; ++i) walk.stride[i][d] = stride[i][d];
    walk.numel *= size[d];
  }
  for_slices(walk, [&](const Strided<2>& slice, const int64_t (&first)[2]) {
    launch(context, groups ? elements_kernel<F, V> : elements_kernel<F, 1>, loop_grid(slice.numel),
           dim3(kBlock), Index<2>(slice), static_cast<uint32_t>(slice.numel), first[0], first[1],
           f);
  });
}

// Sums over channels, by columns where these are neighbours: packs of them, but for doubles, of which
// several take more registers than there are.
template <class T, class Sum>
void sum_over_channels(const Context& context, const BatchNormShape& s, bool aligned,
                       const Sum& sum) {
  constexpr int V = kVector<T>;
  if (s.inner > 1) return sum_channels<V>(context, s.n, s.c, s.inner, aligned, sum);
  if constexpr (sizeof(T) < 8)
    if (s.c % V == 0) return sum_channel_columns<V>(context, s.n, s.c, aligned, sum);
  sum_channel_columns<1>(context, s.n, s.c, aligned, sum);
}

template <class T>
void statistics_launch(const Context& context, const BatchNormShape& s, double eps, const void* x,
                       void* mean, void* variance, void* rstd) {
  using C = Compute<T>;
  sum_over_channels<T>(context, s, is_aligned(x, 16),
                       Statistics<T>{{static_cast<const T*>(x)},
                                     eps,
                                     static_cast<C*>(mean),
                                     static_cast<C*>(variance),
                                     static_cast<C*>(rstd)});
}

// Running statistics move towards those of the batch.
struct Follow {
  double momentum, factor;
  template <class C>
  __device__ C operator()(C running, C now) const {
    return running * static_cast<C>(1 - momentum) +
           now * static_cast<C>(factor) * static_cast<C>(momentum);
  }
};

template <class C>
void running_launch(const Context& context, int64_t channels, double momentum, double factor,
                    const void* now, void* running) {
  Strided<3> walk;
  walk.ndim = 1;
  walk.numel = walk.size[0] = channels;
  for (int i = 0; i < 3; ++i) walk.stride[i][0] = 1;
  C* const to = static_cast<C*>(running);
  elementwise(context, walk, Follow{momentum, factor}, to, static_cast<const C*>(to),
              static_cast<const C*>(now));
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
    sum_over_channels<T>(context, s, is_aligned(x, 16) && is_aligned(dy, 16),
                         GradientSums<T>{x, dy, mean, rstd, weight, static_cast<C*>(g.dweight),
                                         static_cast<C*>(g.dbias), slope, shift, count});
  if (g.dx)
    for_elements<T>(context, s,
                    Gradient<T>{x, dy, mean, rstd, weight, slope, shift, static_cast<T*>(g.dx)});
}

}  // namespace

void register_batch_norm(Registry& registry) {
  registry.add<batch_norm_running>(DType::f32, running_launch<float>);
  registry.add<batch_norm_running>(DType::f64, running_launch<double>);
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<batch_norm_statistics>(dtype_of<T>::value, statistics_launch<T>);
    registry.add<batch_norm_apply>(dtype_of<T>::value, apply_launch<T>);
    registry.add<batch_norm_backward>(dtype_of<T>::value, backward_launch<T>);
  });
}

}  // namespace fastdl::cuda
