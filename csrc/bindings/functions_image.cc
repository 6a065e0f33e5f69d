// Rows of the function table: resizing and resampling of images, pixels and channels, boxes.
#include "bindings/signature.h"
#include "ops/blur.h"
#include "ops/depth_to_space.h"
#include "ops/grid_sample.h"
#include "ops/nms.h"
#include "ops/resize.h"

namespace fastdl::bindings {
namespace {

void define_resizing(FunctionTable& t) {
  t.function(
      "interpolate(input: ArrayLike, size: int | Sequence[int] | None = None, scale_factor: float "
      "| Sequence[float] | None = None, mode: str = \"nearest\", align_corners: bool | None = "
      "None, recompute_scale_factor: bool | None = None, antialias: bool = False) -> Tensor",
      "input: floating [N, C, W] or [N, C, H, W] or [N, C, D, H, W]; size: 1..window; mode: one of "
      "nearest nearest-exact linear bilinear bicubic trilinear area",
      R"(The input resized to `size`, or by `scale_factor` to floor(size * scale_factor).

Both are one number or one for each of the 1 to 3 spatial dimensions; pass one of the two.
'linear' is for [N, C, W], 'bilinear' and 'bicubic' (Keys, 1981, a = -0.75) for [N, C, H, W],
'trilinear' for [N, C, D, H, W], the others for any. Output j lies at (j + 1/2) / s - 1/2 of
the input, where s is the scale factor if it is given and recompute_scale_factor is not
True, else output by input size; with align_corners at j (n - 1) / (m - 1), so that the first
and the last elements of both lie on each other. 'nearest' takes input floor(j / s) and
'nearest-exact' input floor((j + 1/2) / s), computed without rounding where sizes are given;
'area' takes the mean of the inputs from floor(j n / m) up to ceil((j + 1) n / m). antialias
(bilinear, and bicubic with a = -0.5) widens the kernel to an output's width where the image
shrinks.

The result is channels-last where the input is. Raises ArgumentError for options that do not go
together or an output of no element, ShapeError for an input of no pixel.)",
      [](const Tensor& x, const std::optional<Dims>& size,
         const std::optional<std::vector<double>>& scale_factor, const std::string& mode,
         std::optional<bool> align_corners, std::optional<bool> recompute_scale_factor,
         bool antialias) {
        return interpolate(
            x, {size, scale_factor, mode, align_corners, recompute_scale_factor, antialias});
      });
  t.function(
      "blur2d(input: ArrayLike, stride: int | Sequence[int] = 1) -> Tensor",
      "input: floating [N, C, H, W]; stride: 1..window",
      R"(Each channel filtered by [1, 2, 1] / 4 along rows and columns, zeros beyond the border.

The blur of StyleGAN's resampling (Karras et al., 2019). With a stride it takes every stride-th
pixel of the filtered image: downsampling without aliases (Zhang, 2019). input[N, C, H, W] gives
[N, C, ceil(H / stride), ceil(W / stride)]. Raises ShapeError for images of no pixel.)",
      [](const Tensor& x, const Pair& stride) { return blur2d(x, stride.at[0], stride.at[1]); });
}

void define_pixels(FunctionTable& t) {
  t.function(
      "pixel_shuffle(input: ArrayLike, upscale_factor: int) -> Tensor",
      "input: [..., C, H, W]; upscale_factor: 1..window",
      R"(Channels to blocks of pixels (Shi et al., 2016): [..., C r^2, H, W] to [..., C, H r, W r].

Pixel (i, j) of a block comes from channel c r^2 + i r + j. Raises ShapeError where r^2 does not
divide the channels.)",
      [](const Tensor& x, int64_t r) { return depth_to_space("pixel_shuffle", x, r, "CRD"); });
  t.function(
      "pixel_unshuffle(input: ArrayLike, downscale_factor: int) -> Tensor",
      "input: [..., C, H, W]; downscale_factor: 1..window",
      R"(Undoes pixel_shuffle: [..., C, H r, W r] to [..., C r^2, H, W].

Raises ShapeError where r does not divide rows and columns.)",
      [](const Tensor& x, int64_t r) { return space_to_depth("pixel_unshuffle", x, r, "CRD"); });
  t.function(
      "depth_to_space(input: ArrayLike, block_size: int, mode: str = \"DCR\") -> Tensor",
      "input: [..., C, H, W]; block_size: 1..window; mode: one of DCR CRD darknet",
      R"(ONNX's DepthToSpace: [..., C b^2, H, W] to [..., C, H b, W b]; undoes space_to_depth.

Pixel (i, j) of a block comes from channel (i b + j) C + c with 'DCR', from c b^2 + i b + j with
'CRD', which is pixel_shuffle; 'darknet' is explained there. Raises ShapeError where b^2 does not
divide the channels.)",
      [](const Tensor& x, int64_t b, const std::string& mode) {
        return depth_to_space("depth_to_space", x, b, mode);
      });
  t.function("space_to_depth(input: ArrayLike, block_size: int, mode: str = \"DCR\") -> Tensor",
             "input: [..., C, H, W]; block_size: 1..window; mode: one of DCR CRD darknet",
             R"(ONNX's SpaceToDepth: [..., C, H b, W b] to [..., C b^2, H, W], blocks to channels.

Pixel (i, j) of a block goes to channel (i b + j) C + c with 'DCR' (block row, block column,
channel), to c b^2 + i b + j with 'CRD' (pixel_unshuffle). This is the reorganisation of YOLOv2
(Redmon and Farhadi, 2017). Darknet's own code computes something else, which weights trained with
it need: mode 'darknet' reads the memory of the image as [C / b^2, H b, W b], with H and W its
sizes, applies 'DCR', and reads the result as [C b^2, H / b, W / b]. Raises ShapeError where b does
not divide rows and columns or, for darknet, b^2 the channels.)",
             [](const Tensor& x, int64_t b, const std::string& mode) {
               return space_to_depth("space_to_depth", x, b, mode);
             });
  t.function(
      "channel_shuffle(input: ArrayLike, groups: int) -> Tensor", "input: [N, C, ...]; groups: 1..",
      R"(Deals the channels out anew (ShuffleNet, Zhang et al., 2018): [N, g C, ...] as [N, g, C, ...],
transposed to [N, C, g, ...] and read as [N, g C, ...].

Raises ShapeError where the groups do not divide the channels.)",
      [](const Tensor& x, int64_t groups) { return channel_shuffle(x, groups); });
}

void define_sampling(FunctionTable& t) {
  t.function(
      "affine_grid(theta: ArrayLike, size: Sequence[int], align_corners: bool = False) -> Tensor",
      "theta: floating [N, R, S]; size: 0..window",
      R"(The grid of an affine map for grid_sample (spatial transformers, Jaderberg et al., 2015).

theta[N, 2, 3] and the size [N, C, H, W] of the result give [N, H, W, 2]: theta times (x, y, 1)
of every pixel, where x and y run from -1 to 1. theta[N, 3, 4] and [N, C, D, H, W] give
[N, D, H, W, 3]. With align_corners -1 and 1 are the centres of the border pixels, else their
outer edges. Raises ShapeError for a size that does not belong to theta.)",
      [](const Tensor& theta, const Dims& size, bool align_corners) {
        return affine_grid(theta, size, align_corners);
      });
  t.function(
      "grid_sample(input: ArrayLike, grid: ArrayLike, mode: str = \"bilinear\", padding_mode: str "
      "= "
      "\"zeros\", align_corners: bool = False) -> Tensor",
      "input: floating [N, C, H, W] or [N, C, D, H, W]; grid: like input [N, P, Q, 2] or [N, O, P, "
      "Q, 3]; mode: one of bilinear nearest bicubic; padding_mode: one of zeros border reflection",
      R"(The input at the points of a grid (spatial transformers, Jaderberg et al., 2015).

input[N, C, H, W] and grid[N, P, Q, 2] give [N, C, P, Q]; input[N, C, D, H, W] and
grid[N, O, P, Q, 3] give [N, C, O, P, Q] ('bicubic' is for images alone). A point (x, y) or
(x, y, z) runs from -1 to 1 over width, height and depth; with align_corners these are the
centres of the border pixels, else their outer edges. What lies outside reads as 0 ('zeros'),
as the border, or as the image mirrored there ('reflection'). A NaN counts as -1, and a point
of more than 2^30 pixels away as one at 2^30. Gradients go to both; that of the grid is 0 for
'nearest' and where a point was clipped.

float32 and float64. Raises ShapeError for an image of no pixel.)",
      [](const Tensor& x, const Tensor& grid, const std::string& mode,
         const std::string& padding_mode,
         bool align_corners) { return grid_sample(x, grid, mode, padding_mode, align_corners); });
}

void define_suppression(FunctionTable& t) {
  t.function("nms(boxes: ArrayLike, scores: ArrayLike, iou_threshold: float) -> Tensor",
             "boxes: floating [N, 4]; scores: like boxes [N]; iou_threshold: 0..1",
             R"(Non-maximum suppression: int64 indices of the boxes that are kept, by falling score.

A box (x1, y1, x2, y2) is kept unless one of higher score that was kept overlaps it by more than
iou_threshold, as intersection over union. Of equal scores the first comes first, NaN counts as the
highest, and boxes without area overlap nothing. float32 and float64; no gradient.)",
             [](const Tensor& boxes, const Tensor& scores, double threshold) {
               return nms("nms", boxes, scores, {}, threshold);
             });
  t.function(
      "batched_nms(boxes: ArrayLike, scores: ArrayLike, idxs: ArrayLike, iou_threshold: float) -> "
      "Tensor",
      "boxes: floating [N, 4]; scores: like boxes [N]; idxs: index [N]; iou_threshold: 0..1",
      R"(nms of every class apart: boxes suppress those of the same idxs only.

idxs[N] has any int64 for each box. The indices of all classes come in one order of falling
score.)",
      [](const Tensor& boxes, const Tensor& scores, const Tensor& idxs, double threshold) {
        return nms("batched_nms", boxes, scores, idxs, threshold);
      });
}

}  // namespace

void define_image_functions(FunctionTable& t) {
  define_resizing(t);
  define_pixels(t);
  define_sampling(t);
  define_suppression(t);
}

}  // namespace fastdl::bindings
