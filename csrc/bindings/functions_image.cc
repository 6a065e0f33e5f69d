// Rows of the function table: resizing and resampling of images, pixels and channels, boxes.
#include "bindings/signature.h"
#include "ops/blur.h"
#include "ops/depth_to_space.h"
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

}  // namespace

void define_image_functions(FunctionTable& t) {
  define_resizing(t);
  define_pixels(t);
}

}  // namespace fastdl::bindings
