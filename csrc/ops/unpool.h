// The inverse of max pooling as far as there is one: values go back to where maxima lay.
//
// Source: M. D. Zeiler and R. Fergus, Visualizing and understanding convolutional networks, ECCV 2014.
#pragma once

#include <optional>

#include "core/fwd.h"
#include "core/kernel.h"
#include "ops/pool.h"

namespace fastdl {

// y[plane, index[plane, i]] = x[plane, i], of equal indices the last; 0 elsewhere. x and index are
// [planes, count], y is [planes, cells], and indices are in [0, cells). All floating dtypes.
FASTDL_KERNEL(unpool_forward, int64_t planes, int64_t count, int64_t cells, const void* x,
              const int64_t* index, void* y);
// dx[plane, i] = dy[plane, index[plane, i]] where x[plane, i] stayed, else 0.
FASTDL_KERNEL(unpool_backward, int64_t planes, int64_t count, int64_t cells, const void* dy,
              const int64_t* index, void* dx);

// x and index are [C, ...S] or [N, C, ...S], of one shape. `size`, of the ...S of the result, differs
// by less than a stride from what kernel, stride and padding of `o` say.
Tensor max_unpool(const char* op, const Tensor& x, const Tensor& index, const PoolOptions& o,
                  const std::optional<Dims>& size);

}  // namespace fastdl
