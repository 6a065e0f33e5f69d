#include "ops/select.h"

#include "autograd/inplace.h"
#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/selection.h"

namespace fastdl {
namespace {

// What is left of a selection once its indices are read: the rows of the table that they name.
struct Rows {
  Selection s;        // without its parts
  Dims shape;         // of the indices, broadcast together
  Tensor row;         // int64 of that shape, in memory that nobody else sees
  int64_t count = 0;  // of the table's rows
};

Tensor number(int64_t value, const Tensor& like) {
  return full({}, static_cast<double>(value), DType::i64, like.device());
}

Rows rows_of(const char* op, const Tensor& x, const Selection& s) {
  Rows out;
  out.s = s;
  out.s.parts.clear();
  std::vector<Tensor> indices;
  for (const IndexPart& part : s.parts) {
    check_same_device(op, {{"input", x}, {"index", part.index}});  // x[...] has no door
    indices.push_back(contiguous(cast(detach(part.index), DType::i64)));
    if (!part.checked)
      indices.back() =
          check_index_range(op, indices.back(), part.size, "index", part.negative ? -part.size : 0);
    out.shape = broadcast_shapes(op, out.shape, part.index.shape());
  }
  out.row = full(out.shape, 0, DType::i64, x.device());
  if (x.numel() == 0) return out;  // nothing to read, and sizes whose product may not fit
  out.count = 1;
  for (size_t i = s.parts.size(); i-- > 0;) {
    launch<add_index>(op, x.device(), DType::i64, out.row.numel(),
                      walk_over(out.shape, indices[i], out.row), s.parts[i].size, out.count,
                      indices[i].as<const int64_t>(), out.row.as<int64_t>());
    out.count *= s.parts[i].size;
  }
  return out;
}

// Where the rows of a table start, in elements: `row` times `step`.
struct Starts {
  Tensor row;
  int64_t step = 1;
};

Starts starts_of(const Tensor& table, const Rows& r) {
  Starts out{r.row, 1};
  int64_t next = 0;  // the stride with which a dimension goes on from those after it
  bool first = true, one_step = true;
  for (int i = r.s.sizes.n - 1; i >= 0; --i) {
    if (r.s.sizes[i] == 1) continue;
    if (first)
      out.step = next = table.stride()[i];
    else
      one_step &= table.stride()[i] == next;
    first = false;
    next *= r.s.sizes[i];
  }
  if (one_step || table.numel() == 0) return out;
  out = {number(0, r.row), 1};
  int64_t below = 1;
  for (int i = r.s.sizes.n - 1; i >= 0; below *= r.s.sizes[i--]) {
    const Tensor at =
        remainder(floor_divide(r.row, number(below, r.row)), number(r.s.sizes[i], r.row));
    out.row = add(out.row, mul(at, number(table.stride()[i], r.row)));
  }
  return out;
}

// The walk over (table, row, result): the indices' shape stands among the table's other dimensions.
struct ReadShape {
  Dims shape, table, row;
};

ReadShape shape_of(const Tensor& table, const Rows& r) {
  ReadShape out;
  const Dims row = contiguous_strides(r.shape);
  const int k = r.s.sizes.n;
  for (int d = k; d <= table.dim(); ++d) {
    if (d - k == r.s.place)
      for (int i = 0; i < r.shape.n; ++i)
        out.shape.push(r.shape[i]), out.table.push(0), out.row.push(row[i]);
    if (d < table.dim())
      out.shape.push(table.size(d)), out.table.push(table.stride()[d]), out.row.push(0);
  }
  return out;
}

Strided<3> walk_of(const ReadShape& at, const Dims& other) {
  const Dims strides[] = {at.table, at.row, other};
  return make_walk<3>(at.shape, strides);
}

void write_table(const char* op, const Tensor& table, const Rows& r, const Tensor& value,
                 const Tensor& last) {
  const ReadShape at = shape_of(table, r);
  const Starts starts = starts_of(table, r);
  launch<write_rows>(op, table.device(), table.dtype(), value.numel(), walk_of(at, value.stride()),
                     starts.step, value.data(), starts.row.as<const int64_t>(),
                     last.defined() ? last.as<const bool>() : nullptr, table.mutable_data());
}

Tensor add_table(const char* op, const Tensor& g, const Rows& r, const Dims& shape);

Tensor read_table(const char* op, const Tensor& table, const Rows& r) {
  const ReadShape at = shape_of(table, r);
  Tensor y = empty(op, at.shape, table.dtype(), table.device());
  const Starts starts = starts_of(table, r);
  launch<read_rows>(op, y.device(), y.dtype(), y.numel(), walk_of(at, y.stride()), starts.step,
                    table.data(), starts.row.as<const int64_t>(), y.mutable_data());
  if (Recording recording{op, {&table}})
    recording.result(y, [op, r, shape = table.shape()](Backward& pass) {
      pass.give(0, add_table(op, pass.grad(), r, shape));
    });
  return y;
}

// Zeros of the table's shape with g added at the rows it was read from.
Tensor add_table(const char* op, const Tensor& g, const Rows& r, const Dims& shape) {
  Tensor table = full(shape, 0, g.dtype(), g.device());
  if (table.numel() == 0 || g.numel() == 0) {
    // nothing to add
  } else if (r.s.once) {
    write_table(op, table, r, detach(g), {});
  } else {
    Dims order;
    for (int i = 0; i < r.shape.n; ++i) order.push(r.s.place + i);
    for (int i = 0; i < g.dim(); ++i)
      if (i < r.s.place || i >= r.s.place + r.shape.n) order.push(i);
    const Tensor source = contiguous(permute(detach(g), order));
    launch<scatter_add_rows>(op, g.device(), g.dtype(), g.numel(), r.row.numel(),
                             g.numel() / r.row.numel(), r.count, source.data(),
                             r.row.as<const int64_t>(), table.mutable_data());
  }
  if (Recording recording{op, {&g}})
    recording.result(table,
                     [op, r](Backward& pass) { pass.give(0, read_table(op, pass.grad(), r)); });
  return table;
}

// The table as a view of x, and a gradient of the table as one of x.
Tensor table_of(const Tensor& x, const Selection& s) { return permute(select_view(x, s), s.order); }

Tensor from_table(const Tensor& table, const Selection& s, const Dims& shape) {
  Dims back = s.order;
  for (int i = 0; i < s.order.n; ++i) back[static_cast<int>(s.order[i])] = i;
  const Tensor window = reshape(permute(table, back), s.window.length);
  bool whole = s.window.length == shape;
  for (int step : s.window.step) whole &= step == 1;
  return whole ? window : embed(window, s.window, shape);
}

Tensor read(const char* op, const Tensor& x, const Rows& r) {
  const Tensor table = [&] {
    GradMode off(false);
    return table_of(detach(x), r.s);
  }();
  Tensor y = read_table(op, table, r);
  if (Recording recording{op, {&x}})
    recording.result(y, [op, r, from = table.shape(), shape = x.shape()](Backward& pass) {
      pass.give(0, from_table(add_table(op, pass.grad(), r, from), r.s, shape));
    });
  return y;
}

// g with zeros where the selection reads it.
Tensor without(const char* op, const Tensor& g, const Rows& r, const Tensor& last) {
  Tensor y = clone(detach(g));
  {
    GradMode off(false);
    const Tensor table = table_of(y, r.s);
    const Tensor zero = expand(scalar_like(0, g), shape_of(table, r).shape);
    write_table(op, table, r, zero, last);
  }
  if (Recording recording{op, {&g}})
    recording.result(
        y, [op, r, last](Backward& pass) { pass.give(0, without(op, pass.grad(), r, last)); });
  return y;
}

// Which positions have the last word on their row; undefined where all have.
Tensor last_of(const char* op, const Rows& r) {
  if (r.s.once || r.row.numel() <= 1 || r.count == 0) return {};
  Tensor last = empty(op, r.shape, DType::boolean, r.row.device());
  launch<last_of_each>(op, last.device(), DType::i64, r.row.numel(), r.row.numel(), r.count,
                       r.row.as<const int64_t>(), last.as<bool>());
  return last;
}

// As NumPy: dimensions of 1 in front of a value count for nothing.
Dims without_leading_ones(Dims shape, int most) {
  while (shape.n > most && shape[0] == 1) shape.erase(0);
  return shape;
}

Selection whole(const Tensor& x) {
  Selection s;
  s.window = {Dims::filled(x.dim(), 0), Dims::filled(x.dim(), 1), x.shape()};
  s.kept = x.shape();
  return s;
}

Selection every_element(const Tensor& x) {
  Selection s = whole(x);
  for (int i = 0; i < x.dim(); ++i) s.order.push(i);
  s.sizes = x.shape();
  return s;
}

// The positions of a mask's true elements, in order.
Tensor positions(const char* op, const Tensor& mask_) {
  refuse_capture(op, "makes a tensor whose size depends on values",
                 "use where or masked_fill, whose results have one size");
  const Tensor mask = contiguous(detach(mask_));
  const int64_t chunks = (mask.numel() + kMaskChunk - 1) / kMaskChunk;
  const Tensor before = empty({chunks + 1}, DType::i64, mask.device());
  launch<count_true>(op, mask.device(), DType::boolean, mask.numel(), mask.numel(),
                     mask.as<const bool>(), before.as<int64_t>());
  const Tensor count = to_device(before.view({}, {}, chunks), Device{});
  Tensor out = empty(op, {*count.as<const int64_t>()}, DType::i64, mask.device());
  if (out.numel() > 0)
    launch<list_true>(op, mask.device(), DType::boolean, mask.numel(), mask.numel(),
                      mask.as<const bool>(), before.as<const int64_t>(), out.as<int64_t>());
  return out;
}

// Of places in the flattened x.
Selection select_flat(const Tensor& x, const Tensor& index) {
  Selection s = every_element(x);
  s.parts = {{index, x.numel(), false, true}};
  return s;
}

Tensor shaped_as(const char* op, const Tensor& source, const Tensor& index) {
  if (source.numel() != index.numel())
    throw shape_error(op, text("index names ", index.numel(), " places for ", source.numel(),
                               " elements of source"))
        .show("index", index)
        .show("source", source)
        .remedy("pass as many elements as indices");
  return reshape(source, index.shape());
}

[[noreturn]] void throw_other_shape(const char* op, const char* what, const Tensor& x,
                                    const Tensor& t, const char* remedy) {
  throw shape_error(op, text(what, " does not fit")).show("input", x).show(what, t).remedy(remedy);
}

}  // namespace

Tensor select_view(const Tensor& x, const Selection& s) {
  const Tensor window = slice(x, s.window);
  return window.shape() == s.kept ? window : reshape(window, s.kept);
}

Tensor read_selected(const char* op, const Tensor& x, const Selection& s) {
  return s.parts.empty() ? select_view(x, s) : read(op, x, rows_of(op, x, s));
}

void write_selected(const char* op, const Tensor& x, const Selection& s, const Tensor& value) {
  if (s.parts.empty()) {
    const Dims kept = without_leading_ones(value.shape(), s.kept.n);
    return assign(x, s.window, s.kept, value.shape() == kept ? value : reshape(value, kept));
  }
  check_editable(op, x);
  const Rows r = rows_of(op, x, s);
  const Tensor last = last_of(op, r);
  {
    GradMode off(false);
    const Tensor table = table_of(x, s);
    const Dims shape = shape_of(table, r).shape;
    Tensor source = cast(to_device(detach(value), x.device()), x.dtype());
    if (&source.storage() == &x.storage()) source = clone(source);
    source = reshape(source, without_leading_ones(source.shape(), shape.n));
    write_table(op, table, r, expand(source, shape), last);
  }
  bump_version(x);
  if (Recording recording{op, {&x, &value}})
    recording.result(x, [op, r, last, from = value.shape(), kind = value.dtype(),
                         device = value.device()](Backward& pass) {
      const Tensor& g = pass.grad();
      // What was overwritten has no more influence, and of several values the last one only.
      if (pass.needs(0)) pass.give(0, without(op, g, r, last));
      if (!pass.needs(1)) return;
      Tensor to_value = read(op, g, r);
      if (last.defined()) {
        Dims aligned = r.shape;
        while (aligned.n < to_value.dim() - r.s.place) aligned.push(1);
        to_value = mul(to_value, cast(reshape(last, aligned), g.dtype()));
      }
      const Dims kept = without_leading_ones(from, to_value.dim());
      pass.give(1, to_device(cast(reshape(sum_to(to_value, kept), from), kind), device));
    });
}

Tensor add_selected(const char* op, const Tensor& g, const Selection& s, const Dims& shape) {
  const Tensor target = full(shape, 0, g.dtype(), g.device());
  const Rows r = rows_of(op, target, s);
  const Tensor table = table_of(target, s);
  const Dims read = shape_of(table, r).shape;
  const Tensor spread =
      g.shape() == read ? g : expand(reshape(g, without_leading_ones(g.shape(), read.n)), read);
  return from_table(add_table(op, spread, r, table.shape()), s, shape);
}

Selection select_along(const Tensor& x, int dim, const Tensor& index) {
  Selection s = whole(x);
  s.order.push(dim);
  for (int i = 0; i < x.dim(); ++i)
    if (i != dim) s.order.push(i);
  s.sizes.push(x.size(dim));
  s.place = dim;
  s.parts = {{index, x.size(dim), false, false}};
  return s;
}

Selection select_mask(const Tensor& x, const Tensor& mask) {
  Selection s = every_element(x);
  s.parts = {mask_part(mask)};
  s.once = true;
  return s;
}

Selection select_scattered(const Tensor& x, int dim, const Tensor& index) {
  Selection s = every_element(x);
  for (int i = 0; i < x.dim(); ++i) {
    if (i == dim) {
      s.parts.push_back({index, x.size(i), false, false});
      continue;
    }
    Dims shape = Dims::filled(x.dim(), 1);
    shape[i] = index.size(i);
    const Tensor all = arange(0, static_cast<double>(index.size(i)), 1, DType::i64, index.device());
    s.parts.push_back({reshape(all, shape), x.size(i), true, false});
  }
  return s;
}

IndexPart mask_part(const Tensor& mask) {
  return {positions("mask", mask), mask.numel(), true, false};
}

Tensor narrowed(const Tensor& t, const Dims& shape) {
  if (t.shape() == shape) return t;
  return slice(t, {Dims::filled(shape.n, 0), Dims::filled(shape.n, 1), shape});
}

Tensor nonzero(const Tensor& x) {
  const Tensor flat = positions("nonzero", x.dtype() == DType::boolean ? x : x != 0);
  if (x.dim() == 0) return reshape(flat, {flat.numel(), 1}).view({flat.numel(), 0}, {1, 1}, 0);
  std::vector<Tensor> columns(static_cast<size_t>(x.dim()));
  Tensor rest = flat;
  for (int i = x.dim() - 1; i > 0; --i) {
    const Tensor size = number(std::max<int64_t>(x.size(i), 1), flat);
    columns[static_cast<size_t>(i)] = remainder(rest, size);
    rest = floor_divide(rest, size);
  }
  columns[0] = rest;
  return stack(columns, 1);
}

Tensor masked_select(const Tensor& x, const Tensor& mask) {
  const Dims shape = broadcast_shapes("masked_select", x.shape(), mask.shape());
  const Tensor all = x.shape() == shape ? x : expand(x, shape);
  const Tensor chosen = mask.shape() == shape ? mask : expand(mask, shape);
  if (shape.n > 0) return read_selected("masked_select", all, select_mask(all, chosen));
  return masked_select(reshape(all, {1}), reshape(chosen, {1}));
}

Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index) {
  const int d = normalize_dim("index_select", dim, x.dim());
  if (x.dim() == 0 || index.dim() > 1)
    throw_other_shape("index_select", "index", x, index,
                      "index dimensions of a tensor by a vector, or write input[..., index]");
  const Tensor rows = index.dim() == 1 ? index : reshape(index, {1});
  return read_selected("index_select", x, select_along(x, d, rows));
}

Tensor take(const Tensor& x, const Tensor& index) {
  return read_selected("take", x, select_flat(x, index));
}

Tensor put_(const char* op, const Tensor& x, const Tensor& index, const Tensor& source) {
  write_selected(op, x, select_flat(x, index), shaped_as(op, source, index));
  return x;
}

Tensor put_add(const char* op, const Tensor& x, const Tensor& index, const Tensor& source) {
  const int64_t size = x.numel();
  const Tensor at = check_index_range(op, contiguous(reshape(index, {-1})), size, "index", -size);
  const Tensor from_start = where(at < 0, at + static_cast<double>(size), at);
  const Tensor added = reshape(shaped_as(op, source, index), {-1});
  return reshape(scatter_reduce(op, Reduce::sum, reshape(x, {-1}), 0, from_start, added, true),
                 x.shape());
}

Tensor masked_scatter_(const char* op, const Tensor& x, const Tensor& mask, const Tensor& source) {
  if (broadcast_shapes(op, x.shape(), mask.shape()) != x.shape())
    throw_other_shape(op, "mask", x, mask, "give it a shape that broadcasts to input's");
  const Selection s = select_mask(x, mask.shape() == x.shape() ? mask : expand(mask, x.shape()));
  const int64_t count = s.parts[0].index.numel();
  if (source.numel() < count)
    throw shape_error(op, text("the mask selects ", count, " elements, source has fewer"))
        .show("mask", mask)
        .show("source", source)
        .remedy(text("pass a source of at least ", count, " elements"));
  write_selected(op, x, s, narrow(reshape(source, {-1}), 0, 0, count));
  return x;
}

Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim) {
  if (!dim) return gather(reshape(x, {-1}), 0, reshape(index, {-1}));
  const int d = normalize_dim("take_along_dim", *dim, x.dim());
  if (x.dim() == 0 || x.dim() != index.dim())
    throw_other_shape("take_along_dim", "indices", x, index,
                      "give both as many dimensions, or leave out dim");
  Dims from = x.shape(), at = index.shape();
  from[d] = at[d] = 1;
  const Dims shared = broadcast_shapes("take_along_dim", from, at);
  from = at = shared;
  from[d] = x.size(d), at[d] = index.size(d);
  return gather(x.shape() == from ? x : expand(x, from), d,
                index.shape() == at ? index : expand(index, at));
}

Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 double alpha) {
  const int d = normalize_dim("index_add", dim, x.dim());
  Dims wanted = x.shape();
  if (x.dim() > 0 && index.dim() == 1) wanted[d] = index.size(0);
  if (x.dim() == 0 || index.dim() != 1 || source.shape() != wanted)
    throw_other_shape("index_add", "source", x, source,
                      "give it input's sizes, and along dim one slice per index");
  const Tensor scaled = alpha == 1 ? source : mul(source, scalar_like(alpha, source));
  return add(x, add_selected("index_add", scaled, select_along(x, d, index), x.shape()));
}

Tensor one_hot(const Tensor& index, int64_t num_classes) {
  if (num_classes < 0) {
    refuse_capture("one_hot", "reads the largest label", "give num_classes");
    if (index.numel() == 0)
      throw argument_error("one_hot", "there is no label to infer the classes from")
          .show("input", index)
          .remedy("give num_classes");
    const Tensor top = to_device(amax(index, std::nullopt, false), Device{});
    num_classes = std::max<int64_t>(*top.as<const int64_t>(), 0);
    if (num_classes < INT64_MAX) ++num_classes;
  }
  const Tensor is = check_index_range("one_hot", contiguous(index), num_classes, "class");
  const Tensor classes = arange(0, static_cast<double>(num_classes), 1, DType::i64, index.device());
  return cast(eq(unsqueeze(is, -1), classes), DType::i64);
}

Tensor scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
  const int d = normalize_dim("scatter", dim, x.dim());
  bool fits = x.dim() > 0 && index.dim() == x.dim();
  for (int i = 0; fits && i < x.dim(); ++i) fits = i == d || index.size(i) <= x.size(i);
  if (!fits)
    throw_other_shape("scatter", "index", x, index,
                      "give it input's dimensions, and outside dim no size above input's");
  fits = src.dim() == 0 || src.dim() == index.dim();
  for (int i = 0; fits && i < src.dim(); ++i) fits = index.size(i) <= src.size(i);
  if (!fits)
    throw_other_shape("scatter", "src", index, src,
                      "give it a size of at least index's everywhere");
  write_selected("scatter", x, select_scattered(x, d, index),
                 src.dim() ? narrowed(src, index.shape()) : src);
  return x;
}

Tensor index_copy_(const char* op, const Tensor& x, int64_t dim, const Tensor& index,
                   const Tensor& source) {
  const int d = normalize_dim(op, dim, x.dim());
  Dims wanted = x.shape();
  if (x.dim() > 0 && index.dim() == 1) wanted[d] = index.size(0);
  if (x.dim() == 0 || index.dim() != 1 || (source.dim() > 0 && source.shape() != wanted))
    throw_other_shape(op, "source", x, source,
                      "give it input's sizes, and along dim one slice per index");
  write_selected(op, x, select_along(x, d, index), source);
  return x;
}

}  // namespace fastdl
