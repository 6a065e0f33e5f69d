// Local response normalisation across channels (Krizhevsky, Sutskever and Hinton, 2012).
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// x[n, c, inner], contiguous. The window of channel i is [i - before, i + after], as far as it exists.
struct ResponseShape {
  int64_t n, c, inner;
  int64_t before, after;
  double alpha, beta, k;  // alpha is already divided by the size of the window
};

// y = x / s^beta with s = k + alpha * (sum of x^2 over the window).
FASTDL_KERNEL(local_response_forward, const ResponseShape& shape, const void* x, void* y);
// dx = dy / s^beta - 2 alpha beta x * (sum of dy x / s^(beta + 1) over the channels whose window has
// this one).
FASTDL_KERNEL(local_response_backward, const ResponseShape& shape, const void* x, const void* dy,
              void* dx);

// Of x[N, C, ...]; the window has `size` channels, size / 2 of them before its own.
Tensor local_response_norm(const Tensor& x, int64_t size, double alpha, double beta, double k);

}  // namespace fastdl
