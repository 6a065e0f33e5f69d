#include "ops/roi.h"

#include <algorithm>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

RoiShape shape_of(const Dims& x, int64_t boxes, const RoiOptions& o) {
  return {x[0], x[1], x[2], x[3], boxes, o.p, o.q, o.scale, o.sampling, o.aligned};
}

Dims result_shape(const Dims& x, const Tensor& boxes, const RoiOptions& o) {
  return {boxes.size(0), x[1], o.p, o.q};
}

[[noreturn]] void throw_bad_box(const char* op, int64_t position, const double* box,
                                const RoiShape& s) {
  std::string values;
  for (int i = 0; i < 5; ++i) values += text(i ? ", " : "[", box[i]);
  throw Error(ErrorKind::index, op, text("box ", position, " is ", values, "]"))
      .show("input", text("of ", s.images, s.images == 1 ? " image" : " images"))
      .show("spatial_scale", text(s.scale))
      .remedy("number the images from 0, and give finite corners within 2^24 pixels");
}

// The boxes in float64 and memory of their own, which nobody changes between the check and the use.
Tensor checked_boxes(const char* op, const Tensor& boxes, const RoiShape& s) {
  Tensor own = contiguous(cast(detach(boxes), DType::f64));
  if (own.data() == boxes.data()) own = clone(own);
  Tensor position = empty({}, DType::i64, own.device());
  launch<roi_first_bad>(op, own.device(), DType::f64, s.boxes, s, own.as<const double>(),
                        position.as<int64_t>());
  if (!own.device().is_cpu()) {
    const int64_t bad = *to_device(position, Device{}).as<const int64_t>();
    if (bad < 0) return own;
    const Tensor row = to_device(narrow(own, 0, bad, 1), Device{});
    throw_bad_box(op, bad, row.as<const double>(), s);
  }
  on_host([op, s, own, position] {
    const int64_t bad = *position.as<const int64_t>();
    if (bad >= 0) throw_bad_box(op, bad, own.as<const double>() + bad * 5, s);
  });
  return own;
}

Tensor align(const Tensor& x, const Tensor& boxes, const RoiOptions& o);

Tensor align_grad(const Tensor& dy, const Tensor& boxes, const RoiOptions& o, const Dims& x) {
  const Tensor gs = contiguous(detach(dy));
  Tensor dx = empty(x, dy.dtype(), dy.device());
  const RoiShape s = shape_of(x, boxes.size(0), o);
  launch<roi_align_backward>("roi_align", dy.device(), dy.dtype(), dx.numel() + dy.numel(), s,
                             boxes.as<const double>(), gs.data(), dx.mutable_data());
  if (Recording r{"roi_align_grad", {&dy}})
    r.result(dx, [boxes, o](Backward& pass) { pass.give(0, align(pass.grad(), boxes, o)); });
  return dx;
}

// With boxes that were checked.
Tensor align(const Tensor& x, const Tensor& boxes, const RoiOptions& o) {
  const Tensor xs = contiguous(detach(x));
  Tensor y = empty_in("roi_align", Layout::first, result_shape(x.shape(), boxes, o), x.dtype(),
                      x.device());
  const RoiShape s = shape_of(x.shape(), boxes.size(0), o);
  launch<roi_align_forward>("roi_align", x.device(), x.dtype(), y.numel() * 16, s,
                            boxes.as<const double>(), xs.data(), y.mutable_data());
  if (Recording r{"roi_align", {&x}})
    r.result(y, [boxes, o, shape = x.shape()](Backward& pass) {
      pass.give(0, align_grad(pass.grad(), boxes, o, shape));
    });
  return y;
}

// An indexed sum, whose derivative is known.
Tensor composed_pool_grad(const Tensor& g, const Tensor& boxes, const Tensor& index,
                          const RoiShape& s) {
  const Tensor image = reshape(cast(narrow(boxes, 1, 0, 1), DType::i64), {s.boxes, 1, 1, 1});
  const double channels = static_cast<double>(s.channels);
  const Tensor channel =
      reshape(arange(0, channels, 1, DType::i64, g.device()), {1, s.channels, 1, 1});
  const Tensor plane = (image * channels + channel) * static_cast<double>(s.h * s.w);
  const Tensor to = select(index >= 0, plane + index, 0), from = select(index >= 0, g, 0);
  const int64_t cells = s.images * s.channels * s.h * s.w;
  const Dims flat{g.numel()};
  // One more where there are none: for the bins that read nothing.
  const Tensor zero = full({std::max<int64_t>(cells, 1)}, 0, g.dtype(), g.device());
  const Tensor sums = scatter_add(zero, 0, reshape(to, flat), reshape(from, flat));
  return reshape(narrow(sums, 0, 0, cells), {s.images, s.channels, s.h, s.w});
}

Tensor pool_grad(const Tensor& g, const Tensor& boxes, const Tensor& index, const RoiShape& s) {
  if (grad_enabled()) return composed_pool_grad(g, boxes, index, s);
  Tensor dx = empty({s.images, s.channels, s.h, s.w}, g.dtype(), g.device());
  const Tensor gs = contiguous(detach(g));
  launch<roi_pool_backward>("roi_pool", g.device(), g.dtype(), dx.numel() + g.numel(), s,
                            boxes.as<const double>(), gs.data(), index.as<const int64_t>(),
                            dx.mutable_data());
  return dx;
}

}  // namespace

Tensor joined_boxes(const char* op, const std::vector<Tensor>& boxes) {
  std::vector<Tensor> rows;
  for (size_t i = 0; i < boxes.size(); ++i) {
    const Tensor& b = boxes[i];
    if (b.dim() != 2 || b.size(1) != 4)
      throw shape_error(op, text("boxes[", i, "] is not a list of corners"))
          .show(text("boxes[", i, "]"), b)
          .remedy("pass boxes of shape [L, 4] for each image, or one tensor [K, 5]");
    const Tensor image = full({b.size(0), 1}, static_cast<double>(i), DType::f64, b.device());
    rows.push_back(cat({image, cast(detach(b), DType::f64)}, 1));
  }
  return rows.empty() ? full({0, 5}, 0, DType::f64, Device{}) : cat(rows, 0);
}

Tensor roi_align(const Tensor& x, const Tensor& boxes, const RoiOptions& o) {
  return align(x, checked_boxes("roi_align", boxes, shape_of(x.shape(), boxes.size(0), o)), o);
}

Tensor roi_pool(const Tensor& x, const Tensor& boxes, const RoiOptions& o) {
  const RoiShape s = shape_of(x.shape(), boxes.size(0), o);
  const Tensor own = checked_boxes("roi_pool", boxes, s), xs = contiguous(detach(x));
  const Dims shape = result_shape(x.shape(), boxes, o);
  Tensor y = empty_in("roi_pool", Layout::first, shape, x.dtype(), x.device());
  Tensor index = empty_in("roi_pool", Layout::first, shape, DType::i64, x.device());
  launch<roi_pool_forward>("roi_pool", x.device(), x.dtype(), y.numel() * 16, s,
                           own.as<const double>(), xs.data(), y.mutable_data(),
                           index.as<int64_t>());
  if (Recording r{"roi_pool", {&x}})
    r.result(y, [own, index, s](Backward& pass) {
      pass.give(0, pool_grad(pass.grad(), own, index, s));
    });
  return y;
}

}  // namespace fastdl
