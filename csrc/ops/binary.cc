#include "ops/binary.h"

#include "autograd/inplace.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/reduce.h"

namespace fastdl {
namespace {

const char* name_of(Binary op) {
  static constexpr const char* names[] = {
#define F(name, value, ga, gb) #name,
      FASTDL_BINARY(F)
#undef F
  };
  return names[static_cast<int>(op)];
}
const char* name_of(Compare op) {
  static constexpr const char* names[] = {
#define F(name, value) #name,
      FASTDL_COMPARE(F)
#undef F
  };
  return names[static_cast<int>(op)];
}

Tensor gradient_of(Binary op, int operand, const Tensor& g, [[maybe_unused]] const Tensor& a,
                   [[maybe_unused]] const Tensor& b, [[maybe_unused]] const Tensor& y) {
  switch (op) {
#define F(name, value, ga, gb)   \
  case Binary::name:             \
    if (operand == 0) return ga; \
    return gb;
    FASTDL_BINARY(F)
#undef F
  }
  return {};
}

void check_operands(const char* op, const Tensor& a, const Tensor& b) {
  if (a.device() != b.device() || a.dtype() != b.dtype())
    check_same_kind(op, {{"input", a}, {"other", b}});
}

void run(Binary op, const Tensor& a, const Tensor& b, const Tensor& y) {
  launch<binary_forward>(name_of(op), a.device(), a.dtype(), y.numel(), op,
                         walk_over(y.shape(), a, b, y), a.data(), b.data(), y.mutable_data());
}

// Whether the gradients that are wanted read the first operand, the second, the result.
bool reads_first(Binary op, bool wants_second) {
  if (op == Binary::mul) return wants_second;
  return op != Binary::add && op != Binary::sub && op != Binary::div;
}
bool reads_second(Binary op, bool wants_first) {
  if (op == Binary::mul) return wants_first;
  return op != Binary::add && op != Binary::sub;
}
bool reads_result(Binary op, bool wants_second) {
  return wants_second && (op == Binary::div || op == Binary::pow);
}

}  // namespace

Tensor binary(Binary op, const Tensor& a, const Tensor& b) {
  check_operands(name_of(op), a, b);
  if (!takes_integers(op) && !is_floating(a.dtype()))
    return binary(op, cast(a, DType::f32), cast(b, DType::f32));
  const Dims shape = broadcast_shapes(name_of(op), a.shape(), b.shape());
  Tensor y = empty_in(name_of(op), common_layout(shape, a, b), shape, a.dtype(), a.device());
  run(op, a, b, y);
  if (Recording r{name_of(op), {&a, &b}}) {
    const bool wants_a = requires_grad(a), wants_b = requires_grad(b);
    const Saved saved_a = reads_first(op, wants_b) ? Saved(a) : Saved();
    const Saved saved_b = reads_second(op, wants_a) ? Saved(b) : Saved();
    const Saved saved_y = reads_result(op, wants_b) ? Saved::result(y) : Saved();
    r.result(y, [op, saved_a, saved_b, saved_y, shape_a = a.shape(),
                 shape_b = b.shape()](Backward& pass) {
      const Tensor x = saved_a.get(pass), z = saved_b.get(pass), y = saved_y.get(pass);
      for (int i = 0; i < 2; ++i)
        if (pass.needs(i))
          pass.give(i, sum_to(gradient_of(op, i, pass.grad(), x, z, y), i ? shape_b : shape_a));
    });
  }
  return y;
}

Tensor binary_(Binary op, const Tensor& a, const Tensor& b) {
  check_operands(name_of(op), a, b);
  if (broadcast_shapes(name_of(op), a.shape(), b.shape()) != a.shape())
    throw shape_error(name_of(op), "the result does not fit in the tensor that is edited in place")
        .show("input", a)
        .show("other", b)
        .remedy("use the operator that makes a new tensor");
  if (!takes_integers(op) && !is_floating(a.dtype()))
    throw Error(ErrorKind::dtype, name_of(op),
                "the result is float32, which the tensor cannot hold")
        .show("input", a)
        .remedy("use the operator that makes a new tensor, or floor_divide_");
  check_editable(name_of(op), a);
  if (grad_enabled() && (requires_grad(a) || requires_grad(b))) {
    // Recorded on the old values and their history; `a` then takes over the new ones. What the
    // gradient reads is copied where the edit overwrites it.
    const bool copies = reads_first(op, requires_grad(b));
    Tensor before = copies ? clone(a) : a.alias();
    if (const Edge e = edge_of(a); e.node && !copies) set_history(before, e.node, e.output);
    const bool overwritten = &a.storage() == &b.storage() && reads_second(op, requires_grad(a));
    const Tensor after = binary(op, before, overwritten ? clone(b) : b);
    GradMode off(false);
    copy_(a, after);
    take_history(a, after);
    return a;
  }
  if (!lies_in(layout_of(a), a) ||
      &a.storage() == &b.storage()) {  // operands may overlap in other ways
    GradMode off(false);
    return copy_(a, binary(op, a, b));
  }
  run(op, a, b, a);
  bump_version(a);
  return a;
}

Tensor compare(Compare op, const Tensor& a, const Tensor& b) {
  check_operands(name_of(op), a, b);
  const Dims shape = broadcast_shapes(name_of(op), a.shape(), b.shape());
  Tensor y = empty_in(name_of(op), common_layout(shape, a, b), shape, DType::boolean, a.device());
  launch<compare_forward>(name_of(op), a.device(), a.dtype(), y.numel(), op,
                          walk_over(y.shape(), a, b, y), a.data(), b.data(), y.as<bool>());
  return y;
}

Tensor where(const Tensor& condition, const Tensor& a, const Tensor& b) {
  check_same_kind("where", {{"input", a}, {"other", b}});
  check_same_device("where", {{"condition", condition}, {"input", a}});
  if (condition.dtype() != DType::boolean)
    throw Error(ErrorKind::dtype, "where", "the condition is not a bool tensor")
        .show("condition", condition)
        .remedy("compare it first, as in x > 0");
  const Dims shape =
      broadcast_shapes("where", condition.shape(), broadcast_shapes("where", a.shape(), b.shape()));
  Tensor y = empty_in("where", common_layout(shape, a, b, condition), shape, a.dtype(), a.device());
  launch<where_forward>("where", a.device(), a.dtype(), y.numel(),
                        walk_over(shape, condition, a, b, y), condition.as<const bool>(), a.data(),
                        b.data(), y.mutable_data());
  if (Recording r{"where", {&a, &b}})
    r.result(y, [c = Saved(condition), shape_a = a.shape(), shape_b = b.shape()](Backward& pass) {
      const Tensor& g = pass.grad();
      const Tensor condition = c.get(pass), zero = scalar_like(0, g);
      if (pass.needs(0)) pass.give(0, sum_to(where(condition, g, zero), shape_a));
      if (pass.needs(1)) pass.give(1, sum_to(where(condition, zero, g), shape_b));
    });
  return y;
}

#define F(name, value, ga, gb) \
  Tensor name(const Tensor& a, const Tensor& b) { return binary(Binary::name, a, b); }
FASTDL_BINARY(F)
#undef F
#define F(name, value) \
  Tensor name(const Tensor& a, const Tensor& b) { return compare(Compare::name, a, b); }
FASTDL_COMPARE(F)
#undef F

}  // namespace fastdl
