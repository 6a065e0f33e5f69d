#include "ops/register.h"

#include "autograd/arithmetic.h"
#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/reduce.h"
#include "ops/unary.h"

namespace fastdl {

void register_ops() {
  gradient_arithmetic.add = add;
  gradient_arithmetic.add_ = [](const Tensor& a, const Tensor& b) { binary_(Binary::add, a, b); };
  gradient_arithmetic.clone = [](const Tensor& x) { return clone_in(x, layout_of(x)); };
  gradient_arithmetic.ones_like = [](const Tensor& x) {
    return full(x.shape(), 1, x.dtype(), x.device());
  };
  gradient_arithmetic.has_nan = [](const Tensor& x) {
    const Tensor count = sum(isnan(x), std::nullopt, false);
    return *to_device(count, Device{}).as<int64_t>() > 0;
  };
}

}  // namespace fastdl
