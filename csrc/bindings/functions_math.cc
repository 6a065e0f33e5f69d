// Rows of the function table: arithmetic, comparisons, reductions, matrix products.
#include "bindings/signature.h"
#include "ops/binary.h"
#include "ops/bitwise.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/matmul.h"
#include "ops/reduce.h"
#include "ops/scan.h"
#include "ops/unary.h"

#include <string_view>

namespace fastdl::bindings {
namespace {

// Under autocast the functions that 16-bit floats leave the range of, or that lose most of their
// digits in them.
const char* precision_of(std::string_view name) {
  for (const char* wide :
       {"acos", "asin", "cosh", "erfinv", "exp", "expm1", "log", "log10", "log1p", "log2", "pow",
        "reciprocal", "rsqrt", "sinh", "softplus", "tan"})
    if (name == wide) return "autocast: full";
  return "";
}

void define_unary(FunctionTable& t) {
#define F(name, doc, value, gradient)                                                         \
  if constexpr (sizeof(doc) > 1)                                                              \
    t.both(#name "(input: ArrayLike) -> Tensor", precision_of(#name), "Elementwise " doc ".", \
           [](const Tensor& x) { return name(x); });
  FASTDL_UNARY(F)
#undef F
#define G(name, python, parameters, arguments, doc, value, gradient)                   \
  if constexpr (sizeof(doc) > 1)                                                       \
    t.function(#name "(input: ArrayLike, " python ") -> Tensor", precision_of(#name),  \
               "Elementwise " doc ".", [](const Tensor& x, FASTDL_UNWRAP parameters) { \
                 return unary(Unary::name, x, Numbers{FASTDL_UNWRAP arguments});       \
               });
  FASTDL_UNARY_WITH_NUMBERS(G)
#undef G
  t.function("gelu(input: ArrayLike, approximate: str = 'none') -> Tensor",
             "approximate: one of none tanh",
             "Elementwise x times the probability that a normal variable is below x (Hendrycks and "
             "Gimpel,\n2016): x * (1 + erf(x / sqrt(2))) / 2, or with approximate='tanh'\n"
             "x * (1 + tanh(sqrt(2 / pi) * (x + 0.044715 * x**3))) / 2.",
             [](const Tensor& x, const std::string& approximate) {
               return approximate == "tanh" ? gelu_tanh(x) : gelu(x);
             });
  t.both("clamp(input: ArrayLike, min: Number | None = None, max: Number | None = None) -> Tensor",
         "",
         "Elementwise x between two bounds, which take its place outside; NaN stays. The gradient "
         "at a\nbound is that of x. Where min is above max, all is max. Raises ArgumentError where "
         "neither\nbound is given.",
         [](const Tensor& x, const std::optional<TensorOrNumber>& low,
            const std::optional<TensorOrNumber>& high) {
           const auto is_fraction = [](const std::optional<TensorOrNumber>& n) {
             return n && n->kind == TensorOrNumber::floating;
           };
           const bool floats = is_floating(x.dtype()) || !(is_fraction(low) || is_fraction(high));
           const auto bound = [](const std::optional<TensorOrNumber>& n) {
             if (n && n->tensor.defined())
               throw argument_error("clamp", "a bound is a tensor")
                   .remedy("use maximum and minimum, which take tensors");
             return n ? std::optional<double>(n->number) : std::nullopt;
           };
           return clamp(floats ? x : cast(x, DType::f32), bound(low), bound(high));
         });
  t.both("logical_not(input: ArrayLike) -> Tensor", "", "True where x is 0, elementwise.",
         [](const Tensor& x) { return logical_not(x); });
  t.both("isnan(input: ArrayLike) -> Tensor", "", "True where x is not a number.",
         [](const Tensor& x) { return isnan(x); });
  t.both("isinf(input: ArrayLike) -> Tensor", "", "True where x is infinite, of either sign.",
         [](const Tensor& x) { return isinf(x); });
  t.both("isfinite(input: ArrayLike) -> Tensor", "", "True where x is neither infinite nor NaN.",
         [](const Tensor& x) { return isfinite(x); });
}

#define FASTDL_BINARY_ROW(name, doc)                                                      \
  t.both(#name "(input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor",        \
         precision_of(#name), doc, [](const TensorOrNumber& a, const TensorOrNumber& b) { \
           const auto [x, y] = matched(a, b);                                             \
           return name(x, y);                                                             \
         })

void define_binary(FunctionTable& t) {
  FASTDL_BINARY_ROW(add,
                    "input + other, with broadcasting.\n\nTensors must agree in dtype and device "
                    "(DTypeError, DeviceError); a Python\nnumber takes the tensor's dtype. Shapes "
                    "that do not broadcast raise ShapeError.");
  FASTDL_BINARY_ROW(sub, "input - other, with broadcasting; see add.");
  FASTDL_BINARY_ROW(mul, "input * other, with broadcasting; see add.");
  FASTDL_BINARY_ROW(div, "input / other, with broadcasting; integers give float32. See add.");
  FASTDL_BINARY_ROW(
      pow,
      "input to the power other, with broadcasting; see add.\n\nOf integers an integer, "
      "which wraps around; a negative power of one is 0, but for 1 and -1.");
  FASTDL_BINARY_ROW(atan2,
                    "The angle of the point (other, input) in radians, from -pi to pi; see add.");
  FASTDL_BINARY_ROW(
      fmod,
      "What is left of input divided by other, with the sign of input; see add.\n\nOf "
      "integers, a division by 0 leaves 0.");
  FASTDL_BINARY_ROW(remainder,
                    "What is left of input // other, with the sign of other, as % in Python; see "
                    "add.\n\nOf integers, a division by 0 leaves 0.");
  FASTDL_BINARY_ROW(floor_divide,
                    "input / other rounded towards minus infinity, as // in Python; see add.\n\n"
                    "Integers stay integers, and a division by 0 gives 0. Its gradient is 0.");
  FASTDL_BINARY_ROW(maximum,
                    "The larger of two, elementwise; NaN wins, a tie shares the gradient.");
  FASTDL_BINARY_ROW(minimum,
                    "The smaller of two, elementwise; NaN wins, a tie shares the gradient.");
  FASTDL_BINARY_ROW(eq, "input == other, elementwise, as bool.");
  FASTDL_BINARY_ROW(ne, "input != other, elementwise, as bool.");
  FASTDL_BINARY_ROW(lt, "input < other, elementwise, as bool.");
  FASTDL_BINARY_ROW(le, "input <= other, elementwise, as bool.");
  FASTDL_BINARY_ROW(gt, "input > other, elementwise, as bool.");
  FASTDL_BINARY_ROW(ge, "input >= other, elementwise, as bool.");
  FASTDL_BINARY_ROW(logical_and, "Whether both are not 0, elementwise, as bool.");
  FASTDL_BINARY_ROW(logical_or, "Whether either is not 0, elementwise, as bool.");
  FASTDL_BINARY_ROW(logical_xor, "Whether just one is not 0, elementwise, as bool.");
  FASTDL_BINARY_ROW(
      bitwise_and,
      "The bits that both have, elementwise, as input & other; of bools, whether both "
      "are true.\n\nFor integers and bools (DTypeError); see add.");
  FASTDL_BINARY_ROW(bitwise_or, "The bits that either has, as input | other; see bitwise_and.");
  FASTDL_BINARY_ROW(bitwise_xor, "The bits that just one has, as input ^ other; see bitwise_and.");
  FASTDL_BINARY_ROW(bitwise_left_shift,
                    "The bits of input moved up by other, as input << other; see add.\n\nFor "
                    "integers (DTypeError). A shift below 0, or by all bits and more, gives 0.");
  FASTDL_BINARY_ROW(bitwise_right_shift,
                    "The bits of input moved down by other, as input >> other; see add.\n\nFor "
                    "integers (DTypeError). The sign is kept: a shift below 0, or by all bits and "
                    "more,\nleaves -1 of a negative number and 0 of another.");
  t.both("bitwise_not(input: ArrayLike) -> Tensor", "",
         "The other bits, elementwise, as ~input; of bools, the other truth.\n\nFor integers and "
         "bools (DTypeError).",
         [](const Tensor& x) { return bitwise_not(x); });
  t.function(
      "where(condition: ArrayLike, input: ArrayLike | Number, other: ArrayLike | Number) -> Tensor",
      "condition: bool", "input where condition (bool) is true, else other; all three broadcast.",
      [](const Tensor& c, const TensorOrNumber& a, const TensorOrNumber& b) {
        const auto [x, y] = matched(a, b);
        return where(c, x, y);
      });
}

// With dim: (values, indices), as in PyTorch.
PyObject* extreme_with_index(const Tensor& x, int64_t dim, bool keepdim, bool largest) {
  const std::array<Tensor, 2> both{
      largest ? amax(x, Dims{dim}, keepdim) : amin(x, Dims{dim}, keepdim),
      largest ? argmax(x, dim, keepdim) : argmin(x, dim, keepdim)};
  return to_python(both);
}

void define_reductions(FunctionTable& t) {
  t.both(
      "sum(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "
      "Tensor",
      "autocast: full; dim: dim of input",
      "The sum over `dim` (None: all dimensions). Integers and bool sum as int64.\n\nThe order of "
      "the additions depends on shape and strides alone, so the result has\nthe same bits at any "
      "number of "
      "threads.",
      [](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return sum(x, dim, keepdim); });
  t.both(
      "mean(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "
      "Tensor",
      "input: floating; dim: dim of input",
      "The arithmetic mean over `dim` (None: all dimensions); floating tensors only.",
      [](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return mean(x, dim, keepdim); });
  t.both(
      "var(input: ArrayLike, dim: int | Sequence[int] | None = None, correction: int = 1, keepdim: "
      "bool = False) -> Tensor",
      "input: floating; dim: dim of input; correction: 0..",
      "The variance over `dim`, divided by (count - correction).",
      [](const Tensor& x, std::optional<Dims> dim, int64_t correction, bool keepdim) {
        return var(x, dim, correction, keepdim);
      });
  t.both(
      "std(input: ArrayLike, dim: int | Sequence[int] | None = None, correction: int = 1, keepdim: "
      "bool = False) -> Tensor",
      "input: floating; dim: dim of input; correction: 0..",
      "The square root of var; its gradient where it is 0 is 0.",
      [](const Tensor& x, std::optional<Dims> dim, int64_t correction, bool keepdim) {
        return standard_deviation(x, dim, correction, keepdim);
      });
  t.both(
      "prod(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "
      "Tensor",
      "autocast: full; dim: dim of input",
      "The product over `dim` (None: all dimensions), 1 of nothing. Integers and bool multiply as "
      "int64.",
      [](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return prod(x, dim, keepdim); });
  t.both(
      "norm(input: ArrayLike, p: float = 2.0, dim: int | Sequence[int] | None = None, keepdim: "
      "bool = False) -> Tensor",
      "autocast: full; input: floating; dim: dim of input",
      "The p-norm over `dim` (None: all dimensions): sum(|x|**p)**(1 / p).\n\n1 is the sum of "
      "magnitudes, 2 the length, inf and -inf the largest and the smallest\nmagnitude, 0 the count "
      "of what is not 0. The gradient of the length of 0 is 0.",
      [](const Tensor& x, double p, std::optional<Dims> dim, bool keepdim) {
        return norm(x, p, dim, keepdim);
      });
  t.both(
      "logsumexp(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) "
      "-> Tensor",
      "autocast: full; input: floating; dim: dim of input",
      "log(sum(exp(x))) over `dim` (None: all dimensions), without overflow; -inf of nothing.",
      [](const Tensor& x, std::optional<Dims> dim, bool keepdim) {
        return logsumexp(x, dim, keepdim);
      });
  t.both(
      "any(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "
      "Tensor",
      "dim: dim of input",
      "Whether any element over `dim` (None: all dimensions) is not 0, as bool.",
      [](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return any(x, dim, keepdim); });
  t.both(
      "all(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "
      "Tensor",
      "dim: dim of input", "Whether no element over `dim` (None: all dimensions) is 0, as bool.",
      [](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return all(x, dim, keepdim); });
  t.both(
      "amax(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "
      "Tensor",
      "dim: dim of input",
      "The largest element over `dim`; NaN wins. Ties share the gradient evenly.",
      [](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return amax(x, dim, keepdim); });
  t.both(
      "amin(input: ArrayLike, dim: int | Sequence[int] | None = None, keepdim: bool = False) -> "
      "Tensor",
      "dim: dim of input",
      "The smallest element over `dim`; NaN wins. Ties share the gradient evenly.",
      [](const Tensor& x, std::optional<Dims> dim, bool keepdim) { return amin(x, dim, keepdim); });
  t.both("cumsum(input: ArrayLike, dim: int) -> Tensor", "autocast: full; dim: dim of input",
         "The running sum along `dim`: each element and all before it. Integers and bool sum as "
         "int64.",
         [](const Tensor& x, int64_t dim) { return cumsum(x, dim); });
  t.both("cumprod(input: ArrayLike, dim: int) -> Tensor", "autocast: full; dim: dim of input",
         "The running product along `dim`: each element and all before it. Integers and bool "
         "multiply\nas int64.",
         [](const Tensor& x, int64_t dim) { return cumprod(x, dim); });
  t.both("cummax(input: ArrayLike, dim: int) -> tuple[Tensor, Tensor]",
         "input: number; dim: dim of input",
         "The largest element so far along `dim`: the pair (values, indices), indices int64.\n\nOf "
         "equal elements the last one counts; NaN wins. The gradient goes to the elements chosen.",
         [](const Tensor& x, int64_t dim) { return cummax(x, dim); });
  t.both("cummin(input: ArrayLike, dim: int) -> tuple[Tensor, Tensor]",
         "input: number; dim: dim of input", "The smallest element so far along `dim`; see cummax.",
         [](const Tensor& x, int64_t dim) { return cummin(x, dim); });
  t.both("argmax(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Tensor",
         "dim: dim of input",
         "The index (int64) of the largest element along `dim`, the first of equals;\nNone: in the "
         "flattened tensor.",
         [](const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
           return argmax(x, dim, keepdim);
         });
  t.both("argmin(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Tensor",
         "dim: dim of input",
         "The index (int64) of the smallest element along `dim`, the first of equals;\nNone: in "
         "the flattened tensor.",
         [](const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
           return argmin(x, dim, keepdim);
         });
  t.both("max(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any",
         "dim: dim of input",
         "The largest element as a Tensor; with `dim`, the pair (values, indices) along it.",
         [](const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
           return dim ? extreme_with_index(x, *dim, keepdim, true)
                      : wrap(amax(x, std::nullopt, keepdim));
         });
  t.both("min(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any",
         "dim: dim of input",
         "The smallest element as a Tensor; with `dim`, the pair (values, indices) along it.",
         [](const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
           return dim ? extreme_with_index(x, *dim, keepdim, false)
                      : wrap(amin(x, std::nullopt, keepdim));
         });
}

}  // namespace

void define_math_functions(FunctionTable& t) {
  define_unary(t);
  define_binary(t);
  define_reductions(t);
  t.both("matmul(input: ArrayLike, other: ArrayLike) -> Tensor", "autocast: low; other: like input",
         "The matrix product of [..., m, k] and [..., k, n], batches broadcast; a vector is a\nrow "
         "on the left and a column on the right. Any strides, no copy.\n\nRaises ShapeError where "
         "the inner sizes differ.",
         [](const Tensor& a, const Tensor& b) { return matmul(a, b); });
}

}  // namespace fastdl::bindings
