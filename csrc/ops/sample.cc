#include "ops/sample.h"

#include <limits>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/random.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

[[noreturn]] void throw_outside(const char* op, const char* what, double value, int64_t position,
                                double low, double high, const std::string& tensor) {
  const bool bounded = high < std::numeric_limits<double>::max();
  const std::string range =
      bounded ? text("from ", low, " to ", high) : text("of ", low, " or more");
  throw argument_error(op,
                       text(what, " ", value, " at position ", position, " is no number ", range))
      .show(what, tensor)
      .remedy(text("give finite numbers ", range));
}

double value_at(const Tensor& x, int64_t position) {
  const Tensor one = cast(x.view({}, {}, x.offset() + position), DType::f64);
  return *to_device(one, Device{}).as<const double>();
}

}  // namespace

void check_values(const char* op, const char* what, const Tensor& x_, double low, double high) {
  const Tensor x = contiguous(detach(x_));
  Tensor position = empty({}, DType::i64, x.device());
  launch<first_outside>(op, x.device(), x.dtype(), x.numel(), x.numel(), x.data(), low, high,
                        position.as<int64_t>());
  const std::string shown = describe(x_);
  const auto refuse = [=](int64_t at, double value) {
    throw_outside(op, what, value, at, low, high, shown);
  };
  if (!x.device().is_cpu()) {
    const int64_t bad = *to_device(position, Device{}).as<const int64_t>();
    if (bad >= 0) refuse(bad, value_at(x, bad));
    return;
  }
  on_host([=, at = position.as<const int64_t>(), values = x.data(), dtype = x.dtype()] {
    if (*at < 0) return;
    with_dtype(dtype, [&](auto tag) {
      using T = typename decltype(tag)::type;
      const T value = static_cast<const T*>(values)[*at];
      if constexpr (std::is_arithmetic_v<T>)
        refuse(*at, static_cast<double>(value));
      else
        refuse(*at, static_cast<double>(static_cast<float>(value)));
    });
  });
}

Tensor bernoulli(const Tensor& p_, Generator* generator) {
  check_values("bernoulli", "p", p_, 0, 1);
  const Tensor p = cast(detach(p_), p_.dtype() == DType::f64 ? DType::f64 : DType::f32);
  const Tensor u = uniform(p.shape(), 0, 1, p.dtype(), p.device(), generator);
  return cast(lt(u, p), p_.dtype());
}

Tensor bernoulli_(const Tensor& x, const Tensor& p, Generator* generator) {
  const Tensor wide = is_floating(p.dtype()) ? p : cast(p, DType::f32);
  return copy_(x, bernoulli(expand(wide, x.shape()), generator));
}

Tensor exponential_(const Tensor& x, double rate, Generator* generator) {
  check_floating("exponential_", {"input", x});
  const DType wide = x.dtype() == DType::f64 ? DType::f64 : DType::f32;
  const Tensor u = uniform(x.shape(), 0, 1, wide, x.device(), generator);
  return copy_(x, log1p(-u) * (-1 / rate));
}

Tensor multinomial(const Tensor& weights_, int64_t samples, bool replacement,
                   Generator* generator) {
  constexpr const char* op = "multinomial";
  check_values(op, "weight", weights_, 0, std::numeric_limits<double>::max());
  const Tensor wide =
      cast(detach(weights_), weights_.dtype() == DType::f64 ? DType::f64 : DType::f32);
  const Tensor weights = contiguous(wide);
  const int64_t n = weights.size(weights.dim() - 1);
  const int64_t rows = weights.dim() == 2 ? weights.size(0) : 1;
  const int64_t wanted = replacement ? 1 : samples;
  const Tensor possible = sum(weights > 0, Dims{-1}, false);
  if (possible.numel() > 0) {
    refuse_capture(op, "reads how many categories have weight", "draw outside the function");
    const int64_t least =
        *to_device(amin(possible, std::nullopt, false), Device{}).as<const int64_t>();
    if (least < wanted)
      throw argument_error(op, text("a row has ", least, " categories with weight, for ", wanted,
                                    " draws without replacement"))
          .show("input", weights_)
          .remedy("draw fewer, or with replacement; each row needs a weight above 0");
  }
  Dims shape = weights.shape();
  shape[shape.n - 1] = samples;
  Tensor y = empty(op, shape, DType::i64, weights.device());
  const int64_t draws = checked_mul(op, rows, samples);
  launch<multinomial_forward>(op, weights.device(), weights.dtype(), draws + weights.numel(),
                              Seed(generator), Draw(generator, static_cast<uint64_t>(draws)), rows,
                              n, samples, replacement, weights.data(), y.as<int64_t>());
  return y;
}

}  // namespace fastdl
