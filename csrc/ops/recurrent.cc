#include "ops/recurrent.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/shape.h"

namespace fastdl {

RecurrentShape check_recurrent(const char* op, int64_t gates, const Tensor& x,
                               std::initializer_list<Operand> states, const Tensor& w_ih,
                               const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  for (const Operand& state : states) check_same_kind(op, {{"input", x}, state});
  check_same_kind(op, {{"input", x},
                       {"weight_ih", w_ih},
                       {"weight_hh", w_hh},
                       {"bias_ih", b_ih},
                       {"bias_hh", b_hh}});
  check_floating(op, {"input", x});
  check_dim(op, {"input", x}, 3, "[T, N, input_size]");
  const Tensor& h0 = states.begin()->tensor;
  check_dim(op, {"h0", h0}, 2, "[N, hidden_size]");
  const RecurrentShape s{x.size(0), x.size(1), x.size(2), h0.size(1)};
  const auto check = [&](const char* name, const Tensor& t, const Dims& expected) {
    if (t.defined() && t.shape() != expected)
      throw shape_error(op, text(name, " has shape ", str(t.shape()), ", expected ", str(expected)))
          .show("input", x)
          .show("h0", h0)
          .show(name, t)
          .remedy(text("agree on N, input_size and hidden_size; weights have ", gates,
                       " * hidden_size rows"));
  };
  for (const Operand& state : states) check(state.name, state.tensor, {s.n, s.hidden});
  const int64_t rows = checked_mul(op, gates, s.hidden);
  check("weight_ih", w_ih, {rows, s.input});
  check("weight_hh", w_hh, {rows, s.hidden});
  check("bias_ih", b_ih, {rows});
  check("bias_hh", b_hh, {rows});
  return s;
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
