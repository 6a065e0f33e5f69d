#include "ops/conv3d.h"

#include "ops/common.h"
#include "ops/conv2d.h"
#include "ops/copy.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// A window of frames; the frames of the volume, and the results that it has.
struct FrameWindow {
  int64_t frames, outputs, taps, stride, pad, dilation;
};

FrameShape shape_of(const FrameWindow& w, int64_t n, int64_t c, int64_t plane) {
  return {n, c, w.frames, plane, w.outputs, w.taps, w.stride, w.pad, w.dilation};
}

Tensor volume_of(const char* op, const Tensor& images, const Tensor& bias, int64_t n,
                 const FrameWindow& w);

// [N, C, D, H, W] as images [N * outputs, C * taps, H, W].
Tensor images_of(const char* op, const Tensor& x, const FrameWindow& w) {
  const int64_t n = x.size(0), c = x.size(1);
  Tensor y =
      empty(op, {checked_mul(op, n, w.outputs), checked_mul(op, c, w.taps), x.size(3), x.size(4)},
            x.dtype(), x.device());
  if (y.numel() > 0)
    launch<frames_gather>(op, x.device(), x.dtype(), y.numel(),
                          shape_of(w, n, c, x.size(3) * x.size(4)), contiguous(detach(x)).data(),
                          y.mutable_data());
  if (Recording r{"conv3d_images", {&x}})
    r.result(y, [n, w](Backward& pass) {
      pass.give(0, volume_of("conv3d_images", pass.grad(), {}, n, w));
    });
  return y;
}

// Its adjoint: [N, C, D, H, W], where what several images saw of a frame is added; plus bias [C].
Tensor volume_of(const char* op, const Tensor& images, const Tensor& bias, int64_t n,
                 const FrameWindow& w) {
  const int64_t c = images.size(1) / w.taps;
  Tensor y =
      empty(op, {n, c, w.frames, images.size(2), images.size(3)}, images.dtype(), images.device());
  const Tensor bs = bias.defined() ? contiguous(detach(bias)) : bias;
  if (y.numel() > 0)
    launch<frames_sum>(op, y.device(), y.dtype(), images.numel(),
                       shape_of(w, n, c, y.size(3) * y.size(4)), contiguous(detach(images)).data(),
                       bs.defined() ? bs.data() : nullptr, y.mutable_data());
  if (Recording r{"conv3d_volume", {&images, &bias}})
    r.result(y, [w](Backward& pass) {
      const Tensor& g = pass.grad();
      if (pass.needs(0)) pass.give(0, images_of("conv3d_volume", g, w));
      if (pass.needs(1)) pass.give(1, sum(g, Dims{0, 2, 3, 4}, false));
    });
  return y;
}

// Every frame an image of its own.
FrameWindow single(int64_t frames) { return {frames, frames, 1, 1, 0, 1}; }

FrameWindow window_of(const ConvOptions& o, int64_t frames, int64_t outputs, int64_t taps) {
  return {frames, outputs, taps, o.stride[0], o.padding[0], o.dilation[0]};
}
Conv2dOptions plane_of(const ConvOptions& o) {
  return {{o.stride[1], o.stride[2]},
          {o.padding[1], o.padding[2]},
          {o.dilation[1], o.dilation[2]},
          o.groups};
}
// [K, C, T, R, S] as filters [K, C * T, R, S] of images.
Tensor filters_of(const Tensor& weight) {
  return reshape(weight,
                 {weight.size(0), weight.size(1) * weight.size(2), weight.size(3), weight.size(4)});
}

// A kernel of one pixel and any depth is two-dimensional: frames are rows, pixels are columns.
bool is_flat(const Tensor& weight, const ConvOptions& o) {
  return weight.size(3) == 1 && weight.size(4) == 1 && o.stride[1] == 1 && o.stride[2] == 1 &&
         o.padding[1] == 0 && o.padding[2] == 0;
}
Conv2dOptions flat_options(const ConvOptions& o) {
  return {{o.stride[0], 1}, {o.padding[0], 0}, {o.dilation[0], 1}, o.groups};
}
Dims flat_shape(const char* op, const Dims& s) {
  return {s[0], s[1], s[2], checked_mul(op, s[3], s[4])};
}
Tensor flat(const char* op, const Tensor& x) { return reshape(x, flat_shape(op, x.shape())); }

Tensor weight_grad(const Tensor& x, const Tensor& dy, const Dims& weight_shape,
                   const ConvOptions& o) {
  const FrameWindow window = window_of(o, x.size(2), dy.size(2), weight_shape[2]);
  const Dims filters{weight_shape[0], weight_shape[1] * weight_shape[2], weight_shape[3],
                     weight_shape[4]};
  const Tensor images = images_of("conv3d", x, window);
  const Tensor results = images_of("conv3d", dy, single(dy.size(2)));
  return reshape(conv2d_weight_grad(images, results, filters, plane_of(o)), weight_shape);
}

}  // namespace

Tensor conv3d(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const ConvOptions& o) {
  const int64_t taps = weight.size(2);
  const int64_t outputs =
      (x.size(2) + 2 * o.padding[0] - o.dilation[0] * (taps - 1) - 1) / o.stride[0] + 1;
  if (is_flat(weight, o)) {
    const Tensor y = conv2d(op, flat(op, x), flat(op, weight), bias, flat_options(o));
    return reshape(y, {y.size(0), y.size(1), y.size(2), x.size(3), x.size(4)});
  }
  // Not recorded piece by piece: the images, which are `taps` times as large as x, would be kept.
  Tensor y;
  {
    GradMode off(false);
    const Tensor images = images_of(op, x, window_of(o, x.size(2), outputs, taps));
    const Tensor results = conv2d(op, images, filters_of(weight), bias, plane_of(o));
    y = volume_of(op, results, {}, x.size(0), single(outputs));
  }
  if (Recording r{"conv3d", {&x, &weight, &bias}})
    r.result(y, [x = Saved(x), w = Saved(weight), o](Backward& pass) {
      const Tensor& g = pass.grad();
      const Tensor xs = x.get(pass), ws = w.get(pass);
      if (pass.needs(0)) pass.give(0, conv3d_input_grad("conv3d", g, ws, {}, xs.shape(), o));
      if (pass.needs(1)) pass.give(1, weight_grad(xs, g, ws.shape(), o));
      if (pass.needs(2)) pass.give(2, sum(g, Dims{0, 2, 3, 4}, false));
    });
  return y;
}

Tensor conv3d_input_grad(const char* op, const Tensor& dy, const Tensor& weight, const Tensor& bias,
                         const Dims& x_shape, const ConvOptions& o) {
  if (is_flat(weight, o))
    return reshape(conv2d_input_grad(op, flat(op, dy), flat(op, weight), bias,
                                     flat_shape(op, x_shape), flat_options(o)),
                   x_shape);
  const Tensor filters = filters_of(weight);
  const Dims images{checked_mul(op, dy.size(0), dy.size(2)),
                    checked_mul(op, x_shape[1], weight.size(2)), x_shape[3], x_shape[4]};
  const Tensor columns = conv2d_input_grad(op, images_of(op, dy, single(dy.size(2))), filters, {},
                                           images, plane_of(o));
  return volume_of(op, columns, bias, dy.size(0),
                   window_of(o, x_shape[2], dy.size(2), weight.size(2)));
}

}  // namespace fastdl
