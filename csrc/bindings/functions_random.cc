// Rows of the function table: random tensors. Element i of a draw depends on the seed, the
// generator's offset and i alone.
#include "autograd/variable.h"
#include "bindings/interop.h"
#include "bindings/signature.h"
#include "core/backend.h"
#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/random.h"
#include "ops/sample.h"

namespace fastdl::bindings {
namespace {

Tensor finish(Tensor t, bool wants_grad) {
  if (wants_grad) set_requires_grad(t, true);
  return t;
}

#define FASTDL_PLACE "dtype: DTypeLike | None = None, device: DeviceLike | None = None"
#define FASTDL_GENERATOR "generator: Generator | None = None"
using MaybeDType = std::optional<DType>;
using MaybeDevice = std::optional<Device>;

void define_draws(FunctionTable& t) {
  t.function(
      "rand(shape: Shape, " FASTDL_PLACE
      ", generator: Generator | None = None, requires_grad: bool = False) -> Tensor",
      "", "Uniform in [0, 1). The same seed gives the same numbers on every device.",
      [](const Dims& shape, MaybeDType dtype, MaybeDevice device, Generator* g, bool wants_grad) {
        const Device d = device.value_or(Device{});
        require_device(d);
        return finish(uniform(shape, 0, 1, dtype.value_or(DType::f32), d, g), wants_grad);
      });
  t.function(
      "randn(shape: Shape, " FASTDL_PLACE
      ", generator: Generator | None = None, requires_grad: bool = False) -> Tensor",
      "", "Normal with mean 0 and standard deviation 1 (Box and Muller, 1958).",
      [](const Dims& shape, MaybeDType dtype, MaybeDevice device, Generator* g, bool wants_grad) {
        const Device d = device.value_or(Device{});
        require_device(d);
        return finish(normal(shape, 0, 1, dtype.value_or(DType::f32), d, g), wants_grad);
      });
  t.function(
      "randint(low: int, high: int, shape: Shape, device: DeviceLike | None = None, generator: "
      "Generator | None = None) -> Tensor",
      "", "int64, uniform in [low, high).",
      [](int64_t low, int64_t high, const Dims& shape, MaybeDevice device, Generator* g) {
        const Device d = device.value_or(Device{});
        require_device(d);
        return randint(low, high, shape, d, g);
      });
  t.function("randperm(n: int, generator: Generator | None = None) -> Tensor", "n: 0..",
             "A random order of 0..n-1 as int64 (Fisher and Yates).",
             [](int64_t n, Generator* g) { return randperm(n, g); });
}

// A draw in x's memory format.
template <class F>
Tensor drawn_like(const Tensor& x, MaybeDType dtype, MaybeDevice device, F draw) {
  const Device d = device.value_or(x.device());
  require_device(d);
  const Tensor y = draw(dtype.value_or(x.dtype()), d);
  return y.view(x.shape(), strides_in(layout_of(x), x.shape()), 0);
}

void define_draws_like(FunctionTable& t) {
  t.function("rand_like(input: ArrayLike, " FASTDL_PLACE ", " FASTDL_GENERATOR ") -> Tensor", "",
             "Uniform in [0, 1), in the input's shape, dtype and device.",
             [](const Tensor& x, MaybeDType dtype, MaybeDevice device, Generator* g) {
               return drawn_like(x, dtype, device, [&](DType kind, const Device& d) {
                 return uniform(x.shape(), 0, 1, kind, d, g);
               });
             });
  t.function("randn_like(input: ArrayLike, " FASTDL_PLACE ", " FASTDL_GENERATOR ") -> Tensor", "",
             "Normal with mean 0 and standard deviation 1, in the input's shape, dtype and device.",
             [](const Tensor& x, MaybeDType dtype, MaybeDevice device, Generator* g) {
               return drawn_like(x, dtype, device, [&](DType kind, const Device& d) {
                 return normal(x.shape(), 0, 1, kind, d, g);
               });
             });
  t.function("randint_like(input: ArrayLike, low: int, high: int, " FASTDL_PLACE
             ", " FASTDL_GENERATOR ") -> Tensor",
             "", "Integers, uniform in [low, high), in the input's shape, dtype and device.",
             [](const Tensor& x, int64_t low, int64_t high, MaybeDType dtype, MaybeDevice device,
                Generator* g) {
               return drawn_like(x, dtype, device, [&](DType kind, const Device& d) {
                 return cast(randint(low, high, x.shape(), d, g), kind);
               });
             });
}

// Of tensors, of numbers and a size, or of a tensor and a number.
Tensor draw_normal(const TensorOrNumber& mean, const TensorOrNumber& deviation,
                   std::optional<Dims> size, MaybeDType dtype, MaybeDevice device, Generator* g) {
  constexpr const char* op = "normal";
  const bool numbers = !mean.tensor.defined() && !deviation.tensor.defined();
  if (numbers != size.has_value())
    throw argument_error(op, numbers ? "there is no size" : "a size beside tensors")
        .remedy("give size with two numbers, and with tensors leave it out");
  if (numbers) {
    const Device d = device.value_or(Device{});
    require_device(d);
    return normal(*size, mean.number, deviation.number, dtype.value_or(DType::f32), d, g);
  }
  const auto [centre, spread] = matched(mean, deviation);
  check_same_kind(op, {{"mean", centre}, {"std", spread}});
  check_floating(op, {"mean", centre});
  check_values(op, "std", spread, 0, std::numeric_limits<double>::infinity());
  const GradMode off(false);
  const Dims shape = broadcast_shapes(op, centre.shape(), spread.shape());
  return centre + spread * normal(shape, 0, 1, centre.dtype(), centre.device(), g);
}

void define_distributions(FunctionTable& t) {
  t.function(
      "normal(mean: ArrayLike | Number = 0.0, std: ArrayLike | Number = 1.0, size: int | "
      "Sequence[int] | None = "
      "None, " FASTDL_PLACE ", " FASTDL_GENERATOR ") -> Tensor",
      "",
      "Normal with a mean and a standard deviation of each element, which broadcast; of two "
      "numbers,\nin the shape `size`. A std that is negative or NaN raises ArgumentError.",
      [](const TensorOrNumber& mean, const TensorOrNumber& deviation, std::optional<Dims> size,
         MaybeDType dtype, MaybeDevice device,
         Generator* g) { return draw_normal(mean, deviation, size, dtype, device, g); });
  t.function("uniform(shape: Shape, low: float = 0.0, high: float = 1.0, " FASTDL_PLACE
             ", " FASTDL_GENERATOR ") -> Tensor",
             "", "Uniform in [low, high). The same seed gives the same numbers on every device.",
             [](const Dims& shape, double low, double high, MaybeDType dtype, MaybeDevice device,
                Generator* g) {
               const Device d = device.value_or(Device{});
               require_device(d);
               return uniform(shape, low, high, dtype.value_or(DType::f32), d, g);
             });
  t.both("bernoulli(input: ArrayLike, " FASTDL_GENERATOR ") -> Tensor", "input: floating",
         "1 with the probability that input holds and 0 otherwise, in its dtype.\n\nA probability "
         "outside [0, 1], or NaN, raises ArgumentError.",
         [](const Tensor& p, Generator* g) { return bernoulli(p, g); });
  t.both(
      "multinomial(input: ArrayLike, num_samples: int, replacement: bool = False, " FASTDL_GENERATOR
      ") -> Tensor",
      "input: floating [C] or [N, C]; num_samples: 1..window",
      R"(Categories drawn by the weights of a vector or of each row: int64 [num_samples] or [N, num_samples].

Weights need not sum to 1. Without replacement a category is drawn once, and the draws are in order:
each by the weights of those that are left. ArgumentError where a weight is negative, infinite or NaN,
and where a row has no weight or fewer categories with weight than draws without replacement.)",
      [](const Tensor& weights, int64_t samples, bool replacement, Generator* g) {
        return multinomial(weights, samples, replacement, g);
      });
}

}  // namespace

void define_random_functions(FunctionTable& t) {
  define_draws(t);
  define_draws_like(t);
  define_distributions(t);
}

void define_random_edits(FunctionTable& t) {
  t.method("bernoulli_(self, p: ArrayLike | Number = 0.5, " FASTDL_GENERATOR ") -> Tensor", "",
           "Sets every element to 1 with probability p and to 0 otherwise; see bernoulli.",
           [](PyObject* self, const TensorOrNumber& p, Generator* g) {
             const Tensor& x = tensor_of(self);
             const Tensor chance =
                 p.tensor.defined() ? p.tensor : full({}, p.number, DType::f32, x.device());
             return bernoulli_(x, chance, g), Py_NewRef(self);
           });
  t.method("exponential_(self, lambd: float = 1.0, " FASTDL_GENERATOR ") -> Tensor",
           "lambd: above 0",
           "Draws every element from the exponential distribution of rate lambd, whose mean is 1 / "
           "lambd.",
           [](PyObject* self, double rate, Generator* g) {
             return exponential_(tensor_of(self), rate, g), Py_NewRef(self);
           });
}

}  // namespace fastdl::bindings
