#include "ops/unary.h"

#include "ops/copy.h"
#include "ops/formula.h"

namespace fastdl {
namespace {

const char* name_of(Unary op) {
  static constexpr const char* names[] = {
#define F(name, doc, value, gradient) #name,
      FASTDL_UNARY(F)
#undef F
  };
  return names[static_cast<int>(op)];
}

// The table's gradient in differentiable ops.
Tensor composed_gradient(Unary op, const Tensor& g, [[maybe_unused]] const Tensor& x,
                         [[maybe_unused]] const Tensor& y) {
  switch (op) {
#define F(name, doc, value, gradient) \
  case Unary::name: return gradient;
    FASTDL_UNARY(F)
#undef F
  }
  return {};
}

Tensor fused_gradient(Unary op, const Tensor& g, const Tensor& x, const Tensor& y) {
  Tensor dx = empty_in(layout_of(y), y.shape(), y.dtype(), y.device());
  launch<unary_backward>(name_of(op), x.device(), x.dtype(), x.numel(), op,
                         walk_over(y.shape(), g, x, y, dx), g.data(), x.data(), y.data(),
                         dx.mutable_data());
  return dx;
}

}  // namespace

Tensor unary(Unary op, const Tensor& x) {
  Tensor y = empty_in(name_of(op), layout_of(x), x.shape(), x.dtype(), x.device());
  launch<unary_forward>(name_of(op), x.device(), x.dtype(), x.numel(), op,
                        walk_over(x.shape(), x, y), x.data(), y.mutable_data());
  if (Recording r{name_of(op), {&x}})
    r.result(y, [op, x = Saved(x), y = Saved::result(y)](Backward& pass) {
      const auto gradient = grad_enabled() ? composed_gradient : fused_gradient;
      pass.give(0, gradient(op, pass.grad(), x.get(pass), y.get(pass)));
    });
  return y;
}

#define F(name, doc, value, gradient) \
  Tensor name(const Tensor& x) { return unary(Unary::name, x); }
FASTDL_UNARY(F)
#undef F

Tensor logical_not(const Tensor& x) { return eq(x, scalar_like(0, x)); }
Tensor isnan(const Tensor& x) { return ne(x, x); }
Tensor isfinite(const Tensor& x) {
  if (!is_floating(x.dtype())) return full(x.shape(), 1, DType::boolean, x.device());
  const Tensor zero = mul(x, scalar_like(0, x));  // 0 where finite, else NaN
  return eq(zero, zero);
}

}  // namespace fastdl
