// The order of elements along a dimension.
#pragma once

#include <array>
#include <optional>

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

struct SortTask {
  int64_t rows, n, k;  // of each row of n elements the first k, k <= n
  bool descending;
  bool ordered;  // false: the k may come in any order
};

// y[r, j] = the j-th of the contiguous x[r, :] in order, and index[r, j] where it was. Equal elements
// keep the order that they have in x; -0 equals 0, and NaN is the largest. All dtypes.
FASTDL_KERNEL(sort_forward, const SortTask& task, const void* x, void* y, int64_t* index);
// y[r, j] = how many of the ascending bounds[r, n] are below v = x[r, j], or with `right` not above
// it; x[r, m]. One row of bounds for all where `shared`.
FASTDL_KERNEL(search_sorted, int64_t rows, int64_t n, int64_t m, bool shared, bool right,
              const void* bounds, const void* x, int64_t* y);

using ValuesAndIndices = std::array<Tensor, 2>;
ValuesAndIndices sort(const Tensor& x, int64_t dim, bool descending);
ValuesAndIndices topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted);
Tensor searchsorted(const Tensor& bounds, const Tensor& x, bool right);
// The lower of two in the middle. `skip_nan`: of those that are numbers, else NaN wins.
ValuesAndIndices median(const char* op, const Tensor& x, int64_t dim, bool keepdim, bool skip_nan);

}  // namespace fastdl
