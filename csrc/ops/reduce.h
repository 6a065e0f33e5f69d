// Reductions over any set of dimensions.
#pragma once

#include <optional>

#include "core/fwd.h"
#include "core/kernel.h"
#include "core/strided.h"

namespace fastdl {

enum class Reduce : int { sum, prod, amax, amin };

struct ReduceShape {
  Strided<2> kept;     // strides of x, then of y
  Strided<1> reduced;  // strides of x
};

// y[kept] = op over reduced of x. All dtypes but bool. 16-bit floats accumulate in float; sums
// and products run in an order that depends on shape and strides alone. An empty sum is 0, an empty
// product 1; an empty amax is refused above. NaN wins in amax and amin.
FASTDL_KERNEL(reduce_forward, Reduce op, const ReduceShape& shape, const void* x, void* y);
// y[outer, inner] = index of the largest (smallest) along the middle dimension of the contiguous
// x[outer, n, inner]; the first of equals; NaN counts as largest (smallest).
FASTDL_KERNEL(arg_reduce_forward, Reduce op, int64_t outer, int64_t n, int64_t inner, const void* x,
              int64_t* y);

// `dims` empty means all dimensions.
Tensor sum(const Tensor& x, const std::optional<Dims>& dims, bool keepdim);
Tensor mean(const Tensor& x, const std::optional<Dims>& dims, bool keepdim);
Tensor var(const Tensor& x, const std::optional<Dims>& dims, int64_t correction, bool keepdim);
Tensor standard_deviation(const Tensor& x, const std::optional<Dims>& dims, int64_t correction,
                          bool keepdim);
Tensor prod(const Tensor& x, const std::optional<Dims>& dims, bool keepdim);
Tensor norm(const Tensor& x, double p, const std::optional<Dims>& dims, bool keepdim);
Tensor logsumexp(const Tensor& x, const std::optional<Dims>& dims, bool keepdim);
Tensor any(const Tensor& x, const std::optional<Dims>& dims, bool keepdim);
Tensor all(const Tensor& x, const std::optional<Dims>& dims, bool keepdim);
Tensor amax(const Tensor& x, const std::optional<Dims>& dims, bool keepdim);
Tensor amin(const Tensor& x, const std::optional<Dims>& dims, bool keepdim);
Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim);
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim);
Tensor sum_to(const Tensor& x, const Dims& shape);  // undoes a broadcast from `shape`

}  // namespace fastdl
