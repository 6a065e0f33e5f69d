#include "ops/blur.h"

#include "ops/common.h"
#include "ops/conv.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/shape.h"

namespace fastdl {

Tensor blur2d(const Tensor& x, int64_t stride_h, int64_t stride_w) {
  const int64_t c = x.size(1);
  if (c == 0 || x.size(2) == 0 || x.size(3) == 0)
    throw shape_error("blur2d", "an image has no pixels")
        .show("input", x)
        .remedy("pass images [N, C, H, W] of at least one channel, row and column");
  const Tensor taps = (2 - abs(arange(-1, 2, 1, x.dtype(), x.device()))) / 4;
  const Tensor weight = reshape(taps, {3, 1}) * taps;
  return conv("blur2d", x, expand(reshape(weight, {1, 1, 3, 3}), {c, 1, 3, 3}), {},
              {{stride_h, stride_w}, {1, 1}, {1, 1}, c});
}

}  // namespace fastdl
