// Softmax and its logarithm along one dimension.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// x[outer, n, inner], contiguous, along the middle dimension; the maximum is subtracted first.
FASTDL_KERNEL(softmax_forward, bool log, int64_t outer, int64_t n, int64_t inner, const void* x,
              void* y);
// dx = y * (dy - sum(dy * y)), or for the logarithm dy - exp(y) * sum(dy).
FASTDL_KERNEL(softmax_backward, bool log, int64_t outer, int64_t n, int64_t inner, const void* dy,
              const void* y, void* dx);

Tensor softmax(const Tensor& x, int64_t dim);
Tensor log_softmax(const Tensor& x, int64_t dim);

}  // namespace fastdl
