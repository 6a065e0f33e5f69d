// Pooling to a given size. The rows of a window are folded into one, a register at a time, and then
// the elements of that row; a maximum that is asked where it lies is looked for one element at a
// time. Threads share out rows of the result, or, for the gradient of a maximum, planes.
#include "ops/adaptive_pool.h"

#include "core/dtype.h"
#include "cpu/reduce.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 32768;  // elements worth a chunk of threads

AdaptiveWindow window_of(const AdaptiveShape& s, int dim, int64_t i) {
  return {i, s.in[dim], s.out[dim]};
}
// That of element i of x over y.
AdaptiveWindow turned_window_of(const AdaptiveShape& s, int dim, int64_t i) {
  return {i, s.out[dim], s.in[dim]};
}

// Calls row(plane, slice, row of the result) for all rows of the result.
template <class F>
void for_rows(const Context& context, const AdaptiveShape& s, F row) {
  const int64_t rows = s.out[0] * s.out[1];
  if (s.planes * rows * s.out[2] == 0) return;
  const int64_t lines = (s.in[0] / s.out[0] + 1) * (s.in[1] / s.out[1] + 1);  // of a window
  const int64_t grain = std::max<int64_t>(1, kWork / (s.out[2] + lines * s.in[2]));
  context.parallel_for(s.planes * rows, grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) row(i / rows, i % rows / s.out[1], i % s.out[1]);
  });
}

template <class S>
void mean(const Context& context, const AdaptiveShape& s, bool turned, const S* x, S* y) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t width = s.in[2];
  const bool kept = width == s.out[2];
  Scratch lengths(context, static_cast<size_t>(width) * sizeof(C));
  C* const length = lengths.as<C>();
  for (int64_t j = 0; turned && j < width; ++j)
    length[j] = static_cast<C>(turned_window_of(s, 2, j).length());
  for_rows(context, s, [&](int64_t plane, int64_t slice, int64_t row) {
    const AdaptiveWindow depth = window_of(s, 0, slice), height = window_of(s, 1, row);
    Scratch scratch(context, static_cast<size_t>(width) * sizeof(C));
    C* const sum = scratch.as<C>();
    std::fill_n(sum, width, C(0));
    for (int64_t d = depth.first; d < depth.last; ++d)
      for (int64_t h = height.first; h < height.last; ++h) {
        const S* const from = x + ((plane * s.in[0] + d) * s.in[1] + h) * width;
        const V share(turned ? C(1) / static_cast<C>(turned_window_of(s, 0, d).length() *
                                                     turned_window_of(s, 1, h).length())
                             : C(1));
        for_packs<V>(width, [&](int64_t j, auto m) {
          store_pack(load_pack(sum + j, m, C(0)) + load_pack(from + j, m, C(0)) * share, sum + j,
                     m);
        });
      }
    S* const to = y + ((plane * s.out[0] + slice) * s.out[1] + row) * s.out[2];
    const C count = turned ? C(1) : static_cast<C>(depth.length() * height.length());
    if (kept)
      return for_packs<V>(width, [&](int64_t j, auto m) {
        store_pack(load_pack(sum + j, m, C(0)) / V(count), to + j, m);
      });
    for (int64_t i = 0; i < s.out[2]; ++i) {
      const AdaptiveWindow across = window_of(s, 2, i);
      C total(0);
      for (int64_t j = across.first; j < across.last; ++j)
        total += turned ? sum[j] / length[j] : sum[j];
      to[i] = S(turned ? total : total / (count * static_cast<C>(across.length())));
    }
  });
}

template <class S>
void maximum_of(const Context& context, const AdaptiveShape& s, const S* x_, S* y, int64_t* index) {
  using C = Compute<S>;
  for_rows(context, s, [&](int64_t plane, int64_t slice, int64_t row) {
    const AdaptiveWindow depth = window_of(s, 0, slice), height = window_of(s, 1, row);
    const S* const x = x_ + plane * s.in[0] * s.in[1] * s.in[2];
    const int64_t to = ((plane * s.out[0] + slice) * s.out[1] + row) * s.out[2];
    for (int64_t i = 0; i < s.out[2]; ++i) {
      const AdaptiveWindow across = window_of(s, 2, i);
      int64_t best_at = (depth.first * s.in[1] + height.first) * s.in[2] + across.first;
      C best = static_cast<C>(x[best_at]);
      for (int64_t d = depth.first; d < depth.last; ++d)
        for (int64_t h = height.first; h < height.last; ++h) {
          const int64_t line = (d * s.in[1] + h) * s.in[2];
          for (int64_t at = line + across.first; at < line + across.last; ++at) {
            const C v = static_cast<C>(x[at]);
            if (v <= best || best != best) continue;
            best = v, best_at = at;  // what is larger, or the first NaN
          }
        }
      y[to + i] = S(best);
      index[to + i] = best_at;
    }
  });
}

template <class S>
void max_grad(const Context& context, const AdaptiveShape& s, const S* dy, const int64_t* index,
              S* dx) {
  using C = Compute<S>;
  const int64_t inputs = s.in[0] * s.in[1] * s.in[2], outputs = s.out[0] * s.out[1] * s.out[2];
  const int64_t grain = std::max<int64_t>(1, kWork / std::max<int64_t>(1, inputs + outputs));
  context.parallel_for(s.planes, grain, [&](int64_t begin, int64_t end) {
    constexpr bool same = std::is_same_v<S, C>;
    Scratch scratch(context, same ? 0 : static_cast<size_t>(inputs) * sizeof(C));
    for (int64_t plane = begin; plane < end; ++plane) {
      C* sum = scratch.as<C>();
      if constexpr (same) sum = dx + plane * inputs;
      std::fill_n(sum, inputs, C(0));
      for (int64_t i = plane * outputs; i < (plane + 1) * outputs; ++i)
        sum[index[i]] += static_cast<C>(dy[i]);
      if constexpr (!same) store_block(sum, inputs, dx + plane * inputs, 1);
    }
  });
}

// launchers

template <class S>
void mean_launch(const Context& context, const AdaptiveShape& s, bool turned, const void* x,
                 void* y) {
  mean(context, s, turned, static_cast<const S*>(x), static_cast<S*>(y));
}

template <class S>
void max_launch(const Context& context, const AdaptiveShape& s, const void* x, void* y,
                int64_t* index) {
  maximum_of(context, s, static_cast<const S*>(x), static_cast<S*>(y), index);
}

template <class S>
void max_grad_launch(const Context& context, const AdaptiveShape& s, const void* dy,
                     const int64_t* index, void* dx) {
  max_grad(context, s, static_cast<const S*>(dy), index, static_cast<S*>(dx));
}

}  // namespace

void register_adaptive_pool(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<adaptive_mean>(dtype_of<T>::value, mean_launch<T>);
    registry.add<adaptive_max>(dtype_of<T>::value, max_launch<T>);
    registry.add<adaptive_max_grad>(dtype_of<T>::value, max_grad_launch<T>);
  });
}

}  // namespace fastdl::cpu
