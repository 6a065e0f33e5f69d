#include "ops/pool2d.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// Kernels for channels-last take any number of channels on the CPU, whole packs of 16 bytes on CUDA.
Layout pooled_layout(const Tensor& x) {
  const Layout layout = layout_of(x);
  if (layout == Layout::first || x.device().is_cpu()) return layout;
  const int64_t bytes = x.size(1) * static_cast<int64_t>(item_size(x.dtype()));
  return bytes % 16 == 0 ? layout : Layout::first;
}

Pool2dShape shape_of(const char* op, const Tensor& x, const Pool2dOptions& o) {
  const int d = x.dim();
  Pool2dShape s{1,
                x.size(d - 2),
                x.size(d - 1),
                0,
                0,
                o.kernel[0],
                o.kernel[1],
                o.stride[0],
                o.stride[1],
                o.padding[0],
                o.padding[1],
                o.dilation[0],
                o.dilation[1],
                o.count_include_pad,
                o.divisor,
                pooled_layout(x),
                x.size(d - 3)};
  for (int i = 0; i < d - 2; ++i) s.planes *= x.size(i);
  s.p = pooled_size(op, x, s.h, o, 0);
  s.q = pooled_size(op, x, s.w, o, 1);
  return s;
}

Dims output_shape(const Tensor& x, const Pool2dShape& s) {
  Dims shape = x.shape();
  shape[x.dim() - 2] = s.p, shape[x.dim() - 1] = s.q;
  return shape;
}

Tensor avg_pool2d_grad(const char* op, const Tensor& dy, const Dims& x_shape, const Pool2dShape& s,
                       const Pool2dOptions& o) {
  Tensor dx = empty_in(s.layout, x_shape, dy.dtype(), dy.device());
  const Tensor gs = in_layout(detach(dy), s.layout);
  launch<avg_pool2d_backward>(op, dy.device(), dy.dtype(), dx.numel(), s, gs.data(),
                              dx.mutable_data());
  if (Recording r{"avg_pool2d_grad", {&dy}})
    r.result(dx, [op, o](Backward& pass) { pass.give(0, avg_pool2d(op, pass.grad(), o)); });
  return dx;
}

// Where in its plane each maximum lies, or -1.
Tensor positions_of(const Tensor& index, const Pool2dShape& s) {
  const Tensor first = contiguous(index);
  Tensor positions = empty(index.shape(), DType::i64, index.device());
  Pool2dShape planes = s;
  planes.layout = Layout::first;
  launch<max_pool2d_positions>("max_pool2d", index.device(), index.dtype(), index.numel(), planes,
                               first.data(), positions.as<int64_t>());
  return positions;
}

// An indexed sum, whose derivative is known.
Tensor composed_gradient(const Tensor& g, const Tensor& index, const Pool2dShape& s,
                         const Dims& x_shape) {
  const Tensor at = positions_of(index, s);
  const Dims cells{s.planes, s.h * s.w}, windows{s.planes, s.p * s.q};
  const Tensor to = select(at >= 0, at, 0), from = select(at >= 0, g, 0);
  const Tensor zero = full(cells, 0, g.dtype(), g.device());
  return reshape(scatter_add(zero, 1, reshape(to, windows), reshape(from, windows)), x_shape);
}

}  // namespace

int64_t pooled_size(const char* op, const Tensor& x, int64_t size, const Pool2dOptions& o, int i) {
  if (o.padding[i] > o.kernel[i] / 2)  // else a window could lie in padding alone
    throw argument_error(op, text("padding is ", o.padding[i]))
        .show("input", x)
        .remedy(text("use a padding from 0 to ", o.kernel[i] / 2, ", half the kernel_size"));
  const int64_t window = o.dilation[i] * (o.kernel[i] - 1) + 1;
  const int64_t room = size + 2 * o.padding[i] - window;
  if (room < 0)
    throw shape_error(op, text("the window reaches over ", window,
                               " elements, the padded input has ", size + 2 * o.padding[i]))
        .show("input", x)
        .remedy("use a larger input or a smaller kernel_size");
  int64_t out = (room + (o.ceil_mode ? o.stride[i] - 1 : 0)) / o.stride[i] + 1;
  // With ceil_mode the last window must still start inside the input or its left padding.
  if (o.ceil_mode && (out - 1) * o.stride[i] >= size + o.padding[i]) --out;
  return out;
}

Tensor max_pool2d(const char* op, const Tensor& x, const Pool2dOptions& o, Tensor* positions) {
  const Pool2dShape s = shape_of(op, x, o);
  const Tensor xs = in_layout(detach(x), s.layout);
  const Dims shape = output_shape(x, s);
  Tensor y = empty_in(s.layout, shape, x.dtype(), x.device()), index;
  const DType kind = has_byte_taps(s) ? DType::u8 : DType::i32;
  if (positions || (grad_enabled() && requires_grad(x)))
    index = empty_in(s.layout, shape, kind, x.device());
  launch<max_pool2d_forward>(op, x.device(), x.dtype(), y.numel() * s.kernel_h, s, xs.data(),
                             y.mutable_data(), index.defined() ? index.mutable_data() : nullptr);
  if (positions) *positions = positions_of(index, s);
  if (Recording r{op, {&x}})
    r.result(y, [op, saved = Saved(index), s, shape = x.shape()](Backward& pass) {
      const Tensor &g = pass.grad(), index = saved.get(pass);
      if (grad_enabled()) return pass.give(0, composed_gradient(g, index, s, shape));
      Tensor dx = empty_in(s.layout, shape, g.dtype(), g.device());
      const Tensor gs = in_layout(g, s.layout);
      launch<max_pool2d_backward>(op, g.device(), g.dtype(), dx.numel(), s, gs.data(), index.data(),
                                  dx.mutable_data());
      pass.give(0, dx);
    });
  return y;
}

Tensor avg_pool2d(const char* op, const Tensor& x, const Pool2dOptions& o) {
  const Pool2dShape s = shape_of(op, x, o);
  const Tensor xs = in_layout(detach(x), s.layout);
  Tensor y = empty_in(s.layout, output_shape(x, s), x.dtype(), x.device());
  launch<avg_pool2d_forward>(op, x.device(), x.dtype(), y.numel() * s.kernel_h, s, xs.data(),
                             y.mutable_data());
  if (Recording r{op, {&x}})
    r.result(y, [op, s, o, shape = x.shape()](Backward& pass) {
      pass.give(0, avg_pool2d_grad(op, pass.grad(), shape, s, o));
    });
  return y;
}

}  // namespace fastdl
