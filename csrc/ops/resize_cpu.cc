// Resizing along an axis. Where the axis is not the innermost one, lanes are neighbours of the inner
// dimensions, and an output line is a weighted sum of input lines. Along the innermost axis lanes are
// neighbouring outputs, whose inputs are gathered: outputs of as many taps each form a run, and the
// first taps of a run lie together in memory, then the second ones.
#include <algorithm>

#include "core/dtype.h"
#include "cpu/reduce.h"
#include "cpu/register.h"
#include "ops/resize.h"

namespace fastdl::cpu {
namespace {

// Outputs from first up to last, of `taps` taps each; tap t of output j is at + t * count + j - first.
struct Run {
  int64_t first, count, taps, at;
};

template <class C>
class Runs {
 public:
  Runs(const Context& context, int64_t m, const int64_t* start, const Tap* taps)
      : runs_(context, static_cast<size_t>(m) * sizeof(Run)),
        sources_(context, static_cast<size_t>(start[m]) * sizeof(int32_t)),
        weights_(context, static_cast<size_t>(start[m]) * sizeof(C)) {
    Run* const runs = runs_.template as<Run>();
    int32_t* const source = sources_.template as<int32_t>();
    C* const weight = weights_.template as<C>();
    for (int64_t j = 0, end; j < m; j = end) {
      const int64_t n = start[j + 1] - start[j];
      end = j + 1;
      while (end < m && start[end + 1] - start[end] == n) ++end;
      runs[count_++] = {j, end - j, n, start[j]};
      for (int64_t k = j; k < end; ++k)
        for (int64_t t = 0; t < n; ++t) {
          const Tap& tap = taps[start[k] + t];
          const int64_t to = start[j] + t * (end - j) + k - j;
          source[to] = static_cast<int32_t>(tap.source);
          weight[to] = static_cast<C>(tap.weight);
        }
    }
  }

  void apply(const C* x, C* y) const {
    for (int64_t r = 0; r < count_; ++r) {
      const Run& run = runs_.template as<Run>()[r];
      switch (run.taps) {
        case 0: std::fill_n(y + run.first, run.count, C(0)); break;
        case 1: few<1>(run, x, y); break;
        case 2: few<2>(run, x, y); break;
        case 3: few<3>(run, x, y); break;
        case 4: few<4>(run, x, y); break;
        default: many(run, x, y);
      }
    }
  }

 private:
  template <int K>
  void few(const Run& run, const C* x, C* y) const {
    const int32_t* const source = sources_.template as<int32_t>() + run.at;
    const C* const weight = weights_.template as<C>() + run.at;
    C* const to = y + run.first;
    for (int64_t j = 0; j < run.count; ++j) {
      C sum = weight[j] * x[source[j]];
      for (int64_t t = 1; t < K; ++t)
        sum += weight[t * run.count + j] * x[source[t * run.count + j]];
      to[j] = sum;
    }
  }
  void many(const Run& run, const C* x, C* y) const {
    const int32_t* source = sources_.template as<int32_t>() + run.at;
    const C* weight = weights_.template as<C>() + run.at;
    C* const to = y + run.first;
    for (int64_t j = 0; j < run.count; ++j) to[j] = weight[j] * x[source[j]];
    for (int64_t t = 1; t < run.taps; ++t) {
      source += run.count, weight += run.count;
      for (int64_t j = 0; j < run.count; ++j) to[j] += weight[j] * x[source[j]];
    }
  }

  const Scratch runs_, sources_, weights_;
  int64_t count_ = 0;
};

// The innermost axis: x[outer, n] to y[outer, m].
template <class S>
void resize_rows(const Context& context, const ResizeShape& s, const int64_t* start,
                 const Tap* taps, const S* x, S* y) {
  using C = Compute<S>;
  const Runs<C> runs(context, s.m, start, taps);
  const int64_t grain = std::max<int64_t>(1, kCostlyGrain / (s.m + start[s.m]));
  context.parallel_for(s.outer, grain, [&](int64_t begin, int64_t end) {
    if constexpr (std::is_same_v<S, C>) {
      for (int64_t o = begin; o < end; ++o) runs.apply(x + o * s.n, y + o * s.m);
    } else {
      const Scratch scratch(context, static_cast<size_t>(s.n + s.m) * sizeof(C));
      C *const from = scratch.as<C>(), *const to = from + s.n;
      for (int64_t o = begin; o < end; ++o) {
        load_block(x + o * s.n, 1, s.n, from);
        runs.apply(from, to);
        store_block(to, s.m, y + o * s.m, 1);
      }
    }
  });
}

// y[i] = the sum of weight * x[source, i] for i < inner.
template <class S>
void weighted_lines(int64_t inner, const Tap* first, const Tap* last, const S* x, S* y) {
  using C = Compute<S>;
  using V = Vec<C>;
  for_packs<V>(inner, [&](int64_t i, auto m) {
    V sum(C(0));
    for (const Tap* tap = first; tap < last; ++tap)
      sum += V(static_cast<C>(tap->weight)) * load_pack(x + tap->source * inner + i, m, C(0));
    store_pack(sum, y + i, m);
  });
}

template <class S>
void resize(const Context& context, const ResizeShape& s, const int64_t* start, const Tap* taps,
            const void* x_, void* y_) {
  if (s.outer == 0 || s.m == 0 || s.inner == 0) return;
  const S* const x = static_cast<const S*>(x_);
  S* const y = static_cast<S*>(y_);
  if (s.inner == 1) return resize_rows(context, s, start, taps, x, y);
  const int64_t work = s.inner * (1 + start[s.m] / s.m);
  context.parallel_for(s.outer * s.m, std::max<int64_t>(1, kCheapGrain / work),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t line = begin; line < end; ++line) {
                           const int64_t o = line / s.m, j = line % s.m;
                           weighted_lines(s.inner, taps + start[j], taps + start[j + 1],
                                          x + o * s.n * s.inner, y + line * s.inner);
                         }
                       });
}

}  // namespace

void register_resize(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<resize_axis>(dtype_of<T>::value, resize<T>);
  });
}

}  // namespace fastdl::cpu
