// Rows of the function table: convolutions.
#include "bindings/conv_options.h"
#include "bindings/signature.h"

namespace fastdl::bindings {

void define_conv_functions(FunctionTable& t) {
  t.function(
      "conv2d(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, stride: int | "
      "Sequence[int] = 1, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, "
      "groups: int = 1) -> Tensor",
      "input: floating [N, C, H, W]; weight: like input [K, C / groups, R, S]; bias: like input "
      "[K]; stride, dilation: 1..window; padding: 0..window; groups: 1..",
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
}

}  // namespace fastdl::bindings
