// The few operations on gradients that the engine needs. Autograd knows no op by name: the op layer
// fills this in (ops/register.cc).
#pragma once

#include "core/tensor.h"

namespace fastdl {

struct GradientArithmetic {
  Tensor (*add)(const Tensor& a, const Tensor& b);
  void (*add_)(const Tensor& a, const Tensor& b);  // in place
  Tensor (*clone)(const Tensor& x);
  Tensor (*ones_like)(const Tensor& x);
  bool (*has_nan)(const Tensor& x);
};
inline GradientArithmetic gradient_arithmetic;

}  // namespace fastdl
