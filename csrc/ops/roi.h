// Pooling of regions: boxes of images to maps of one size.
//
// Sources: R. Girshick, Fast R-CNN, ICCV 2015 (roi_pool); K. He et al., Mask R-CNN, ICCV 2017
// (roi_align).
#pragma once

#include <array>
#include <vector>

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// x[images, channels, h, w] and boxes[boxes, 5] -> y[boxes, channels, p, q]. A box is the number of
// its image, left, top, right and bottom, the last four to be multiplied by `scale`.
struct RoiShape {
  int64_t images, channels, h, w, boxes, p, q;
  double scale;
  int64_t sampling;  // align: samples along each side of a bin; 0 or less: one a pixel, about
  bool aligned;      // align: the centre of pixel 0 is 0.5
};

// *position = the first box that is not finite, reaches beyond 2^24 pixels or names no image, or -1.
// The other kernels rely on there being none.
FASTDL_KERNEL(roi_first_bad, const RoiShape& shape, const double* boxes, int64_t* position);
FASTDL_KERNEL(roi_align_forward, const RoiShape& shape, const double* boxes, const void* x,
              void* y);
FASTDL_KERNEL(roi_align_backward, const RoiShape& shape, const double* boxes, const void* dy,
              void* dx);
// index, like y: where in its plane the maximum lies, or -1 of a bin without elements, which is 0.
FASTDL_KERNEL(roi_pool_forward, const RoiShape& shape, const double* boxes, const void* x, void* y,
              int64_t* index);
FASTDL_KERNEL(roi_pool_backward, const RoiShape& shape, const double* boxes, const void* dy,
              const int64_t* index, void* dx);

// The [K, 5] of boxes [L, 4] of each image.
Tensor joined_boxes(const char* op, const std::vector<Tensor>& boxes);

struct RoiOptions {
  int64_t p, q;
  double scale;
  int64_t sampling = 0;
  bool aligned = false;
};
// x[N, C, H, W], boxes[K, 5], which take no gradient.
Tensor roi_align(const Tensor& x, const Tensor& boxes, const RoiOptions& o);
Tensor roi_pool(const Tensor& x, const Tensor& boxes, const RoiOptions& o);

}  // namespace fastdl
