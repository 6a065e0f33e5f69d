#include "ops/batch_norm.h"

#include "autograd/inplace.h"
#include "core/layout.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/reduce.h"
#include "ops/shape.h"
#include "ops/unary.h"

namespace fastdl {
namespace {

constexpr const char* kOp = "batch_norm";

BatchNormShape shape_of(const Tensor& x, Layout layout) {
  BatchNormShape s{x.size(0), x.size(1), 1};
  for (int i = 2; i < x.dim(); ++i) (layout == Layout::last ? s.n : s.inner) *= x.size(i);
  if (s.inner == 0) s.n = 0;  // no elements, in the form that kernels expect
  return s;
}

Tensor per_channel(const Tensor& t, const Tensor& x) {  // [C] as [1, C, 1, ...]
  Dims shape = Dims::filled(x.dim(), 1);
  shape[1] = x.size(1);
  return cast(reshape(t, shape), x.dtype());
}

Tensor activated(const Tensor& x, Activation activation, double slope) {
  if (activation == Activation::none) return x;
  return activation == Activation::relu ? relu(x) : select(x <= 0, x * slope, x);
}

// The definition, for higher derivatives. Operands: x, weight, bias, residual, and in evaluation
// the statistics, which are constants.
std::vector<Tensor> composed(const std::vector<Tensor>& in, const BatchNormOptions& o,
                             Activation activation, const Tensor& mean_used,
                             const Tensor& rstd_used) {
  const Tensor& x = in[0];
  Tensor centred, normal;
  if (o.training) {
    Dims dims;
    for (int i = 0; i < x.dim(); ++i)
      if (i != 1) dims.push(i);
    centred = x - mean(x, dims, true);
    normal = centred * rsqrt(mean(square(centred), dims, true) + o.eps);
  } else {
    normal = (x - per_channel(mean_used, x)) * per_channel(rstd_used, x);
  }
  if (in[1].defined()) normal = normal * per_channel(in[1], x);
  if (in[2].defined()) normal = normal + per_channel(in[2], x);
  if (in[3].defined()) normal = normal + in[3];
  return {activated(normal, activation, o.fused.slope)};
}

// Towards `factor` times `now`.
void update_running(const Tensor& running, const Tensor& now, double factor, double momentum) {
  if (!running.defined()) return;
  if (!running.device().is_cpu() && running.dtype() == now.dtype() && running.is_contiguous() &&
      running.shape() == now.shape()) {
    check_editable(kOp, running);
    launch<batch_norm_running>(kOp, running.device(), running.dtype(), running.numel(),
                               running.numel(), momentum, factor, now.data(),
                               running.mutable_data());
    return bump_version(running);
  }
  const Tensor target = factor == 1 ? now : now * factor;
  copy_(running, running * (1 - momentum) + cast(target, running.dtype()) * momentum);
}

// Where a kernel finds a tensor that may be undefined.
const void* pointer(const Tensor& t) { return t.defined() ? t.data() : nullptr; }
void* target(const Tensor& t) { return t.defined() ? t.mutable_data() : nullptr; }

}  // namespace

DType statistics_dtype(const Tensor& x) {
  return x.dtype() == DType::f64 ? DType::f64 : DType::f32;
}

Tensor in_statistics_dtype(const char* op, const Tensor& x, const Operand& o) {
  const DType kind = statistics_dtype(x);
  if (!o.tensor.defined() || o.tensor.dtype() == kind) return o.tensor;
  if (o.tensor.dtype() == x.dtype()) return cast(o.tensor, kind);
  throw Error(
      ErrorKind::dtype, op,
      text(o.name, " is ", name_of(o.tensor.dtype()), " where input is ", name_of(x.dtype())))
      .show("input", x)
      .show(o.name, o.tensor)
      .remedy(text("convert it with ", o.name, ".to(fastdl.", name_of(kind), ")"));
}

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& given_weight, const Tensor& given_bias, const Tensor& residual,
                  const BatchNormOptions& o) {
  const DType kind = statistics_dtype(x);
  const Tensor weight = in_statistics_dtype(kOp, x, {"weight", given_weight});
  const Tensor bias = in_statistics_dtype(kOp, x, {"bias", given_bias});
  const Activation activation = parse_activation(kOp, o.fused.activation);
  if (!o.training && !(running_mean.defined() && running_var.defined()))
    throw argument_error(kOp, "evaluation needs running_mean and running_var")
        .show("input", x)
        .remedy("pass both, or training=True");
  if (!x.device().is_cpu() && (residual.defined() || activation != Activation::none)) {
    BatchNormOptions plain = o;
    plain.fused = {};
    const Tensor y = batch_norm(x, running_mean, running_var, weight, bias, {}, plain);
    return activated(residual.defined() ? y + residual : y, activation, o.fused.slope);
  }
  const Layout layout = layout_of(x);
  const BatchNormShape s = shape_of(x, layout);
  const int64_t count = s.n * s.inner;
  if (o.training && count == 1)
    throw shape_error(kOp, "training needs more than one value per channel")
        .show("input", x)
        .remedy("use a larger batch, or call model.eval()");

  const auto plain = [](const Tensor& t) { return t.defined() ? contiguous(detach(t)) : t; };
  const Tensor xs = in_layout(detach(x), layout), ws = plain(weight), bs = plain(bias);
  const Tensor rs = residual.defined() ? in_layout(detach(residual), layout) : residual;
  const Epilogue epilogue{pointer(bs), pointer(rs), activation, o.fused.slope};
  Tensor y = empty_in(kOp, layout, x.shape(), x.dtype(), x.device());
  Tensor mean, rstd;
  {
    GradMode off(false);
    if (o.training) {
      mean = empty({s.c}, kind, x.device());
      Tensor variance = empty_like(mean);
      rstd = empty_like(mean);
      if (x.device().is_cpu()) {
        launch<batch_norm_forward>(kOp, x.device(), x.dtype(), x.numel(), s, o.eps, xs.data(),
                                   pointer(ws), epilogue, y.mutable_data(), mean.mutable_data(),
                                   variance.mutable_data(), rstd.mutable_data());
      } else {
        launch<batch_norm_statistics>(kOp, x.device(), x.dtype(), x.numel(), s, o.eps, xs.data(),
                                      mean.mutable_data(), variance.mutable_data(),
                                      rstd.mutable_data());
      }
      if (count > 0) {
        const double n = static_cast<double>(count);
        update_running(running_mean, mean, 1, o.momentum);
        update_running(running_var, variance, n / (n - 1), o.momentum);
      }
    } else {
      mean = clone(cast(detach(running_mean), kind));  // later updates must not change this pass
      rstd = rsqrt(cast(detach(running_var), kind) + o.eps);
    }
  }
  if (!o.training || !x.device().is_cpu())
    launch<batch_norm_apply>(kOp, x.device(), x.dtype(), x.numel(), s, xs.data(), mean.data(),
                             rstd.data(), pointer(ws), epilogue, y.mutable_data());

  if (Recording r{kOp, {&x, &weight, &bias, &residual}})
    r.result(y, [s, layout, o, activation, x = Saved(x), w = Saved(weight), b = Saved(bias),
                 residual = Saved(residual),
                 y = activation == Activation::none ? Saved() : Saved::result(y), mean,
                 rstd](Backward& pass) {
      const Tensor xs = x.get(pass), ws = w.get(pass);
      if (grad_enabled()) {
        const auto again = [&](const std::vector<Tensor>& in) {
          return composed(in, o, activation, mean, rstd);
        };
        const auto grads =
            composed_gradients(again, {xs, ws, b.get(pass), residual.get(pass)}, {pass.grad()});
        for (int i = 0; i < 4; ++i) pass.give(i, grads[static_cast<size_t>(i)]);
        return;
      }
      const Tensor xc = in_layout(xs, layout), gc = in_layout(pass.grad(), layout);
      const Tensor wc = ws.defined() ? contiguous(ws) : ws, yc = y.get(pass);
      Tensor grads[4];
      if (pass.needs(0)) grads[0] = empty_in(layout, xs.shape(), xs.dtype(), xs.device());
      for (int i = 1; i < 3; ++i)
        if (pass.needs(i)) grads[i] = empty_like(mean);
      const bool direct = activation == Activation::none;  // y's gradient is the residual's
      if (pass.needs(3) && !direct)
        grads[3] = empty_in(layout, xs.shape(), xs.dtype(), xs.device());
      const BatchNormGradient operands{
          o.training,       xc.data(),        gc.data(),       mean.data(),   rstd.data(),
          pointer(wc),      pointer(yc),      activation,      o.fused.slope, target(grads[0]),
          target(grads[3]), target(grads[1]), target(grads[2])};
      launch<batch_norm_backward>(kOp, xs.device(), xs.dtype(), xs.numel(), s, operands);
      if (pass.needs(3) && direct) grads[3] = pass.grad();
      for (int i = 0; i < 4; ++i) pass.give(i, grads[i]);
    });
  return y;
}

}  // namespace fastdl
