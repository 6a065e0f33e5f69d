// Running sums, products and extremes along a dimension.
#pragma once

#include <array>

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

enum class Scan : int { sum, prod };

// y[o, i, k] = op over j <= i (j >= i where `reverse`) of the contiguous x[o, j, k]. Floating dtypes,
// int32 and int64, which wrap around; 16-bit floats accumulate in float.
FASTDL_KERNEL(scan_forward, Scan op, bool reverse, int64_t outer, int64_t n, int64_t inner,
              const void* x, void* y);
// index[o, i, k] = where the largest (smallest) of x[o, j, k], j <= i, is, and y[o, i, k] that
// element; the last of equals, and of NaN where there is any. All dtypes but bool.
FASTDL_KERNEL(scan_extreme, bool largest, int64_t outer, int64_t n, int64_t inner, const void* x,
              void* y, int64_t* index);

Tensor cumsum(const Tensor& x, int64_t dim);
Tensor cumprod(const Tensor& x, int64_t dim);
// {values, indices}
std::array<Tensor, 2> cummax(const Tensor& x, int64_t dim);
std::array<Tensor, 2> cummin(const Tensor& x, int64_t dim);

}  // namespace fastdl
