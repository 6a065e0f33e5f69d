#include "ops/lstm.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/matmul.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// The definition, step by step, for higher derivatives.
std::vector<Tensor> composed(const std::vector<Tensor>& in) {
  const Tensor &x = in[0], &w_ih = in[3], &w_hh = in[4];
  Tensor h = in[1], c = in[2];
  const int64_t hidden = h.size(1);
  std::vector<Tensor> ys;
  for (int64_t t = 0; t < x.size(0); ++t) {
    const Tensor z = linear(squeeze(narrow(x, 0, t, 1), 0), w_ih, in[5]) + linear(h, w_hh, in[6]);
    const auto gate = [&](int64_t k) { return narrow(z, 1, k * hidden, hidden); };
    c = sigmoid(gate(1)) * c + sigmoid(gate(0)) * tanh(gate(2));
    h = sigmoid(gate(3)) * tanh(c);
    ys.push_back(h);
  }
  return {ys.empty() ? empty({0, x.size(1), hidden}, x.dtype(), x.device()) : stack(ys, 0), h, c};
}

}  // namespace

std::array<Tensor, 3> lstm(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_ih,
                           const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh) {
  if (has_16_bits(x) && x.device().is_cpu())
    return in_float32([](const auto&... wide) { return lstm(wide...); }, x, h0, c0, w_ih, w_hh,
                      b_ih, b_hh);
  const LstmShape s = recurrent_shape(x, h0);
  const int64_t work = s.t * s.n * 4 * s.hidden * (s.input + s.hidden);
  // What the kernels read, kept for both directions.
  const std::array<Tensor, 7> in{plain(x),    plain(h0),   plain(c0),  plain(w_ih),
                                 plain(w_hh), plain(b_ih), plain(b_hh)};
  Recording recording{"lstm", {&x, &h0, &c0, &w_ih, &w_hh, &b_ih, &b_hh}};
  Tensor y = empty({s.t, s.n, s.hidden}, x.dtype(), x.device()), gates, cells, c;
  if (recording) {
    gates = empty({s.t, s.n, 4 * s.hidden}, x.dtype(), x.device());
    cells = empty_like(y);
  } else {
    c = clone(in[2]);
  }
  launch<lstm_forward>("lstm", x.device(), x.dtype(), work, s, in[0].data(), in[1].data(),
                       in[2].data(), in[3].data(), in[4].data(), pointer_or_null(in[5]),
                       pointer_or_null(in[6]), y.mutable_data(), mutable_pointer_or_null(c),
                       mutable_pointer_or_null(gates), mutable_pointer_or_null(cells));
  Tensor h = last_step(y, in[1]);
  if (recording) c = last_step(cells, in[2]);

  if (recording) {
    const std::array<Saved, 7> saved{Saved(x),    Saved(h0),   Saved(c0),  Saved(w_ih),
                                     Saved(w_hh), Saved(b_ih), Saved(b_hh)};
    recording.results({&y, &h, &c}, [s, work, saved, in, y = Saved::result(y), gates,
                                     cells](Backward& pass) {
      std::vector<Tensor> operands;
      for (const Saved& each : saved) operands.push_back(each.get(pass));
      if (grad_enabled()) {
        const auto grads =
            composed_gradients(composed, operands, {pass.grad(0), pass.grad(1), pass.grad(2)});
        for (int i = 0; i < 7; ++i) pass.give(i, grads[static_cast<size_t>(i)]);
        return;
      }
      const Tensor ys = y.get(pass), dy = plain(pass.grad(0)), dh = plain(pass.grad(1)),
                   dc = plain(pass.grad(2));
      std::array<Tensor, 5> d;
      for (size_t i = 0; i < 5; ++i) d[i] = empty_like(in[i]);
      Tensor db = empty({4 * s.hidden}, ys.dtype(), ys.device());
      launch<lstm_backward>("lstm", ys.device(), ys.dtype(), 2 * work, s,
                            LstmSaved{in[0].data(), in[1].data(), in[2].data(), in[3].data(),
                                      in[4].data(), ys.data(), gates.data(), cells.data()},
                            LstmGrads{pointer_or_null(dy), pointer_or_null(dh), pointer_or_null(dc),
                                      d[0].mutable_data(), d[1].mutable_data(), d[2].mutable_data(),
                                      d[3].mutable_data(), d[4].mutable_data(), db.mutable_data()});
      for (int i = 0; i < 5; ++i) pass.give(i, d[static_cast<size_t>(i)]);
      if (pass.needs(5)) pass.give(5, db);
      if (pass.needs(6)) pass.give(6, pass.needs(5) ? clone(db) : db);
    });
  }
  return {y, h, c};
}

}  // namespace fastdl
