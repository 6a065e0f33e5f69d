// Elementwise functions of one tensor.
//
// One line of the table is one function on every device, its gradient and its second gradient:
//
//   F(name, doc, value in x, gradient in g, x and y = name(x))
//
// The doc reads on after "Elementwise". The two formulas are compiled over Vec<float> by the CPU kernels, over float by the CUDA kernels
// and, the second one, over Tensor by autograd where a further derivative is wanted. They may use
// + - * /, comparisons, numbers, select(condition, a, b) and the functions of the table.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"
#include "core/strided.h"

// clang-format off
#define FASTDL_UNARY(F)                                                   \
  F(neg, "-x",                                                            \
    -x, -g)                                                               \
  F(abs, "|x|; its gradient at 0 is 0",                                   \
    select(x <= 0, 0 - x, x), select(x > 0, g, select(x < 0, -g, 0))) \
  F(sign, "-1, 0 or 1; its gradient is 0",                                \
    sign(x), g * 0)                                                       \
  F(square, "x * x",                                                      \
    x * x, 2 * g * x)                                                     \
  F(reciprocal, "1 / x",                                                  \
    1 / x, -g * y * y)                                                    \
  F(sqrt, "the square root; NaN below 0",                                 \
    sqrt(x), g / (2 * y))                                                 \
  F(rsqrt, "1 / sqrt(x)",                                                 \
    1 / sqrt(x), -0.5 * g * y * y * y)                                    \
  F(exp, "e to the power x",                                              \
    exp(x), g * y)                                                        \
  F(log, "the natural logarithm; -inf at 0, NaN below",                   \
    log(x), g / x)                                                        \
  F(sin, "the sine of x in radians",                                      \
    sin(x), g * cos(x))                                                   \
  F(cos, "the cosine of x in radians",                                    \
    cos(x), -g * sin(x))                                                  \
  F(tanh, "the hyperbolic tangent",                                       \
    tanh(x), g * (1 - y * y))                                             \
  F(sigmoid, "1 / (1 + exp(-x))",                                         \
    sigmoid(x), g * y * (1 - y))                                          \
  F(relu, "max(x, 0), its gradient at 0 being 0 (Nair and Hinton, 2010)", \
    select(x < 0, 0, x), select(y <= 0, 0, g))                        \
  F(softplus, "log(1 + exp(x)), without overflow",                        \
    softplus(x), g * sigmoid(x))
// clang-format on

namespace fastdl {

enum class Unary : int {
#define F(name, doc, value, gradient) name,
  FASTDL_UNARY(F)
#undef F
};

// y = op(x). Floating dtypes; neg, abs, sign, square and relu also int32, int64 and uint8.
FASTDL_KERNEL(unary_forward, Unary op, const Strided<2>& walk, const void* x, void* y);
// dx = the table's gradient. Operands in the order of the arguments. Floating dtypes.
FASTDL_KERNEL(unary_backward, Unary op, const Strided<4>& walk, const void* g, const void* x,
              const void* y, void* dx);

Tensor unary(Unary op, const Tensor& x);

#define F(name, doc, value, gradient) Tensor name(const Tensor& x);
FASTDL_UNARY(F)
#undef F

Tensor logical_not(const Tensor& x);
Tensor isnan(const Tensor& x);
Tensor isfinite(const Tensor& x);

}  // namespace fastdl
