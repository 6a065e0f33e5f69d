// Running sums and products along a dimension.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

enum class Scan : int { sum, prod };

// y[o, i, k] = op over j <= i (j >= i where `reverse`) of the contiguous x[o, j, k]. Floating dtypes,
// int32 and int64, which wrap around; 16-bit floats accumulate in float.
FASTDL_KERNEL(scan_forward, Scan op, bool reverse, int64_t outer, int64_t n, int64_t inner,
              const void* x, void* y);

Tensor cumsum(const Tensor& x, int64_t dim);
Tensor cumprod(const Tensor& x, int64_t dim);

}  // namespace fastdl
