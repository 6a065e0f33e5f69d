// Elementwise arithmetic and comparison of two tensors of one dtype, with broadcasting.
//
//   F(name, value in a and b, gradient of a, gradient of b)     in g, a, b and y = name(a, b)
//
// The formulas obey the rules of ops/unary.h; the gradients are summed over broadcast dimensions.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"
#include "core/strided.h"

// clang-format off
// The sum in maximum and minimum is NaN where an operand is.
#define FASTDL_BINARY(F)                                                                  \
  F(add, a + b, g, g)                                                                     \
  F(sub, a - b, g, -g)                                                                    \
  F(mul, a * b, g * b, g * a)                                                             \
  F(div, a / b, g / b, -g * y / b)                                                        \
  F(pow, pow(a, b), select(b == 0, 0, g * b * pow(a, b - 1)),                             \
    select(y == 0, 0, g * y * log(a)))                                                    \
  F(atan2, atan2(a, b), g * b / (a * a + b * b), -g * a / (a * a + b * b))                \
  F(fmod, fmod(a, b), g, -g * trunc(a / b))                                               \
  F(remainder, remainder(a, b), g, -g * floor_divide(a, b))                               \
  F(floor_divide, floor_divide(a, b), g * 0, g * 0)                                       \
  F(maximum, select(a >= b, a, select(a < b, b, a + b)),                                  \
    select(a > b, g, select(a == b, g * 0.5, 0)), select(b > a, g, select(a == b, g * 0.5, 0))) \
  F(minimum, select(a <= b, a, select(a > b, b, a + b)),                                  \
    select(a < b, g, select(a == b, g * 0.5, 0)), select(b < a, g, select(a == b, g * 0.5, 0)))

#define FASTDL_COMPARE(F)  \
  F(eq, a == b)            \
  F(ne, a != b)            \
  F(lt, a < b)             \
  F(le, a <= b)            \
  F(gt, a > b)             \
  F(ge, a >= b)            \
  F(logical_and, (a != 0) & (b != 0)) \
  F(logical_or, (a != 0) | (b != 0))  \
  F(logical_xor, (a != 0) ^ (b != 0))
// clang-format on

namespace fastdl {

enum class Binary : int {
#define F(name, value, ga, gb) name,
  FASTDL_BINARY(F)
#undef F
};
enum class Compare : int {
#define F(name, value) name,
  FASTDL_COMPARE(F)
#undef F
};

// The others answer in float32, as Python's / does.
constexpr bool takes_integers(Binary op) { return op != Binary::div && op != Binary::atan2; }

// y = op(a, b); all dtypes but bool, of integers those where takes_integers(op).
FASTDL_KERNEL(binary_forward, Binary op, const Strided<3>& walk, const void* a, const void* b,
              void* y);
// y = op(a, b) as bool; dispatched on the dtype of a, all dtypes.
FASTDL_KERNEL(compare_forward, Compare op, const Strided<3>& walk, const void* a, const void* b,
              bool* y);
// y = condition ? a : b; all dtypes.
FASTDL_KERNEL(where_forward, const Strided<4>& walk, const bool* condition, const void* a,
              const void* b, void* y);

Tensor binary(Binary op, const Tensor& a, const Tensor& b);
Tensor compare(Compare op, const Tensor& a, const Tensor& b);
Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b);

#define F(name, value, ga, gb) Tensor name(const Tensor& a, const Tensor& b);
FASTDL_BINARY(F)
#undef F
#define F(name, value) Tensor name(const Tensor& a, const Tensor& b);
FASTDL_COMPARE(F)
#undef F

// y += or -= etc.: writes into the storage of a. See autograd/inplace.h for what may be edited.
Tensor binary_(Binary op, const Tensor& a, const Tensor& b);

}  // namespace fastdl
