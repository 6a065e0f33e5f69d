#include "ops/layer_norm.h"

#include "autograd/inplace.h"
#include "core/layout.h"
#include "ops/batch_norm.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

double epsilon(DType t) {
  switch (t) {
    case DType::f16: return 0x1p-10;
    case DType::bf16: return 0x1p-7;
    case DType::f32: return 0x1p-23;
    default: return 0x1p-52;
  }
}

RowNormShape shape_over(const char* op, const Tensor& x, const Dims& normalized,
                        std::initializer_list<Operand> affine) {
  const int lead = x.dim() - normalized.n;
  bool fits = normalized.n > 0 && lead >= 0;
  for (int i = 0; fits && i < normalized.n; ++i) fits = x.size(lead + i) == normalized[i];
  if (!fits)
    throw shape_error(op, "the last dimensions of the input are not normalized_shape")
        .show("input", x)
        .show("normalized_shape", str(normalized))
        .remedy("give the sizes of one or more of the input's last dimensions");
  for (const Operand& o : affine)
    if (o.tensor.defined() && o.tensor.shape() != normalized)
      throw shape_error(op, text(o.name, " does not have the shape that is normalised"))
          .show(o.name, o.tensor)
          .show("normalized_shape", str(normalized))
          .remedy("make the shapes equal");
  RowNormShape s{1, 1};
  for (int i = 0; i < x.dim(); ++i) (i < lead ? s.rows : s.columns) *= x.size(i);
  if (s.columns == 0) s.rows = 0;  // no elements, in the form that kernels expect
  return s;
}

RowNormShape shape_over_channels(const Tensor& x, int64_t groups) {
  if (x.size(1) == 0) return {0, 0};
  RowNormShape s{x.size(0) * groups, x.size(1) / groups, groups};
  for (int i = 2; i < x.dim(); ++i) s.inner *= x.size(i);
  if (s.inner == 0) s.rows = 0, s.inner = 1;  // no elements, in the form that kernels expect
  s.columns *= s.inner;
  return s;
}

// The definition, for higher derivatives. Operands: x, weight, bias.
std::vector<Tensor> composed(const std::vector<Tensor>& in, const RowNormShape& s, double eps) {
  const Tensor& x = in[0];
  const Tensor rows = reshape(x, {s.rows / s.groups, s.groups, s.weights_of_row(), s.inner});
  const auto affine = [&](const Tensor& t) {
    return cast(reshape(t, {1, s.groups, s.weights_of_row(), 1}), x.dtype());
  };
  const Dims row{2, 3};
  const Tensor centred = s.centred ? rows - mean(rows, row, true) : rows;
  Tensor normal = centred * rsqrt(mean(square(centred), row, true) + eps);
  if (in[1].defined()) normal = normal * affine(in[1]);
  if (in[2].defined()) normal = normal + affine(in[2]);
  return {reshape(normal, x.shape())};
}

// Channels-last images whose groups are normalised have kernels of their own on the CPU.
bool has_last_kernels(const Tensor& x, const RowNormShape& s) {
  return x.device().is_cpu() && s.inner > 1 && is_channels_last(x);
}

LastNormShape last_shape(const Tensor& x, const RowNormShape& s) {
  return {x.size(0), s.inner, x.size(1), s.groups};
}

struct Gradients {
  Tensor x, weight, bias;
};

// The gradients for which `out` has a tensor; operands in the layout of the kernels, which are those
// for channels-last images if `last`.
void fused_gradients(const char* op, const RowNormShape& s, bool last, const Tensor& x,
                     const Tensor& dy, const Tensor& mean, const Tensor& rstd, const Tensor& weight,
                     const Gradients& out) {
  const auto target = [](const Tensor& t) { return t.defined() ? t.mutable_data() : nullptr; };
  const void* const w = weight.defined() ? weight.data() : nullptr;
  if (last)
    launch<last_norm_backward>(op, x.device(), x.dtype(), x.numel(), last_shape(x, s), x.data(),
                               dy.data(), mean.data(), rstd.data(), w, target(out.x),
                               target(out.weight), target(out.bias));
  else
    launch<row_norm_backward>(op, x.device(), x.dtype(), x.numel(), s, x.data(), dy.data(),
                              mean.data(), rstd.data(), w, target(out.x), target(out.weight),
                              target(out.bias));
}

struct Normalised {
  Tensor y, mean, rstd;  // the latter two [rows], not recorded
};

Normalised normalised(const char* op, const Tensor& x, const RowNormShape& s,
                      const Tensor& given_weight, const Tensor& given_bias, double eps) {
  const Tensor weight = in_statistics_dtype(op, x, {"weight", given_weight});
  const Tensor bias = in_statistics_dtype(op, x, {"bias", given_bias});
  const auto plain = [](const Tensor& t) { return t.defined() ? contiguous(detach(t)) : t; };
  const bool last = has_last_kernels(x, s);
  const Layout layout = layout_of(x), inside = last ? layout : Layout::first;
  const Tensor xs = in_layout(detach(x), inside), ws = plain(weight), bs = plain(bias);
  Tensor y = empty_in(op, inside, x.shape(), x.dtype(), x.device());
  Tensor mean = empty({s.rows}, statistics_dtype(x), x.device()), rstd = empty_like(mean);
  const void* const w = ws.defined() ? ws.data() : nullptr;
  const void* const b = bs.defined() ? bs.data() : nullptr;
  if (last)
    launch<last_norm_forward>(op, x.device(), x.dtype(), x.numel(), last_shape(x, s), eps,
                              xs.data(), w, b, y.mutable_data(), mean.mutable_data(),
                              rstd.mutable_data());
  else
    launch<row_norm_forward>(op, x.device(), x.dtype(), x.numel(), s, eps, xs.data(), w, b,
                             y.mutable_data(), mean.mutable_data(), rstd.mutable_data());
  y = in_layout(y, layout);
  if (Recording r{op, {&x, &weight, &bias}})
    r.result(y, [op, s, eps, last, layout, inside, x = Saved(x), w = Saved(weight), b = Saved(bias),
                 mean, rstd](Backward& pass) {
      const Tensor xs = x.get(pass), ws = w.get(pass), bs = b.get(pass);
      if (grad_enabled()) {
        const auto again = [&](const std::vector<Tensor>& in) { return composed(in, s, eps); };
        const auto grads = composed_gradients(again, {xs, ws, bs}, {pass.grad()});
        for (int i = 0; i < 3; ++i) pass.give(i, grads[static_cast<size_t>(i)]);
        return;
      }
      Gradients grads;
      if (pass.needs(0)) grads.x = empty_in(inside, xs.shape(), xs.dtype(), xs.device());
      if (pass.needs(1)) grads.weight = empty(ws.shape(), mean.dtype(), xs.device());
      if (pass.needs(2)) grads.bias = empty(bs.shape(), mean.dtype(), xs.device());
      fused_gradients(op, s, last, in_layout(xs, inside), in_layout(pass.grad(), inside), mean,
                      rstd, ws.defined() ? contiguous(ws) : ws, grads);
      if (grads.x.defined()) pass.give(0, in_layout(grads.x, layout));
      pass.give(1, grads.weight);
      pass.give(2, grads.bias);
    });
  return {y, mean, rstd};
}

// running[C] moves towards the mean over N of now[N, C].
void update_running(const Tensor& running, const Tensor& now, double momentum) {
  if (running.defined())
    copy_(running,
          running * (1 - momentum) + cast(mean(now, Dims{0}, false), running.dtype()) * momentum);
}

}  // namespace

Tensor layer_norm(const Tensor& x, const Dims& normalized, const Tensor& weight, const Tensor& bias,
                  double eps) {
  const RowNormShape s =
      shape_over("layer_norm", x, normalized, {{"weight", weight}, {"bias", bias}});
  return normalised("layer_norm", x, s, weight, bias, eps).y;
}

Tensor rms_norm(const Tensor& x, const Dims& normalized, const Tensor& weight,
                std::optional<double> eps) {
  RowNormShape s = shape_over("rms_norm", x, normalized, {{"weight", weight}});
  s.centred = false;
  return normalised("rms_norm", x, s, weight, {}, eps ? *eps : epsilon(x.dtype())).y;
}

Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps) {
  if (x.size(1) % groups != 0)
    throw shape_error("group_norm", text(x.size(1), " channels do not make ", groups, " groups"))
        .show("input", x)
        .remedy("use a num_groups that divides the channels");
  return normalised("group_norm", x, shape_over_channels(x, groups), weight, bias, eps).y;
}

Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, const InstanceNormOptions& o) {
  constexpr const char* kOp = "instance_norm";
  if (!o.use_input_stats) {
    if (!(running_mean.defined() && running_var.defined()))
      throw argument_error(kOp, "use_input_stats=False needs running_mean and running_var")
          .show("input", x)
          .remedy("pass both, or use_input_stats=True");
    return batch_norm(x, running_mean, running_var, weight, bias, {}, {false, 0, o.eps, {}});
  }
  const int64_t channels = x.size(1);
  const RowNormShape s = shape_over_channels(x, channels);
  if (s.inner == 1 && x.numel() > 0)
    throw shape_error(kOp, "a channel has one pixel, whose variance is 0")
        .show("input", x)
        .remedy("use a larger input, or use_input_stats=False");
  const Normalised out = normalised(kOp, x, s, weight, bias, o.eps);
  if (x.numel() == 0 || !(running_mean.defined() || running_var.defined())) return out.y;
  const GradMode off(false);
  const auto each = [&](const Tensor& t) { return reshape(t, {x.size(0), channels}); };
  const double pixels = static_cast<double>(s.inner);
  // The kernel keeps 1 / sqrt(variance + eps), to whose rounding the variance is owed.
  const Tensor variance = relu(reciprocal(square(out.rstd)) - o.eps);
  update_running(running_mean, each(out.mean), o.momentum);
  update_running(running_var, each(variance * (pixels / (pixels - 1))), o.momentum);
  return out.y;
}

}  // namespace fastdl
