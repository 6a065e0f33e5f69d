// Rows of the function table: pooling. What differs between one, two and three dimensions is in the
// texts; a row's function is an instance of one template.
#include "bindings/signature.h"
#include "ops/adaptive_pool.h"
#include "ops/common.h"
#include "ops/pool.h"
#include "ops/roi.h"
#include "ops/unpool.h"

namespace fastdl::bindings {
namespace {

template <int N>
PoolOptions pool_options(const Spatial<N>& kernel, const std::optional<Spatial<N>>& stride,
                         const Spatial<N>& padding, const Spatial<N>& dilation, bool ceil_mode,
                         bool count_include_pad, std::optional<int64_t> divisor = {}) {
  PoolOptions o{};
  o.dims = N;
  for (int i = 0; i < N; ++i) {
    o.kernel[i] = kernel.at[i];
    o.stride[i] = (stride ? *stride : kernel).at[i];
    o.padding[i] = padding.at[i];
    o.dilation[i] = dilation.at[i];
  }
  o.ceil_mode = ceil_mode;
  o.count_include_pad = count_include_pad;
  o.divisor = divisor.value_or(0);
  return o;
}

template <int N>
Spatial<N> ones() {
  Spatial<N> s;
  for (int64_t& v : s.at) v = 1;
  return s;
}

// The sizes asked for, the input's where that is None.
template <int N>
Dims sizes_of(const Tensor& x, const SpatialOrNone<N>& asked) {
  Dims sizes;
  for (int i = 0; i < N; ++i) sizes.push(asked.at[i] ? asked.at[i] : x.size(x.dim() - N + i));
  return sizes;
}

// Values alone, or with their indices.
PyObject* maybe_with_indices(const std::array<Tensor, 2>& both, bool with_indices) {
  return with_indices ? to_python(both) : wrap(both[0]);
}

constexpr const char* kMaxPool[] = {"max_pool1d", "max_pool2d", "max_pool3d"};
constexpr const char* kAvgPool[] = {"avg_pool1d", "avg_pool2d", "avg_pool3d"};
constexpr const char* kUnpool[] = {"max_unpool1d", "max_unpool2d", "max_unpool3d"};
constexpr const char* kAdaptiveMax[] = {"adaptive_max_pool1d", "adaptive_max_pool2d",
                                        "adaptive_max_pool3d"};
constexpr const char* kAdaptiveAvg[] = {"adaptive_avg_pool1d", "adaptive_avg_pool2d",
                                        "adaptive_avg_pool3d"};

template <int N>
void define_max_pool(FunctionTable& t, const char* text, const char* asks, const char* doc) {
  t.function(
      text, asks, doc,
      [](const Tensor& x, const Spatial<N>& kernel, const std::optional<Spatial<N>>& stride,
         const Spatial<N>& padding, const Spatial<N>& dilation, bool ceil_mode,
         bool return_indices) {
        const PoolOptions o = pool_options<N>(kernel, stride, padding, dilation, ceil_mode, false);
        return maybe_with_indices(max_pool(kMaxPool[N - 1], x, o, return_indices), return_indices);
      });
}

template <int N>
void define_avg_pool(FunctionTable& t, const char* text, const char* asks, const char* doc) {
  t.function(text, asks, doc,
             [](const Tensor& x, const Spatial<N>& kernel, const std::optional<Spatial<N>>& stride,
                const Spatial<N>& padding, bool ceil_mode, bool count_include_pad,
                std::optional<int64_t> divisor_override) {
               return avg_pool(kAvgPool[N - 1], x,
                               pool_options<N>(kernel, stride, padding, ones<N>(), ceil_mode,
                                               count_include_pad, divisor_override));
             });
}

template <int N>
void define_adaptive_pool(FunctionTable& t, const char* mean_text, const char* mean_doc,
                          const char* max_text, const char* max_doc, const char* asks) {
  t.function(mean_text, asks, mean_doc, [](const Tensor& x, const SpatialOrNone<N>& size) {
    return adaptive_avg_pool(kAdaptiveAvg[N - 1], x, sizes_of(x, size));
  });
  t.function(max_text, asks, max_doc,
             [](const Tensor& x, const SpatialOrNone<N>& size, bool return_indices) {
               return maybe_with_indices(
                   adaptive_max_pool(kAdaptiveMax[N - 1], x, sizes_of(x, size), return_indices),
                   return_indices);
             });
}

template <int N>
void define_unpool(FunctionTable& t, const char* text, const char* asks, const char* doc) {
  t.function(text, asks, doc,
             [](const Tensor& x, const Tensor& indices, const Spatial<N>& kernel,
                const std::optional<Spatial<N>>& stride, const Spatial<N>& padding,
                std::optional<Dims> output_size) {
               const PoolOptions o =
                   pool_options<N>(kernel, stride, padding, ones<N>(), false, false);
               return max_unpool(kUnpool[N - 1], x, indices, o, output_size);
             });
}

void define_windows(FunctionTable& t) {
  define_max_pool<1>(
      t,
      "max_pool1d(input: ArrayLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] "
      "| None = None, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, "
      "ceil_mode: bool = False, return_indices: bool = False) -> Any",
      "input: floating [N, C, L] or [C, L]; kernel_size, stride, dilation: 1..window; padding: "
      "0..window",
      R"(The maximum of each window of input[N, C, L] (or [C, L]).

As max_pool2d, along one dimension.)");
  define_max_pool<2>(
      t,
      "max_pool2d(input: ArrayLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] "
      "| None = None, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, "
      "ceil_mode: bool = False, return_indices: bool = False) -> Any",
      "input: floating [N, C, H, W] or [C, H, W]; kernel_size, stride, dilation: 1..window; "
      "padding: 0..window",
      R"(The maximum of each window of input[N, C, H, W] (or [C, H, W]).

stride defaults to kernel_size; padding, at most half the kernel, counts as minus infinity.
NaN wins; of equals the first takes the gradient. With return_indices the pair (values,
indices): where in its plane each maximum lies, row * W + column, as int64, and -1 for a
window of padding alone (which only dilation makes).)");
  define_max_pool<3>(
      t,
      "max_pool3d(input: ArrayLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] "
      "| None = None, padding: int | Sequence[int] = 0, dilation: int | Sequence[int] = 1, "
      "ceil_mode: bool = False, return_indices: bool = False) -> Any",
      "input: floating [N, C, D, H, W] or [C, D, H, W]; kernel_size, stride, dilation: 1..window; "
      "padding: 0..window",
      R"(The maximum of each window of input[N, C, D, H, W] (or [C, D, H, W]).

As max_pool2d, along three dimensions; indices are (slice * H + row) * W + column.)");
  t.function(
      "avg_pool1d(input: ArrayLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] "
      "| None = None, padding: int | Sequence[int] = 0, ceil_mode: bool = False, "
      "count_include_pad: bool = True) -> Tensor",
      "input: floating [N, C, L] or [C, L]; kernel_size, stride: 1..window; padding: 0..window",
      R"(The mean of each window of input[N, C, L] (or [C, L]).

As avg_pool2d, along one dimension.)",
      [](const Tensor& x, const Spatial<1>& kernel, const std::optional<Spatial<1>>& stride,
         const Spatial<1>& padding, bool ceil_mode, bool count_include_pad) {
        return avg_pool(
            kAvgPool[0], x,
            pool_options<1>(kernel, stride, padding, ones<1>(), ceil_mode, count_include_pad));
      });
  define_avg_pool<2>(
      t,
      "avg_pool2d(input: ArrayLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] "
      "| None = None, padding: int | Sequence[int] = 0, ceil_mode: bool = False, "
      "count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor",
      "input: floating [N, C, H, W] or [C, H, W]; kernel_size, stride: 1..window; padding: "
      "0..window; divisor_override: 1..",
      R"(The mean of each window of input[N, C, H, W] (or [C, H, W]).

stride defaults to kernel_size; padding, at most half the kernel, counts as zeros, in the divisor
too unless count_include_pad is False. divisor_override takes the divisor's place.)");
  define_avg_pool<3>(
      t,
      "avg_pool3d(input: ArrayLike, kernel_size: int | Sequence[int], stride: int | Sequence[int] "
      "| None = None, padding: int | Sequence[int] = 0, ceil_mode: bool = False, "
      "count_include_pad: bool = True, divisor_override: int | None = None) -> Tensor",
      "input: floating [N, C, D, H, W] or [C, D, H, W]; kernel_size, stride: 1..window; padding: "
      "0..window; divisor_override: 1..",
      R"(The mean of each window of input[N, C, D, H, W] (or [C, D, H, W]).

As avg_pool2d, along three dimensions.)");
}

void define_unpools(FunctionTable& t) {
  define_unpool<1>(
      t,
      "max_unpool1d(input: ArrayLike, indices: ArrayLike, kernel_size: int | Sequence[int], "
      "stride: int | Sequence[int] | None = None, padding: int | Sequence[int] = 0, output_size: "
      "Sequence[int] | None = None) -> Tensor",
      "input: floating [N, C, L] or [C, L]; indices: index [N, C, L] or [C, L]; kernel_size, "
      "stride: 1..window; padding: 0..window; output_size: 1..",
      R"(Values of input[N, C, L] (or [C, L]) at the indices of max_pool1d, zeros elsewhere.

As max_unpool2d, along one dimension.)");
  define_unpool<2>(
      t,
      "max_unpool2d(input: ArrayLike, indices: ArrayLike, kernel_size: int | Sequence[int], "
      "stride: int | Sequence[int] | None = None, padding: int | Sequence[int] = 0, output_size: "
      "Sequence[int] | None = None) -> Tensor",
      "input: floating [N, C, H, W] or [C, H, W]; indices: index [N, C, H, W] or [C, H, W]; "
      "kernel_size, stride: 1..window; padding: 0..window; output_size: 1..",
      R"(Values of input[N, C, H, W] (or [C, H, W]) at the indices of max_pool2d, zeros elsewhere.

A plane of the result has (H - 1) stride - 2 padding + kernel_size rows, and columns likewise, or
output_size, which differs by less than a stride; it may name samples and channels before. stride
defaults to kernel_size. Of values with one index the last stays and takes the gradient. An index
outside of the plane raises IndexRangeError. Source: Zeiler and Fergus, 2014.)");
  define_unpool<3>(
      t,
      "max_unpool3d(input: ArrayLike, indices: ArrayLike, kernel_size: int | Sequence[int], "
      "stride: int | Sequence[int] | None = None, padding: int | Sequence[int] = 0, output_size: "
      "Sequence[int] | None = None) -> Tensor",
      "input: floating [N, C, D, H, W] or [C, D, H, W]; indices: index [N, C, D, H, W] or [C, D, "
      "H, "
      "W]; kernel_size, stride: 1..window; padding: 0..window; output_size: 1..",
      R"(Values of input[N, C, D, H, W] (or [C, D, H, W]) at the indices of max_pool3d, zeros elsewhere.

As max_unpool2d, along three dimensions.)");
}

void define_adaptive(FunctionTable& t) {
  define_adaptive_pool<1>(
      t,
      "adaptive_avg_pool1d(input: ArrayLike, output_size: int | Sequence[int | None] | None) -> "
      "Tensor",
      R"(The mean of windows of input[N, C, L] (or [C, L]) that make output_size of them.

As adaptive_avg_pool2d, along one dimension.)",
      "adaptive_max_pool1d(input: ArrayLike, output_size: int | Sequence[int | None] | None, "
      "return_indices: bool = False) -> Any",
      R"(The maximum of windows of input[N, C, L] (or [C, L]) that make output_size of them.

As adaptive_max_pool2d, along one dimension.)",
      "input: floating [N, C, L] or [C, L]; output_size: 1..window");
  define_adaptive_pool<2>(
      t,
      "adaptive_avg_pool2d(input: ArrayLike, output_size: int | Sequence[int | None] | None) -> "
      "Tensor",
      R"(The mean of windows of input[N, C, H, W] (or [C, H, W]) that make output_size of them.

Row i of H' is the mean of rows floor(i H / H') up to ceil((i + 1) H / H'), and columns
likewise: windows overlap where H' does not divide H, and repeat where it is larger. A size that
is None stays as it is. An input without elements to pool raises ShapeError.)",
      "adaptive_max_pool2d(input: ArrayLike, output_size: int | Sequence[int | None] | None, "
      "return_indices: bool = False) -> Any",
      R"(The maximum of windows of input[N, C, H, W] (or [C, H, W]) that make output_size of them.

Windows are those of adaptive_avg_pool2d. NaN wins; of equals the first takes the gradient.
With return_indices the pair (values, indices), indices as those of max_pool2d.)",
      "input: floating [N, C, H, W] or [C, H, W]; output_size: 1..window");
  define_adaptive_pool<3>(
      t,
      "adaptive_avg_pool3d(input: ArrayLike, output_size: int | Sequence[int | None] | None) -> "
      "Tensor",
      R"(The mean of windows of input[N, C, D, H, W] (or [C, D, H, W]) that make output_size of them.

As adaptive_avg_pool2d, along three dimensions.)",
      "adaptive_max_pool3d(input: ArrayLike, output_size: int | Sequence[int | None] | None, "
      "return_indices: bool = False) -> Any",
      R"(The maximum of windows of input[N, C, D, H, W] (or [C, D, H, W]) that make output_size of them.

As adaptive_max_pool2d, along three dimensions.)",
      "input: floating [N, C, D, H, W] or [C, D, H, W]; output_size: 1..window");
}

// One tensor [K, 5], whichever way the boxes came.
Tensor boxes_of(const char* op, const TensorOrTensors& boxes) {
  if (!boxes.one) return joined_boxes(op, boxes.tensors);
  const Tensor& b = boxes.tensors[0];
  if (b.dim() != 2 || b.size(1) != 5)
    throw shape_error(op, "boxes have no five numbers each")
        .show("boxes", b)
        .remedy("pass one tensor [K, 5] of (image, left, top, right, bottom), or a list of [L, 4]");
  return b;
}

void define_regions(FunctionTable& t) {
  t.function(
      "roi_align(input: ArrayLike, boxes: ArrayLike | Sequence[ArrayLike], output_size: int | "
      "Sequence[int], spatial_scale: float = 1.0, sampling_ratio: int = -1, aligned: bool = "
      "False) -> Tensor",
      "input: floating [N, C, H, W]; boxes: floating; output_size: 1..window; spatial_scale: "
      "above 0; sampling_ratio: -1..1024",
      R"(A map [P, Q] of each box of input[N, C, H, W]: means of bilinear samples (He et al., 2017).

boxes[K, 5] are (image, left, top, right, bottom), or a list of [L, 4] for each image; corners
are multiplied by spatial_scale. The result is [K, C, P, Q], (P, Q) being output_size. A bin is the
mean of sampling_ratio x sampling_ratio samples, or of about one a pixel where that is 0 or -1.
With aligned the centre of pixel 0 is at 0.5, and small boxes are not widened to one pixel.

Differentiable in input; boxes may have any floating dtype and take no gradient. Boxes that are not
finite, reach beyond 2^24 pixels or name no image raise IndexRangeError.)",
      [](const Tensor& x, const TensorOrTensors& boxes, const Pair& size, double scale,
         int64_t sampling, bool aligned) {
        return roi_align(x, boxes_of("roi_align", boxes),
                         {size.at[0], size.at[1], scale, sampling, aligned});
      });
  t.function(
      "roi_pool(input: ArrayLike, boxes: ArrayLike | Sequence[ArrayLike], output_size: int | "
      "Sequence[int], spatial_scale: float = 1.0) -> Tensor",
      "input: floating [N, C, H, W]; boxes: floating; output_size: 1..window; spatial_scale: "
      "above 0",
      R"(A map [P, Q] of each box of input[N, C, H, W]: maxima of its bins (Girshick, 2015).

boxes[K, 5] are (image, left, top, right, bottom), or a list of [L, 4] for each image; corners
are multiplied by spatial_scale and rounded, and belong to the box. The result is [K, C, P, Q], (P,
Q) being output_size. Of a box of h rows, bin p has rows floor(p h / P) up to ceil((p + 1) h / P),
and columns likewise; a bin outside of the image is 0. NaN wins; of equals the first takes the
gradient.

Differentiable in input; boxes may have any floating dtype and take no gradient. Boxes that are not
finite, reach beyond 2^24 pixels or name no image raise IndexRangeError.)",
      [](const Tensor& x, const TensorOrTensors& boxes, const Pair& size, double scale) {
        return roi_pool(x, boxes_of("roi_pool", boxes), {size.at[0], size.at[1], scale});
      });
}

}  // namespace

void define_pool_functions(FunctionTable& t) {
  define_windows(t);
  define_unpools(t);
  define_adaptive(t);
  define_regions(t);
}

}  // namespace fastdl::bindings
