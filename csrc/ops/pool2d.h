// Two-dimensional max and average pooling.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"
#include "core/layout.h"

namespace fastdl {

// x[planes, h, w] -> y[planes, p, q]; a plane is one channel of one sample. With Layout::last (on CUDA
// where channels are whole packs of 16 bytes) the same as x[samples, h, w, channels] -> y[samples, p, q, channels].
struct Pool2dShape {
  int64_t planes, h, w, p, q;
  int64_t kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  bool count_include_pad;  // average: padding counts in the divisor
  double divisor;          // average: of every window; 0: what its elements count
  Layout layout;
  int64_t channels;
};

// Whether the taps of a window can be numbered in bytes, one number being that of no tap.
inline bool has_byte_taps(const Pool2dShape& s) { return s.kernel_h * s.kernel_w < 255; }

// index, like y: which element was the maximum, the first of equals or the first NaN; a window of
// padding alone has none, and its maximum is -infinity. It is the number of the tap, row * kernel_w +
// column, or for none the largest number, as uint8 where has_byte_taps, else int32, or null if nobody
// asks.
FASTDL_KERNEL(max_pool2d_forward, const Pool2dShape& shape, const void* x, void* y, void* index);
FASTDL_KERNEL(max_pool2d_backward, const Pool2dShape& shape, const void* dy, const void* index,
              void* dx);
// The index, of Layout::first, as positions in the plane, row * w + column, or -1.
FASTDL_KERNEL(max_pool2d_positions, const Pool2dShape& shape, const void* index,
              int64_t* positions);
FASTDL_KERNEL(avg_pool2d_forward, const Pool2dShape& shape, const void* x, void* y);
FASTDL_KERNEL(avg_pool2d_backward, const Pool2dShape& shape, const void* dy, void* dx);

struct Pool2dOptions {
  int64_t kernel[2], stride[2], padding[2], dilation[2];
  bool ceil_mode, count_include_pad;
  double divisor = 0;  // as in Pool2dShape
};

// How many windows there are along dimension i of the two, which is `size` long in `x`. Throws
// ArgumentError for padding over half a window and ShapeError for a window larger than its room.
int64_t pooled_size(const char* op, const Tensor& x, int64_t size, const Pool2dOptions& o, int i);

// x is [C, H, W] or [N, C, H, W]. `positions`, if not null, becomes where in its plane each maximum
// lies, row * W + column, or -1 for a window of padding alone; int64.
Tensor max_pool2d(const char* op, const Tensor& x, const Pool2dOptions& o,
                  Tensor* positions = nullptr);
Tensor avg_pool2d(const char* op, const Tensor& x, const Pool2dOptions& o);

}  // namespace fastdl
