#include "ops/recurrent.h"

#include "core/tensor.h"
#include "ops/copy.h"
#include "ops/shape.h"

namespace fastdl {

RecurrentShape recurrent_shape(const Tensor& x, const Tensor& h0) {
  return {x.size(0), x.size(1), x.size(2), h0.size(1)};
}

Tensor last_step(const Tensor& y, const Tensor& initial) {
  const int64_t t = y.size(0), n = y.size(1), hidden = y.size(2);
  if (t == 0) return clone(initial);
  return clone(y.view({n, hidden}, {hidden, 1}, (t - 1) * n * hidden));
}

Tensor plain(const Tensor& t) { return t.defined() ? contiguous(detach(t)) : t; }
const void* pointer_or_null(const Tensor& t) { return t.defined() ? t.data() : nullptr; }
void* mutable_pointer_or_null(const Tensor& t) { return t.defined() ? t.mutable_data() : nullptr; }

}  // namespace fastdl
