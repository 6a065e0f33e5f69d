// Elementwise functions of one tensor.
//
// One line of the table is one function on every device, its gradient and its second gradient:
//
//   F(name, doc, value in x, gradient in g, x and y = name(x))
//   G(name, parameters in Python, in C++, as arguments, doc, value, gradient)  also in a and b
//
// The doc reads on after "Elementwise"; where it is empty, the function table has a row of its own. The
// two formulas are compiled over Vec<float> by the CPU kernels, over float by the CUDA kernels and, the
// second one, over Tensor by autograd where a further derivative is wanted. They may use + - * /,
// comparisons, numbers, select(condition, a, b) and the functions of the table.
#pragma once

#include <optional>

#include "core/fwd.h"
#include "core/kernel.h"
#include "core/numbers.h"
#include "core/strided.h"

// clang-format off
#define FASTDL_UNARY(F)                                                   \
  F(neg, "-x",                                                            \
    -x, -g)                                                               \
  F(abs, "|x|; its gradient at 0 is 0",                                   \
    select(x <= 0, 0 - x, x), select(x > 0, g, select(x < 0, -g, 0)))     \
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
  F(floor, "the largest whole number that is not above x; its gradient is 0", \
    floor(x), g * 0)                                                      \
  F(ceil, "the smallest whole number that is not below x; its gradient is 0", \
    ceil(x), g * 0)                                                       \
  F(round, "the nearest whole number, of two the even one; its gradient is 0", \
    round(x), g * 0)                                                      \
  F(trunc, "the whole number next to x towards 0; its gradient is 0",     \
    trunc(x), g * 0)                                                      \
  F(exp, "e to the power x",                                              \
    exp(x), g * y)                                                        \
  F(exp2, "2 to the power x",                                             \
    exp2(x), g * y * 0.69314718055994531)                                 \
  F(expm1, "exp(x) - 1, exact for small x",                               \
    expm1(x), g * (y + 1))                                                \
  F(log, "the natural logarithm; -inf at 0, NaN below",                   \
    log(x), g / x)                                                        \
  F(log2, "the logarithm to base 2; -inf at 0, NaN below",                \
    log2(x), g * 1.4426950408889634 / x)                                  \
  F(log10, "the logarithm to base 10; -inf at 0, NaN below",              \
    log10(x), g * 0.43429448190325183 / x)                                \
  F(log1p, "log(1 + x), exact for small x",                               \
    log1p(x), g / (1 + x))                                                \
  F(sin, "the sine of x in radians",                                      \
    sin(x), g * cos(x))                                                   \
  F(cos, "the cosine of x in radians",                                    \
    cos(x), -g * sin(x))                                                  \
  F(tan, "the tangent of x in radians",                                   \
    tan(x), g * (1 + y * y))                                              \
  F(asin, "the angle whose sine is x; NaN beyond -1 and 1",               \
    asin(x), g / sqrt((1 - x) * (1 + x)))                                 \
  F(acos, "the angle whose cosine is x; NaN beyond -1 and 1",             \
    acos(x), -g / sqrt((1 - x) * (1 + x)))                                \
  F(atan, "the angle whose tangent is x",                                 \
    atan(x), g / (1 + x * x))                                             \
  F(sinh, "the hyperbolic sine",                                          \
    sinh(x), g * cosh(x))                                                 \
  F(cosh, "the hyperbolic cosine",                                        \
    cosh(x), g * sinh(x))                                                 \
  F(tanh, "the hyperbolic tangent",                                       \
    tanh(x), g * (1 - y * y))                                             \
  F(asinh, "the number whose hyperbolic sine is x",                       \
    asinh(x), g / sqrt(1 + x * x))                                        \
  F(acosh, "the positive number whose hyperbolic cosine is x; NaN below 1", \
    acosh(x), g / sqrt((x - 1) * (x + 1)))                                \
  F(atanh, "the number whose hyperbolic tangent is x; NaN beyond -1 and 1", \
    atanh(x), g / ((1 - x) * (1 + x)))                                    \
  F(erf, "the error function, 2 / sqrt(pi) times the integral of exp(-t^2) from 0 to x", \
    erf(x), g * 1.1283791670955126 * exp(-x * x))                         \
  F(erfc, "1 - erf(x), without its loss of digits for large x",           \
    erfc(x), -g * 1.1283791670955126 * exp(-x * x))                       \
  F(sigmoid, "1 / (1 + exp(-x))",                                         \
    sigmoid(x), g * y * (1 - y))                                          \
  F(logsigmoid, "log(sigmoid(x)), without overflow",                      \
    -softplus(-x), g * sigmoid(-x))                                       \
  F(relu, "max(x, 0), its gradient at 0 being 0 (Nair and Hinton, 2010)", \
    select(x < 0, 0, x), select(y <= 0, 0, g))                            \
  F(relu6, "min(max(x, 0), 6) (Krizhevsky, 2010)",                        \
    select(x < 0, 0, select(x > 6, 6, x)), select(x <= 0, 0, select(x >= 6, 0, g))) \
  F(selu, "1.0507 x above 0, 1.7581 (exp(x) - 1) below (Klambauer et al., 2017)", \
    select(x > 0, 1.0507009873554805 * x, 1.7580993408473768 * expm1(x)), \
    select(x > 0, 1.0507009873554805 * g,                                 \
           1.7580993408473768 * g * exp(select(x > 0, 0, x))))            \
  F(silu, "x sigmoid(x), also called swish (Hendrycks and Gimpel, 2016)", \
    x * sigmoid(x), g * sigmoid(x) * (1 + x * sigmoid(-x)))               \
  F(gelu, "",                                                             \
    0.5 * x * erfc(x * -0.70710678118654752),                             \
    g * (0.5 * erfc(x * -0.70710678118654752) + 0.39894228040143268 * x * exp(-0.5 * x * x))) \
  F(gelu_tanh, "",                                                        \
    0.5 * x * (1 + tanh(x * (0.79788456080286536 + 0.035677408136300125 * x * x))), \
    g * (0.5 * (1 + tanh(x * (0.79788456080286536 + 0.035677408136300125 * x * x))) + \
         0.5 * x * (0.79788456080286536 + 0.10703222440890037 * x * x) *  \
         (1 - square(tanh(x * (0.79788456080286536 + 0.035677408136300125 * x * x)))))) \
  F(mish, "x tanh(-logsigmoid(-x)) (Misra, 2019)",                            \
    x * tanh(-logsigmoid(-x)),                                                \
    g * (tanh(-logsigmoid(-x)) + x * sigmoid(x) * (1 - square(tanh(-logsigmoid(-x)))))) \
  F(softsign, "x / (1 + |x|) (Bergstra et al., 2009)",                    \
    x / (1 + abs(x)), g / square(1 + abs(x)))                             \
  F(tanhshrink, "x - tanh(x)",                                            \
    x - tanh(x), g * square(tanh(x)))                                     \
  F(hardswish, "x relu6(x + 3) / 6 (Howard et al., 2019)",                \
    x * (relu6(x + 3) / 6),                                               \
    select(x <= -3, 0, select(x >= 3, g, g * (x / 3 + 0.5))))

#define FASTDL_UNARY_WITH_NUMBERS(G)                                      \
  G(leaky_relu, "negative_slope: float = 0.01", (double a), (a, 0),       \
    "x above 0, negative_slope * x below (Maas, Hannun and Ng, 2013)",    \
    select(x > 0, x, a * x), select(x > 0, g, a * g))                     \
  G(elu, "alpha: float = 1.0", (double a), (a, 0),                        \
    "x above 0, alpha * (exp(x) - 1) below (Clevert, Unterthiner and Hochreiter, 2015)", \
    select(x > 0, x, a * expm1(x)), select(x > 0, g, a * g * exp(select(x > 0, 0, x)))) \
  G(celu, "alpha: float = 1.0", (double a), (a, 0),                       \
    "x above 0, alpha * (exp(x / alpha) - 1) below (Barron, 2017)",       \
    select(x > 0, x, a * expm1(x / a)), select(x > 0, g, g * exp(select(x > 0, 0, x) / a))) \
  G(softplus, "beta: float = 1.0, threshold: float = 20.0", (double a, double b), (a, b), \
    "log(1 + exp(beta * x)) / beta, without overflow (Dugas et al., 2000); x where\nbeta * x is " \
    "above the threshold",                                                \
    select(a * x > b, x, softplus(a * x) / a), select(a * x > b, g, g * sigmoid(a * x))) \
  G(hardtanh, "min_val: float = -1.0, max_val: float = 1.0", (double a, double b), (a, b), \
    "x between two bounds, which take its place outside (Collobert, 2004)", \
    select(x < a, a, select(x > b, b, x)), select(x <= a, 0, select(x >= b, 0, g))) \
  G(hardsigmoid, "alpha: float = 1 / 6, beta: float = 0.5", (double a, double b), (a, b), \
    "min(max(alpha * x + beta, 0), 1) (Courbariaux, Bengio and David, 2015)", \
    select(a * x + b < 0, 0, select(a * x + b > 1, 1, a * x + b)),        \
    select(a * x + b <= 0, 0, select(a * x + b >= 1, 0, a * g)))          \
  G(threshold, "threshold: float, value: float", (double a, double b), (a, b), \
    "x above the threshold, else value",                                  \
    select(x <= a, b, x), select(x <= a, 0, g))                           \
  G(hardshrink, "lambd: float = 0.5", (double a), (a, 0),                 \
    "x beyond -lambd and lambd, 0 between",                               \
    select(abs(x) <= a, 0, x), select(abs(x) <= a, 0, g))                 \
  G(softshrink, "lambd: float = 0.5", (double a), (a, 0),                 \
    "x drawn towards 0 by lambd, 0 between -lambd and lambd (Donoho, 1995)", \
    select(x > a, x - a, select(x < -a, x + a, x * 0)),                   \
    select(x > a, g, select(x < -a, g, 0)))                               \
  G(clip, "", (double a, double b), (a, b), "",                           \
    select(x < a, a, select(x > b, b, x)), select(x < a, 0, select(x > b, 0, g)))
// clang-format on

// Every row of both tables, given to the macro F that is defined where this stands.
#define FASTDL_UNARY_ALL FASTDL_UNARY(F) FASTDL_UNARY_WITH_NUMBERS(FASTDL_UNARY_AS_F)
#define FASTDL_UNARY_AS_F(name, python, parameters, arguments, doc, value, gradient) \
  F(name, doc, value, gradient)

namespace fastdl {

enum class Unary : int {
#define F(name, doc, value, gradient) name,
  FASTDL_UNARY_ALL
#undef F
};

constexpr bool takes_integers(Unary op) {
  switch (op) {
    case Unary::neg:
    case Unary::abs:
    case Unary::sign:
    case Unary::square:
    case Unary::floor:
    case Unary::ceil:
    case Unary::round:
    case Unary::trunc:
    case Unary::relu:
    case Unary::relu6: return true;
    default: return false;
  }
}

// y = op(x). Floating dtypes; where takes_integers(op), also int32, int64 and uint8.
FASTDL_KERNEL(unary_forward, Unary op, Numbers numbers, const Strided<2>& walk, const void* x,
              void* y);
// dx = the table's gradient. Operands in the order of the arguments. Floating dtypes.
FASTDL_KERNEL(unary_backward, Unary op, Numbers numbers, const Strided<4>& walk, const void* g,
              const void* x, const void* y, void* dx);

Tensor unary(Unary op, const Tensor& x, Numbers numbers = {});
Tensor unary_(Unary op, const Tensor& x, Numbers numbers = {});  // in place

#define F(name, doc, value, gradient) Tensor name(const Tensor& x);
FASTDL_UNARY(F)
#undef F
#define G(name, python, parameters, arguments, doc, value, gradient) \
  Tensor name(const Tensor& x, FASTDL_UNWRAP parameters);
#define FASTDL_UNWRAP(...) __VA_ARGS__
FASTDL_UNARY_WITH_NUMBERS(G)
#undef G

// Between two bounds, of which either may be missing. Every dtype but bool.
Tensor clamp(const Tensor& x, std::optional<double> low, std::optional<double> high);
Tensor logical_not(const Tensor& x);
Tensor isnan(const Tensor& x);
Tensor isinf(const Tensor& x);
Tensor isfinite(const Tensor& x);

}  // namespace fastdl
