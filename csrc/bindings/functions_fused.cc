// Rows of the function table: private ones, that fastdl.compile makes of a layer and the activation that follows it.
#include "bindings/conv_options.h"
#include "bindings/signature.h"
#include "ops/conv2d.h"
#include "ops/epilogue.h"
#include "ops/matmul.h"

namespace fastdl::bindings {

void define_fused_functions(FunctionTable& t) {
  t.function(
      "linear_fused(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, residual: "
      "ArrayLike | None = None, activation: str = 'none', slope: float = 0.01) -> Tensor",
      "autocast: low; input: floating [..., in_features]; weight: like input [out_features, "
      "in_features]; "
      "bias: like input [out_features]; residual: like input; "
      "activation: one of none relu leaky_relu; slope: 0..",
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
      "Sequence[int] = 1, padding: int | Sequence[int] | str = 0, dilation: int | Sequence[int] = "
      "1, "
      "groups: int = 1) -> Tensor",
      "autocast: low; input: floating [N, channels, height, width]; weight: like input [filters, "
      "channels / "
      "groups, "
      "kernel_height, kernel_width]; bias: like input [filters]; stride, dilation: 1..window; "
      "padding: 0..window one of same valid; groups: 1..; "
      "residual: like input [N, filters, ...]; activation: one of none relu leaky_relu; slope: 0..",
      R"(activation(conv2d(input, weight, bias) + residual) in one pass; for inference.

residual has the result's shape. activation: 'none', 'relu' or 'leaky_relu' with `slope`.
Raises AutogradError where a gradient would be recorded, and what conv2d raises.)",
      [](const Tensor& x, const Tensor& w, const OptionalTensor& b, const OptionalTensor& residual,
         const std::string& activation, double slope, const Pair& stride, const Padding<2>& padding,
         const Pair& dilation, int64_t groups) {
        return conv2d_fused(x, w, b.tensor, residual.tensor, {activation, slope},
                            conv_options(stride, padding, dilation, groups));
      });
  t.function(
      "_conv2d_plan(input_shape: Sequence[int], weight_shape: Sequence[int], stride: int | "
      "Sequence[int], padding: int | Sequence[int] | str, dilation: int | Sequence[int], groups: "
      "int, "
      "dtype: DTypeLike, memory_format: memory_format, product: str) -> dict[str, Any]",
      "stride, dilation: 1..window; padding: 0..window one of same valid; groups: 1..",
      "What fastdl.explain shows.",
      [](const Dims& x, const Dims& w, const Pair& stride, const Padding<2>& padding,
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

}  // namespace fastdl::bindings
