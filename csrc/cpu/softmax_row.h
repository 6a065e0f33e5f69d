// The sum of exponentials of a row, which softmax and cross entropy share.
#pragma once

#include "cpu/math.h"
#include "cpu/reduce.h"

namespace fastdl::cpu {

template <class C>
struct RowStatistics {
  C max;  // of the row; NaN if there is one
  C sum;  // of exp(x - max)
};

// `keep(i, m, e)` gets exp(x - max) of elements [i, i + m), m <= the size of a register.
template <class S, class F>
inline RowStatistics<Compute<S>> row_statistics(const S* x, int64_t n, F keep) {
  using C = Compute<S>;
  using V = Vec<C>;
  constexpr C lowest = -std::numeric_limits<C>::infinity();
  if (n <= V::size) {
    const V v = load_pack(x, n, lowest);
    const C max = fold<Max>(v);
    const V e = exp(v - max);
    keep(int64_t{0}, n, e);
    return {max, sum_lanes(e)};
  }
  const C max = fold_row<Max>(x, n);
  Pairwise<Sum, V> pairs;
  for (int64_t i = 0; i < n;) {
    const int64_t end = std::min(n, i + kLeaf<S>);
    V a(C(0)), b(C(0));
    for (; i + 2 * V::size <= end; i += 2 * V::size) {
      const V e = exp(load_pack(x + i) - max), f = exp(load_pack(x + i + V::size) - max);
      keep(i, int64_t{V::size}, e);
      keep(i + V::size, int64_t{V::size}, f);
      a += e;
      b += f;
    }
    for (; i < end; i += V::size) {
      const int64_t m = std::min<int64_t>(V::size, end - i);
      const V e = exp(load_pack(x + i, m, lowest) - max);
      keep(i, m, e);
      a += e;
    }
    i = end;
    pairs.push(a + b);
  }
  return {max, sum_lanes(pairs.result())};
}

template <class C>
inline C scalar_log(C x) {
  return log(Vec<C>(x)).v[0];
}

}  // namespace fastdl::cpu
