#include "ops/layer_norm.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

constexpr const char* kOp = "layer_norm";

LayerNormShape check_operands(const Tensor& x, const Dims& normalized,
                              std::initializer_list<Operand> affine) {
  check_floating(kOp, {"input", x});
  const int lead = x.dim() - normalized.n;
  bool fits = normalized.n > 0 && lead >= 0;
  for (int i = 0; fits && i < normalized.n; ++i) fits = x.size(lead + i) == normalized[i];
  if (!fits)
    throw shape_error(kOp, "the last dimensions of the input are not normalized_shape")
        .show("input", x)
        .show("normalized_shape", str(normalized))
        .remedy("give the sizes of one or more of the input's last dimensions");
  const DType kind = x.dtype() == DType::f64 ? DType::f64 : DType::f32;
  for (const Operand& o : affine) {
    if (!o.tensor.defined()) continue;
    check_same_device(kOp, {{"input", x}, o});
    if (o.tensor.dtype() != kind)
      check_same_kind(kOp, {{"statistics", empty({0}, kind, x.device())}, o});
    if (o.tensor.shape() != normalized)
      throw shape_error(kOp, text(o.name, " does not have the shape that is normalised"))
          .show(o.name, o.tensor)
          .show("normalized_shape", str(normalized))
          .remedy("make the shapes equal");
  }
  LayerNormShape s{1, 1};
  for (int i = 0; i < x.dim(); ++i) (i < lead ? s.rows : s.columns) *= x.size(i);
  if (s.columns == 0) s.rows = 0;  // no elements, in the form that kernels expect
  return s;
}

// The definition, for higher derivatives. Operands: x, weight, bias.
std::vector<Tensor> composed(const std::vector<Tensor>& in, const Dims& normalized, double eps) {
  const Tensor& x = in[0];
  Dims dims;
  for (int i = x.dim() - normalized.n; i < x.dim(); ++i) dims.push(i);
  const Tensor centred = x - mean(x, dims, true);
  Tensor normal = centred * rsqrt(mean(square(centred), dims, true) + eps);
  if (in[1].defined()) normal = normal * cast(in[1], x.dtype());
  if (in[2].defined()) normal = normal + cast(in[2], x.dtype());
  return {normal};
}

struct Gradients {
  Tensor x, weight, bias;
};

// The gradients for which `out` has a tensor; contiguous operands.
void fused_gradients(const LayerNormShape& s, const Tensor& x, const Tensor& dy, const Tensor& mean,
                     const Tensor& rstd, const Tensor& weight, Gradients& out) {
  const bool cpu = x.device().is_cpu();
  const auto target = [](const Tensor& t) { return t.defined() ? t.mutable_data() : nullptr; };
  if (out.x.defined() || cpu)
    launch<layer_norm_backward>(
        kOp, x.device(), x.dtype(), x.numel(), s, x.data(), dy.data(), mean.data(), rstd.data(),
        weight.defined() ? weight.data() : nullptr, target(out.x),
        cpu ? target(out.weight) : nullptr, cpu ? target(out.bias) : nullptr);
  if (cpu || !(out.weight.defined() || out.bias.defined())) return;
  const auto rows = [&](const Tensor& t) {
    return cast(reshape(t, {s.rows, s.columns}), mean.dtype());
  };
  const auto each = [&](const Tensor& t) { return reshape(t, {s.rows, 1}); };
  const Tensor g = rows(dy);
  if (out.bias.defined()) out.bias = reshape(sum(g, Dims{0}, false), out.bias.shape());
  if (out.weight.defined())
    out.weight =
        reshape(sum(g * ((rows(x) - each(mean)) * each(rstd)), Dims{0}, false), out.weight.shape());
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Dims& normalized, const Tensor& weight, const Tensor& bias,
                  double eps) {
  const LayerNormShape s = check_operands(x, normalized, {{"weight", weight}, {"bias", bias}});
  const auto plain = [](const Tensor& t) { return t.defined() ? contiguous(detach(t)) : t; };
  const Tensor xs = plain(x), ws = plain(weight), bs = plain(bias);
  const DType kind = x.dtype() == DType::f64 ? DType::f64 : DType::f32;
  Tensor y = empty(kOp, x.shape(), x.dtype(), x.device());
  Tensor mean = empty({s.rows}, kind, x.device()), rstd = empty_like(mean);
  launch<layer_norm_forward>(kOp, x.device(), x.dtype(), x.numel(), s, eps, xs.data(),
                             ws.defined() ? ws.data() : nullptr, bs.defined() ? bs.data() : nullptr,
                             y.mutable_data(), mean.mutable_data(), rstd.mutable_data());
  if (Recording r{kOp, {&x, &weight, &bias}})
    r.result(y, [s, normalized, eps, x = Saved(x), w = Saved(weight), b = Saved(bias), mean,
                 rstd](Backward& pass) {
      const Tensor xs = x.get(pass), ws = w.get(pass);
      if (grad_enabled()) {
        const auto again = [&](const std::vector<Tensor>& in) {
          return composed(in, normalized, eps);
        };
        const auto grads = composed_gradients(again, {xs, ws, b.get(pass)}, {pass.grad()});
        for (int i = 0; i < 3; ++i) pass.give(i, grads[static_cast<size_t>(i)]);
        return;
      }
      Gradients grads;
      if (pass.needs(0)) grads.x = empty(xs.shape(), xs.dtype(), xs.device());
      if (pass.needs(1)) grads.weight = empty(normalized, mean.dtype(), xs.device());
      if (pass.needs(2)) grads.bias = empty(normalized, mean.dtype(), xs.device());
      fused_gradients(s, contiguous(xs), contiguous(pass.grad()), mean, rstd,
                      ws.defined() ? contiguous(ws) : ws, grads);
      pass.give(0, grads.x);
      pass.give(1, grads.weight);
      pass.give(2, grads.bias);
    });
  return y;
}

}  // namespace fastdl
