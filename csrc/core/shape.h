// Shapes and strides: up to kMaxDims int64 in place, and the arithmetic on them, overflow checked.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>

#include "core/strided.h"

namespace fastdl {

struct Dims {
  int n = 0;
  int64_t d[kMaxDims];

  Dims() = default;
  // Element by element: the usual copy, in wide words, would wait for the narrow ones just written.
  Dims(const Dims& o) : n(o.n) {
    for (int i = 0; i < n; ++i) d[i] = o.d[i];
  }
  Dims& operator=(const Dims& o) {
    n = o.n;
    for (int i = 0; i < n; ++i) d[i] = o.d[i];
    return *this;
  }
  Dims(std::initializer_list<int64_t> values) {
    for (int64_t v : values) push(v);
  }
  static Dims filled(int n, int64_t value) {
    Dims out;
    for (int i = 0; i < n; ++i) out.push(value);
    return out;
  }

  int64_t& operator[](int i) { return d[i]; }
  int64_t operator[](int i) const { return d[i]; }
  const int64_t* begin() const { return d; }
  const int64_t* end() const { return d + n; }
  void push(int64_t v);  // throws ShapeError beyond kMaxDims
  void insert(int at, int64_t v);
  void erase(int at);

  friend bool operator==(const Dims& a, const Dims& b) {
    if (a.n != b.n) return false;
    for (int i = 0; i < a.n; ++i)
      if (a.d[i] != b.d[i]) return false;
    return true;
  }
  friend bool operator!=(const Dims& a, const Dims& b) { return !(a == b); }
};

std::string str(const Dims& dims);  // "[2, 3]"

// The number of elements; throws ShapeError on a negative size or where it does not fit in 2^62.
int64_t checked_numel(const char* op, const Dims& shape);
int64_t checked_mul(const char* op, int64_t a, int64_t b);

Dims contiguous_strides(const Dims& shape);
bool is_contiguous(const Dims& shape, const Dims& stride);

// dim in [-ndim, ndim) to [0, ndim); throws IndexRangeError.
int normalize_dim(const char* op, int64_t dim, int ndim);

// The common shape under NumPy's rules; throws ShapeError.
Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b);
// Strides that read a tensor of `shape` and `stride` as the broadcast shape `to`.
Dims broadcast_strides(const Dims& shape, const Dims& stride, const Dims& to);

// Simplifies a walk of N operands over `shape` (see core/strided.h).
template <int N>
Strided<N> make_walk(const Dims& shape, const Dims (&strides)[N]);

}  // namespace fastdl
