// Where the elements of normalised rows find their weights and biases. A Shape is RowNormShape of
// ops/layer_norm.h.
#pragma once

#include <algorithm>

#include "cuda/math.cuh"
#include "cuda/reduce.cuh"

namespace fastdl::cuda {

// Division of 0 <= n < 2^52 by multiplication; a 64-bit division is a call of a hundred instructions.
struct LongQuotient {
  int64_t divisor;
  double inverse;
  explicit LongQuotient(int64_t d) : divisor(d), inverse(1 / static_cast<double>(d)) {}
  __device__ int64_t operator()(int64_t n) const {
    const int64_t q = static_cast<int64_t>(static_cast<double>(n) * inverse);
    const int64_t rest = n - q * divisor;  // off by one at most
    return q + (rest >= divisor) - (rest < 0);
  }
};

struct Affine {
  LongQuotient inner;   // elements that share a number: 1, or whole packs of them
  LongQuotient groups;  // rows that differ
  LongQuotient own;     // numbers of a row
  bool vectors;         // inner = 1, and the numbers of a pack are aligned

  template <class Shape>
  Affine(const Shape& s, bool aligned)
      : inner(s.inner), groups(s.groups), own(s.weights_of_row()), vectors(aligned) {}

  // Of the row's first column.
  __device__ int64_t first(int64_t row) const {
    return (row - groups(row) * groups.divisor) * own.divisor;
  }

  // The numbers of V columns from `column` of a row whose first is `first`; p may be null.
  template <int V, class C>
  __device__ Pack<C, V> of(const C* p, int64_t first, int64_t column, C otherwise) const {
    if (p && inner.divisor == 1) return load_elements<V>(p + first + column, vectors);
    const C value = p ? p[first + inner(column)] : otherwise;
    Pack<C, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k) out.v[k] = value;
    return out;
  }
};

// How many elements make a pack: all of them find their weights in neighbours, or in one place.
template <class T, class Shape>
bool has_packs(const Shape& s) {
  return (s.inner == 1 ? s.columns : s.inner) % kVector<T> == 0;
}

}  // namespace fastdl::cuda
