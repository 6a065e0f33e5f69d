// Rows of the function table: normalisation.
#include "bindings/signature.h"
#include "ops/batch_norm.h"
#include "ops/layer_norm.h"

namespace fastdl::bindings {

void define_norm_functions(FunctionTable& t) {
  t.function(
      "batch_norm(input: ArrayLike, running_mean: Tensor | None = None, running_var: Tensor | None "
      "= None, weight: ArrayLike | None = None, bias: ArrayLike | None = None, training: bool = "
      "False, momentum: float = 0.1, eps: float = 1e-05, residual: ArrayLike | None = None, "
      "activation: "
      "str = 'none', slope: float = 0.01) -> Tensor",
      "input: floating [N, C, ...S]; running_mean, running_var: floating [C]; weight: floating "
      "[C]; bias: like weight [C]; residual: like input [N, C, ...S]; eps: 0..; activation: one of "
      "none relu leaky_relu; slope: 0..",
      R"((x - mean) / sqrt(variance + eps) * weight + bias per channel of input[N, C, ...]
(Ioffe and Szegedy, 2015), then `+ residual`, then the activation, in one pass over memory.

In training the statistics are the batch's (biased variance), and the running ones move
towards them by `momentum` (unbiased variance), in place; else the running ones are used.
The residual has the input's shape; activation: 'none', 'relu' or 'leaky_relu', whose negative
side has the `slope`. Raises ShapeError for a training batch of one value per channel.)",
      [](const Tensor& x, const OptionalTensor& mean, const OptionalTensor& var,
         const OptionalTensor& weight, const OptionalTensor& bias, bool training, double momentum,
         double eps, const OptionalTensor& residual, const std::string& activation, double slope) {
        return batch_norm(x, mean.tensor, var.tensor, weight.tensor, bias.tensor, residual.tensor,
                          {training, momentum, eps, {activation, slope}});
      });
  t.function(
      "layer_norm(input: ArrayLike, normalized_shape: int | Sequence[int], weight: ArrayLike | "
      "None = "
      "None, bias: ArrayLike | None = None, eps: float = 1e-05) -> Tensor",
      "input: floating; weight, bias: floating; eps: 0..",
      R"((x - mean) / sqrt(variance + eps) * weight + bias (Ba, Kiros and Hinton, 2016).

Mean and (biased) variance are those of each sample over its last dimensions, whose sizes are
normalized_shape; weight and bias have that shape. Raises ShapeError where they do not fit.)",
      [](const Tensor& x, const Dims& normalized, const OptionalTensor& weight,
         const OptionalTensor& bias,
         double eps) { return layer_norm(x, normalized, weight.tensor, bias.tensor, eps); });
}

}  // namespace fastdl::bindings
