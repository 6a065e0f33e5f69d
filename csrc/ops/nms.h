// Non-maximum suppression.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// boxes[n, 4] as (x1, y1, x2, y2), contiguous. In the order of falling scores (NaN before all numbers,
// of equals the first) a box is kept unless one kept before, of the same group, overlaps it by more
// than the threshold; `groups` is null where all are one. Boxes overlap by intersection over union, where
// that is NaN (two boxes without area) not at all. Leaves the places of those kept in keep[n], in that
// order, and their number in *count, in the device's memory. float and double.
FASTDL_KERNEL(nms_forward, int64_t n, const void* boxes, const void* scores, const int64_t* groups,
              double threshold, int64_t* keep, int64_t* count);

// `groups` may be undefined.
Tensor nms(const char* op, const Tensor& boxes, const Tensor& scores, const Tensor& groups,
           double threshold);

}  // namespace fastdl
