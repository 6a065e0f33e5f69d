#include "ops/fold.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/pad.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// How many windows fit, at least one.
int64_t windows(const char* op, int64_t size, const FoldOptions& o, int i) {
  const int64_t window = checked_mul(op, o.dilation[i], o.kernel[i] - 1) + 1;
  const int64_t room = size + 2 * o.padding[i] - window;
  if (room < 0)
    throw shape_error(op, text("a window of ", window, " does not fit ", size, " elements and ",
                               o.padding[i], " of padding on each side"))
        .remedy("use a larger image or a smaller kernel_size");
  return room / o.stride[i] + 1;
}

Tensor run(const char* op, const FoldShape& s, const Tensor& x, const Dims& shape) {
  Tensor y = empty(op, shape, x.dtype(), x.device());
  if (y.numel() > 0)
    launch<fold_forward>(op, x.device(), x.dtype(), x.numel(), s, x.data(), y.mutable_data());
  return y;
}

}  // namespace

Tensor unfold(const Tensor& input, const FoldOptions& o) {
  const Tensor x = input.dim() == 3 ? unsqueeze(input, 0) : input;
  const int64_t n = x.size(0), c = x.size(1), h = x.size(2), w = x.size(3);
  const int64_t p = windows("unfold", h, o, 0), q = windows("unfold", w, o, 1);
  const int64_t places = checked_mul("unfold", o.kernel[0], o.kernel[1]);
  const Dims shape{n, checked_mul("unfold", c, places), checked_mul("unfold", p, q)};
  checked_numel("unfold", shape);
  Tensor y;
  {
    GradMode off(false);
    const std::vector<int64_t> around{o.padding[1], o.padding[1], o.padding[0], o.padding[0]};
    const bool padded = o.padding[0] || o.padding[1];
    const Tensor source = padded ? pad(detach(x), around, "constant", {}) : x;
    const Dims& s = source.stride();
    const Dims all{n, c, o.kernel[0], o.kernel[1], p, q};
    // The stride of a dimension of size 1 is free, and a huge one would overflow.
    const auto step = [&](int d, int64_t stride, int64_t steps) {
      return all[d] > 1 ? stride * steps : 0;
    };
    const Dims strides{s[0],
                       s[1],
                       step(2, s[2], o.dilation[0]),
                       step(3, s[3], o.dilation[1]),
                       step(4, s[2], o.stride[0]),
                       step(5, s[3], o.stride[1])};
    y = reshape(clone(source.view(all, strides, source.offset())), shape);
  }
  if (Recording r{"unfold", {&x}})
    r.result(y, [o, h, w](Backward& pass) { pass.give(0, fold(pass.grad(), h, w, o)); });
  return input.dim() == 3 ? squeeze(y, 0) : y;
}

Tensor fold(const Tensor& input, int64_t height, int64_t width, const FoldOptions& o) {
  const Tensor x = input.dim() == 2 ? unsqueeze(input, 0) : input;
  const int64_t p = windows("fold", height, o, 0), q = windows("fold", width, o, 1);
  const int64_t places = checked_mul("fold", o.kernel[0], o.kernel[1]);
  const int64_t count = checked_mul("fold", p, q);
  if (x.size(1) % places != 0 || x.size(2) != count)
    throw shape_error("fold", text("the input is not [N, C * ", places, ", ", p, " * ", q, "]"))
        .show("input", input)
        .remedy("pass what unfold gives for images of output_size, with the same options");
  const int64_t n = x.size(0), c = x.size(1) / places;
  const Tensor source = contiguous(detach(x));
  const int64_t batch = checked_mul("fold", n, c);
  const FoldShape s{batch,
                    height,
                    width,
                    p,
                    q,
                    o.kernel[0],
                    o.kernel[1],
                    o.dilation[0],
                    o.dilation[1],
                    o.padding[0],
                    o.padding[1],
                    o.stride[0],
                    o.stride[1],
                    checked_mul("fold", places, count),
                    checked_mul("fold", o.kernel[1], count),
                    count,
                    q,
                    1};
  const Tensor y = run("fold", s, source, {n, c, height, width});
  if (Recording r{"fold", {&x}})
    r.result(y, [o](Backward& pass) { pass.give(0, unfold(pass.grad(), o)); });
  return input.dim() == 2 ? squeeze(y, 0) : y;
}

namespace {

Tensor unfold_dim_backward(const Tensor& g, int64_t d, int64_t size, int64_t step,
                           const Dims& shape) {
  const Tensor source = contiguous(detach(g));
  const int axis = static_cast<int>(d);
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < shape.n; ++i)
    if (i != axis) (i < axis ? outer : inner) *= shape[i];
  const int64_t n = shape[axis], count = source.size(axis);
  // Rows of an image one wide, or where the dimension is the last, columns of one a row high.
  const int64_t window = inner * size;
  const FoldShape s =
      inner == 1 ? FoldShape{outer, 1, n, 1,    count,        1, size, 1, 1,
                             0,     0, 1, step, count * size, 0, 1,    0, size}
                 : FoldShape{outer, n, inner, count, inner,          size, 1, 1,      1,
                             0,     0, step,  1,     count * window, 1,    0, window, size};
  const Tensor y = run("unfold", s, source, shape);
  if (Recording r{"unfold_backward", {&g}})
    r.result(y, [=](Backward& pass) { pass.give(0, unfold_dim(pass.grad(), d, size, step)); });
  return y;
}

}  // namespace

Tensor unfold_dim(const Tensor& x, int64_t dim, int64_t size, int64_t step) {
  const int d = normalize_dim("unfold", dim, x.dim());
  if (size > x.size(d))
    throw shape_error("unfold", text("windows of ", size, " do not fit dimension ", d))
        .show("input", x)
        .remedy(text("use a size of at most ", x.size(d)));
  Dims shape = x.shape(), stride = x.stride();
  shape[d] = (x.size(d) - size) / step + 1;
  stride[d] *= shape[d] > 1 ? step : 1;  // any stride does, and a huge one would overflow
  shape.push(size), stride.push(x.stride()[d]);
  checked_numel("unfold", shape);
  Tensor y = x.view(shape, stride, x.offset());
  if (Recording r{"unfold", {&x}}) {
    x.storage().viewed = true;
    r.result(y, [=, from = x.shape()](Backward& pass) {
      pass.give(0, unfold_dim_backward(pass.grad(), d, size, step, from));
    });
  }
  return y;
}

}  // namespace fastdl
