// Rows of the function table: losses.
#include "bindings/signature.h"
#include "ops/loss.h"

namespace fastdl::bindings {

void define_loss_functions(FunctionTable& t) {
  t.function(
      "cross_entropy(input: ArrayLike, target: ArrayLike, reduction: str = 'mean') -> Tensor",
      "input: floating [classes] or [N, classes, ...S]; "
      "target: index [] or [N, ...S] values below classes; "
      "reduction: one of none mean sum",
      R"(-log softmax(input)[target] over the classes in dimension 1 of input[N, C, ...].

target[N, ...] holds int64 class indices; one outside 0..C-1 raises IndexRangeError.
reduction: 'mean', 'sum' or 'none'.)",
      [](const Tensor& x, const Tensor& target, const std::string& reduction) {
        return cross_entropy(x, target, reduction);
      });
  t.function(
      "mse_loss(input: ArrayLike, target: ArrayLike, reduction: str = 'mean') -> Tensor",
      "input: floating [...S]; target: like input [...S]; reduction: one of none mean sum",
      "(input - target) squared. Different shapes raise ShapeError: losses do not broadcast.",
      [](const Tensor& x, const Tensor& target, const std::string& reduction) {
        return mse_loss(x, target, reduction);
      });
  t.function(
      "binary_cross_entropy(input: ArrayLike, target: ArrayLike, reduction: str = 'mean') -> "
      "Tensor",
      "input: floating [...S]; target: like input [...S]; reduction: one of none mean sum",
      "-(t log p + (1 - t) log(1 - p)) for probabilities p = input; logarithms are bounded\nby "
      "-100. Different shapes raise ShapeError.",
      [](const Tensor& x, const Tensor& target, const std::string& reduction) {
        return binary_cross_entropy(x, target, reduction);
      });
  t.function(
      "binary_cross_entropy_with_logits(input: ArrayLike, target: ArrayLike, reduction: str = "
      "'mean') -> Tensor",
      "input: floating [...S]; target: like input [...S]; reduction: one of none mean sum",
      "binary_cross_entropy of sigmoid(input), in a form without overflow.\nDifferent shapes raise "
      "ShapeError.",
      [](const Tensor& x, const Tensor& target, const std::string& reduction) {
        return binary_cross_entropy_with_logits(x, target, reduction);
      });
}

}  // namespace fastdl::bindings
