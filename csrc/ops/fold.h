// Windows of images as columns (im2col), and sums of such columns (col2im).
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"
#include "core/shape.h"

namespace fastdl {

struct FoldShape {
  int64_t batch, h, w;  // of y
  int64_t p, q;         // windows in each direction
  int64_t kernel_h, kernel_w, dilation_h, dilation_w, pad_h, pad_w, stride_h, stride_w;
  // Strides of x, in elements: of the batch, of a place in the window, of the window.
  int64_t x_batch, x_row, x_column, x_p, x_q;
};

// y[b, h, w] = sum over the windows that cover it, in the order of the place that it has in them, of
// x[b, place, window]; y is contiguous. 16-bit floats accumulate in float.
FASTDL_KERNEL(fold_forward, const FoldShape& shape, const void* x, void* y);

struct FoldOptions {  // of height and width
  int64_t kernel[2], dilation[2], padding[2], stride[2];
};

// [N, C, H, W] or [C, H, W] to [N, C * kernel, windows], and sums back.
Tensor unfold(const Tensor& x, const FoldOptions& options);
Tensor fold(const Tensor& x, int64_t height, int64_t width, const FoldOptions& options);

// Windows of `size` elements of one dimension, as a last dimension: a view.
Tensor unfold_dim(const Tensor& x, int64_t dim, int64_t size, int64_t step);

}  // namespace fastdl
