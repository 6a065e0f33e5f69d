#include "ops/shape.h"

#include "autograd/inplace.h"
#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/reduce.h"

namespace fastdl {
namespace {

// Records y as a view of x; `back` turns y's gradient into x's.
template <class F>
Tensor record_view(const char* op, const Tensor& x, Tensor y, F back) {
  if (Recording r{op, {&x}}) {
    x.storage().viewed = true;
    r.result(y, [back](Backward& pass) { pass.give(0, back(pass.grad())); });
  }
  return y;
}

// Fills in a -1 and checks the count.
Dims resolve_shape(const char* op, const Tensor& x, Dims shape) {
  int unknown = -1;
  int64_t known = 1;
  for (int i = 0; i < shape.n; ++i) {
    if (shape[i] == -1 && unknown < 0) {
      unknown = i;
      continue;
    }
    if (shape[i] < 0)
      throw shape_error(op, text("invalid shape ", str(shape)))
          .show("input", x)
          .remedy("give sizes of 0 or more, and at most one -1");
    known = checked_mul(op, known, shape[i]);
  }
  if (unknown >= 0 && known > 0 && x.numel() % known == 0)
    shape[unknown] = x.numel() / known, known = x.numel();
  if (known != x.numel() || (unknown >= 0 && shape[unknown] == -1))
    throw shape_error(op, text("cannot view ", x.numel(), " elements as ", str(shape)))
        .show("input", x)
        .remedy("make the product of the sizes equal to the number of elements");
  return shape;
}

// Strides that read x as `shape` without a copy, if there are any: each group of x's dimensions
// that is contiguous in itself may be cut anew.
bool view_strides(const Tensor& x, const Dims& shape, Dims& stride) {
  stride = contiguous_strides(shape);
  if (x.is_contiguous() || x.numel() == 0) return true;
  int at = shape.n - 1;
  for (int d = x.dim() - 1; d >= 0;) {
    int64_t step = x.stride()[d], group = x.size(d);
    while (d > 0 && (x.size(d - 1) == 1 || group == 1 || x.stride()[d - 1] == group * step)) {
      --d;
      if (x.size(d) != 1 && group == 1) step = x.stride()[d];
      group *= x.size(d);
    }
    --d;
    int64_t taken = 1;
    while (at >= 0 && (taken < group || shape[at] == 1)) {
      stride[at] = step * taken;
      taken *= shape[at--];
    }
    if (taken != group) return false;
  }
  return true;
}

}  // namespace

Tensor view(const Tensor& x, const Dims& wanted) {
  const Dims shape = resolve_shape("view", x, wanted);
  Dims stride;
  if (!view_strides(x, shape, stride))
    throw shape_error("view", text("the strides do not allow a view as ", str(shape)))
        .show("input", x)
        .show("strides", str(x.stride()))
        .remedy("use reshape, which copies where it must");
  return record_view("view", x, x.view(shape, stride, x.offset()),
                     [from = x.shape()](const Tensor& g) { return reshape(g, from); });
}

Tensor reshape(const Tensor& x, const Dims& wanted) {
  const Dims shape = resolve_shape("reshape", x, wanted);
  Dims stride;
  return view(view_strides(x, shape, stride) ? x : contiguous(x), shape);
}

Tensor permute(const Tensor& x, const Dims& dims) {
  Dims order = dims, shape, stride, inverse = Dims::filled(x.dim(), -1);
  bool valid = dims.n == x.dim();
  for (int i = 0; valid && i < dims.n; ++i) {
    order[i] = normalize_dim("permute", dims[i], x.dim());
    valid = inverse[static_cast<int>(order[i])] == -1;
    inverse[static_cast<int>(order[i])] = i;
    shape.push(x.size(static_cast<int>(order[i])));
    stride.push(x.stride()[static_cast<int>(order[i])]);
  }
  if (!valid)
    throw argument_error("permute", text(str(dims), " is not an order of the dimensions"))
        .show("input", x)
        .remedy(text("name each dimension from 0 to ", x.dim() - 1, " once"));
  return record_view("permute", x, x.view(shape, stride, x.offset()),
                     [inverse](const Tensor& g) { return permute(g, inverse); });
}

Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1) {
  const int a = normalize_dim("transpose", dim0, x.dim()),
            b = normalize_dim("transpose", dim1, x.dim());
  if (x.dim() == 0) return x;
  Dims order;
  for (int i = 0; i < x.dim(); ++i) order.push(i == a ? b : i == b ? a : i);
  return permute(x, order);
}

Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim) {
  const int first = normalize_dim("flatten", start_dim, x.dim()),
            last = normalize_dim("flatten", end_dim, x.dim());
  if (first > last)
    throw argument_error("flatten", text("start_dim ", start_dim, " is after end_dim ", end_dim))
        .show("input", x)
        .remedy("give start_dim <= end_dim");
  Dims shape;
  int64_t joined = 1;
  for (int i = 0; i < x.dim(); ++i) {
    if (i < first || i > last) shape.push(x.size(i));
    if (i >= first && i <= last) joined *= x.size(i);
    if (i == last) shape.push(joined);
  }
  if (x.dim() == 0) shape.push(1);
  return reshape(x, shape);
}

Tensor squeeze(const Tensor& x, std::optional<int64_t> dim) {
  const int only = dim ? normalize_dim("squeeze", *dim, x.dim()) : -1;
  Dims shape, stride;
  for (int i = 0; i < x.dim(); ++i) {
    if (x.size(i) == 1 && (only < 0 || i == only)) continue;
    shape.push(x.size(i));
    stride.push(x.stride()[i]);
  }
  return record_view("squeeze", x, x.view(shape, stride, x.offset()),
                     [from = x.shape()](const Tensor& g) { return reshape(g, from); });
}

Tensor unsqueeze(const Tensor& x, int64_t dim) {
  const int at = normalize_dim("unsqueeze", dim, x.dim() + 1);
  Dims shape = x.shape(), stride = x.stride();
  shape.insert(at, 1);
  stride.insert(at, 1);
  return record_view("unsqueeze", x, x.view(shape, stride, x.offset()),
                     [from = x.shape()](const Tensor& g) { return reshape(g, from); });
}

Tensor expand(const Tensor& x, const Dims& wanted) {
  Dims shape = wanted;
  bool fits = shape.n >= x.dim();
  for (int i = 1; fits && i <= shape.n; ++i) {
    int64_t& size = shape[shape.n - i];
    if (i > x.dim()) {
      fits = size >= 0;
      continue;
    }
    const int64_t own = x.size(x.dim() - i);
    if (size == -1) size = own;
    fits = size == own || (own == 1 && size >= 0);
  }
  if (!fits)
    throw shape_error("expand", text("cannot expand to ", str(wanted)))
        .show("input", x)
        .remedy("only sizes of 1 expand, and new dimensions come in front");
  checked_numel("expand", shape);
  return record_view("expand", x,
                     x.view(shape, broadcast_strides(x.shape(), x.stride(), shape), x.offset()),
                     [from = x.shape()](const Tensor& g) { return sum_to(g, from); });
}

Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length) {
  const int d = normalize_dim("narrow", dim, x.dim());
  if (x.dim() == 0 || start < 0 || length < 0 || start > x.size(d) || length > x.size(d) - start)
    throw Error(
        ErrorKind::index, "narrow",
        text("elements ", start, " to ", start, "+", length, " of dim ", dim, " do not exist"))
        .show("input", x)
        .remedy("stay within the dimension's size");
  Window w{Dims::filled(x.dim(), 0), Dims::filled(x.dim(), 1), x.shape()};
  w.start[d] = start;
  w.length[d] = length;
  return slice(x, w);
}

Tensor slice(const Tensor& x, const Window& w) {
  Dims stride = x.stride();
  int64_t offset = x.offset();
  for (int i = 0; i < x.dim(); ++i) {
    if (w.length[i] > 0) offset += w.start[i] * x.stride()[i];
    stride[i] *= w.step[i];
  }
  return record_view("slice", x, x.view(w.length, stride, offset),
                     [w, from = x.shape()](const Tensor& g) { return embed(g, w, from); });
}

Tensor row(const Tensor& x, int64_t i) {
  Dims shape = x.shape(), stride = x.stride();
  shape.erase(0);
  stride.erase(0);
  const int64_t offset = x.offset() + (x.numel() > 0 ? i * x.stride()[0] : 0);
  return record_view("index", x, x.view(shape, stride, offset),
                     [i, n = x.size(0)](const Tensor& g) {
                       Dims shape = g.shape();
                       shape.insert(0, 1);
                       Window w{Dims::filled(shape.n, 0), Dims::filled(shape.n, 1), shape};
                       w.start[0] = i;
                       Dims from = shape;
                       from[0] = n;
                       return embed(reshape(g, shape), w, from);
                     });
}

Tensor embed(const Tensor& g, const Window& w, const Dims& shape) {
  Tensor y = full(shape, 0, g.dtype(), g.device());
  {
    GradMode off(false);
    copy_(slice(y, w), g);
  }
  if (Recording r{"slice_backward", {&g}})
    r.result(y, [w](Backward& pass) { pass.give(0, slice(pass.grad(), w)); });
  return y;
}

void assign(const Tensor& x, const Window& w, const Dims& shape, const Tensor& value) {
  check_editable("setitem", x);
  const Tensor spread = reshape(expand(value, shape), w.length);
  Tensor target;
  {
    GradMode off(false);
    target = slice(x, w);
    copy_(target, spread);
  }
  if (Recording r{"setitem", {&x, &value}})
    r.result(x, [w, from = value.shape(), kind = value.dtype(), shape](Backward& pass) {
      const Tensor& g = pass.grad();
      // What was overwritten has no more influence.
      if (pass.needs(0)) pass.give(0, sub(g, embed(slice(g, w), w, g.shape())));
      if (pass.needs(1)) pass.give(1, cast(sum_to(reshape(slice(g, w), shape), from), kind));
    });
}

Tensor cat(const std::vector<Tensor>& tensors, int64_t dim) {
  if (tensors.empty())
    throw argument_error("cat", "no tensors to join").remedy("pass at least one tensor");
  const Tensor& first = tensors[0];
  const int d = normalize_dim("cat", dim, first.dim());
  Dims shape = first.shape();
  if (first.dim() == 0) throw shape_error("cat", "scalars cannot be joined").remedy("use stack");
  shape[d] = 0;
  for (const Tensor& t : tensors) {
    check_same_kind("cat", {{"first", first}, {"other", t}});
    bool fits = t.dim() == first.dim();
    for (int i = 0; fits && i < t.dim(); ++i) fits = i == d || t.size(i) == first.size(i);
    if (!fits)
      throw shape_error("cat", text("sizes differ outside dim ", d))
          .show("first", first)
          .show("other", t)
          .remedy("make all other sizes equal");
    shape[d] += t.size(d);
  }
  Tensor y = empty(shape, first.dtype(), first.device());
  std::vector<int64_t> sizes;
  {
    GradMode off(false);
    int64_t at = 0;
    for (const Tensor& t : tensors) {
      copy_(narrow(y, d, at, t.size(d)), t);
      at += t.size(d);
      sizes.push_back(t.size(d));
    }
  }
  if (Recording r{"cat", tensors})
    r.result(y, [d, sizes](Backward& pass) {
      int64_t at = 0;
      for (size_t i = 0; i < sizes.size(); at += sizes[i++])
        if (pass.needs(static_cast<int>(i)))
          pass.give(static_cast<int>(i), narrow(pass.grad(), d, at, sizes[i]));
    });
  return y;
}

Tensor stack(const std::vector<Tensor>& tensors, int64_t dim) {
  if (tensors.empty())
    throw argument_error("stack", "no tensors to join").remedy("pass at least one tensor");
  const int d = normalize_dim("stack", dim, tensors[0].dim() + 1);
  std::vector<Tensor> rows;
  for (const Tensor& t : tensors) {
    if (t.shape() != tensors[0].shape())
      throw shape_error("stack", "the shapes differ")
          .show("first", tensors[0])
          .show("other", t)
          .remedy("make all shapes equal, or use cat");
    rows.push_back(unsqueeze(t, d));
  }
  return cat(rows, d);
}

Tensor detach(const Tensor& x) { return x.alias(); }

}  // namespace fastdl
