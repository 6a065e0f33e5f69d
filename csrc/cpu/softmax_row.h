// Maxima and sums of exponentials of rows, which softmax and cross entropy share.
//
// A row alone is one long chain of dependent steps: its maximum, the exponentials, their sum. So as
// many rows as a register has lanes take each step together, and their folds end in one register
// with a lane for each row.
#pragma once

#include "cpu/math.h"
#include "cpu/prefetch.h"
#include "cpu/reduce.h"

namespace fastdl::cpu {

// The fold of x[n], lanes kept apart, four registers at a time.
template <class S, class Term, class F>
inline Vec<Compute<S>> fold_terms(int64_t n, Compute<S> identity, Term term, F f) {
  using V = Vec<Compute<S>>;
  constexpr std::integral_constant<int64_t, V::size> all;
  V a[4] = {V(identity), V(identity), V(identity), V(identity)};
  int64_t i = 0;
  for (; i + 4 * V::size <= n; i += 4 * V::size)
    for (int k = 0; k < 4; ++k) a[k] = f(a[k], term(i + k * V::size, all));
  for (int k = 0; k < 3; ++k)
    if (i + V::size <= n) a[k] = f(a[k], term(i, all)), i += V::size;
  if (i < n) a[3] = f(a[3], term(i, n - i));
  return f(f(a[0], a[1]), f(a[2], a[3]));
}

// max[r] and sum[r], the sum of exp(x - max), of 1 <= rows <= Vec::size rows of n >= 1 elements, which
// begin `n` apart. keep(r, i, m, d, e) gets d = x - max and e = exp(d) of elements [i, i + m) of row r.
template <class S, class F>
inline void row_statistics(int64_t rows, int64_t n, const S* x, Compute<S>* max, Compute<S>* sum,
                           F keep) {
  using C = Compute<S>;
  using V = Vec<C>;
  constexpr C lowest = -std::numeric_limits<C>::infinity();
  constexpr int64_t kLeafTerms = 64 * V::size, item = sizeof(S);
  constexpr int64_t kAhead = 16384;  // bytes that are asked for ahead of the row in work
  V part[V::size];
  for (int r = 0; r < V::size; ++r) {
    if (r >= rows) {
      part[r] = V(C(0));
      continue;
    }
    const S* const row = x + r * n;
    part[r] = fold_terms<S>(
        n, lowest, [&](int64_t i, auto m) { return load_pack(row + i, m, lowest); },
        [](V a, V b) { return larger(a, b); });
  }
  store_pack(fold_across(part, [](V a, V b) { return larger(a, b); }), max, rows);
  const auto add = [](V a, V b) { return a + b; };
  for (int64_t r = 0; r < rows; ++r) {
    const S* const row = x + r * n;
    prefetch(row + kAhead / item, n * item);
    const V top(max[r]);
    const auto leaf = [&](int64_t begin, int64_t count) {
      return fold_terms<S>(
          count, C(0),
          [&](int64_t i, auto m) {
            const V d = load_pack(row + begin + i, m, lowest) - top, e = exp_nonpositive(d);
            keep(r, begin + i, m, d, e);
            return e;
          },
          add);
    };
    if (n <= kLeafTerms) {
      part[r] = leaf(0, n);
      continue;
    }
    Pairwise<Sum, V> pairs;
    for (int64_t i = 0; i < n; i += kLeafTerms) pairs.push(leaf(i, std::min(kLeafTerms, n - i)));
    part[r] = pairs.result();
  }
  for (int64_t r = rows; r < V::size; ++r) part[r] = V(C(0));
  store_pack(fold_across(part, add), sum, rows);
}

}  // namespace fastdl::cpu
