// Triangles of matrices.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// y[b, i, j] = x[b, i, j] where j - i <= diagonal (`lower`) or j - i >= diagonal, else 0, of the
// contiguous x[batch, m, n]. All dtypes.
FASTDL_KERNEL(triangle_forward, bool lower, int64_t diagonal, int64_t batch, int64_t m, int64_t n,
              const void* x, void* y);

Tensor tril(const Tensor& x, int64_t diagonal);
Tensor triu(const Tensor& x, int64_t diagonal);

}  // namespace fastdl
