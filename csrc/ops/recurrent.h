// What the ops of recurrent layers share.
#pragma once

#include <cstdint>

#include "core/fwd.h"

namespace fastdl {

struct RecurrentShape {
  int64_t t, n, input, hidden;
};
RecurrentShape recurrent_shape(const Tensor& x, const Tensor& h0);  // of x[T, N, I] and h0[N, H]

// The last of y[t, n, hidden] as a tensor of its own; without steps the initial state.
Tensor last_step(const Tensor& y, const Tensor& initial);

// Of operands that may be undefined: what kernels read, and null.
Tensor plain(const Tensor& t);
const void* pointer_or_null(const Tensor& t);
void* mutable_pointer_or_null(const Tensor& t);

}  // namespace fastdl
