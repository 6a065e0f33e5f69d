#include "ops/scan.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// Of small integers as int64, so that counting cannot overflow.
Tensor widened(const Tensor& x) {
  return is_floating(x.dtype()) || x.dtype() == DType::i64 ? x : cast(x, DType::i64);
}

struct Lanes {
  int64_t outer = 1, n = 1, inner = 1;
};
Lanes lanes_of(const Tensor& x, int d) {
  Lanes l;
  for (int i = 0; i < x.dim(); ++i) (i < d ? l.outer : i == d ? l.n : l.inner) *= x.size(i);
  return l;
}

Tensor run(const char* op, Scan kind, const Tensor& x, int d, bool reverse) {
  const Tensor source = contiguous(detach(x));
  const Lanes l = lanes_of(x, d);
  Tensor y = empty(source.shape(), source.dtype(), source.device());
  launch<scan_forward>(op, source.device(), source.dtype(), source.numel(), kind, reverse, l.outer,
                       l.n, l.inner, source.data(), y.mutable_data());
  return y;
}

std::array<Tensor, 2> running_extreme(const char* op, const Tensor& x, int64_t dim, bool largest) {
  const int d = normalize_dim(op, dim, x.dim());
  const Tensor source = contiguous(detach(x));
  const Lanes l = lanes_of(x, d);
  Tensor y = empty(source.shape(), source.dtype(), source.device());
  Tensor index = empty(source.shape(), DType::i64, source.device());
  launch<scan_extreme>(op, x.device(), x.dtype(), source.numel(), largest, l.outer, l.n, l.inner,
                       source.data(), y.mutable_data(), index.as<int64_t>());
  if (Recording r{op, {&x}})
    r.result(y, [d, index = Saved(index)](Backward& pass) {
      const Tensor& g = pass.grad();
      const Tensor zeros = full(g.shape(), 0, g.dtype(), g.device());
      pass.give(0, g.dim() == 0 ? g : scatter_add(zeros, d, index.get(pass), g));
    });
  return {y, index};
}

Tensor running_sum(const Tensor& x, int d, bool reverse) {
  Tensor y = run("cumsum", Scan::sum, x, d, reverse);
  if (Recording r{"cumsum", {&x}})
    r.result(y,
             [d, reverse](Backward& pass) { pass.give(0, running_sum(pass.grad(), d, !reverse)); });
  return y;
}

}  // namespace

Tensor cumsum(const Tensor& x, int64_t dim) {
  return running_sum(widened(x), normalize_dim("cumsum", dim, x.dim()), false);
}

// Before the first zero, an element's gradient is the sum of g y behind it, over it. At the first zero
// it is that of the products with this zero left out. Behind it everything is 0.
Tensor cumprod(const Tensor& input, int64_t dim) {
  const int d = normalize_dim("cumprod", dim, input.dim());
  const Tensor x = widened(input);
  Tensor y = run("cumprod", Scan::prod, x, d, false);
  if (Recording r{"cumprod", {&x}})
    r.result(y, [x = Saved(x), d](Backward& pass) {
      const Tensor xs = x.get(pass), one = scalar_like(1, xs);
      const Tensor zero = eq(xs, scalar_like(0, xs));
      const Tensor zeros = running_sum(cast(zero, xs.dtype()), d, false);
      const Tensor first = logical_and(zero, zeros == 1), before = zeros == 0;
      const auto behind = [&](const Tensor& factors) {
        return running_sum(pass.grad() * cumprod(factors, d), d, true);
      };
      const Tensor at_first = select(first, behind(select(first, 1, xs)), 0);
      pass.give(0, select(before, behind(xs) / select(before, xs, one), at_first));
    });
  return y;
}

std::array<Tensor, 2> cummax(const Tensor& x, int64_t dim) {
  return running_extreme("cummax", x, dim, true);
}

std::array<Tensor, 2> cummin(const Tensor& x, int64_t dim) {
  return running_extreme("cummin", x, dim, false);
}

}  // namespace fastdl
