#include "ops/nms.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/shape.h"

namespace fastdl {

Tensor nms(const char* op, const Tensor& boxes, const Tensor& scores, const Tensor& groups,
           double threshold) {
  refuse_reading(op);
  const Tensor bs = contiguous(detach(boxes)), ss = contiguous(detach(scores));
  const Tensor gs = groups.defined() ? contiguous(groups) : groups;
  const int64_t n = boxes.size(0);
  Tensor keep = empty({n}, DType::i64, boxes.device());
  Tensor count = empty({}, DType::i64, boxes.device());
  launch<nms_forward>(op, boxes.device(), boxes.dtype(), checked_mul(op, n, n), n, bs.data(),
                      ss.data(), gs.defined() ? gs.as<const int64_t>() : nullptr, threshold,
                      keep.as<int64_t>(), count.as<int64_t>());
  const int64_t kept = *to_device(count, Device{}).as<int64_t>();
  return clone(narrow(keep, 0, 0, kept));
}

}  // namespace fastdl
