// Elementwise functions of the bits of two tensors of integers or bools, with broadcasting.
//
//   F(name, value in a and b, which are numbers of one integer type)
#pragma once

#include "core/fwd.h"
#include "core/integers.h"
#include "core/kernel.h"
#include "core/strided.h"

// clang-format off
#define FASTDL_BITWISE(F)                                         \
  F(bitwise_and, a & b)                                           \
  F(bitwise_or, a | b)                                            \
  F(bitwise_xor, a ^ b)                                           \
  F(bitwise_left_shift, integers::left_shift(a, b))               \
  F(bitwise_right_shift, integers::right_shift(a, b))
// clang-format on

namespace fastdl {

enum class Bitwise : int {
#define F(name, value) name,
  FASTDL_BITWISE(F)
#undef F
};

// y = op(a, b); int32, int64, uint8, bool.
FASTDL_KERNEL(bitwise_forward, Bitwise op, const Strided<3>& walk, const void* a, const void* b,
              void* y);

Tensor bitwise(Bitwise op, const Tensor& a, const Tensor& b);
Tensor bitwise_not(const Tensor& x);

#define F(name, value) Tensor name(const Tensor& a, const Tensor& b);
FASTDL_BITWISE(F)
#undef F

}  // namespace fastdl
