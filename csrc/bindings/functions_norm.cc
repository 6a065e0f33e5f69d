// Rows of the function table: normalisation, dropout and noise.
#include "bindings/signature.h"
#include "ops/batch_norm.h"
#include "ops/dropout.h"
#include "ops/layer_norm.h"
#include "ops/local_response_norm.h"

namespace fastdl::bindings {

namespace {

void define_normalisation(FunctionTable& t) {
  t.function(
      "batch_norm(input: ArrayLike, running_mean: Tensor | None = None, running_var: Tensor | None "
      "= None, weight: ArrayLike | None = None, bias: ArrayLike | None = None, training: bool = "
      "False, momentum: float = 0.1, eps: float = 1e-05, residual: ArrayLike | None = None, "
      "activation: str = 'none', slope: float = 0.01) -> Tensor",
      "autocast: full; input: floating [N, channels, ...S]; running_mean, running_var: floating "
      "[channels]; "
      "weight: floating "
      "[channels]; bias: like weight [channels]; residual: like input [N, channels, ...S]; "
      "momentum: 0..1; eps: 0..; "
      "activation: one of "
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
      "autocast: full; input: floating; weight, bias: floating; eps: 0..",
      R"((x - mean) / sqrt(variance + eps) * weight + bias (Ba, Kiros and Hinton, 2016).

Mean and (biased) variance are those of each sample over its last dimensions, whose sizes are
normalized_shape; weight and bias have that shape. Raises ShapeError where they do not fit.)",
      [](const Tensor& x, const Dims& normalized, const OptionalTensor& weight,
         const OptionalTensor& bias,
         double eps) { return layer_norm(x, normalized, weight.tensor, bias.tensor, eps); });
  t.function(
      "rms_norm(input: ArrayLike, normalized_shape: int | Sequence[int], weight: ArrayLike | None "
      "= "
      "None, eps: float | None = None) -> Tensor",
      "autocast: full; input: floating; weight: floating; eps: 0..",
      R"(x / sqrt(mean(x^2) + eps) * weight (Zhang and Sennrich, 2019).

The mean is that of each sample over its last dimensions, whose sizes are normalized_shape; weight
has that shape. eps None: the dtype's epsilon. Raises ShapeError where they do not fit.)",
      [](const Tensor& x, const Dims& normalized, const OptionalTensor& weight,
         std::optional<double> eps) { return rms_norm(x, normalized, weight.tensor, eps); });
  t.function(
      "group_norm(input: ArrayLike, num_groups: int, weight: ArrayLike | None = None, bias: "
      "ArrayLike | None = None, eps: float = 1e-05) -> Tensor",
      "autocast: full; input: floating [N, channels, ...]; num_groups: 1..; weight: floating "
      "[channels]; bias: "
      "like weight [channels]; "
      "eps: 0..",
      R"((x - mean) / sqrt(variance + eps) * weight + bias (Wu and He, 2018).

Mean and (biased) variance are those of each sample over the pixels and the C / num_groups channels
of a group; weight and bias are per channel. Raises ShapeError where num_groups does not divide C.)",
      [](const Tensor& x, int64_t groups, const OptionalTensor& weight, const OptionalTensor& bias,
         double eps) { return group_norm(x, groups, weight.tensor, bias.tensor, eps); });
  t.function(
      "instance_norm(input: ArrayLike, running_mean: Tensor | None = None, running_var: Tensor | "
      "None = None, weight: ArrayLike | None = None, bias: ArrayLike | None = None, "
      "use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-05) -> Tensor",
      "autocast: full; input: floating [N, channels, ...]; running_mean, running_var: floating "
      "[channels]; weight: "
      "floating [channels]; "
      "bias: like weight [channels]; momentum: 0..1; eps: 0..",
      R"((x - mean) / sqrt(variance + eps) * weight + bias (Ulyanov, Vedaldi and Lempitsky, 2016).

Mean and (biased) variance are those of each sample's channel over its pixels, and the running ones
move towards their means over the batch by `momentum` (unbiased variance), in place; without
use_input_stats the running ones are used. Raises ShapeError for statistics of a single pixel.)",
      [](const Tensor& x, const OptionalTensor& mean, const OptionalTensor& var,
         const OptionalTensor& weight, const OptionalTensor& bias, bool use_input_stats,
         double momentum, double eps) {
        return instance_norm(x, mean.tensor, var.tensor, weight.tensor, bias.tensor,
                             {use_input_stats, momentum, eps});
      });
  t.function(
      "local_response_norm(input: ArrayLike, size: int, alpha: float = 0.0001, beta: float = 0.75, "
      "k: float = 1.0) -> Tensor",
      "autocast: full; input: floating [N, channels, ...]; size: 1..window",
      R"(x / (k + alpha / size * sum(x^2))^beta, the sum being over `size` channels around each one
(Krizhevsky, Sutskever and Hinton, 2012; also called cross-channel normalisation).

The window begins size / 2 channels before its own; channels that do not exist count as 0.)",
      [](const Tensor& x, int64_t size, double alpha, double beta, double k) {
        return local_response_norm(x, size, alpha, beta, k);
      });
}

void define_dropout(FunctionTable& t) {
  t.function(
      "dropout(input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | "
      "None = None) -> Tensor",
      "input: floating; p: 0..1",
      "Zeroes each element with probability p and scales the rest by 1 / (1 - p)\n(Srivastava et "
      "al., 2014); the input itself when not training.",
      [](const Tensor& x, double p, bool training, Generator* g) {
        return dropout(x, {p, training, g});
      });
  t.function(
      "dropout1d(input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | "
      "None = None) -> Tensor",
      "input: floating [N, C, L] or [C, L]; p: 0..1",
      "Zeroes each channel with probability p and scales the rest by 1 / (1 - p)\n(Tompson et al., "
      "2015); the input itself when not training.",
      [](const Tensor& x, double p, bool training, Generator* g) {
        return dropout_slices("dropout1d", x, x.dim() - 1, {p, training, g});
      });
  t.function(
      "dropout2d(input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | "
      "None = None) -> Tensor",
      "input: floating [N, C, H, W] or [N, C, L]; p: 0..1",
      "As dropout1d, for images; of three dimensions the first is taken to be the batch.",
      [](const Tensor& x, double p, bool training, Generator* g) {
        return dropout_slices("dropout2d", x, 2, {p, training, g});
      });
  t.function(
      "dropout3d(input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | "
      "None = None) -> Tensor",
      "input: floating [N, C, D, H, W] or [C, D, H, W]; p: 0..1", "As dropout1d, for volumes.",
      [](const Tensor& x, double p, bool training, Generator* g) {
        return dropout_slices("dropout3d", x, x.dim() - 3, {p, training, g});
      });
  t.function(
      "alpha_dropout(input: ArrayLike, p: float = 0.5, training: bool = False, generator: "
      "Generator "
      "| None = None) -> Tensor",
      "input: floating; p: 0..1",
      R"(Sets each element to SELU's limit with probability p; an affine function then restores
mean 0 and variance 1 (Klambauer et al., 2017). The input itself when not training, as by default;
zeros for p = 1.)",
      [](const Tensor& x, double p, bool training, Generator* g) {
        return alpha_dropout(x, {p, training, g});
      });
  t.function(
      "feature_alpha_dropout(input: ArrayLike, p: float = 0.5, training: bool = False, generator: "
      "Generator | None = None) -> Tensor",
      "input: floating [N, C, ...]; p: 0..1",
      "alpha_dropout of whole channels of input[N, C, ...]; when training, which is not the "
      "default.",
      [](const Tensor& x, double p, bool training, Generator* g) {
        return feature_alpha_dropout(x, {p, training, g});
      });
  t.function(
      "gaussian_noise(input: ArrayLike, std: float, training: bool = True, generator: Generator | "
      "None = None) -> Tensor",
      "input: floating; std: 0..",
      "Adds normal noise of mean 0 and standard deviation std (Bishop, 1995); the input itself "
      "when\nnot training.",
      [](const Tensor& x, double std, bool training, Generator* g) {
        return gaussian_noise(x, std, training, g);
      });
  t.function(
      "gaussian_dropout(input: ArrayLike, p: float = 0.5, training: bool = True, generator: "
      "Generator | None = None) -> Tensor",
      "input: floating; p: 0..1",
      R"(Multiplies by normal noise of mean 1 and standard deviation sqrt(p / (1 - p)), the first two
moments of dropout (Srivastava et al., 2014). The input itself when not training. Raises
ArgumentError for p = 1.)",
      [](const Tensor& x, double p, bool training, Generator* g) {
        return gaussian_dropout(x, {p, training, g});
      });
  t.function(
      "stochastic_depth(input: ArrayLike, p: float, mode: str, training: bool = True, generator: "
      "Generator | None = None) -> Tensor",
      "input: floating [N, ...]; p: 0..1; mode: one of batch row",
      R"(Zeroes the input with probability p and else scales it by 1 / (1 - p) (Huang et al., 2016).

mode 'batch' decides once, 'row' for each sample of input[N, ...]; the input itself when not
training. It belongs on the residual branch, before the addition.)",
      [](const Tensor& x, double p, const std::string& mode, bool training, Generator* g) {
        return dropout_slices("stochastic_depth", x, mode == "row" ? 1 : 0, {p, training, g});
      });
}

}  // namespace

void define_norm_functions(FunctionTable& t) {
  define_normalisation(t);
  define_dropout(t);
}

}  // namespace fastdl::bindings
