// Normalisation of rows. Where a team (cuda/softmax_row.cuh) can keep a row in registers it is read
// once: mean, squares about it, result. Longer rows are read twice: once for the moments
// (cuda/moments.cuh), by several blocks where rows are few, and once for the result, by any number of
// blocks.
#include "ops/layer_norm.h"

#include "core/dtype.h"
#include "cuda/moments.cuh"
#include "cuda/register.h"
#include "cuda/row_affine.cuh"
#include "cuda/softmax_row.cuh"

namespace fastdl::cuda {
namespace {

// kernels

template <class T>
struct Normal {
  using C = Compute<T>;
  const T* x;
  const C *weight, *bias;
  T* y;
  C *mean, *rstd;
};

// A row of V elements from column `column` on.
template <int V, class T>
__device__ inline Pack<T, V> normalised(const Pack<T, V>& in, const Affine& affine,
                                        const Normal<T>& p, int64_t first, int64_t column,
                                        Compute<T> mean, Compute<T> rstd) {
  using C = Compute<T>;
  const Pack<C, V> w = affine.of<V>(p.weight, first, column, C(1));
  const Pack<C, V> b = affine.of<V>(p.bias, first, column, C(0));
  Pack<T, V> out;
#pragma unroll
  for (int k = 0; k < V; ++k) out.v[k] = T((C(in.v[k]) - mean) * rstd * w.v[k] + b.v[k]);
  return out;
}

template <class T, class Team, int packs>
__global__ void __launch_bounds__(kBlock)
    normal_kernel(const Lines lines, const __grid_constant__ Affine affine, bool centred,
                  bool aligned, double eps, const __grid_constant__ Normal<T> p) {
  using C = Compute<T>;
  constexpr int V = Team::V;
  __shared__ C shared_sum[Team::kSlots], shared_squares[Team::kSlots];
  const Team team(lines);
  const C count = static_cast<C>(lines.n);
  Pack<T, V> in[packs];
  for_kept_packs<packs>(team,
                        [&](int j, int64_t at) { in[j] = load_elements<V>(p.x + at, aligned); });
  C mean(0);
  if (centred) {
    C sum(0);
    for_kept_packs<packs>(team, [&](int j, int64_t) {
#pragma unroll
      for (int k = 0; k < V; ++k) sum += C(in[j].v[k]);
    });
    mean = team.all_reduce(Total<C>{}, sum, shared_sum) / count;
  }
  C squares(0);
  for_kept_packs<packs>(team, [&](int j, int64_t) {
#pragma unroll
    for (int k = 0; k < V; ++k) squares += (C(in[j].v[k]) - mean) * (C(in[j].v[k]) - mean);
  });
  squares = team.all_reduce(Total<C>{}, squares, shared_squares);
  const C rstd = C(1) / std::sqrt(squares / count + C(eps));
  const int64_t row = Team::own_row();
  const int64_t first = affine.first(row);
  for_kept_packs<packs>(team, [&](int j, int64_t at) {
    store_elements<V>(p.y + at, normalised(in[j], affine, p, first, at - team.base, mean, rstd),
                      aligned);
  });
  if (team.n > 0 && Team::leads()) {
    p.mean[row] = mean;
    p.rstd[row] = rstd;
  }
}

// Moments of rows that are read twice; without `centred` their mean is taken to be 0.
template <class T>
struct RowMoments : ChannelMoments<T> {
  using C = Compute<T>;
  bool centred;
  double eps;
  C *mean, *rstd;

  __device__ void finish(int64_t row, const Moments<double>& a) const {
    const double centre = a.mean * a.mean, variance = a.squares / a.count;
    mean[row] = static_cast<C>(centred ? a.mean : 0.0);
    rstd[row] = static_cast<C>(1 / std::sqrt((centred ? variance : variance + centre) + eps));
  }
};

template <class T, int V>
__global__ void __launch_bounds__(kBlock)
    apply_kernel(const Stretches stretches, const __grid_constant__ Affine affine, bool aligned,
                 const __grid_constant__ Normal<T> p) {
  using C = Compute<T>;
  const int64_t row = stretches.row(), first = affine.first(row), base = row * stretches.columns;
  const C mean = p.mean[row], rstd = p.rstd[row];
  Pack<T, V> in[Stretches::kPacks];
  stretches.for_packs<V>(
      [&](int j, int64_t c) { in[j] = load_elements<V>(p.x + base + c, aligned); });
  stretches.for_packs<V>([&](int j, int64_t c) {
    store_elements<V>(p.y + base + c, normalised(in[j], affine, p, first, c, mean, rstd), aligned);
  });
}

// launchers

template <class T, int V>
void run_forward(const Context& context, const RowNormShape& s, double eps, const Normal<T>& p) {
  using C = Compute<T>;
  const bool aligned = is_aligned(p.x, 16) && is_aligned(p.y, 16);
  const size_t numbers = V * sizeof(C);
  const Affine affine(s, is_aligned(p.weight, numbers) && is_aligned(p.bias, numbers));
  const Lines lines{s.rows, s.columns, 1};
  const auto kept = [&](auto tag, auto packs) {
    using Team = typename decltype(tag)::type;
    launch(context, normal_kernel<T, Team, packs()>, Team::shape(lines), lines, affine, s.centred,
           aligned, eps, p);
  };
  // A thread keeps 8 or 32 elements (16 doubles).
  constexpr int kMany = static_cast<int>(128 / sizeof(C));
  using Few = std::integral_constant<int, 8 / V>;
  using Many = std::integral_constant<int, kMany / V>;
  if (s.columns <= kWarp * 8) return kept(Type<RowTeam<kWarp, V>>{}, Few{});
  if (s.columns <= kWarp * kMany) return kept(Type<RowTeam<kWarp, V>>{}, Many{});
  if (s.columns <= kBlock * 8) return kept(Type<RowTeam<kBlock, V>>{}, Few{});
  if (s.columns <= kBlock * kMany) return kept(Type<RowTeam<kBlock, V>>{}, Many{});
  RowMoments<T> moments{{p.x}, s.centred, eps, p.mean, p.rstd};
  sum_channels<V>(context, 1, s.rows, s.columns, aligned, moments);
  const Stretches stretches = Stretches::of<V>(s.columns);
  launch(context, apply_kernel<T, V>, stretches.grid(s.rows), dim3(kBlock), stretches, affine,
         aligned, p);
}

template <class T>
void forward_launch(const Context& context, const RowNormShape& s, double eps, const void* x,
                    const void* weight, const void* bias, void* y, void* mean, void* rstd) {
  using C = Compute<T>;
  if (s.rows == 0) return;
  const Normal<T> p{static_cast<const T*>(x),    static_cast<const C*>(weight),
                    static_cast<const C*>(bias), static_cast<T*>(y),
                    static_cast<C*>(mean),       static_cast<C*>(rstd)};
  if (has_packs<T>(s))
    run_forward<T, kVector<T>>(context, s, eps, p);
  else
    run_forward<T, 1>(context, s, eps, p);
}

}  // namespace

void register_layer_norm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<row_norm_forward>(dtype_of<T>::value, forward_launch<T>);
  });
}

}  // namespace fastdl::cuda
