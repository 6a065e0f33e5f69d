// Max and average pooling along one, two or three dimensions, on the planes of ops/pool2d.h.
#pragma once

#include <array>

#include "core/fwd.h"

namespace fastdl {

struct PoolOptions {
  int dims;  // how many of the last dimensions are pooled; the arrays hold as many
  int64_t kernel[3], stride[3], padding[3], dilation[3];
  bool ceil_mode, count_include_pad;
  int64_t divisor = 0;  // average: of every window; 0: what its elements count
};

// x is [C, ...S] or [N, C, ...S]. Values, and if `with_indices` where each maximum lies in its
// flattened ...S, as int64, -1 for a window of padding alone; else the second is undefined.
std::array<Tensor, 2> max_pool(const char* op, const Tensor& x, const PoolOptions& o,
                               bool with_indices);
Tensor avg_pool(const char* op, const Tensor& x, const PoolOptions& o);

}  // namespace fastdl
