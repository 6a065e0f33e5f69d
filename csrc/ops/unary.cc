#include "ops/unary.h"

#include <algorithm>
#include <limits>

#include "ops/copy.h"
#include "ops/edit.h"
#include "ops/formula.h"

namespace fastdl {
namespace {

const char* name_of(Unary op) {
  static constexpr const char* names[] = {
#define F(name, doc, value, gradient) #name,
      FASTDL_UNARY_ALL
#undef F
  };
  return names[static_cast<int>(op)];
}

// The table's gradient in differentiable ops.
Tensor composed_gradient(Unary op, Numbers numbers, const Tensor& g, const Tensor& x,
                         const Tensor& y) {
  const double a = numbers.a, b = numbers.b;
  static_cast<void>(a), static_cast<void>(b), static_cast<void>(y);
  switch (op) {
#define F(name, doc, value, gradient) \
  case Unary::name: return gradient;
    FASTDL_UNARY_ALL
#undef F
  }
  return {};
}

Tensor fused_gradient(Unary op, Numbers numbers, const Tensor& g, const Tensor& x,
                      const Tensor& y) {
  Tensor dx = empty_in(layout_of(y), y.shape(), y.dtype(), y.device());
  launch<unary_backward>(name_of(op), x.device(), x.dtype(), x.numel(), op, numbers,
                         walk_over(y.shape(), g, x, y, dx), g.data(), x.data(), y.data(),
                         dx.mutable_data());
  return dx;
}

}  // namespace

Tensor unary(Unary op, const Tensor& x, Numbers numbers) {
  if (!is_floating(x.dtype()) && !takes_integers(op))
    return unary(op, cast(x, DType::f32), numbers);
  Tensor y = empty_in(name_of(op), layout_of(x), x.shape(), x.dtype(), x.device());
  launch<unary_forward>(name_of(op), x.device(), x.dtype(), x.numel(), op, numbers,
                        walk_over(x.shape(), x, y), x.data(), y.mutable_data());
  if (Recording r{name_of(op), {&x}})
    r.result(y, [op, numbers, x = Saved(x), y = Saved::result(y)](Backward& pass) {
      const auto gradient = grad_enabled() ? composed_gradient : fused_gradient;
      pass.give(0, gradient(op, numbers, pass.grad(), x.get(pass), y.get(pass)));
    });
  return y;
}

Tensor unary_(Unary op, const Tensor& x, Numbers numbers) {
  const bool records = grad_enabled() && requires_grad(x);
  const bool other_dtype = !is_floating(x.dtype()) && !takes_integers(op);
  if (records || other_dtype || !lies_in(layout_of(x), x))
    return edit(name_of(op), x, {},
                [&](const Tensor& before) { return unary(op, before, numbers); });
  check_editable(name_of(op), x);
  launch<unary_forward>(name_of(op), x.device(), x.dtype(), x.numel(), op, numbers,
                        walk_over(x.shape(), x, x), x.data(), x.mutable_data());
  bump_version(x);
  return x;
}

#define F(name, doc, value, gradient) \
  Tensor name(const Tensor& x) { return unary(Unary::name, x); }
FASTDL_UNARY(F)
#undef F
#define G(name, python, parameters, arguments, doc, value, gradient) \
  Tensor name(const Tensor& x, FASTDL_UNWRAP parameters) {           \
    return unary(Unary::name, x, Numbers{FASTDL_UNWRAP arguments});  \
  }
FASTDL_UNARY_WITH_NUMBERS(G)
#undef G

Tensor clamp(const Tensor& x, std::optional<double> low, std::optional<double> high) {
  if (!low && !high)
    throw Error(ErrorKind::argument, "clamp", "neither bound is given")
        .show("input", x)
        .remedy("give min, max or both");
  const double infinity = std::numeric_limits<double>::infinity();
  if (is_floating(x.dtype())) {
    const double most = high.value_or(infinity);
    return clip(x, std::min(low.value_or(-infinity), most), most);
  }
  const Tensor above = low ? maximum(x, scalar_like(*low, x)) : x;
  return high ? minimum(above, scalar_like(*high, x)) : above;
}
Tensor logical_not(const Tensor& x) { return eq(x, scalar_like(0, x)); }
Tensor isnan(const Tensor& x) { return ne(x, x); }
Tensor isinf(const Tensor& x) {
  if (!is_floating(x.dtype())) return full(x.shape(), 0, DType::boolean, x.device());
  return eq(abs(x), scalar_like(std::numeric_limits<double>::infinity(), x));
}
Tensor isfinite(const Tensor& x) {
  if (!is_floating(x.dtype())) return full(x.shape(), 1, DType::boolean, x.device());
  const Tensor zero = mul(x, scalar_like(0, x));  // 0 where finite, else NaN
  return eq(zero, zero);
}

}  // namespace fastdl
