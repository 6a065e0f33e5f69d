// Cross entropy of rows of logits, fused. Forward reads x once: maximum and sum of exponentials
// together (cuda/softmax_row.cuh), by several blocks a row where there are few long ones. Backward is
// elementwise, a team of threads walking along a row, or blocks its stretches.
#include "ops/loss.h"

#include "core/dtype.h"
#include "cuda/register.h"
#include "cuda/softmax_row.cuh"

namespace fastdl::cuda {
namespace {

// kernels

template <class T>
struct Losses {
  const int64_t* target;
  int64_t ignored;
  T *loss, *lse;

  // x[target] is taken relative to the maximum, where rounding hurts least.
  __device__ void store(int64_t row, const T* x, const RowStatistics<T>& line) const {
    const T log_sum = std::log(line.sum);
    lse[row] = line.max + log_sum;
    const int64_t t = target[row];
    loss[row] = t == ignored ? T(0) : log_sum - (x[t] - line.max);
  }
};

// Of few long rows (for cuda/channel_sums.cuh).
template <class T>
struct LossSum : RowSum<T> {
  int64_t classes;
  Losses<T> losses;
  __device__ void finish(int64_t row, const RowStatistics<T>& acc) const {
    losses.store(row, this->x + row * classes, checked(acc));
  }
};

template <class T, class Team>
__global__ void __launch_bounds__(kBlock, kResident<T>)
    cross_entropy_kernel(const Lines lines, bool aligned, const T* x, const Losses<T> losses) {
  __shared__ RowStatistics<T> shared[Team::kSlots];
  const Team team(lines);
  const RowStatistics<T> line = row_statistics(team, x, aligned, shared);
  if (team.n == 0 || !team.leads()) return;
  losses.store(team.base / lines.n, x + team.base, line);
}

template <class T, class Team>
__global__ void __launch_bounds__(kBlock, kResident<T>)
    gradient_kernel(const Lines lines, bool aligned, const T* x, const int64_t* target,
                    int64_t ignored, const T* lse, const T* dloss, int64_t dloss_stride, T* dx) {
  constexpr int V = Team::V;
  const Team team(lines);
  if (team.n == 0) return;
  const int64_t row = team.base / lines.n, hit = team.base + target[row];
  const bool counts = target[row] != ignored;
  const T g = dloss[row * dloss_stride], log_sum = lse[row];
  for_packs(team, [&](int64_t at) {
    const Pack<T, V> in = load_elements<V>(x + at, aligned);
    Pack<T, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k)
      out.v[k] = counts ? (std::exp(in.v[k] - log_sum) - static_cast<T>(at + k == hit)) * g : T(0);
    store_elements<V>(dx + at, out, aligned);
  });
}

template <class T, int V>
__global__ void __launch_bounds__(kBlock)
    gradient_stretch_kernel(const Stretches stretches, bool aligned, const T* x,
                            const int64_t* target, int64_t ignored, const T* lse, const T* dloss,
                            int64_t dloss_stride, T* dx) {
  const int64_t row = stretches.row(), base = row * stretches.columns, hit = target[row];
  const bool counts = hit != ignored;
  const T g = dloss[row * dloss_stride], log_sum = lse[row];
  Pack<T, V> in[Stretches::kPacks];
  stretches.for_packs<V>(
      [&](int j, int64_t c) { in[j] = load_elements<V>(x + base + c, aligned); });
  stretches.for_packs<V>([&](int j, int64_t c) {
#pragma unroll
    for (int k = 0; k < V; ++k)
      in[j].v[k] =
          counts ? (std::exp(in[j].v[k] - log_sum) - static_cast<T>(c + k == hit)) * g : T(0);
    store_elements<V>(dx + base + c, in[j], aligned);
  });
}

// launchers

// Calls f with a team for rows of this length, as a type in Type<...>.
template <int V, class F>
void with_row_team(int64_t classes, F f) {
  if (classes <= 64) return f(Type<RowTeam<8, V>>{});
  if (classes <= 1024) return f(Type<RowTeam<kWarp, V>>{});
  f(Type<RowTeam<kBlock, V>>{});
}
template <class T, class F>
void with_team(int64_t classes, F f) {
  if (classes % kVector<T> == 0) return with_row_team<kVector<T>>(classes, f);
  with_row_team<1>(classes, f);
}

template <class T>
void cross_entropy_launch(const Context& context, int64_t rows, int64_t classes, const void* x_,
                          const int64_t* target, int64_t ignored, void* loss, void* lse) {
  const Lines lines{rows, classes, 1};
  if (rows == 0) return;
  const T* const x = static_cast<const T*>(x_);
  const Losses<T> losses{target, ignored, static_cast<T*>(loss), static_cast<T*>(lse)};
  const bool aligned = is_aligned(x, 16);
  if (shares_rows(rows, classes)) {
    const LossSum<T> sum{{x}, classes, losses};
    return with_shared_width<T>(
        classes, [&](auto v) { sum_channels<v()>(context, 1, rows, classes, aligned, sum); });
  }
  with_team<T>(classes, [&](auto tag) {
    using Team = typename decltype(tag)::type;
    launch(context, cross_entropy_kernel<T, Team>, Team::shape(lines), lines, aligned, x, losses);
  });
}

template <class T>
void gradient_launch(const Context& context, int64_t rows, int64_t classes, const void* x,
                     const int64_t* target, int64_t ignored, const void* lse, const void* dloss,
                     int64_t dloss_stride, void* dx) {
  const Lines lines{rows, classes, 1};
  if (rows == 0) return;
  const bool aligned = is_aligned(x, 16) && is_aligned(dx, 16);
  if (shares_rows(rows, classes))
    return with_shared_width<T>(classes, [&](auto v) {
      const Stretches stretches = Stretches::of<v()>(classes);
      launch(context, gradient_stretch_kernel<T, v()>, stretches.grid(rows), dim3(kBlock),
             stretches, aligned, static_cast<const T*>(x), target, ignored,
             static_cast<const T*>(lse), static_cast<const T*>(dloss), dloss_stride,
             static_cast<T*>(dx));
    });
  with_team<T>(classes, [&](auto tag) {
    using Team = typename decltype(tag)::type;
    launch(context, gradient_kernel<T, Team>, Team::shape(lines), lines, aligned,
           static_cast<const T*>(x), target, ignored, static_cast<const T*>(lse),
           static_cast<const T*>(dloss), dloss_stride, static_cast<T*>(dx));
  });
}

}  // namespace

void register_loss(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<cross_entropy_forward>(dtype_of<T>::value, cross_entropy_launch<T>);
    registry.add<cross_entropy_backward>(dtype_of<T>::value, gradient_launch<T>);
  });
}

}  // namespace fastdl::cuda
