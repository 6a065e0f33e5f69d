#include "ops/triangle.h"

#include <algorithm>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

Tensor triangle(const char* op, bool lower, const Tensor& x, int64_t diagonal) {
  const Tensor source = contiguous(detach(x));
  Tensor y = empty(op, x.shape(), x.dtype(), x.device());
  const int64_t m = x.size(x.dim() - 2), n = x.size(x.dim() - 1);
  // Any diagonal beyond the corners is like the next one, and cannot overflow.
  const int64_t inside = std::clamp(diagonal, -m - 1, n + 1);
  if (y.numel() > 0)
    launch<triangle_forward>(op, x.device(), x.dtype(), y.numel(), lower, inside,
                             y.numel() / (m * n), m, n, source.data(), y.mutable_data());
  if (Recording r{op, {&x}})
    r.result(y, [=](Backward& pass) { pass.give(0, triangle(op, lower, pass.grad(), inside)); });
  return y;
}

}  // namespace

Tensor tril(const Tensor& x, int64_t diagonal) { return triangle("tril", true, x, diagonal); }
Tensor triu(const Tensor& x, int64_t diagonal) { return triangle("triu", false, x, diagonal); }

}  // namespace fastdl
