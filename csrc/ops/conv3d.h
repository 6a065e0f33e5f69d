// Three-dimensional convolution as one of two dimensions: a frame of the result sees as many frames
// of x as the kernel is deep, and side by side they are the channels of an image.
#pragma once

#include "core/kernel.h"
#include "ops/conv.h"

namespace fastdl {

// x[n, c, frames, plane] and columns[n, outputs, c, taps, plane], where tap t of output f is frame
// f * stride - pad + t * dilation.
struct FrameShape {
  int64_t n, c, frames, plane;
  int64_t outputs, taps;
  int64_t stride, pad, dilation;
};

// The frames that each output sees, zeros beyond the first and the last.
FASTDL_KERNEL(frames_gather, const FrameShape& shape, const void* x, void* columns);
// Its adjoint: x[f] is the sum, in the order of the taps, of bias[c], which may be null, and those
// of the columns that are frame f.
FASTDL_KERNEL(frames_sum, const FrameShape& shape, const void* columns, const void* bias, void* x);

// Batches only. x and weight fit (ops/conv.h).
Tensor conv3d(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& o);
Tensor conv3d_input_grad(const char* op, const Tensor& dy, const Tensor& weight, const Tensor& bias,
                         const Dims& x_shape, const ConvOptions& o);

}  // namespace fastdl
