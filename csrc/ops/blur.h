// Low-pass filtering of images.
#pragma once

#include "core/fwd.h"

namespace fastdl {

// Every channel of x[N, C, H, W] by the product of [1, 2, 1] / 4 along rows and columns, at every
// stride-th pixel; zeros beyond the border.
Tensor blur2d(const Tensor& x, int64_t stride_h, int64_t stride_w);

}  // namespace fastdl
