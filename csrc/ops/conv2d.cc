#include "ops/conv2d.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "ops/common.h"
#include "ops/conv.h"
#include "ops/copy.h"
#include "ops/epilogue.h"
#include "ops/matmul.h"
#include "ops/packed.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// Operands fit (ops/conv.h).
Conv2dShape shape_of(const Dims& x, const Dims& weight, const Conv2dOptions& o) {
  const auto outputs = [&](int i) {
    const int64_t reach = o.dilation[i] * (weight[2 + i] - 1) + 1;
    return (x[2 + i] + 2 * o.padding[i] - reach) / o.stride[i] + 1;
  };
  return {x[0],
          x[1],
          x[2],
          x[3],
          weight[0],
          weight[2],
          weight[3],
          outputs(0),
          outputs(1),
          o.stride[0],
          o.stride[1],
          o.padding[0],
          o.padding[1],
          o.dilation[0],
          o.dilation[1],
          o.groups,
          winograd_enabled(),
          float32_matmul_precision()};
}

std::atomic<bool> winograd{true};

int64_t work_of(const Conv2dShape& s) {
  const auto size = [](int64_t v) { return static_cast<double>(v); };
  return static_cast<int64_t>(
      std::min(1e18, size(s.n) * size(s.k) * size(s.p) * size(s.q) * size(s.c) * size(s.r * s.s)));
}

// The layout that kernels take: the CPU's that of x, the product's first operand.
Layout kernel_layout(const char* op, const Conv2dShape& s, Conv2dProduct product, const Tensor& x) {
  const Layout given = layout_of(x);
  if (x.device().is_cpu()) return given;
  Layout layout = Layout::first;
  kernel<conv2d_layout>(op, x.device(), x.dtype())(context(x.device()), s, product, given, layout);
  return layout;
}

// The results of kernels of `layout` as x lies, which it follows.
Tensor as_given(const Tensor& y, Layout layout, const Tensor& x) {
  return layout == Layout::last ? in_layout(y, layout_of(x)) : y;
}

// Both gradients that read dy by output channel, in one pass; not recorded.
std::pair<Tensor, Tensor> weight_and_bias_grad(const Tensor& x, const Tensor& dy,
                                               const Dims& weight_shape, const Conv2dOptions& o) {
  Tensor dw = empty(weight_shape, x.dtype(), x.device());
  Tensor db = empty({weight_shape[0]}, x.dtype(), x.device());
  const Conv2dShape s = shape_of(x.shape(), weight_shape, o);
  const Layout layout = kernel_layout("conv2d_weight_grad", s, Conv2dProduct::weight_grad, x);
  const Tensor xs = in_layout(x, layout), gs = in_layout(dy, layout);
  launch<conv2d_backward_weight>("conv2d_weight_grad", x.device(), x.dtype(), work_of(s), s, layout,
                                 xs.data(), gs.data(), dw.mutable_data(), db.mutable_data());
  return {dw, db};
}

Tensor input_grad(const Tensor& dy, const Tensor& weight, const Dims& x_shape,
                  const Conv2dOptions& o) {
  return conv2d_input_grad("conv2d_input_grad", dy, weight, {}, x_shape, o);
}

// The weight as the chosen algorithm reads it, where it is kept; undefined otherwise.
Tensor prepared(const char* op, const Tensor& weight, const Conv2dShape& s, Layout layout) {
  if (!weight.device().is_cpu() || !may_keep_packed(weight)) return {};
  const Context& cpu = context(weight.device());
  Conv2dPlan plan;
  kernel<conv2d_plan>(op, weight.device(), weight.dtype())(cpu, s, layout, Conv2dProduct::forward,
                                                           plan);
  if (plan.packed == 0) return {};
  return kept_packed(weight, {"conv2d", plan.chosen, {s.groups}}, [&] {
    Tensor packed = empty(op, {plan.packed}, weight.dtype(), weight.device());
    const Tensor ws = contiguous(detach(weight));
    kernel<conv2d_pack>(op, weight.device(), weight.dtype())(cpu, s, layout, ws.data(),
                                                             packed.mutable_data());
    return packed;
  });
}

// y = activation(conv2d + bias + residual), not recorded.
Tensor run_forward(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                   const Tensor& residual, Epilogue epilogue, const Conv2dOptions& o) {
  const Conv2dShape s = shape_of(x.shape(), weight.shape(), o);
  const Dims y_shape{s.n, s.k, s.p, s.q};
  check_residual(op, residual, y_shape);
  const Layout layout = kernel_layout(op, s, Conv2dProduct::forward, x);
  Tensor y = empty_in(op, layout, y_shape, x.dtype(), x.device());
  if (y.numel() == 0) return y;
  const Tensor xs = in_layout(detach(x), layout), packed = prepared(op, weight, s, layout);
  const Tensor ws = packed.defined() ? weight : contiguous(detach(weight));
  const Tensor bs = bias.defined() ? contiguous(detach(bias)) : bias;
  const Tensor rs = residual.defined() ? in_layout(detach(residual), layout) : residual;
  epilogue.bias = bs.defined() ? bs.data() : nullptr;
  epilogue.residual = rs.defined() ? rs.data() : nullptr;
  launch<conv2d_forward>(op, x.device(), x.dtype(), work_of(s), s, layout, xs.data(), ws.data(),
                         packed.defined() ? packed.data() : nullptr, epilogue, y.mutable_data());
  return as_given(y, layout, x);
}

}  // namespace

Tensor conv2d(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv2dOptions& o) {
  const Tensor y = run_forward(op, x, weight, bias, {}, Epilogue{}, o);
  if (Recording r{"conv2d", {&x, &weight, &bias}})
    r.result(y, [x = Saved(x), w = Saved(weight), o](Backward& pass) {
      const Tensor& g = pass.grad();
      const Tensor xs = x.get(pass), ws = w.get(pass);
      if (pass.needs(0)) pass.give(0, input_grad(g, ws, xs.shape(), o));
      if (pass.needs(1) && pass.needs(2) && !grad_enabled()) {
        auto [dw, db] = weight_and_bias_grad(xs, g, ws.shape(), o);
        pass.give(1, std::move(dw));
        pass.give(2, std::move(db));
        return;
      }
      if (pass.needs(1)) pass.give(1, conv2d_weight_grad(xs, g, ws.shape(), o));
      if (pass.needs(2)) pass.give(2, sum(g, Dims{0, 2, 3}, false));
    });
  return y;
}

bool winograd_enabled() { return winograd; }
void set_winograd(bool on) { winograd = on; }

Conv2dPlan plan_conv2d(const Dims& x_shape, const Dims& weight_shape, const ConvOptions& options,
                       DType dtype, Layout layout, Conv2dProduct product) {
  // Shapes are checked as those of tensors are, without memory behind them.
  const auto tensor = [&](const Dims& shape) {
    checked_numel("explain", shape);
    return Tensor(Ref(new Storage({}, 0)), dtype, shape, contiguous_strides(shape), 0);
  };
  const Tensor weight = tensor(weight_shape);
  check_dim("explain", {"input", tensor(x_shape)}, 4, "[N, C, H, W]");
  check_dim("explain", {"weight", weight}, 4, "[K, C / groups, R, S]");
  ConvOptions o = options;
  const Tensor x = tensor(number_padding("explain", x_shape, weight_shape, o));
  if (x.size(1) != checked_mul("explain", weight.size(1), o.groups))
    throw shape_error("explain", text("input has ", x.size(1), " channels, weight expects ",
                                      weight.size(1) * o.groups))
        .show("input", x)
        .show("weight", weight)
        .remedy("pass shapes [N, C, H, W] and [K, C / groups, R, S]");
  check_windows("explain", x, weight, o);
  const Conv2dShape s = shape_of(x.shape(), weight_shape, as_2d(o));
  Conv2dPlan plan;
  kernel<conv2d_plan>("explain", Device{}, dtype)(context(Device{}), s, layout, product, plan);
  return plan;
}

Tensor conv2d_fused(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const FusedOptions& fused, const ConvOptions& options) {
  check_inference("conv2d_fused", {&x, &weight, &bias, &residual});
  const Activation activation = parse_activation("conv2d_fused", fused.activation);
  if (x.device().is_cpu() && has_16_bits(x))
    return in_float32([&](const Tensor& xs, const Tensor& w, const Tensor& b,
                          const Tensor& r) { return conv2d_fused(xs, w, b, r, fused, options); },
                      x, weight, bias, residual);
  ConvOptions o = options;
  const Tensor xs = pad_same("conv2d_fused", x, weight, o);
  check_windows("conv2d_fused", xs, weight, o);
  return run_forward("conv2d_fused", xs, weight, bias, residual,
                     {nullptr, nullptr, activation, fused.slope}, as_2d(o));
}

Tensor conv2d_input_grad(const char* op, const Tensor& dy, const Tensor& weight, const Tensor& bias,
                         const Dims& x_shape, const Conv2dOptions& o) {
  const Conv2dShape s = shape_of(x_shape, weight.shape(), o);
  const Layout layout = kernel_layout(op, s, Conv2dProduct::input_grad, dy);
  Tensor dx = empty_in(op, layout, x_shape, dy.dtype(), dy.device());
  const Tensor gs = in_layout(detach(dy), layout), ws = contiguous(detach(weight));
  const Tensor bs = bias.defined() ? contiguous(detach(bias)) : bias;
  if (dx.numel() > 0)
    launch<conv2d_backward_data>(op, dy.device(), dy.dtype(), work_of(s), s, layout, gs.data(),
                                 ws.data(), bs.defined() ? bs.data() : nullptr, dx.mutable_data());
  dx = as_given(dx, layout, dy);
  if (Recording r{"conv2d_input_grad", {&dy, &weight, &bias}})
    r.result(dx, [dy = Saved(dy), w = Saved(weight), o](Backward& pass) {
      const Tensor& g = pass.grad();
      const Tensor ws = w.get(pass);
      if (pass.needs(0)) pass.give(0, conv2d("conv2d", g, ws, {}, o));
      if (pass.needs(1)) pass.give(1, conv2d_weight_grad(g, dy.get(pass), ws.shape(), o));
      if (pass.needs(2)) pass.give(2, sum(g, Dims{0, 2, 3}, false));
    });
  return dx;
}

Tensor conv2d_weight_grad(const Tensor& x, const Tensor& dy, const Dims& weight_shape,
                          const Conv2dOptions& o) {
  Tensor dw = empty(weight_shape, x.dtype(), x.device());
  const Conv2dShape s = shape_of(x.shape(), weight_shape, o);
  const Layout layout = kernel_layout("conv2d_weight_grad", s, Conv2dProduct::weight_grad, x);
  const Tensor xs = in_layout(detach(x), layout), gs = in_layout(detach(dy), layout);
  if (dw.numel() > 0)
    launch<conv2d_backward_weight>("conv2d_weight_grad", x.device(), x.dtype(), work_of(s), s,
                                   layout, xs.data(), gs.data(), dw.mutable_data(),
                                   static_cast<void*>(nullptr));
  if (Recording r{"conv2d_weight_grad", {&x, &dy}})
    r.result(dw, [x = Saved(x), dy = Saved(dy), o](Backward& pass) {
      const Tensor xs = x.get(pass), gs = dy.get(pass);
      if (pass.needs(0)) pass.give(0, input_grad(gs, pass.grad(), xs.shape(), o));
      if (pass.needs(1)) pass.give(1, conv2d("conv2d", xs, pass.grad(), {}, o));
    });
  return dw;
}

}  // namespace fastdl
