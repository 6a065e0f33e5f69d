// Softmax and its logarithm. A line is read once where its team can keep it in registers: maximum,
// exponentials, their sum, result. A longer one is read twice: first for the maximum and the sum
// together (cuda/softmax_row.cuh), then for the result; the second read mostly hits the cache. Few long
// lines are shared by several blocks each.
#include "ops/softmax.h"

#include "core/dtype.h"
#include "cuda/register.h"
#include "cuda/softmax_row.cuh"

namespace fastdl::cuda {
namespace {

// kernels

// `packs` packs of V elements of each thread.
template <bool log, class T, class Team, int packs>
__global__ void __launch_bounds__(kBlock, kResident<T>)
    softmax_kernel(const Lines lines, bool aligned, const T* x, T* y) {
  using C = Compute<T>;
  constexpr int V = Team::V;
  __shared__ C shared_max[Team::kSlots], shared_sum[Team::kSlots];
  const Team team(lines);
  Pack<T, V> in[packs];
  for_kept_packs<packs>(team,
                        [&](int j, int64_t at) { in[j] = load_elements<V>(x + at, aligned); });
  C v[packs][V];
  C max = -std::numeric_limits<C>::infinity();
  for_kept_packs<packs>(team, [&](int j, int64_t) {
#pragma unroll
    for (int k = 0; k < V; ++k) {
      v[j][k] = C(in[j].v[k]);
      max = v[j][k] > max ? v[j][k] : max;  // NaN comes back through the sum
    }
  });
  max = team.all_reduce(Largest<C>{}, max, shared_max);
  C sum(0);
  for_kept_packs<packs>(team, [&](int j, int64_t) {
#pragma unroll
    for (int k = 0; k < V; ++k) {
      v[j][k] -= max;
      const C e = std::exp(v[j][k]);
      sum += e;
      if (!log) v[j][k] = e;
    }
  });
  sum = team.all_reduce(Total<C>{}, sum, shared_sum);
  const C last = log ? std::log(sum) : C(1) / sum;
  for_kept_packs<packs>(team, [&](int j, int64_t at) {
    Pack<T, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k) out.v[k] = T(log ? v[j][k] - last : v[j][k] * last);
    store_elements<V>(y + at, out, aligned);
  });
}

template <bool log, class T, class Team>
__global__ void __launch_bounds__(kBlock, kResident<T>)
    softmax_long_kernel(const Lines lines, bool aligned, const T* x, T* y) {
  using C = Compute<T>;
  constexpr int V = Team::V;
  __shared__ RowStatistics<C> shared[Team::kSlots];
  const Team team(lines);
  const RowStatistics<C> line = row_statistics(team, x, aligned, shared);
  const C last = log ? std::log(line.sum) : C(1) / line.sum;
  for_packs(team, [&](int64_t at) {
    const Pack<T, V> in = load_elements<V>(x + at, aligned);
    Pack<T, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const C v = C(in.v[k]) - line.max;
      out.v[k] = T(log ? v - last : std::exp(v) * last);
    }
    store_elements<V>(y + at, out, aligned);
  });
}

// What a pack of a line adds to the sum of its gradient.
template <bool log, class C, class T, int V>
__device__ inline C gradient_sum(const Pack<T, V>& dy, const Pack<T, V>& y) {
  C sum(0);
#pragma unroll
  for (int k = 0; k < V; ++k) sum += log ? C(dy.v[k]) : C(dy.v[k]) * C(y.v[k]);
  return sum;
}

template <bool log, class C, class T, int V>
__device__ inline Pack<T, V> gradient(const Pack<T, V>& dy, const Pack<T, V>& y, C sum) {
  Pack<T, V> dx;
#pragma unroll
  for (int k = 0; k < V; ++k) {
    const C g(dy.v[k]), v(y.v[k]);
    dx.v[k] = T(log ? g - std::exp(v) * sum : v * (g - sum));
  }
  return dx;
}

template <bool log, class T, class Team, int packs>
__global__ void __launch_bounds__(kBlock, kResident<T>)
    gradient_kernel(const Lines lines, bool aligned, const T* dy, const T* y, T* dx) {
  using C = Compute<T>;
  constexpr int V = Team::V;
  __shared__ C shared[Team::kSlots];
  const Team team(lines);
  Pack<T, V> g[packs], v[packs];
  for_kept_packs<packs>(team, [&](int j, int64_t at) {
    g[j] = load_elements<V>(dy + at, aligned);
    v[j] = load_elements<V>(y + at, aligned);
  });
  C sum(0);
  for_kept_packs<packs>(team, [&](int j, int64_t) { sum += gradient_sum<log, C>(g[j], v[j]); });
  sum = team.all_reduce(Total<C>{}, sum, shared);
  for_kept_packs<packs>(team, [&](int j, int64_t at) {
    store_elements<V>(dx + at, gradient<log>(g[j], v[j], sum), aligned);
  });
}

template <bool log, class T, class Team>
__global__ void __launch_bounds__(kBlock, kResident<T>)
    gradient_long_kernel(const Lines lines, bool aligned, const T* dy, const T* y, T* dx) {
  using C = Compute<T>;
  constexpr int V = Team::V;
  __shared__ C shared[Team::kSlots];
  const Team team(lines);
  C sum(0);
  for_packs(team, [&](int64_t at) {
    sum +=
        gradient_sum<log, C>(load_elements<V>(dy + at, aligned), load_elements<V>(y + at, aligned));
  });
  sum = team.all_reduce(Total<C>{}, sum, shared);
  for_packs(team, [&](int64_t at) {
    const auto g = load_elements<V>(dy + at, aligned), v = load_elements<V>(y + at, aligned);
    store_elements<V>(dx + at, gradient<log>(g, v, sum), aligned);
  });
}

// kernels: few long lines

template <class T>
struct LineSum : RowSum<T> {
  RowStatistics<Compute<T>>* lines;
  __device__ void finish(int64_t line, const RowStatistics<Compute<T>>& acc) const {
    lines[line] = checked(acc);
  }
};

template <bool log, class T, int V>
__global__ void __launch_bounds__(kBlock)
    stretch_kernel(const Stretches stretches, bool aligned, const T* x,
                   const RowStatistics<Compute<T>>* lines, T* y) {
  using C = Compute<T>;
  const RowStatistics<C> line = lines[stretches.row()];
  const int64_t base = stretches.row() * stretches.columns;
  const C last = log ? std::log(line.sum) : C(1) / line.sum;
  Pack<T, V> in[Stretches::kPacks];
  stretches.for_packs<V>(
      [&](int j, int64_t at) { in[j] = load_elements<V>(x + base + at, aligned); });
  stretches.for_packs<V>([&](int j, int64_t at) {
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const C v = C(in[j].v[k]) - line.max;
      in[j].v[k] = T(log ? v - last : std::exp(v) * last);
    }
    store_elements<V>(y + base + at, in[j], aligned);
  });
}

// The sum of a line's gradient (for cuda/channel_sums.cuh).
template <bool log, class T>
struct GradientSum : Total<Compute<T>> {
  using C = Compute<T>;
  using Part = C;
  const T *dy, *y;
  C* sums;

  __device__ Part begin(int64_t) const { return C(0); }
  template <int V, int K>
  __device__ void add(Part& part, const int64_t (&at)[K], int taken, bool aligned) const {
    Pack<T, V> g[K], v[K];
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (k < taken) {
        g[k] = load_elements<V>(dy + at[k], aligned);
        if (!log) v[k] = load_elements<V>(y + at[k], aligned);
      }
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (k < taken) part += gradient_sum<log, C>(g[k], log ? g[k] : v[k]);
  }
  __device__ C total(const Part& part) const { return part; }
  __device__ C init() const { return C(0); }
  __device__ void finish(int64_t line, C sum) const { sums[line] = sum; }
};

template <bool log, class T, int V>
__global__ void __launch_bounds__(kBlock)
    gradient_stretch_kernel(const Stretches stretches, bool aligned, const T* dy, const T* y,
                            const Compute<T>* sums, T* dx) {
  const Compute<T> sum = sums[stretches.row()];
  const int64_t base = stretches.row() * stretches.columns;
  Pack<T, V> g[Stretches::kPacks], v[Stretches::kPacks];
  stretches.for_packs<V>([&](int j, int64_t at) {
    g[j] = load_elements<V>(dy + base + at, aligned);
    v[j] = load_elements<V>(y + base + at, aligned);
  });
  stretches.for_packs<V>([&](int j, int64_t at) {
    store_elements<V>(dx + base + at, gradient<log>(g[j], v[j], sum), aligned);
  });
}

// launchers

// How many elements of each of `tensors` a thread keeps: 128 bytes in the type of the arithmetic.
template <class T, int tensors>
inline constexpr int kMost = static_cast<int>(128 / sizeof(Compute<T>) / tensors);
inline constexpr int kFew = 8;

// Calls f(team, packs) with a team for lines of this length, as a type in Type<...>, and with how
// many packs each of its threads keeps: 0 if the line is too long for registers.
template <int most, int V, class F>
void with_row_team(int64_t n, F f) {
  using Few = std::integral_constant<int, kFew / V>;
  using Most = std::integral_constant<int, most / V>;
  if (n <= 8 * kFew) return f(Type<RowTeam<8, V>>{}, Few{});
  if (n <= kWarp * kFew) return f(Type<RowTeam<kWarp, V>>{}, Few{});
  if (n <= kWarp * most) return f(Type<RowTeam<kWarp, V>>{}, Most{});
  if (n <= kBlock * kFew) return f(Type<RowTeam<kBlock, V>>{}, Few{});
  if (n <= kBlock * most) return f(Type<RowTeam<kBlock, V>>{}, Most{});
  f(Type<RowTeam<kBlock, V>>{}, std::integral_constant<int, 0>{});
}

template <class T, int most, class F>
void with_team(const Lines& lines, F f) {
  using Most = std::integral_constant<int, most>;
  if (lines.inner > 1) {
    if (lines.n <= most) return f(Type<ColumnTeam<1>>{}, Most{});
    if (lines.n <= 8 * most) return f(Type<ColumnTeam<8>>{}, Most{});
    return f(Type<ColumnTeam<8>>{}, std::integral_constant<int, 0>{});
  }
  if (lines.n % kVector<T> == 0) return with_row_team<most, kVector<T>>(lines.n, f);
  with_row_team<most, 1>(lines.n, f);
}

template <bool log, class T, int V>
void run_shared(const Context& context, const Lines& lines, bool aligned, const T* x, T* y) {
  using Line = RowStatistics<Compute<T>>;
  const Scratch sums(context, sizeof(Line) * static_cast<size_t>(lines.count));
  sum_channels<V>(context, 1, lines.count, lines.n, aligned, LineSum<T>{{x}, sums.as<Line>()});
  const Stretches stretches = Stretches::of<V>(lines.n);
  launch(context, stretch_kernel<log, T, V>, stretches.grid(lines.count), dim3(kBlock), stretches,
         aligned, x, sums.as<Line>(), y);
}

template <bool log, class T, int V>
void run_shared_gradient(const Context& context, const Lines& lines, bool aligned, const T* dy,
                         const T* y, T* dx) {
  using C = Compute<T>;
  const Scratch sums(context, sizeof(C) * static_cast<size_t>(lines.count));
  sum_channels<V>(context, 1, lines.count, lines.n, aligned,
                  GradientSum<log, T>{{}, dy, y, sums.as<C>()});
  const Stretches stretches = Stretches::of<V>(lines.n);
  launch(context, gradient_stretch_kernel<log, T, V>, stretches.grid(lines.count), dim3(kBlock),
         stretches, aligned, dy, y, sums.as<C>(), dx);
}

template <bool log, class T>
void run_softmax(const Context& context, const Lines& lines, const T* x, T* y) {
  if (lines.count == 0 || lines.n == 0) return;
  const bool aligned = is_aligned(x, 16) && is_aligned(y, 16);
  if (lines.inner == 1 && shares_rows(lines.count, lines.n))
    return with_shared_width<T>(
        lines.n, [&](auto v) { run_shared<log, T, v()>(context, lines, aligned, x, y); });
  with_team<T, kMost<T, 1>>(lines, [&](auto tag, auto packs) {
    using Team = typename decltype(tag)::type;
    const auto go = [&](auto kernel) {
      launch(context, kernel, Team::shape(lines), lines, aligned, x, y);
    };
    if constexpr (packs() > 0)
      go(softmax_kernel<log, T, Team, packs()>);
    else
      go(softmax_long_kernel<log, T, Team>);
  });
}

template <bool log, class T>
void run_gradient(const Context& context, const Lines& lines, const T* dy, const T* y, T* dx) {
  if (lines.count == 0 || lines.n == 0) return;
  const bool aligned = is_aligned(dy, 16) && is_aligned(y, 16) && is_aligned(dx, 16);
  if (lines.inner == 1 && shares_rows(lines.count, lines.n))
    return with_shared_width<T>(lines.n, [&](auto v) {
      run_shared_gradient<log, T, v()>(context, lines, aligned, dy, y, dx);
    });
  with_team<T, kMost<T, 2>>(lines, [&](auto tag, auto packs) {
    using Team = typename decltype(tag)::type;
    const auto go = [&](auto kernel) {
      launch(context, kernel, Team::shape(lines), lines, aligned, dy, y, dx);
    };
    if constexpr (packs() > 0)
      go(gradient_kernel<log, T, Team, packs()>);
    else
      go(gradient_long_kernel<log, T, Team>);
  });
}

template <class T>
void softmax_launch(const Context& context, bool log, int64_t outer, int64_t n, int64_t inner,
                    const void* x, void* y) {
  const Lines lines{outer * inner, n, inner};
  if (log)
    run_softmax<true, T>(context, lines, static_cast<const T*>(x), static_cast<T*>(y));
  else
    run_softmax<false, T>(context, lines, static_cast<const T*>(x), static_cast<T*>(y));
}

template <class T>
void gradient_launch(const Context& context, bool log, int64_t outer, int64_t n, int64_t inner,
                     const void* dy, const void* y, void* dx) {
  const Lines lines{outer * inner, n, inner};
  if (log)
    run_gradient<true>(context, lines, static_cast<const T*>(dy), static_cast<const T*>(y),
                       static_cast<T*>(dx));
  else
    run_gradient<false>(context, lines, static_cast<const T*>(dy), static_cast<const T*>(y),
                        static_cast<T*>(dx));
}

}  // namespace

void register_softmax(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<softmax_forward>(dtype_of<T>::value, softmax_launch<T>);
    registry.add<softmax_backward>(dtype_of<T>::value, gradient_launch<T>);
  });
}

}  // namespace fastdl::cuda
