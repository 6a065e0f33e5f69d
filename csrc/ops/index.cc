#include "ops/index.h"

#include <limits>

#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/selection.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

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

void check_covered(const char* op, const Tensor& src, const Tensor& index) {
  bool fits = src.dim() == index.dim();
  for (int i = 0; fits && i < src.dim(); ++i) fits = index.size(i) <= src.size(i);
  if (!fits)
    throw shape_error(op, "src does not cover index")
        .show("src", src)
        .show("index", index)
        .remedy("give src a size of at least index's in every dimension");
}

// How many sources each element of `shape` has.
Tensor count_of(int d, const Tensor& index, const Dims& shape) {
  return scatter_add(full(shape, 0, DType::i64, index.device()), d, index,
                     full(index.shape(), 1, DType::i64, index.device()));
}

// What a reduction of nothing starts with.
Tensor identity_of(Reduce reduce, const Tensor& x) {
  constexpr double inf = std::numeric_limits<double>::infinity();
  if (reduce == Reduce::sum || reduce == Reduce::prod)
    return scalar_like(reduce == Reduce::sum ? 0 : 1, x);
  if (is_floating(x.dtype())) return scalar_like(reduce == Reduce::amax ? -inf : inf, x);
  if (x.dtype() == DType::u8) return scalar_like(reduce == Reduce::amax ? 0 : 255, x);
  const Tensor least = scalar_like(x.dtype() == DType::i32 ? -0x1p31 : -0x1p63, x);
  return reduce == Reduce::amax ? least : -1 - least;
}

// The product over the product without one factor. Of zeros the first formula would make NaN: where
// a product has one zero, that factor alone has a gradient, of the product without it.
void product_gradient(Backward& pass, const Tensor& x, int d, const Tensor& index,
                      const Tensor& src) {
  const auto product = [&](const Tensor& a, const Tensor& b) {
    return scatter_reduce("scatter_reduce", Reduce::prod, a, d, index, b, true);
  };
  const Tensor& g = pass.grad();
  if (pass.needs(0)) {
    const Tensor factor = select(x == 0, 1, x);
    pass.give(0, g * product(factor, src) / factor);
  }
  if (!pass.needs(1)) return;
  const Tensor zero = src == 0;
  const Tensor zeros =
      scatter_add(full(x.shape(), 0, DType::i64, x.device()), d, index, cast(zero, DType::i64));
  const Tensor alone = logical_and(zero, gather(zeros, d, index) == 1);
  const Tensor rest = gather(g * product(x, select(alone, 1, src)), d, index);
  const Tensor others = gather(g * product(x, src), d, index) / select(zero, 1, src);
  pass.give(1, select(alone, rest, others));
}

// Those that are the extreme share its gradient.
void extreme_gradient(Backward& pass, const Tensor& x, int d, const Tensor& index,
                      const Tensor& src, const Tensor& y) {
  const Tensor& g = pass.grad();
  const Tensor from_x = cast(x == y, DType::i64);
  const Tensor from_src = cast(src == gather(detach(y), d, index), DType::i64);
  const Tensor count = scatter_add(from_x, d, index, from_src);
  const Tensor share = g / cast(maximum(count, scalar_like(1, count)), g.dtype());  // NaN: none
  if (pass.needs(0)) pass.give(0, share * cast(from_x, g.dtype()));
  if (pass.needs(1)) pass.give(1, gather(share, d, index) * cast(from_src, g.dtype()));
}

Tensor embedding_grad(const Tensor& g, const Tensor& index, const Dims& weight_shape) {
  Tensor dw = full(weight_shape, 0, g.dtype(), g.device());
  const Tensor gs = contiguous(detach(g));
  // Again: memory shared with NumPy can change without our knowing.
  // A capture's memory cannot.
  const Capture* const capture = capturing();
  const bool own = capture && index.storage().of_capture(capture->memory().get());
  const Tensor is = own ? index : check_index_range("embedding", index, weight_shape[0], "index");
  launch<scatter_add_rows>("embedding", g.device(), g.dtype(), g.numel(), index.numel(),
                           weight_shape[1], weight_shape[0], gs.data(),
                           static_cast<const int64_t*>(is.data()), dw.mutable_data());
  if (Recording r{"embedding_grad", {&g}})
    r.result(dw, [index](Backward& pass) { pass.give(0, embedding(index, pass.grad())); });
  return dw;
}

// In a replay nobody reads the verdict before the indices are used.
Tensor guarded(Capture& capture, const char* op, const Tensor& index, const Tensor& position,
               int64_t limit, const char* what, int64_t low) {
  const Tensor safe = empty_like(index);
  const Tensor report = [&] {
    const CapturePause once;
    return full({2}, -1, DType::i64, index.device());
  }();
  if (index.numel() == 0) return index;
  launch<guard_indices>(op, index.device(), DType::i64, index.numel(), index.numel(),
                        index.as<const int64_t>(), low, limit, position.as<const int64_t>(),
                        safe.as<int64_t>(), report.as<int64_t>());
  capture.defer({op, guard_indices::name, index.device()}, Ref(&report.storage()),
                [=, shown = describe(index)](int64_t at, int64_t value) {
                  throw_out_of_range(op, what, at, value, low, limit, shown);
                });
  return safe;
}

}  // namespace

Tensor check_index_range(const char* op, const Tensor& index, int64_t limit, const char* what,
                         int64_t low) {
  Tensor position = empty({}, DType::i64, index.device());
  launch<first_out_of_range>(op, index.device(), DType::i64, index.numel(), index.numel(),
                             static_cast<const int64_t*>(index.data()), low, limit,
                             position.as<int64_t>());
  if (index.device().is_cpu()) {
    on_host([=, at = position.as<const int64_t>(), values = index.as<const int64_t>(),
             shape = index.shape()] {
      if (*at >= 0)
        throw_out_of_range(op, what, *at, values[*at], low, limit,
                           name_of(DType::i64) + str(shape));
    });
    return index;
  }
  {
    const CapturePause now;
    const int64_t bad = *to_device(position, Device{}).as<const int64_t>();
    if (bad >= 0) {
      const Tensor value = index.view({}, {}, index.offset() + bad);
      throw_out_of_range(op, what, bad, *to_device(value, Device{}).as<const int64_t>(), low, limit,
                         describe(index));
    }
  }
  Capture* const c = capturing();
  return c ? guarded(*c, op, index, position, limit, what, low) : index;
}

Tensor embedding(const Tensor& index, const Tensor& weight) {
  const Tensor is = check_index_range("embedding", contiguous(index), weight.size(0), "index");
  const Tensor ws = contiguous(detach(weight));
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
  const int d = normalize_dim("gather", dim, x.dim());
  if (const Dims reach = reach_of("gather", x, d, index); reach != x.shape())
    return gather(narrowed(x, reach), d, index);
  const Lanes l = lanes_of(x, d);
  const Tensor xs = contiguous(detach(x));
  const Tensor is = check_index_range("gather", contiguous(index), x.size(d), "index");
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
  return scatter_reduce("scatter_add", Reduce::sum, x, dim, index, src, true);
}

Tensor scatter_reduce(const char* op, Reduce reduce, const Tensor& x, int64_t dim,
                      const Tensor& index, const Tensor& src, bool include_self) {
  const int d = normalize_dim(op, dim, x.dim());
  const Dims reach = reach_of(op, x, d, index);
  check_covered(op, src, index);
  if (src.shape() != index.shape())
    return scatter_reduce(op, reduce, x, d, index, narrowed(src, index.shape()), include_self);
  if (reach != x.shape()) {
    const Tensor y = clone(x), part = narrowed(x, reach);
    const Window window{Dims::filled(x.dim(), 0), Dims::filled(x.dim(), 1), reach};
    assign(y, window, reach, scatter_reduce(op, reduce, part, d, index, src, include_self));
    return y;
  }
  if (!include_self) {
    const Tensor start = where(count_of(d, index, x.shape()) == 0, x, identity_of(reduce, x));
    return scatter_reduce(op, reduce, start, d, index, src, true);
  }
  const Tensor ss = contiguous(detach(src));
  const Tensor is = check_index_range(op, contiguous(index), x.size(d), "index");
  Tensor y = clone(detach(x));
  const Lanes l = lanes_of(x, d);
  launch<scatter_reduce_forward>(op, x.device(), x.dtype(), src.numel(), reduce, l.outer, x.size(d),
                                 index.size(d), l.inner, ss.data(),
                                 static_cast<const int64_t*>(is.data()), y.mutable_data());
  Recording r{op, {&x, &src}};
  if (!r) return y;
  const Saved kept(is);
  if (reduce == Reduce::sum)
    r.result(y, [d, index = kept](Backward& pass) {
      if (pass.needs(0)) pass.give(0, pass.grad());
      if (pass.needs(1)) pass.give(1, gather(pass.grad(), d, index.get(pass)));
    });
  else if (reduce == Reduce::prod)
    r.result(y, [d, index = kept, x = Saved(x), src = Saved(src)](Backward& pass) {
      product_gradient(pass, x.get(pass), d, index.get(pass), src.get(pass));
    });
  else
    r.result(
        y, [d, index = kept, x = Saved(x), src = Saved(src), y = Saved::result(y)](Backward& pass) {
          extreme_gradient(pass, x.get(pass), d, index.get(pass), src.get(pass), y.get(pass));
        });
  return y;
}

Tensor scatter_mean(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                    bool include_self) {
  constexpr const char* op = "scatter_reduce";
  const int d = normalize_dim(op, dim, x.dim());
  if (has_16_bits(x))
    return in_float32([&](const Tensor& a,
                          const Tensor& b) { return scatter_mean(a, d, index, b, include_self); },
                      x, src);
  const Tensor total = scatter_reduce(op, Reduce::sum, x, dim, index, src, include_self);
  Tensor count = count_of(d, index, x.shape());
  count = include_self ? count + 1 : maximum(count, scalar_like(1, count));
  count = cast(count, x.dtype());
  return is_floating(x.dtype()) ? div(total, count) : floor_divide(total, count);
}

}  // namespace fastdl
