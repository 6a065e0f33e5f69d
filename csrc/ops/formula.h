// Operators on Tensors, so that the formulas of the tables in ops/unary.h and ops/binary.h, written
// for numbers, also build the graph of a higher derivative.
#pragma once

#include "core/tensor.h"
#include "ops/binary.h"
#include "ops/common.h"
#include "ops/unary.h"

namespace fastdl {

#define FASTDL_OPERATOR(symbol, name)                                                             \
  inline Tensor operator symbol(const Tensor& a, const Tensor& b) { return name(a, b); }          \
  inline Tensor operator symbol(const Tensor& a, double b) { return name(a, scalar_like(b, a)); } \
  inline Tensor operator symbol(double a, const Tensor& b) { return name(scalar_like(a, b), b); }
FASTDL_OPERATOR(+, add)
FASTDL_OPERATOR(-, sub)
FASTDL_OPERATOR(*, mul)
FASTDL_OPERATOR(/, div)
FASTDL_OPERATOR(<, lt)
FASTDL_OPERATOR(<=, le)
FASTDL_OPERATOR(>, gt)
FASTDL_OPERATOR(>=, ge)
FASTDL_OPERATOR(==, eq)
FASTDL_OPERATOR(!=, ne)
#undef FASTDL_OPERATOR

inline Tensor operator-(const Tensor& a) { return neg(a); }
inline Tensor select(const Tensor& condition, const Tensor& a, const Tensor& b) {
  return where(condition, a, b);
}

inline Tensor select(const Tensor& condition, double a, const Tensor& b) {
  return where(condition, scalar_like(a, b), b);
}
inline Tensor select(const Tensor& condition, const Tensor& a, double b) {
  return where(condition, a, scalar_like(b, a));
}

}  // namespace fastdl
