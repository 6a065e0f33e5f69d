#include "ops/reduce.h"

#include <algorithm>
#include <limits>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

using OptionalDims = std::optional<Dims>;

struct Plan {
  Dims kept;  // the result's shape with keepdim
  bool reduced[kMaxDims] = {};
  int64_t count = 1;  // elements per result
};

Plan plan_of(const char* op, const Tensor& x, const OptionalDims& dims) {
  Plan plan;
  plan.kept = x.shape();
  const bool all = !dims || dims->n == 0;
  for (int i = 0; i < (all ? x.dim() : dims->n); ++i) {
    const int d = all ? i : normalize_dim(op, (*dims)[i], x.dim());
    if (x.dim() == 0) break;
    if (plan.reduced[d])
      throw argument_error(op, text("dim ", d, " is named twice"))
          .show("input", x)
          .remedy("name each dim once");
    plan.reduced[d] = true;
    plan.count *= x.size(d);
    plan.kept[d] = 1;
  }
  return plan;
}

Dims without_reduced(const Plan& plan) {
  Dims out;
  for (int i = 0; i < plan.kept.n; ++i)
    if (!plan.reduced[i]) out.push(plan.kept[i]);
  return out;
}

Tensor run(const char* op, Reduce kind, const Tensor& x, const Plan& plan) {
  Tensor y = empty(plan.kept, x.dtype(), x.device());
  Dims kept_shape, reduced_shape, kept_strides[2], reduced_strides[1];
  for (int i = 0; i < x.dim(); ++i) {
    if (plan.reduced[i]) {
      reduced_shape.push(x.size(i));
      reduced_strides[0].push(x.stride()[i]);
    } else {
      kept_shape.push(x.size(i));
      kept_strides[0].push(x.stride()[i]);
      kept_strides[1].push(y.stride()[i]);
    }
  }
  const ReduceShape shape{make_walk<2>(kept_shape, kept_strides),
                          make_walk<1>(reduced_shape, reduced_strides)};
  launch<reduce_forward>(op, x.device(), x.dtype(), x.numel(), kind, shape, x.data(),
                         y.mutable_data());
  return y;
}

Tensor finish(const Tensor& y, const Plan& plan, bool keepdim) {
  return keepdim ? y : reshape(y, without_reduced(plan));
}

// amax and amin: the gradient goes to the extreme elements, in equal parts where they tie.
Tensor extreme(const char* op, Reduce kind, const Tensor& x, const OptionalDims& dims,
               bool keepdim) {
  const Plan plan = plan_of(op, x, dims);
  if (plan.count == 0)
    throw shape_error(op, "no elements to choose from")
        .show("input", x)
        .remedy("reduce over non-empty dimensions");
  Tensor y = run(op, kind, x, plan);
  if (Recording r{op, {&x}})
    r.result(y, [x = Saved(x), y = Saved::result(y)](Backward& pass) {
      const Tensor xs = x.get(pass);
      const Tensor hit = cast(eq(xs, expand(y.get(pass), xs.shape())), xs.dtype());
      pass.give(0, mul(hit, div(pass.grad(), sum_to(hit, pass.grad().shape()))));
    });
  return finish(y, plan, keepdim);
}

Tensor arg_extreme(const char* op, Reduce kind, const Tensor& x, std::optional<int64_t> dim,
                   bool keepdim) {
  if (!dim) {
    const Tensor flat = arg_extreme(op, kind, reshape(detach(x), {-1}), 0, false);
    return keepdim ? reshape(flat, Dims::filled(x.dim(), 1)) : flat;
  }
  const int d = normalize_dim(op, *dim, x.dim());
  const Tensor source = contiguous(detach(x.dim() == 0 ? reshape(x, {1}) : x));
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < d; ++i) outer *= source.size(i);
  for (int i = d + 1; i < source.dim(); ++i) inner *= source.size(i);
  if (source.size(d) == 0)
    throw shape_error(op, text("no elements along dim ", *dim))
        .show("input", x)
        .remedy("use a non-empty dimension");
  Dims shape = source.shape();
  shape[d] = 1;
  Tensor y = empty(shape, DType::i64, x.device());
  launch<arg_reduce_forward>(op, x.device(), x.dtype(), x.numel(), kind, outer, source.size(d),
                             inner, source.data(), y.as<int64_t>());
  if (x.dim() == 0) return reshape(y, {});
  return keepdim ? y : squeeze(y, d);
}

// root(magnitude), whose derivative is infinite at 0; there the gradient is 0.
template <class Root>
Tensor apart_from_0(const Tensor& magnitude, const Root& root) {
  const Tensor zero = magnitude == 0;
  return select(zero, 0, root(select(zero, 1, magnitude)));
}

// sqrt(sum(x^2)), with the gradient x / length, and 0 where that is 0 / 0.
Tensor length(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  const Plan plan = plan_of("norm", x, dims);
  const Tensor y = sqrt(run("norm", Reduce::sum, square(detach(x)), plan));
  if (Recording r{"norm", {&x}})
    r.result(y, [x = Saved(x), y = Saved::result(y)](Backward& pass) {
      const Tensor ys = y.get(pass), zero = ys == 0;
      pass.give(0, x.get(pass) * select(zero, 0, pass.grad() / select(zero, 1, ys)));
    });
  return finish(y, plan, keepdim);
}

}  // namespace

Tensor sum(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  if (x.dtype() == DType::boolean || x.dtype() == DType::u8 || x.dtype() == DType::i32)
    return sum(cast(x, DType::i64), dims,
               keepdim);  // as in NumPy, so that counting cannot overflow
  const Plan plan = plan_of("sum", x, dims);
  Tensor y = run("sum", Reduce::sum, x, plan);
  if (Recording r{"sum", {&x}})
    r.result(y, [shape = x.shape()](Backward& pass) { pass.give(0, expand(pass.grad(), shape)); });
  return finish(y, plan, keepdim);
}

Tensor mean(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  // In 16 bits the sum, and even the count, overflow where the mean does not.
  if (has_16_bits(x))
    return in_float32([&](const Tensor& wide) { return mean(wide, dims, keepdim); }, x);
  const Plan plan = plan_of("mean", x, dims);
  return sum(x, dims, keepdim) / static_cast<double>(plan.count);
}

Tensor var(const Tensor& x, const OptionalDims& dims, int64_t correction, bool keepdim) {
  if (has_16_bits(x))
    return in_float32([&](const Tensor& wide) { return var(wide, dims, correction, keepdim); }, x);
  const Plan plan = plan_of("var", x, dims);
  const double degrees =
      std::max(0.0, static_cast<double>(plan.count) - static_cast<double>(correction));
  const Tensor centred = x - mean(x, dims, true);
  return sum(square(centred), dims, keepdim) / degrees;
}

// Named so because std is a namespace.
Tensor standard_deviation(const Tensor& x, const OptionalDims& dims, int64_t correction,
                          bool keepdim) {
  return apart_from_0(var(x, dims, correction, keepdim), [](const Tensor& v) { return sqrt(v); });
}

// Of x without its zeros, the product divided by x is the gradient. A single zero takes all of it,
// and several leave none.
Tensor prod(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  if (x.dtype() == DType::boolean || x.dtype() == DType::u8 || x.dtype() == DType::i32)
    return prod(cast(x, DType::i64), dims, keepdim);
  const Plan plan = plan_of("prod", x, dims);
  Tensor y = run("prod", Reduce::prod, x, plan);
  if (Recording r{"prod", {&x}})
    r.result(y, [x = Saved(x), kept = plan.kept, dims](Backward& pass) {
      const Tensor xs = x.get(pass), zero = eq(xs, scalar_like(0, xs));
      const Tensor others = where(zero, scalar_like(1, xs), xs);
      const Tensor zeros = sum(cast(zero, xs.dtype()), dims, true);
      const Tensor without = prod(others, dims, true);
      const Tensor at_zero = select(zeros == 1, without, 0),
                   elsewhere = select(zeros == 0, without, 0);
      pass.give(0, pass.grad() * where(zero, expand(at_zero, xs.shape()), elsewhere / others));
    });
  return finish(y, plan, keepdim);
}

Tensor norm(const Tensor& x, double p, const OptionalDims& dims, bool keepdim) {
  if (has_16_bits(x))
    return in_float32([&](const Tensor& wide) { return norm(wide, p, dims, keepdim); }, x);
  const double infinity = std::numeric_limits<double>::infinity();
  if (p == infinity) return amax(abs(x), dims, keepdim);
  if (p == -infinity) return amin(abs(x), dims, keepdim);
  if (p == 0) return sum(cast(x != 0, x.dtype()), dims, keepdim);
  if (p == 1) return sum(abs(x), dims, keepdim);
  if (p != p)
    throw argument_error("norm", "the order is not a number")
        .show("input", x)
        .remedy("2 is the length of a vector, 1 the sum of magnitudes, infinity the largest");
  if (p == 2) return length(x, dims, keepdim);
  const auto power = [&](const Tensor& a) { return pow(a, scalar_like(p, a)); };
  const auto root = [&](const Tensor& a) { return pow(a, scalar_like(1 / p, a)); };
  if (p < 0 || p > 2) return root(sum(power(abs(x)), dims, keepdim));
  return apart_from_0(sum(apart_from_0(abs(x), power), dims, keepdim), root);
}

Tensor logsumexp(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  if (has_16_bits(x))
    return in_float32([&](const Tensor& wide) { return logsumexp(wide, dims, keepdim); }, x);
  const Plan plan = plan_of("logsumexp", x, dims);
  if (plan.count == 0) return log(sum(x, dims, keepdim));  // of nothing: -infinity
  const Tensor largest = amax(detach(x), dims, true);
  const Tensor shift = where(isinf(largest), scalar_like(0, largest), largest);
  const Tensor y = log(sum(exp(x - shift), dims, true)) + shift;
  return finish(y, plan, keepdim);
}

Tensor any(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  return gt(sum(x != 0, dims, keepdim), full({}, 0, DType::i64, x.device()));
}
Tensor all(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  return logical_not(any(x == 0, dims, keepdim));
}

Tensor amax(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  return extreme("amax", Reduce::amax, x, dims, keepdim);
}
Tensor amin(const Tensor& x, const OptionalDims& dims, bool keepdim) {
  return extreme("amin", Reduce::amin, x, dims, keepdim);
}
Tensor argmax(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return arg_extreme("argmax", Reduce::amax, x, dim, keepdim);
}
Tensor argmin(const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
  return arg_extreme("argmin", Reduce::amin, x, dim, keepdim);
}

Tensor sum_to(const Tensor& x, const Dims& shape) {
  if (x.shape() == shape) return x;
  Dims dims;
  const int lead = x.dim() - shape.n;
  for (int i = 0; i < x.dim(); ++i)
    if (i < lead || (shape[i - lead] == 1 && x.size(i) != 1)) dims.push(i);
  return reshape(dims.n ? sum(x, dims, true) : x, shape);
}

}  // namespace fastdl
