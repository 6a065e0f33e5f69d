// Two-dimensional convolution (cross-correlation, as in every framework), with groups.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// x[n, c, h, w], weight[k, c / groups, r, s], y[n, k, p, q]
struct Conv2dShape {
  int64_t n, c, h, w;
  int64_t k, r, s;
  int64_t p, q;
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  int64_t groups;
};

// All operands contiguous. `bias` and `dbias` may be null.
FASTDL_KERNEL(conv2d_forward, const Conv2dShape& shape, const void* x, const void* weight,
              const void* bias, void* y);
FASTDL_KERNEL(conv2d_backward_data, const Conv2dShape& shape, const void* dy, const void* weight,
              void* dx);
FASTDL_KERNEL(conv2d_backward_weight, const Conv2dShape& shape, const void* x, const void* dy,
              void* dweight, void* dbias);

struct Conv2dOptions {
  int64_t stride[2], padding[2], dilation[2], groups;
};
Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& o);
// The two gradients are ops of their own: each is linear in both operands, so that their
// derivatives are again these three.
Tensor conv2d_input_grad(const Tensor& dy, const Tensor& weight, const Dims& x_shape,
                         const Conv2dOptions& o);
Tensor conv2d_weight_grad(const Tensor& x, const Tensor& dy, const Dims& weight_shape,
                          const Conv2dOptions& o);

}  // namespace fastdl
