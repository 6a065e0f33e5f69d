// Reading and adding by index.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"
#include "ops/reduce.h"

namespace fastdl {

// *position = that of the first index outside [low, limit), or -1, in the device's memory as all that
// a kernel reads and writes: how ops refuse bad indices before a kernel would follow them.
FASTDL_KERNEL(first_out_of_range, int64_t n, const int64_t* index, int64_t low, int64_t limit,
              int64_t* position);
// For indices whose check nobody waits for: safe[i] = index[i], or `low` where that is outside
// [low, limit). `report` becomes [position, index[position]] where the position is not negative, and
// stays what it is else. On a GPU.
FASTDL_KERNEL(guard_indices, int64_t n, const int64_t* index, int64_t low, int64_t limit,
              const int64_t* position, int64_t* safe, int64_t* report);
// y[i, :] = x[index[i], :], rows of `width` elements. All dtypes.
FASTDL_KERNEL(gather_rows, int64_t count, int64_t width, const void* x, const int64_t* index,
              void* y);
// y[index[i], :] += x[i, :] in the order of i; y[rows, width] comes zeroed. All dtypes
// but bool.
FASTDL_KERNEL(scatter_add_rows, int64_t count, int64_t width, int64_t rows, const void* x,
              const int64_t* index, void* y);
// y[o, j, i] = x[o, index[o, j, i], i]; x[outer, n, inner], y and index [outer, m, inner].
FASTDL_KERNEL(gather_forward, int64_t outer, int64_t n, int64_t m, int64_t inner, const void* x,
              const int64_t* index, void* y);
// y[o, index[o, j, i], i] = op(that, x[o, j, i]) in the order of j; y comes initialised. All dtypes
// but bool; NaN wins in amax and amin.
FASTDL_KERNEL(scatter_reduce_forward, Reduce op, int64_t outer, int64_t n, int64_t m, int64_t inner,
              const void* x, const int64_t* index, void* y);

// Throws IndexRangeError unless all of the contiguous `index` are in [low, limit). Returns the indices
// to use: `index`, or in a captured step on a GPU, which does not wait for the verdict, a copy in
// which all are in range.
[[nodiscard]] Tensor check_index_range(const char* op, const Tensor& index, int64_t limit,
                                       const char* what, int64_t low = 0);
Tensor embedding(const Tensor& index, const Tensor& weight);
Tensor gather(const Tensor& x, int64_t dim, const Tensor& index);
Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
// Of an element of x and the sources that index names it for; without `include_self` of the sources
// alone, where there are any.
Tensor scatter_reduce(const char* op, Reduce reduce, const Tensor& x, int64_t dim,
                      const Tensor& index, const Tensor& src, bool include_self);
Tensor scatter_mean(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                    bool include_self);

}  // namespace fastdl
