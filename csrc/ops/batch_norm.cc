#include "ops/batch_norm.h"

#include "autograd/inplace.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

constexpr const char* kOp = "batch_norm";

BatchNormShape check_operands(const Tensor& x, std::initializer_list<Operand> per_channel) {
  check_floating(kOp, {"input", x});
  if (x.dim() < 2) check_dim(kOp, {"input", x}, 2, "[N, C, ...]");
  for (const Operand& o : per_channel) {
    if (!o.tensor.defined()) continue;
    check_same_device(kOp, {{"input", x}, o});
    if (o.tensor.dim() != 1 || o.tensor.size(0) != x.size(1))
      throw shape_error(kOp, text("input has ", x.size(1), " channels, ", o.name,
                                  " should have as many elements"))
          .show("input", x)
          .show(o.name, o.tensor)
          .remedy(text("give the layer num_features=", x.size(1)));
  }
  BatchNormShape s{x.size(0), x.size(1), 1};
  for (int i = 2; i < x.dim(); ++i) s.inner *= x.size(i);
  if (s.inner == 0) s.n = 0;  // no elements, in the form that kernels expect
  return s;
}

// Statistics of 16-bit inputs are in float.
DType statistics_dtype(DType t) { return t == DType::f64 ? DType::f64 : DType::f32; }

Tensor per_channel(const Tensor& t, const Tensor& x) {  // [C] as [1, C, 1, ...]
  Dims shape = Dims::filled(x.dim(), 1);
  shape[1] = x.size(1);
  return cast(reshape(t, shape), x.dtype());
}

// The definition, for higher derivatives. Operands: x, weight, bias, and in evaluation the
// statistics, which are constants.
std::vector<Tensor> composed(const std::vector<Tensor>& in, bool training, const Tensor& mean_used,
                             const Tensor& rstd_used, double eps) {
  const Tensor& x = in[0];
  Tensor centred, normal;
  if (training) {
    Dims dims;
    for (int i = 0; i < x.dim(); ++i)
      if (i != 1) dims.push(i);
    centred = x - mean(x, dims, true);
    normal = centred * rsqrt(mean(square(centred), dims, true) + eps);
  } else {
    normal = (x - per_channel(mean_used, x)) * per_channel(rstd_used, x);
  }
  if (in[1].defined()) normal = normal * per_channel(in[1], x);
  if (in[2].defined()) normal = normal + per_channel(in[2], x);
  return {normal};
}

void update_running(const Tensor& running, const Tensor& now, double momentum) {
  if (!running.defined()) return;
  copy_(running, running * (1 - momentum) + cast(now, running.dtype()) * momentum);
}

}  // namespace

Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum,
                  double eps) {
  const BatchNormShape s = check_operands(x, {{"running_mean", running_mean},
                                              {"running_var", running_var},
                                              {"weight", weight},
                                              {"bias", bias}});
  const DType kind = statistics_dtype(x.dtype());
  for (const Operand& o : {Operand{"weight", weight}, Operand{"bias", bias}})
    if (o.tensor.defined() && o.tensor.dtype() != kind)
      check_same_kind(kOp, {{"statistics", empty({0}, kind, x.device())}, o});
  if (!training && !(running_mean.defined() && running_var.defined()))
    throw argument_error(kOp, "evaluation needs running_mean and running_var")
        .show("input", x)
        .remedy("pass both, or training=True");
  const int64_t count = s.n * s.inner;
  if (training && count == 1)
    throw shape_error(kOp, "training needs more than one value per channel")
        .show("input", x)
        .remedy("use a larger batch, or call model.eval()");

  const Tensor xs = contiguous(detach(x));
  Tensor mean, rstd;
  {
    GradMode off(false);
    if (training) {
      mean = empty({s.c}, kind, x.device());
      Tensor variance = empty({s.c}, kind, x.device());
      launch<batch_norm_statistics>(kOp, x.device(), x.dtype(), x.numel(), s, xs.data(),
                                    mean.mutable_data(), variance.mutable_data());
      if (count > 0) {
        update_running(running_mean, mean, momentum);
        update_running(running_var,
                       variance * (static_cast<double>(count) / static_cast<double>(count - 1)),
                       momentum);
      }
      rstd = rsqrt(variance + eps);
    } else {
      mean = clone(cast(detach(running_mean), kind));  // later updates must not change this pass
      rstd = rsqrt(cast(detach(running_var), kind) + eps);
    }
  }
  const auto pointer = [](const Tensor& t) { return t.defined() ? t.data() : nullptr; };
  const Tensor ws = weight.defined() ? contiguous(detach(weight)) : weight;
  const Tensor bs = bias.defined() ? contiguous(detach(bias)) : bias;
  Tensor y = empty_like(x);
  launch<batch_norm_apply>(kOp, x.device(), x.dtype(), x.numel(), s, xs.data(), mean.data(),
                           rstd.data(), pointer(ws), pointer(bs), y.mutable_data());

  if (Recording r{kOp, {&x, &weight, &bias}})
    r.result(y, [s, training, eps, x = Saved(x), w = Saved(weight), b = Saved(bias), mean,
                 rstd](Backward& pass) {
      const Tensor xs = x.get(pass), ws = w.get(pass);
      if (grad_enabled()) {
        const auto again = [&](const std::vector<Tensor>& in) {
          return composed(in, training, mean, rstd, eps);
        };
        const auto grads = composed_gradients(again, {xs, ws, b.get(pass)}, {pass.grad()});
        for (int i = 0; i < 3; ++i) pass.give(i, grads[static_cast<size_t>(i)]);
        return;
      }
      Tensor grads[3];
      if (pass.needs(0)) grads[0] = empty_like(xs);
      for (int i = 1; i < 3; ++i)
        if (pass.needs(i)) grads[i] = empty_like(mean);
      const Tensor xc = contiguous(xs), gc = contiguous(pass.grad());
      const Tensor wc = ws.defined() ? contiguous(ws) : ws;
      const auto out = [&](int i) -> void* {
        return grads[i].defined() ? grads[i].mutable_data() : nullptr;
      };
      launch<batch_norm_backward>(kOp, xs.device(), xs.dtype(), xs.numel(), s, training, xc.data(),
                                  gc.data(), mean.data(), rstd.data(),
                                  wc.defined() ? wc.data() : nullptr, out(0), out(1), out(2));
      for (int i = 0; i < 3; ++i) pass.give(i, grads[i]);
    });
  return y;
}

}  // namespace fastdl
