// Rows of the function table: the operations of networks.
#include "bindings/signature.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/epilogue.h"
#include "ops/gru.h"
#include "ops/layer_norm.h"
#include "ops/loss.h"
#include "ops/lstm.h"
#include "ops/matmul.h"
#include "ops/pool2d.h"
#include "ops/random.h"
#include "ops/softmax.h"

namespace fastdl::bindings {
namespace {

Pool2dOptions pool_options(const Pair& kernel, const std::optional<Pair>& stride,
                           const Pair& padding, const Pair& dilation, bool ceil_mode,
                           bool count_include_pad) {
  const Pair step = stride ? *stride : kernel;
  return {{kernel.at[0], kernel.at[1]},
          {step.at[0], step.at[1]},
          {padding.at[0], padding.at[1]},
          {dilation.at[0], dilation.at[1]},
          ceil_mode,
          count_include_pad};
}

Conv2dOptions conv_options(const Pair& stride, const Pair& padding, const Pair& dilation,
                           int64_t groups) {
  return {{stride.at[0], stride.at[1]},
          {padding.at[0], padding.at[1]},
          {dilation.at[0], dilation.at[1]},
          groups};
}

void define_layers(FunctionTable& t) {
  t.function("linear(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Tensor",
             "input[..., in] times weight[out, in] transposed, plus bias[out]: [..., "
             "out].\n\nRaises ShapeError, DTypeError or DeviceError where the operands do not fit.",
             [](const Tensor& x, const Tensor& w, const OptionalTensor& b) {
               return linear(x, w, b.tensor);
             });
  t.function(
      "conv2d(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, stride: int | "
      "Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, "
      "groups: int = 1) -> Tensor",
      R"(Two-dimensional cross-correlation (LeCun et al., 1998).

input[N, C, H, W], weight[K, C / groups, R, S], bias[K] give [N, K, P, Q] with
P = (H + 2 * padding - dilation * (R - 1) - 1) // stride + 1, and Q likewise.
Pairs are (vertical, horizontal). An empty batch gives an empty result.

Raises ShapeError where channels, groups or sizes do not fit, ArgumentError for a stride,
dilation or groups below 1 or a padding below 0.)",
      [](const Tensor& x, const Tensor& w, const OptionalTensor& b, const Pair& stride,
         const Pair& padding, const Pair& dilation, int64_t groups) {
        return conv2d(x, w, b.tensor, conv_options(stride, padding, dilation, groups));
      });
  t.function(
      "max_pool2d(input: ArrayLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] "
      "| None = None, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, "
      "ceil_mode: bool = False) -> Tensor",
      R"(The maximum of each window of input[N, C, H, W] (or [C, H, W]).

stride defaults to kernel_size; padding, at most half the kernel, counts as minus infinity.
NaN wins; of equals the first takes the gradient.)",
      [](const Tensor& x, const Pair& kernel, const std::optional<Pair>& stride,
         const Pair& padding, const Pair& dilation, bool ceil_mode) {
        return max_pool2d(x, pool_options(kernel, stride, padding, dilation, ceil_mode, false));
      });
  t.function(
      "avg_pool2d(input: ArrayLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] "
      "| None = None, padding: int | Sequence[int] = 0, ceil_mode: bool = False, "
      "count_include_pad: bool = True) -> Tensor",
      R"(The mean of each window of input[N, C, H, W] (or [C, H, W]).

stride defaults to kernel_size; padding counts as zeros, in the divisor too unless
count_include_pad is False.)",
      [](const Tensor& x, const Pair& kernel, const std::optional<Pair>& stride,
         const Pair& padding, bool ceil_mode, bool count_include_pad) {
        return avg_pool2d(
            x, pool_options(kernel, stride, padding, Pair{{1, 1}}, ceil_mode, count_include_pad));
      });
  t.function(
      "batch_norm(input: ArrayLike, running_mean: Tensor | None = None, running_var: Tensor | None "
      "= None, weight: ArrayLike | None = None, bias: ArrayLike | None = None, training: bool = "
      "False, momentum: float = 0.1, eps: float = 1e-05, residual: ArrayLike | None = None, "
      "activation: "
      "str = 'none', slope: float = 0.01) -> Tensor",
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
      R"((x - mean) / sqrt(variance + eps) * weight + bias (Ba, Kiros and Hinton, 2016).

Mean and (biased) variance are those of each sample over its last dimensions, whose sizes are
normalized_shape; weight and bias have that shape. Raises ShapeError where they do not fit.)",
      [](const Tensor& x, const Dims& normalized, const OptionalTensor& weight,
         const OptionalTensor& bias,
         double eps) { return layer_norm(x, normalized, weight.tensor, bias.tensor, eps); });
  t.function(
      "dropout(input: ArrayLike, p: float = 0.5, training: bool = True, generator: Generator | "
      "None = None) -> Tensor",
      "Zeroes each element with probability p and scales the rest by 1 / (1 - p)\n(Srivastava et "
      "al., 2014); the input itself when not training.",
      [](const Tensor& x, double p, bool training, Generator* g) {
        return dropout(x, p, training, g);
      });
  t.both("softmax(input: ArrayLike, dim: int) -> Tensor",
         "exp(x) / sum(exp(x)) along `dim`, without overflow.",
         [](const Tensor& x, int64_t dim) { return softmax(x, dim); });
  t.both("log_softmax(input: ArrayLike, dim: int) -> Tensor",
         "log(softmax(x)) along `dim`, without cancellation.",
         [](const Tensor& x, int64_t dim) { return log_softmax(x, dim); });
  t.function(
      "gru(input: ArrayLike, h0: ArrayLike, weight_ih: ArrayLike, weight_hh: ArrayLike, bias_ih: "
      "ArrayLike | None = None, bias_hh: ArrayLike | None = None) -> tuple[Tensor, Tensor]",
      R"(Gated recurrent units over a sequence (Cho et al., 2014; the reset gate after the product).

input[T, N, I], h0[N, H], weight_ih[3H, I], weight_hh[3H, H], biases [3H], gates in the order reset,
update, new. Returns (output[T, N, H], h_n[N, H]).
Raises ShapeError naming the operand that does not fit.)",
      [](const Tensor& x, const Tensor& h0, const Tensor& w_ih, const Tensor& w_hh,
         const OptionalTensor& b_ih,
         const OptionalTensor& b_hh) { return gru(x, h0, w_ih, w_hh, b_ih.tensor, b_hh.tensor); });
  t.function(
      "lstm(input: ArrayLike, h0: ArrayLike, c0: ArrayLike, weight_ih: ArrayLike, weight_hh: "
      "ArrayLike, bias_ih: ArrayLike | None = None, bias_hh: ArrayLike | None = None) -> "
      "tuple[Tensor, Tensor, Tensor]",
      R"(Long short-term memory over a sequence (Hochreiter and Schmidhuber, 1997).

input[T, N, I], h0 and c0 [N, H], weight_ih[4H, I], weight_hh[4H, H], biases [4H], gates in
the order input, forget, cell, output. Returns (output[T, N, H], h_n[N, H], c_n[N, H]).
Raises ShapeError naming the operand that does not fit.)",
      [](const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_ih,
         const Tensor& w_hh, const OptionalTensor& b_ih, const OptionalTensor& b_hh) {
        return lstm(x, h0, c0, w_ih, w_hh, b_ih.tensor, b_hh.tensor);
      });
}

void define_losses(FunctionTable& t) {
  t.function(
      "cross_entropy(input: ArrayLike, target: ArrayLike, reduction: str = 'mean') -> Tensor",
      R"(-log softmax(input)[target] over the classes in dimension 1 of input[N, C, ...].

target[N, ...] holds int64 class indices; one outside 0..C-1 raises IndexRangeError.
reduction: 'mean', 'sum' or 'none'.)",
      [](const Tensor& x, const Tensor& target, const std::string& reduction) {
        return cross_entropy(x, target, reduction);
      });
  t.function(
      "mse_loss(input: ArrayLike, target: ArrayLike, reduction: str = 'mean') -> Tensor",
      "(input - target) squared. Different shapes raise ShapeError: losses do not broadcast.",
      [](const Tensor& x, const Tensor& target, const std::string& reduction) {
        return mse_loss(x, target, reduction);
      });
  t.function(
      "binary_cross_entropy(input: ArrayLike, target: ArrayLike, reduction: str = 'mean') -> "
      "Tensor",
      "-(t log p + (1 - t) log(1 - p)) for probabilities p = input; logarithms are bounded\nby "
      "-100. Different shapes raise ShapeError.",
      [](const Tensor& x, const Tensor& target, const std::string& reduction) {
        return binary_cross_entropy(x, target, reduction);
      });
  t.function(
      "binary_cross_entropy_with_logits(input: ArrayLike, target: ArrayLike, reduction: str = "
      "'mean') -> Tensor",
      "binary_cross_entropy of sigmoid(input), in a form without overflow.\nDifferent shapes raise "
      "ShapeError.",
      [](const Tensor& x, const Tensor& target, const std::string& reduction) {
        return binary_cross_entropy_with_logits(x, target, reduction);
      });
}

// Private: what fastdl.compile makes of a layer and the activation that follows it.
void define_fused(FunctionTable& t) {
  t.function(
      "linear_fused(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, residual: "
      "ArrayLike | None = None, activation: str = 'none', slope: float = 0.01) -> Tensor",
      R"(activation(linear(input, weight, bias) + residual) in one pass; for inference.

residual has the result's shape. activation: 'none', 'relu' or 'leaky_relu' with `slope`.
Raises AutogradError where a gradient would be recorded, and what linear raises.)",
      [](const Tensor& x, const Tensor& w, const OptionalTensor& b, const OptionalTensor& residual,
         const std::string& activation, double slope) {
        return linear_fused(x, w, b.tensor, residual.tensor, {activation, slope});
      });
  t.function(
      "conv2d_fused(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, residual: "
      "ArrayLike | None = None, activation: str = 'none', slope: float = 0.01, stride: int | "
      "Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, "
      "groups: int = 1) -> Tensor",
      R"(activation(conv2d(input, weight, bias) + residual) in one pass; for inference.

residual has the result's shape. activation: 'none', 'relu' or 'leaky_relu' with `slope`.
Raises AutogradError where a gradient would be recorded, and what conv2d raises.)",
      [](const Tensor& x, const Tensor& w, const OptionalTensor& b, const OptionalTensor& residual,
         const std::string& activation, double slope, const Pair& stride, const Pair& padding,
         const Pair& dilation, int64_t groups) {
        return conv2d_fused(x, w, b.tensor, residual.tensor, {activation, slope},
                            conv_options(stride, padding, dilation, groups));
      });
  t.function(
      "_conv2d_plan(input_shape: Sequence[int], weight_shape: Sequence[int], stride: int | "
      "Sequence[int], padding: int | Sequence[int], dilation: int | Sequence[int], groups: int, "
      "dtype: DTypeLike, memory_format: memory_format, product: str) -> dict[str, Any]",
      "What fastdl.explain shows.",
      [](const Dims& x, const Dims& w, const Pair& stride, const Pair& padding,
         const Pair& dilation, int64_t groups, DType dtype, Layout layout,
         const std::string& name) {
        const Conv2dProduct product = name == "by weight"  ? Conv2dProduct::weight_grad
                                      : name == "by input" ? Conv2dProduct::input_grad
                                                           : Conv2dProduct::forward;
        const Conv2dPlan plan = plan_conv2d(x, w, conv_options(stride, padding, dilation, groups),
                                            dtype, layout, product);
        Owned candidates(check(PyList_New(kConv2dCandidates)));
        for (int i = 0; i < kConv2dCandidates; ++i) {
          const Conv2dPlan::Candidate& c = plan.candidates[i];
          PyList_SET_ITEM(candidates.get(), i,
                          check(Py_BuildValue("(sdd)", c.name, c.cycles, c.multiplications)));
        }
        return Py_BuildValue("{s:s,s:O,s:L}", "chosen", plan.candidates[plan.chosen].name,
                             "candidates", candidates.get(), "packed",
                             static_cast<long long>(plan.packed));
      });
}

}  // namespace

void define_network_functions(FunctionTable& t) {
  define_layers(t);
  define_losses(t);
}

void define_fused_functions(FunctionTable& t) { define_fused(t); }

}  // namespace fastdl::bindings
