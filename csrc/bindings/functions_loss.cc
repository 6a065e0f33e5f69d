// Rows of the function table: losses.
#include "bindings/signature.h"
#include "ops/loss.h"

namespace fastdl::bindings {

void define_loss_functions(FunctionTable& t) {
  t.function(
      "cross_entropy(input: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, "
      "ignore_index: int = -100, reduction: str = 'mean', label_smoothing: float = 0.0) -> Tensor",
      "autocast: full; input: floating [classes] or [N, classes, ...S]; "
      "target: index [] or [N, ...S] values below classes | like input [classes] or [N, classes, "
      "...S]; weight: like input [classes]; reduction: one of none mean sum; "
      "label_smoothing: 0..1",
      R"(-log softmax(input)[target] over the classes in dimension 1 of input[N, C, ...].

target[N, ...] holds int64 class indices; one outside 0..C-1 raises IndexRangeError, except
ignore_index, whose loss is 0. Or target[N, C, ...] holds the probabilities of the classes.
weight[C] scales the classes. label_smoothing mixes the target with equal probabilities
(Szegedy et al., 2016). reduction: 'none', 'sum', or 'mean', which divides by the weights of the
targets that count (for probabilities, by the number of samples).)",
      [](const Tensor& x, const Tensor& target, const OptionalTensor& weight, int64_t ignored,
         const std::string& reduction, double smoothing) {
        return cross_entropy(x, target, weight.tensor, {ignored, reduction, smoothing});
      });
  t.function(
      "mse_loss(input: ArrayLike, target: ArrayLike, reduction: str = 'mean') -> Tensor",
      "autocast: full; input: floating [...S]; target: like input [...S]; reduction: one of none "
      "mean sum",
      "(input - target) squared. Different shapes raise ShapeError: losses do not broadcast.",
      [](const Tensor& x, const Tensor& target, const std::string& reduction) {
        return mse_loss(x, target, reduction);
      });
  t.function(
      "binary_cross_entropy(input: ArrayLike, target: ArrayLike, weight: ArrayLike | None = None, "
      "reduction: str = 'mean') -> Tensor",
      "autocast: full; input: floating [...S]; target: like input [...S]; weight: like input; "
      "reduction: one of none mean sum",
      R"(-(t log p + (1 - t) log(1 - p)) for probabilities p = input; logarithms are bounded by -100.

weight scales the elements and broadcasts against them; the target does not: another shape raises
ShapeError.)",
      [](const Tensor& x, const Tensor& target, const OptionalTensor& weight,
         const std::string& reduction) {
        return binary_cross_entropy(x, target, weight.tensor, reduction);
      });
  t.function(
      "binary_cross_entropy_with_logits(input: ArrayLike, target: ArrayLike, weight: ArrayLike | "
      "None = None, reduction: str = 'mean', pos_weight: ArrayLike | None = None) -> Tensor",
      "autocast: full; input: floating [...S]; target: like input [...S]; weight, pos_weight: like "
      "input; "
      "reduction: one of none mean sum",
      R"(binary_cross_entropy of sigmoid(input), in a form without overflow.

weight scales the elements, pos_weight the terms of positive targets; both broadcast. A target of
another shape raises ShapeError.)",
      [](const Tensor& x, const Tensor& target, const OptionalTensor& weight,
         const std::string& reduction, const OptionalTensor& pos_weight) {
        return binary_cross_entropy_with_logits(x, target, weight.tensor, reduction,
                                                pos_weight.tensor);
      });
}

}  // namespace fastdl::bindings
