#include "ops/gru.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/matmul.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// The definition, step by step, for higher derivatives.
std::vector<Tensor> composed(const std::vector<Tensor>& in) {
  const Tensor &x = in[0], &w_ih = in[2], &w_hh = in[3];
  Tensor h = in[1];
  const int64_t hidden = h.size(1);
  std::vector<Tensor> ys;
  for (int64_t t = 0; t < x.size(0); ++t) {
    const Tensor by_x = linear(squeeze(narrow(x, 0, t, 1), 0), w_ih, in[4]);
    const Tensor by_h = linear(h, w_hh, in[5]);
    const auto gate = [&](const Tensor& z, int64_t k) { return narrow(z, 1, k * hidden, hidden); };
    const Tensor r = sigmoid(gate(by_x, 0) + gate(by_h, 0));
    const Tensor z = sigmoid(gate(by_x, 1) + gate(by_h, 1));
    const Tensor n = tanh(gate(by_x, 2) + r * gate(by_h, 2));
    h = n + z * (h - n);
    ys.push_back(h);
  }
  return {ys.empty() ? empty({0, x.size(1), hidden}, x.dtype(), x.device()) : stack(ys, 0), h};
}

}  // namespace

std::array<Tensor, 2> gru(const Tensor& x, const Tensor& h0, const Tensor& w_ih, const Tensor& w_hh,
                          const Tensor& b_ih, const Tensor& b_hh) {
  if (has_16_bits(x) && x.device().is_cpu())
    return in_float32([](const auto&... wide) { return gru(wide...); }, x, h0, w_ih, w_hh, b_ih,
                      b_hh);
  const GruShape s = recurrent_shape(x, h0);
  const int64_t work = s.t * s.n * 3 * s.hidden * (s.input + s.hidden);
  // What the kernels read, kept for both directions.
  const std::array<Tensor, 6> in{plain(x),    plain(h0),   plain(w_ih),
                                 plain(w_hh), plain(b_ih), plain(b_hh)};
  Recording recording{"gru", {&x, &h0, &w_ih, &w_hh, &b_ih, &b_hh}};
  Tensor y = empty({s.t, s.n, s.hidden}, x.dtype(), x.device()), gates;
  if (recording) gates = empty({s.t, s.n, 4 * s.hidden}, x.dtype(), x.device());
  launch<gru_forward>("gru", x.device(), x.dtype(), work, s, in[0].data(), in[1].data(),
                      in[2].data(), in[3].data(), pointer_or_null(in[4]), pointer_or_null(in[5]),
                      y.mutable_data(), mutable_pointer_or_null(gates));
  Tensor h = last_step(y, in[1]);

  if (recording) {
    const std::array<Saved, 6> saved{Saved(x),    Saved(h0),   Saved(w_ih),
                                     Saved(w_hh), Saved(b_ih), Saved(b_hh)};
    recording.results({&y, &h}, [s, work, saved, in, y = Saved::result(y), gates](Backward& pass) {
      std::vector<Tensor> operands;
      for (const Saved& each : saved) operands.push_back(each.get(pass));
      if (grad_enabled()) {
        const auto grads = composed_gradients(composed, operands, {pass.grad(0), pass.grad(1)});
        for (int i = 0; i < 6; ++i) pass.give(i, grads[static_cast<size_t>(i)]);
        return;
      }
      const Tensor ys = y.get(pass), dy = plain(pass.grad(0)), dh = plain(pass.grad(1));
      std::array<Tensor, 6> d;
      for (size_t i = 0; i < 4; ++i) d[i] = empty_like(in[i]);
      for (size_t i = 4; i < 6; ++i) d[i] = empty({3 * s.hidden}, ys.dtype(), ys.device());
      launch<gru_backward>(
          "gru", ys.device(), ys.dtype(), 2 * work, s,
          GruSaved{in[0].data(), in[1].data(), in[2].data(), in[3].data(), ys.data(), gates.data()},
          GruGrads{pointer_or_null(dy), pointer_or_null(dh), d[0].mutable_data(),
                   d[1].mutable_data(), d[2].mutable_data(), d[3].mutable_data(),
                   d[4].mutable_data(), d[5].mutable_data()});
      for (int i = 0; i < 6; ++i)
        if (pass.needs(i)) pass.give(i, d[static_cast<size_t>(i)]);
    });
  }
  return {y, h};
}

}  // namespace fastdl
