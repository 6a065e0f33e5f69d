#include "ops/sort.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// A 0-d tensor is sorted as one of one element.
template <class F>
ValuesAndIndices as_vector(const Tensor& x, const F& f) {
  const ValuesAndIndices both = f(reshape(x, {1}));
  return {reshape(both[0], {}), reshape(both[1], {})};
}

// Rows are sorted: another dimension changes places with the last one. An element's gradient goes back
// to where it was.
ValuesAndIndices order(const char* op, const Tensor& x, int d, SortTask task) {
  const int last = x.dim() - 1;
  const Tensor xs = contiguous(transpose(detach(x), d, last));
  Dims shape = xs.shape();
  task.n = shape[last];
  task.rows = 1;
  for (int i = 0; i < last; ++i) task.rows *= shape[i];
  shape[last] = task.k;
  Tensor y = empty(op, shape, x.dtype(), x.device());
  Tensor index = empty(op, shape, DType::i64, x.device());
  launch<sort_forward>(op, x.device(), x.dtype(), 16 * xs.numel(), task, xs.data(),
                       y.mutable_data(), index.as<int64_t>());
  y = contiguous(transpose(y, d, last));
  index = contiguous(transpose(index, d, last));
  if (Recording r{op, {&x}})
    r.result(y, [d, index = Saved(index), shape = x.shape()](Backward& pass) {
      const Tensor& g = pass.grad();
      pass.give(0, scatter_add(full(shape, 0, g.dtype(), g.device()), d, index.get(pass), g));
    });
  return {y, index};
}

}  // namespace

ValuesAndIndices sort(const Tensor& x, int64_t dim, bool descending) {
  const int d = normalize_dim("sort", dim, x.dim());
  if (x.dim() == 0) return as_vector(x, [&](const Tensor& v) { return sort(v, 0, descending); });
  return order("sort", x, d, {0, 0, x.size(d), descending, true});
}

ValuesAndIndices topk(const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
  const int d = normalize_dim("topk", dim, x.dim());
  const int64_t n = x.dim() == 0 ? 1 : x.size(d);
  if (k > n)
    throw argument_error("topk", text("k is ", k, ", of ", n, " elements along dim ", d))
        .show("input", x)
        .remedy(text("pass k from 0 to ", n));
  if (x.dim() == 0) {
    if (k == 0) return order("topk", reshape(x, {1}), 0, {0, 0, 0, largest, sorted});
    return as_vector(x, [&](const Tensor& v) { return topk(v, k, 0, largest, sorted); });
  }
  return order("topk", x, d, {0, 0, k, largest, sorted});
}

Tensor searchsorted(const Tensor& bounds, const Tensor& x, bool right) {
  const int last = bounds.dim() - 1;
  const bool shared = last == 0;
  bool fits = shared || x.dim() == bounds.dim();
  int64_t rows = 1;
  for (int i = 0; fits && i < last; ++i) {
    fits = x.size(i) == bounds.size(i);
    rows *= x.size(i);
  }
  if (!fits)
    throw shape_error("searchsorted", "the rows of both differ")
        .show("sorted_sequence", bounds)
        .show("input", x)
        .remedy("pass one row of bounds, or one for each row of the input");
  const Tensor bs = contiguous(detach(bounds)), xs = contiguous(detach(x));
  Tensor y = empty(x.shape(), DType::i64, x.device());
  const int64_t m = shared ? x.numel() : x.size(last);
  launch<search_sorted>("searchsorted", x.device(), x.dtype(), 16 * x.numel(), rows,
                        bounds.size(last), m, shared, right, bs.data(), xs.data(), y.as<int64_t>());
  return y;
}

ValuesAndIndices median(const char* op, const Tensor& x, int64_t dim, bool keepdim, bool skip_nan) {
  if (x.dim() == 0)
    return as_vector(x, [&](const Tensor& v) { return median(op, v, 0, true, skip_nan); });
  const int d = normalize_dim(op, dim, x.dim());
  const int64_t n = x.size(d);
  if (n == 0)
    throw shape_error(op, text("no elements along dim ", d))
        .show("input", x)
        .remedy("use a non-empty dimension");
  const auto [values, index] = sort(x, d, false);
  // NaN comes last: `numbers` elements are before it.
  const Tensor middle = full({}, static_cast<double>((n - 1) / 2), DType::i64, x.device());
  Dims one = x.shape();
  one[d] = 1;
  Tensor at = expand(middle, one);
  if (is_floating(x.dtype())) {
    const Tensor numbers = sum(logical_not(isnan(detach(values))), Dims{d}, true);
    const Tensor length = full({}, static_cast<double>(n), DType::i64, x.device());
    at = skip_nan ? where(numbers == 0, scalar_like(0, numbers),
                          floor_divide(numbers - scalar_like(1, numbers), scalar_like(2, numbers)))
                  : where(lt(numbers, length), numbers, at);
  }
  ValuesAndIndices both{gather(values, d, at), gather(index, d, at)};
  if (!keepdim) both = {squeeze(both[0], d), squeeze(both[1], d)};
  return both;
}

}  // namespace fastdl
