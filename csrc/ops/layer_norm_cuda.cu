// Normalisation of rows. A team shares a row (cuda/softmax_row.cuh) and walks along it three times:
// for the mean, for the squares about it, and for the result; the second and third walk mostly hit
// the caches. The gradient takes two walks: two sums, then the result.
#include "ops/layer_norm.h"

#include <algorithm>

#include "core/dtype.h"
#include "cuda/register.h"
#include "cuda/softmax_row.cuh"

namespace fastdl::cuda {
namespace {

constexpr int64_t kWarpColumns = 1024;  // rows up to this length are a warp's

// Where the weights and biases of a row are.
struct Affine {
  Divisor divisor;
  int64_t inner;
  int64_t groups, own;  // rows that differ, and the numbers of each
  bool centred, wide;   // wide: too many columns for 32 bits

  explicit Affine(const RowNormShape& s)
      : divisor(static_cast<uint32_t>(std::min<int64_t>(s.inner, INT32_MAX))),
        inner(s.inner),
        groups(s.groups),
        own(s.weights_of_row()),
        centred(s.centred),
        wide(s.columns > INT32_MAX) {}
  // Of the row's first column.
  __device__ int64_t first(int64_t row) const { return groups > 1 ? row % groups * own : 0; }
  __device__ int64_t number(int64_t column) const {
    return wide ? column / inner : divisor.quotient(static_cast<uint32_t>(column));
  }
};

// kernels

template <class T, class Team>
__global__ void __launch_bounds__(kBlock)
    normal_kernel(const Lines lines, const Affine affine, bool aligned, double eps, const T* x,
                  const Compute<T>* weight, const Compute<T>* bias, T* y, Compute<T>* mean_,
                  Compute<T>* rstd_) {
  using C = Compute<T>;
  constexpr int V = Team::V;
  __shared__ C shared_sum[Team::kSlots], shared_squares[Team::kSlots];
  const Team team(lines);
  const C count = static_cast<C>(lines.n);
  const int64_t first = affine.first(team.n > 0 ? team.base / lines.n : 0);
  C mean(0);
  if (affine.centred) {
    C sum(0);
    for_packs(team, [&](int64_t at) {
      const Pack<T, V> in = load_elements<V>(x + at, aligned);
#pragma unroll
      for (int k = 0; k < V; ++k) sum += C(in.v[k]);
    });
    mean = team.all_reduce(Total<C>{}, sum, shared_sum) / count;
  }
  C squares(0);
  for_packs(team, [&](int64_t at) {
    const Pack<T, V> in = load_elements<V>(x + at, aligned);
#pragma unroll
    for (int k = 0; k < V; ++k) squares += (C(in.v[k]) - mean) * (C(in.v[k]) - mean);
  });
  squares = team.all_reduce(Total<C>{}, squares, shared_squares);
  const C rstd = C(1) / std::sqrt(squares / count + C(eps));
  for_packs(team, [&](int64_t at) {
    const Pack<T, V> in = load_elements<V>(x + at, aligned);
    Pack<T, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const int64_t number = first + affine.number(at - team.base + k);
      const C v = (C(in.v[k]) - mean) * rstd * (weight ? weight[number] : C(1));
      out.v[k] = T(v + (bias ? bias[number] : C(0)));
    }
    store_elements<V>(y + at, out, aligned);
  });
  if (team.n > 0 && Team::leads()) {
    mean_[team.base / lines.n] = mean;
    rstd_[team.base / lines.n] = rstd;
  }
}

template <class T, class Team>
__global__ void __launch_bounds__(kBlock)
    gradient_kernel(const Lines lines, const Affine affine, bool aligned, const T* x, const T* dy,
                    const Compute<T>* mean_, const Compute<T>* rstd_, const Compute<T>* weight,
                    T* dx) {
  using C = Compute<T>;
  constexpr int V = Team::V;
  __shared__ C shared_sum[Team::kSlots], shared_dot[Team::kSlots];
  const Team team(lines);
  const C count = static_cast<C>(lines.n);
  const C mean = team.n > 0 ? mean_[team.base / lines.n] : C(0);
  const C rstd = team.n > 0 ? rstd_[team.base / lines.n] : C(0);
  const int64_t first = affine.first(team.n > 0 ? team.base / lines.n : 0);
  // f(k, the gradient before the scale, the normalised value) for the elements of a pack.
  const auto for_elements = [&](int64_t at, auto f) {
    const Pack<T, V> in = load_elements<V>(x + at, aligned);
    const Pack<T, V> g = load_elements<V>(dy + at, aligned);
#pragma unroll
    for (int k = 0; k < V; ++k)
      f(k, C(g.v[k]) * (weight ? weight[first + affine.number(at - team.base + k)] : C(1)),
        (C(in.v[k]) - mean) * rstd);
  };
  C sum(0), dot(0);
  for_packs(team,
            [&](int64_t at) { for_elements(at, [&](int, C g, C v) { sum += g, dot += g * v; }); });
  sum = affine.centred ? team.all_reduce(Total<C>{}, sum, shared_sum) / count : C(0);
  dot = team.all_reduce(Total<C>{}, dot, shared_dot) / count;
  for_packs(team, [&](int64_t at) {
    Pack<T, V> out;
    for_elements(at, [&](int k, C g, C v) { out.v[k] = T((g - sum - v * dot) * rstd); });
    store_elements<V>(dx + at, out, aligned);
  });
}

// launchers

// Calls f with a team for rows of this length, as a type in Type<...>.
template <class T, class F>
void with_team(const RowNormShape& s, F f) {
  if (s.rows == 0) return;
  const auto wide = [&](auto width) {
    constexpr int V = width();
    if (s.columns <= kWarpColumns) return f(Type<RowTeam<kWarp, V>>{});
    f(Type<RowTeam<kBlock, V>>{});
  };
  if (s.columns % kVector<T> == 0) return wide(std::integral_constant<int, kVector<T>>{});
  wide(std::integral_constant<int, 1>{});
}

template <class T>
void forward_launch(const Context& context, const RowNormShape& s, double eps, const void* x,
                    const void* weight, const void* bias, void* y, void* mean, void* rstd) {
  using C = Compute<T>;
  with_team<T>(s, [&](auto tag) {
    using Team = typename decltype(tag)::type;
    const Lines lines{s.rows, s.columns, 1};
    launch(context, normal_kernel<T, Team>, Team::shape(lines), lines, Affine(s),
           is_aligned(x, 16) && is_aligned(y, 16), eps, static_cast<const T*>(x),
           static_cast<const C*>(weight), static_cast<const C*>(bias), static_cast<T*>(y),
           static_cast<C*>(mean), static_cast<C*>(rstd));
  });
}

// The op makes the gradients of weight and bias of other ops.
template <class T>
void backward_launch(const Context& context, const RowNormShape& s, const void* x, const void* dy,
                     const void* mean, const void* rstd, const void* weight, void* dx, void*,
                     void*) {
  using C = Compute<T>;
  with_team<T>(s, [&](auto tag) {
    using Team = typename decltype(tag)::type;
    const Lines lines{s.rows, s.columns, 1};
    launch(context, gradient_kernel<T, Team>, Team::shape(lines), lines, Affine(s),
           is_aligned(x, 16) && is_aligned(dy, 16) && is_aligned(dx, 16), static_cast<const T*>(x),
           static_cast<const T*>(dy), static_cast<const C*>(mean), static_cast<const C*>(rstd),
           static_cast<const C*>(weight), static_cast<T*>(dx));
  });
}

}  // namespace

void register_layer_norm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<row_norm_forward>(dtype_of<T>::value, forward_launch<T>);
    registry.add<row_norm_backward>(dtype_of<T>::value, backward_launch<T>);
  });
}

}  // namespace fastdl::cuda
