// How a tensor of logical shape [N, C, H, W] lies in memory. The shape never says; strides do.
#pragma once

#include <cstdint>

#include "core/dtype.h"
#include "core/fwd.h"

namespace fastdl {

// first: channels before rows and columns, as the shape reads. last: a pixel's channels are neighbours.
enum class Layout : int8_t { first, last };

// Whether the elements lie densely in the layout; the stride of a dimension of size 1 is free, so
// that an image of one channel lies in both.
bool lies_in(Layout layout, const Tensor& x);

// Whether `x` is 4-D, lies in Layout::last, and not in Layout::first too: what an op that has kernels
// for both layouts asks of its input.
bool is_channels_last(const Tensor& x);
Layout layout_of(const Tensor& x);  // last where is_channels_last

Dims strides_in(Layout layout, const Dims& shape);  // last: of a 4-D shape

// Not initialised. `layout` may be last for 4-D shapes only. Throws ShapeError, OutOfMemoryError.
Tensor empty_in(Layout layout, const Dims& shape, DType dtype, const Device& device);
Tensor empty_in(const char* op, Layout layout, const Dims& shape, DType dtype,
                const Device& device);  // errors name the op

}  // namespace fastdl
