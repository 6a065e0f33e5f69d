#include "ops/index.h"

#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/selection.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

void check_index_dtype(const char* op, const Tensor& index) {
  if (index.dtype() != DType::i64)
    throw Error(ErrorKind::dtype, op, "indices are not int64")
        .show("index", index)
        .remedy("convert them with .to(fastdl.int64)");
}

struct Lanes {
  int64_t outer = 1, inner = 1;
};

// The lanes of gather and scatter_add, whose index agrees with x in every size but `dim`.
Lanes lanes_of(const Tensor& x, int dim) {
  Lanes l;
  for (int i = 0; i < x.dim(); ++i)
    if (i != dim) (i < dim ? l.outer : l.inner) *= x.size(i);
  return l;
}

// x's shape as far as the index reaches: outside `dim` it may be smaller.
Dims reach_of(const char* op, const Tensor& x, int dim, const Tensor& index) {
  bool fits = x.dim() == index.dim() && x.dim() > 0;
  Dims reach = index.shape();
  for (int i = 0; fits && i < x.dim(); ++i) fits = i == dim || index.size(i) <= x.size(i);
  if (!fits)
    throw shape_error(op, text("the index does not fit"))
        .show("input", x)
        .show("index", index)
        .remedy(text("give it the input's dimensions, and outside dim ", dim,
                     " no size above the input's"));
  reach[dim] = x.size(dim);
  return reach;
}

[[noreturn]] void throw_out_of_range(const char* op, const char* what, int64_t position,
                                     int64_t value, int64_t low, int64_t limit,
                                     const std::string& index) {
  throw Error(ErrorKind::index, op,
              text(what, " ", value, " at position ", position, " is out of range"))
      .show("index", index)
      .show("valid", limit > low ? text(low, " to ", limit - 1) : "none")
      .remedy("check the values, or make the table larger");
}

Tensor embedding_grad(const Tensor& g, const Tensor& index, const Dims& weight_shape) {
  Tensor dw = full(weight_shape, 0, g.dtype(), g.device());
  const Tensor gs = contiguous(detach(g));
  // Again: memory shared with NumPy can change without our knowing.
  check_index_range("embedding", index, weight_shape[0], "index");
  launch<scatter_add_rows>("embedding", g.device(), g.dtype(), g.numel(), index.numel(),
                           weight_shape[1], weight_shape[0], gs.data(),
                           static_cast<const int64_t*>(index.data()), dw.mutable_data());
  if (Recording r{"embedding_grad", {&g}})
    r.result(dw, [index](Backward& pass) { pass.give(0, embedding(index, pass.grad())); });
  return dw;
}

}  // namespace

void check_index_range(const char* op, const Tensor& index, int64_t limit, const char* what,
                       int64_t low) {
  Tensor position = empty({}, DType::i64, index.device());
  launch<first_out_of_range>(op, index.device(), DType::i64, index.numel(), index.numel(),
                             static_cast<const int64_t*>(index.data()), low, limit,
                             position.as<int64_t>());
  if (!index.device().is_cpu()) {
    const int64_t bad = *to_device(position, Device{}).as<const int64_t>();
    if (bad < 0) return;
    const Tensor value = index.view({}, {}, index.offset() + bad);
    throw_out_of_range(op, what, bad, *to_device(value, Device{}).as<const int64_t>(), low, limit,
                       describe(index));
  }
  on_host([=, at = position.as<const int64_t>(), values = index.as<const int64_t>(),
           shape = index.shape()] {
    if (*at >= 0)
      throw_out_of_range(op, what, *at, values[*at], low, limit, name_of(DType::i64) + str(shape));
  });
}

Tensor embedding(const Tensor& index, const Tensor& weight) {
  check_index_dtype("embedding", index);
  check_same_device("embedding", {{"index", index}, {"weight", weight}});
  check_dim("embedding", {"weight", weight}, 2, "[entries, features]");
  const Tensor is = contiguous(index), ws = contiguous(detach(weight));
  check_index_range("embedding", is, weight.size(0), "index");
  Dims shape = index.shape();
  shape.push(weight.size(1));
  Tensor y = empty(shape, weight.dtype(), weight.device());
  launch<gather_rows>("embedding", y.device(), y.dtype(), y.numel(), is.numel(), weight.size(1),
                      ws.data(), static_cast<const int64_t*>(is.data()), y.mutable_data());
  if (Recording r{"embedding", {&weight}})
    r.result(y, [index = Saved(is), shape = weight.shape()](Backward& pass) {
      pass.give(0, embedding_grad(pass.grad(), index.get(pass), shape));
    });
  return y;
}

Tensor gather(const Tensor& x, int64_t dim, const Tensor& index) {
  check_index_dtype("gather", index);
  check_same_device("gather", {{"input", x}, {"index", index}});
  const int d = normalize_dim("gather", dim, x.dim());
  if (const Dims reach = reach_of("gather", x, d, index); reach != x.shape())
    return gather(narrowed(x, reach), d, index);
  const Lanes l = lanes_of(x, d);
  const Tensor xs = contiguous(detach(x)), is = contiguous(index);
  check_index_range("gather", is, x.size(d), "index");
  Tensor y = empty(index.shape(), x.dtype(), x.device());
  launch<gather_forward>("gather", x.device(), x.dtype(), y.numel(), l.outer, x.size(d),
                         index.size(d), l.inner, xs.data(), static_cast<const int64_t*>(is.data()),
                         y.mutable_data());
  if (Recording r{"gather", {&x}})
    r.result(y, [d, index = Saved(is), shape = x.shape()](Backward& pass) {
      const Tensor& g = pass.grad();
      pass.give(0, scatter_add(full(shape, 0, g.dtype(), g.device()), d, index.get(pass), g));
    });
  return y;
}

Tensor scatter_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  check_index_dtype("scatter_add", index);
  check_same_kind("scatter_add", {{"input", x}, {"src", src}});
  check_same_device("scatter_add", {{"input", x}, {"index", index}});
  const int d = normalize_dim("scatter_add", dim, x.dim());
  const Dims reach = reach_of("scatter_add", x, d, index);
  bool fits = src.dim() == index.dim();
  for (int i = 0; fits && i < src.dim(); ++i) fits = index.size(i) <= src.size(i);
  if (!fits)
    throw shape_error("scatter_add", "src does not cover index")
        .show("src", src)
        .show("index", index)
        .remedy("give src a size of at least index's in every dimension");
  if (src.shape() != index.shape()) return scatter_add(x, dim, index, narrowed(src, index.shape()));
  if (reach != x.shape())
    return add(x, add_selected("scatter_add", src, select_scattered(x, d, index), x.shape()));
  const Lanes l = lanes_of(x, d);
  const Tensor ss = contiguous(detach(src)), is = contiguous(index);
  check_index_range("scatter_add", is, x.size(d), "index");
  Tensor y = clone(detach(x));
  launch<scatter_add_forward>("scatter_add", x.device(), x.dtype(), src.numel(), l.outer, x.size(d),
                              index.size(d), l.inner, ss.data(),
                              static_cast<const int64_t*>(is.data()), y.mutable_data());
  if (Recording r{"scatter_add", {&x, &src}})
    r.result(y, [d, index = Saved(is)](Backward& pass) {
      if (pass.needs(0)) pass.give(0, pass.grad());
      if (pass.needs(1)) pass.give(1, gather(pass.grad(), d, index.get(pass)));
    });
  return y;
}

}  // namespace fastdl
