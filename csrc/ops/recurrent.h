// What the ops of recurrent layers share.
#pragma once

#include <cstdint>
#include <initializer_list>

#include "core/fwd.h"

namespace fastdl {

struct Operand;

struct RecurrentShape {
  int64_t t, n, input, hidden;
};

// Throws ShapeError, DTypeError or DeviceError unless x is [T, N, I] and the rest fits it: states
// [N, H], weight_ih[gates * H, I], weight_hh[gates * H, H], biases [gates * H] or undefined.
RecurrentShape check_recurrent(const char* op, int64_t gates, const Tensor& x,
                               std::initializer_list<Operand> states, const Tensor& w_ih,
                               const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh);

// The last of y[t, n, hidden] as a tensor of its own; without steps the initial state.
Tensor last_step(const Tensor& y, const Tensor& initial);

// Of operands that may be undefined: what kernels read, and null.
Tensor plain(const Tensor& t);
const void* pointer_or_null(const Tensor& t);
void* mutable_pointer_or_null(const Tensor& t);

}  // namespace fastdl
