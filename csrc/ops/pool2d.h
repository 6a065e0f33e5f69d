// Two-dimensional max and average pooling.
#pragma once

#include <optional>

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// x[planes, h, w] -> y[planes, p, q]; a plane is one channel of one sample.
struct Pool2dShape {
  int64_t planes, h, w, p, q;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  bool count_include_pad;  // average: padding counts in the divisor
};

// index[planes, p, q] = position (row * w + column) of the maximum in its plane: the first of
// equals, or the first NaN; -1 for a window of padding alone, whose maximum is -infinity.
FASTDL_KERNEL(max_pool2d_forward, const Pool2dShape& shape, const void* x, void* y, int64_t* index);
FASTDL_KERNEL(max_pool2d_backward, const Pool2dShape& shape, const void* dy, const int64_t* index,
              void* dx);
FASTDL_KERNEL(avg_pool2d_forward, const Pool2dShape& shape, const void* x, void* y);
FASTDL_KERNEL(avg_pool2d_backward, const Pool2dShape& shape, const void* dy, void* dx);

struct Pool2dOptions {
  int64_t kernel[2], stride[2], padding[2], dilation[2];
  bool ceil_mode, count_include_pad;
};
Tensor max_pool2d(const Tensor& x, const Pool2dOptions& o);
Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& o);

}  // namespace fastdl
