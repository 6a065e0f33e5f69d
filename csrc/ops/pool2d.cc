#include "ops/pool2d.h"

#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

int64_t output_size(const char* op, const Tensor& x, int64_t size, const Pool2dOptions& o, int i) {
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

Pool2dShape shape_of(const char* op, const Tensor& x, const Pool2dOptions& o) {
  if (x.dim() != 3 && x.dim() != 4) check_dim(op, {"input", x}, 4, "[N, C, H, W] or [C, H, W]");
  check_floating(op, {"input", x});
  for (int i = 0; i < 2; ++i) {
    const auto check = [&](const char* name, int64_t value, int64_t least, int64_t most) {
      if (value < least || value > most)
        throw argument_error(op, text(name, " is ", value))
            .show("input", x)
            .remedy(text("use a ", name, " from ", least, " to ", most));
    };
    check("kernel_size", o.kernel[i], 1, kMaxWindow);
    check("stride", o.stride[i], 1, kMaxWindow);
    check("dilation", o.dilation[i], 1, kMaxWindow);
    check("padding", o.padding[i], 0, o.kernel[i] / 2);  // so that no window lies in padding alone
  }
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
                x.device().is_cpu() ? layout_of(x) : Layout::first,
                x.size(d - 3)};
  for (int i = 0; i < d - 2; ++i) s.planes *= x.size(i);
  s.p = output_size(op, x, s.h, o, 0);
  s.q = output_size(op, x, s.w, o, 1);
  return s;
}

Dims output_shape(const Tensor& x, const Pool2dShape& s) {
  Dims shape = x.shape();
  shape[x.dim() - 2] = s.p, shape[x.dim() - 1] = s.q;
  return shape;
}

Tensor avg_pool2d_grad(const Tensor& dy, const Dims& x_shape, const Pool2dShape& s,
                       const Pool2dOptions& o) {
  Tensor dx = empty_in(s.layout, x_shape, dy.dtype(), dy.device());
  const Tensor gs = in_layout(detach(dy), s.layout);
  launch<avg_pool2d_backward>("avg_pool2d", dy.device(), dy.dtype(), dx.numel(), s, gs.data(),
                              dx.mutable_data());
  if (Recording r{"avg_pool2d_grad", {&dy}})
    r.result(dx, [o](Backward& pass) { pass.give(0, avg_pool2d(pass.grad(), o)); });
  return dx;
}

// Where in its plane each maximum lies, or -1.
Tensor positions_of(const Tensor& index, const Pool2dShape& s) {
  if (index.dtype() == DType::i64) return index;
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
  const auto number = [&](double value, const Tensor& like) {
    return full({}, value, like.dtype(), like.device());
  };
  const Tensor has = compare(Compare::ge, at, number(0, at));
  const Tensor to = where(has, at, number(0, at)), from = where(has, g, number(0, g));
  const Tensor zero = full(cells, 0, g.dtype(), g.device());
  return reshape(scatter_add(zero, 1, reshape(to, windows), reshape(from, windows)), x_shape);
}

}  // namespace

Tensor max_pool2d(const Tensor& x, const Pool2dOptions& o) {
  const Pool2dShape s = shape_of("max_pool2d", x, o);
  const Tensor xs = in_layout(detach(x), s.layout);
  const Dims shape = output_shape(x, s);
  Tensor y = empty_in(s.layout, shape, x.dtype(), x.device()), index;
  const DType kind = !x.device().is_cpu() ? DType::i64 : has_byte_taps(s) ? DType::u8 : DType::i32;
  if (!x.device().is_cpu() || (grad_enabled() && requires_grad(x)))
    index = empty_in(s.layout, shape, kind, x.device());
  launch<max_pool2d_forward>("max_pool2d", x.device(), x.dtype(), y.numel() * s.kernel_h, s,
                             xs.data(), y.mutable_data(),
                             index.defined() ? index.mutable_data() : nullptr);
  if (Recording r{"max_pool2d", {&x}})
    r.result(y, [index, s, shape = x.shape()](Backward& pass) {
      const Tensor& g = pass.grad();
      if (grad_enabled()) return pass.give(0, composed_gradient(g, index, s, shape));
      Tensor dx = empty_in(s.layout, shape, g.dtype(), g.device());
      const Tensor gs = in_layout(g, s.layout);
      launch<max_pool2d_backward>("max_pool2d", g.device(), g.dtype(), dx.numel(), s, gs.data(),
                                  index.data(), dx.mutable_data());
      pass.give(0, dx);
    });
  return y;
}

Tensor avg_pool2d(const Tensor& x, const Pool2dOptions& o) {
  const Pool2dShape s = shape_of("avg_pool2d", x, o);
  const Tensor xs = in_layout(detach(x), s.layout);
  Tensor y = empty_in(s.layout, output_shape(x, s), x.dtype(), x.device());
  launch<avg_pool2d_forward>("avg_pool2d", x.device(), x.dtype(), y.numel() * s.kernel_h, s,
                             xs.data(), y.mutable_data());
  if (Recording r{"avg_pool2d", {&x}})
    r.result(y, [s, o, shape = x.shape()](Backward& pass) {
      pass.give(0, avg_pool2d_grad(pass.grad(), shape, s, o));
    });
  return y;
}

}  // namespace fastdl
