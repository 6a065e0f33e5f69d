// Rows of the function table: convolutions.
#include "bindings/conv_options.h"
#include "bindings/signature.h"

namespace fastdl::bindings {
namespace {

#define FASTDL_CONV_ARGUMENTS                                                                 \
  "(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, stride: int | "       \
  "Sequence[int] = 1, padding: int | Sequence[int] | str = 0, dilation: int | Sequence[int] " \
  "= 1, groups: int = 1) -> Tensor"
#define FASTDL_CONV_DOOR                                                                       \
  "; bias: like input [filters]; stride, dilation: 1..window; padding: 0..window one of same " \
  "valid; groups: 1..; autocast: low"

#define FASTDL_CONV_TRANSPOSE_ARGUMENTS                                                       \
  "(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None, stride: int | "       \
  "Sequence[int] = 1, padding: int | Sequence[int] = 0, output_padding: int | Sequence[int] " \
  "= 0, groups: int = 1, dilation: int | Sequence[int] = 1) -> Tensor"
#define FASTDL_CONV_TRANSPOSE_DOOR                                                       \
  "; bias: like input [filters]; stride, dilation: 1..window; padding, output_padding: " \
  "0..window; "                                                                          \
  "groups: 1..; autocast: low"

template <int N>
void conv_row(FunctionTable& t, const char* signature, const char* asks, const char* doc) {
  static constexpr const char* names[] = {"conv1d", "conv2d", "conv3d"};
  t.function(signature, asks, doc,
             [](const Tensor& x, const Tensor& w, const OptionalTensor& b, const Spatial<N>& stride,
                const Padding<N>& padding, const Spatial<N>& dilation, int64_t groups) {
               return conv(names[N - 1], x, w, b.tensor,
                           conv_options(stride, padding, dilation, groups));
             });
}

template <int N>
void conv_transpose_row(FunctionTable& t, const char* signature, const char* asks,
                        const char* doc) {
  static constexpr const char* names[] = {"conv_transpose1d", "conv_transpose2d",
                                          "conv_transpose3d"};
  t.function(signature, asks, doc,
             [](const Tensor& x, const Tensor& w, const OptionalTensor& b, const Spatial<N>& stride,
                const Spatial<N>& padding, const Spatial<N>& output_padding, int64_t groups,
                const Spatial<N>& dilation) {
               return conv_transpose(
                   names[N - 1], x, w, b.tensor, dims_of(output_padding),
                   conv_options(stride, Padding<N>{padding, {}}, dilation, groups));
             });
}

}  // namespace

void define_conv_functions(FunctionTable& t) {
  conv_row<1>(t, "conv1d" FASTDL_CONV_ARGUMENTS,
              "input: floating [N, channels, length] or [channels, length]; weight: like input "
              "[filters, channels / groups, kernel_size]" FASTDL_CONV_DOOR,
              R"(One-dimensional cross-correlation, for example over time (Waibel et al., 1989).

input[N, C, L] (or [C, L]), weight[K, C / groups, R], bias[K] give [N, K, P] (or [K, P]); sizes,
padding and errors as in conv2d.)");
  conv_row<2>(
      t, "conv2d" FASTDL_CONV_ARGUMENTS,
      "input: floating [N, channels, height, width] or [channels, height, width]; weight: like "
      "input [filters, channels / groups, kernel_height, kernel_width]" FASTDL_CONV_DOOR,
      R"(Two-dimensional cross-correlation (LeCun et al., 1998).

input[N, C, H, W] (or [C, H, W]), weight[K, C / groups, R, S], bias[K] give [N, K, P, Q] (or
[K, P, Q]) with P = (H + 2 * padding - dilation * (R - 1) - 1) // stride + 1, and Q likewise.
Pairs are (vertical, horizontal). padding 'valid' is 0; 'same', with a stride of 1, keeps H and W:
dilation * (R - 1) zeros, one more behind than before where they are odd. An empty batch gives an
empty result.

Raises ShapeError where channels, groups or sizes do not fit, ArgumentError for a stride,
dilation or groups below 1, a padding below 0, or 'same' with a stride.)");
  conv_row<3>(t, "conv3d" FASTDL_CONV_ARGUMENTS,
              "input: floating [N, channels, depth, height, width] or [channels, depth, height, "
              "width]; weight: like input [filters, channels / groups, kernel_depth, "
              "kernel_height, kernel_width]" FASTDL_CONV_DOOR,
              R"(Three-dimensional cross-correlation, for example over video (Ji et al., 2013).

input[N, C, D, H, W] (or [C, D, H, W]), weight[K, C / groups, T, R, S], bias[K] give
[N, K, O, P, Q] (or [K, O, P, Q]); sizes, padding and errors as in conv2d. Triples are (depth,
vertical, horizontal).)");

  conv_transpose_row<1>(
      t, "conv_transpose1d" FASTDL_CONV_TRANSPOSE_ARGUMENTS,
      "input: floating [N, channels, length] or [channels, length]; weight: like input [channels, "
      "filters / groups, kernel_size]" FASTDL_CONV_TRANSPOSE_DOOR,
      R"(Transposed one-dimensional convolution.

input[N, C, L] (or [C, L]), weight[C, K / groups, R], bias[K] give [N, K, P] (or [K, P]); sizes and
errors as in conv_transpose2d.)");
  conv_transpose_row<2>(
      t, "conv_transpose2d" FASTDL_CONV_TRANSPOSE_ARGUMENTS,
      "input: floating [N, channels, height, width] or [channels, height, width]; weight: like "
      "input [channels, filters / groups, kernel_height, kernel_width]" FASTDL_CONV_TRANSPOSE_DOOR,
      R"(Transposed two-dimensional convolution (Zeiler et al., 2010).

The gradient of conv2d by its input, with the same weight and options: each element of the input is
multiplied by the kernel, and the products are added where they overlap. input[N, C, H, W] (or
[C, H, W]), weight[C, K / groups, R, S], bias[K] give [N, K, P, Q] (or [K, P, Q]) with
P = (H - 1) * stride - 2 * padding + dilation * (R - 1) + output_padding + 1, and Q likewise.
Pairs are (vertical, horizontal). Several sizes of a convolution's input have outputs of size H;
output_padding, below the stride or the dilation, says which.

Raises ShapeError where channels, groups or sizes do not fit or the result would be empty,
ArgumentError for numbers out of range.)");
  conv_transpose_row<3>(t, "conv_transpose3d" FASTDL_CONV_TRANSPOSE_ARGUMENTS,
                        "input: floating [N, channels, depth, height, width] or [channels, depth, "
                        "height, width]; weight: like input [channels, filters / groups, "
                        "kernel_depth, kernel_height, kernel_width]" FASTDL_CONV_TRANSPOSE_DOOR,
                        R"(Transposed three-dimensional convolution.

input[N, C, D, H, W] (or [C, D, H, W]), weight[C, K / groups, T, R, S], bias[K] give
[N, K, O, P, Q] (or [K, O, P, Q]); sizes and errors as in conv_transpose2d. Triples are (depth,
vertical, horizontal).)");
}

}  // namespace fastdl::bindings
