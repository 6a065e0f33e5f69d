// Rows of the function table: pooling.
#include "bindings/signature.h"
#include "ops/pool2d.h"

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

}  // namespace

void define_pool_functions(FunctionTable& t) {
  t.function(
      "max_pool2d(input: ArrayLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] "
      "| None = None, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, "
      "ceil_mode: bool = False) -> Tensor",
      "input: floating [N, C, H, W] or [C, H, W]; kernel_size, stride, dilation: 1..window; "
      "padding: 0..window",
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
      "input: floating [N, C, H, W] or [C, H, W]; kernel_size, stride: 1..window; padding: "
      "0..window",
      R"(The mean of each window of input[N, C, H, W] (or [C, H, W]).

stride defaults to kernel_size; padding counts as zeros, in the divisor too unless
count_include_pad is False.)",
      [](const Tensor& x, const Pair& kernel, const std::optional<Pair>& stride,
         const Pair& padding, bool ceil_mode, bool count_include_pad) {
        return avg_pool2d(
            x, pool_options(kernel, stride, padding, Pair{{1, 1}}, ceil_mode, count_include_pad));
      });
}

}  // namespace fastdl::bindings
