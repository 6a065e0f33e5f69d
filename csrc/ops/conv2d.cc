#include "ops/conv2d.h"

#include <algorithm>
#include <atomic>
#include <utility>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/epilogue.h"
#include "ops/packed.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

void check_options(const char* op, const Tensor& x, const Tensor& weight, const Conv2dOptions& o) {
  struct Named {
    const char* name;
    const int64_t* pair;
    int64_t least;
  };
  for (const Named& each : {Named{"stride", o.stride, 1}, Named{"padding", o.padding, 0},
                            Named{"dilation", o.dilation, 1}})
    for (int i = 0; i < 2; ++i)
      if (each.pair[i] < each.least || each.pair[i] > kMaxWindow)
        throw argument_error(op, text(each.name, " is ", each.pair[i]))
            .show("input", x)
            .show("weight", weight)
            .remedy(text("use a ", each.name, " from ", each.least, " to ", kMaxWindow));
  if (o.groups < 1)
    throw argument_error(op, text("groups is ", o.groups))
        .show("weight", weight)
        .remedy("use groups of 1 or more");
}

int64_t output_size(const char* op, int64_t size, int64_t window, int64_t stride, int64_t pad,
                    int64_t dilation, const Tensor& x, const Tensor& weight) {
  const int64_t reach = checked_mul(op, dilation, window - 1) + 1;
  const int64_t room = size + 2 * pad - reach;
  if (room < 0)
    throw shape_error(op, text("the kernel reaches over ", reach,
                               " elements, the padded input has ", size + 2 * pad))
        .show("input", x)
        .show("weight", weight)
        .remedy("use a larger input, more padding, or a smaller kernel or dilation");
  return room / stride + 1;
}

Conv2dShape shape_of(const char* op, const Tensor& x, const Tensor& weight,
                     const Conv2dOptions& o) {
  check_options(op, x, weight, o);
  check_dim(op, {"input", x}, 4, "[N, C, H, W]");
  check_dim(op, {"weight", weight}, 4, "[out_channels, in_channels / groups, kernel_h, kernel_w]");
  const int64_t c = x.size(1), k = weight.size(0);
  if (weight.size(2) < 1 || weight.size(3) < 1)
    throw shape_error(op, "the kernel is empty")
        .show("weight", weight)
        .remedy("use a kernel of 1x1 or larger");
  if (c != checked_mul(op, weight.size(1), o.groups))
    throw shape_error(
        op, text("input has ", c, " channels, weight expects ", weight.size(1) * o.groups))
        .show("input", x)
        .show("weight", weight)
        .show("groups", std::to_string(o.groups))
        .remedy(text("give the layer in_channels=", c, ", or pass an input with ",
                     weight.size(1) * o.groups, " channels"));
  if (k % o.groups != 0)
    throw shape_error(op, text(k, " output channels do not divide into ", o.groups, " groups"))
        .show("weight", weight)
        .remedy("make out_channels a multiple of groups");
  Conv2dShape s{x.size(0),
                c,
                x.size(2),
                x.size(3),
                k,
                weight.size(2),
                weight.size(3),
                0,
                0,
                o.stride[0],
                o.stride[1],
                o.padding[0],
                o.padding[1],
                o.dilation[0],
                o.dilation[1],
                o.groups,
                winograd_enabled()};
  s.p = output_size(op, s.h, s.r, s.stride_h, s.pad_h, s.dilation_h, x, weight);
  s.q = output_size(op, s.w, s.s, s.stride_w, s.pad_w, s.dilation_w, x, weight);
  return s;
}

std::atomic<bool> winograd{true};

int64_t work_of(const Conv2dShape& s) {
  const auto size = [](int64_t v) { return static_cast<double>(v); };
  return static_cast<int64_t>(
      std::min(1e18, size(s.n) * size(s.k) * size(s.p) * size(s.q) * size(s.c) * size(s.r * s.s)));
}

// Kernels for channels last are the CPU's.
Layout kernel_layout(const Tensor& x) { return x.device().is_cpu() ? layout_of(x) : Layout::first; }

// Both gradients that read dy by output channel, in one pass; not recorded.
std::pair<Tensor, Tensor> weight_and_bias_grad(const Tensor& x, const Tensor& dy,
                                               const Dims& weight_shape, const Conv2dOptions& o) {
  Tensor dw = empty(weight_shape, x.dtype(), x.device());
  Tensor db = empty({weight_shape[0]}, x.dtype(), x.device());
  const Conv2dShape s = shape_of("conv2d_weight_grad", x, dw, o);
  const Layout layout = kernel_layout(x);
  const Tensor xs = in_layout(x, layout), gs = in_layout(dy, layout);
  launch<conv2d_backward_weight>("conv2d_weight_grad", x.device(), x.dtype(), work_of(s), s, layout,
                                 xs.data(), gs.data(), dw.mutable_data(), db.mutable_data());
  return {dw, db};
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
  check_same_kind(op, {{"input", x}, {"weight", weight}, {"bias", bias}, {"residual", residual}});
  check_floating(op, {"input", x});
  const Conv2dShape s = shape_of(op, x, weight, o);
  if (bias.defined() && (bias.dim() != 1 || bias.size(0) != s.k))
    throw shape_error(op, text("the bias should have ", s.k, " elements"))
        .show("weight", weight)
        .show("bias", bias)
        .remedy("give a bias of shape [out_channels]");
  const Dims y_shape{s.n, s.k, s.p, s.q};
  check_residual(op, residual, y_shape);
  const Layout layout = kernel_layout(x);
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
  return y;
}

}  // namespace

Tensor conv2d(const Tensor& x, const Tensor& weight, const Tensor& bias, const Conv2dOptions& o) {
  const Tensor y = run_forward("conv2d", x, weight, bias, {}, Epilogue{}, o);
  if (Recording r{"conv2d", {&x, &weight, &bias}})
    r.result(y, [x = Saved(x), w = Saved(weight), o](Backward& pass) {
      const Tensor& g = pass.grad();
      const Tensor xs = x.get(pass), ws = w.get(pass);
      if (pass.needs(0)) pass.give(0, conv2d_input_grad(g, ws, xs.shape(), o));
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

Conv2dPlan plan_conv2d(const Dims& x_shape, const Dims& weight_shape, const Conv2dOptions& o,
                       DType dtype, Layout layout, Conv2dProduct product) {
  // Shapes are checked as those of tensors are, without memory behind them.
  const auto tensor = [&](const Dims& shape) {
    checked_numel("explain", shape);
    return Tensor(Ref(new Storage({}, 0)), dtype, shape, contiguous_strides(shape), 0);
  };
  const Conv2dShape s = shape_of("explain", tensor(x_shape), tensor(weight_shape), o);
  Conv2dPlan plan;
  kernel<conv2d_plan>("explain", Device{}, dtype)(context(Device{}), s, layout, product, plan);
  return plan;
}

Tensor conv2d_fused(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const FusedOptions& fused, const Conv2dOptions& o) {
  check_inference("conv2d_fused", {&x, &weight, &bias, &residual});
  const Activation activation = parse_activation("conv2d_fused", fused.activation);
  if (!x.device().is_cpu())
    throw Error(ErrorKind::device, "conv2d_fused", "fused convolution is the CPU's")
        .show("input", x)
        .remedy("use conv2d and the separate ops");
  return run_forward("conv2d_fused", x, weight, bias, residual,
                     {nullptr, nullptr, activation, fused.slope}, o);
}

Tensor conv2d_input_grad(const Tensor& dy, const Tensor& weight, const Dims& x_shape,
                         const Conv2dOptions& o) {
  const Layout layout = kernel_layout(dy);
  Tensor dx = empty_in(layout, x_shape, dy.dtype(), dy.device());
  const Conv2dShape s = shape_of("conv2d_input_grad", dx, weight, o);
  const Tensor gs = in_layout(detach(dy), layout), ws = contiguous(detach(weight));
  if (dx.numel() > 0)
    launch<conv2d_backward_data>("conv2d_input_grad", dy.device(), dy.dtype(), work_of(s), s,
                                 layout, gs.data(), ws.data(), dx.mutable_data());
  if (Recording r{"conv2d_input_grad", {&dy, &weight}})
    r.result(dx, [dy = Saved(dy), w = Saved(weight), o](Backward& pass) {
      const Tensor ws = w.get(pass);
      if (pass.needs(0)) pass.give(0, conv2d(pass.grad(), ws, {}, o));
      if (pass.needs(1)) pass.give(1, conv2d_weight_grad(pass.grad(), dy.get(pass), ws.shape(), o));
    });
  return dx;
}

Tensor conv2d_weight_grad(const Tensor& x, const Tensor& dy, const Dims& weight_shape,
                          const Conv2dOptions& o) {
  Tensor dw = empty(weight_shape, x.dtype(), x.device());
  const Conv2dShape s = shape_of("conv2d_weight_grad", x, dw, o);
  const Layout layout = kernel_layout(x);
  const Tensor xs = in_layout(detach(x), layout), gs = in_layout(detach(dy), layout);
  if (dw.numel() > 0)
    launch<conv2d_backward_weight>("conv2d_weight_grad", x.device(), x.dtype(), work_of(s), s,
                                   layout, xs.data(), gs.data(), dw.mutable_data(),
                                   static_cast<void*>(nullptr));
  if (Recording r{"conv2d_weight_grad", {&x, &dy}})
    r.result(dw, [x = Saved(x), dy = Saved(dy), o](Backward& pass) {
      const Tensor xs = x.get(pass), gs = dy.get(pass);
      if (pass.needs(0)) pass.give(0, conv2d_input_grad(gs, pass.grad(), xs.shape(), o));
      if (pass.needs(1)) pass.give(1, conv2d(xs, pass.grad(), {}, o));
    });
  return dw;
}

}  // namespace fastdl
