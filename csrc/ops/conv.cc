#include "ops/conv.h"

#include <algorithm>

#include "ops/common.h"
#include "ops/conv2d.h"
#include "ops/conv3d.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// CUDA's kernels take 16 bits, and round once too.
bool computes_in_float32(const Tensor& x) { return has_16_bits(x) && x.device().is_cpu(); }

// x with zeros behind it.
Tensor enlarged(const Tensor& x, const Dims& shape) {
  if (shape == x.shape()) return x;
  return embed(x, {Dims::filled(x.dim(), 0), Dims::filled(x.dim(), 1), x.shape()}, shape);
}

// How many elements a window reaches over.
int64_t reach(const char* op, const Tensor& weight, const ConvOptions& o, int i) {
  const int64_t taps = weight.size(2 + i);
  if (taps < 1)
    throw shape_error(op, "the kernel is empty")
        .show("weight", weight)
        .remedy("use a kernel of 1 or larger in every dimension");
  return checked_mul(op, o.dilation[i], taps - 1) + 1;
}

void check_groups(const char* op, const Tensor& weight, int64_t groups, const char* channels) {
  if (weight.size(0) % groups != 0)
    throw shape_error(
        op, text(weight.size(0), " ", channels, " channels do not divide into ", groups, " groups"))
        .show("weight", weight)
        .remedy(text("make the ", channels, " channels a multiple of groups"));
}

// The shape of conv_transpose's result for a batch.
Dims transposed_shape(const char* op, const Tensor& x, const Tensor& weight,
                      const Dims& output_padding, const ConvOptions& o) {
  Dims shape{x.size(0), checked_mul(op, weight.size(1), o.groups)};
  for (int i = 0; i < o.stride.n; ++i) {
    const int64_t window = reach(op, weight, o, i), size = x.size(2 + i);
    if (size < 1)
      throw shape_error(op, text("spatial dimension ", i, " of the input is empty"))
          .show("input", x)
          .remedy("pass an input of size 1 or more in every spatial dimension");
    if (output_padding[i] >= std::max(o.stride[i], o.dilation[i]))
      throw argument_error(op, text("output_padding is ", output_padding[i], ", stride ",
                                    o.stride[i], " and dilation ", o.dilation[i]))
          .show("input", x)
          .show("weight", weight)
          .remedy("use an output_padding below the stride or the dilation");
    // Each is below 2^61, so that their sum cannot overflow.
    const int64_t span = checked_mul(op, checked_mul(op, size - 1, o.stride[i]), 2) / 2;
    const int64_t out =
        span + checked_mul(op, window, 2) / 2 + output_padding[i] - 2 * o.padding[i];
    if (out < 1)
      throw shape_error(op,
                        text("spatial dimension ", i, " of the result would have the size ", out))
          .show("input", x)
          .show("weight", weight)
          .remedy("use less padding, a larger input or a larger kernel");
    shape.push(out);
  }
  return shape;
}

}  // namespace

Conv2dOptions as_2d(const ConvOptions& o) {
  if (o.stride.n == 1) return {{1, o.stride[0]}, {0, o.padding[0]}, {1, o.dilation[0]}, o.groups};
  return {{o.stride[0], o.stride[1]},
          {o.padding[0], o.padding[1]},
          {o.dilation[0], o.dilation[1]},
          o.groups};
}

Dims number_padding(const char* op, const Dims& x_shape, const Dims& weight_shape, ConvOptions& o) {
  Dims shape = x_shape;
  if (!o.same) return shape;
  o.same = false;
  for (int i = 0; i < o.stride.n; ++i) {
    if (o.stride[i] != 1)
      throw argument_error(op, text("padding is 'same' and stride ", o.stride[i]))
          .remedy("use a stride of 1, or padding in numbers");
    const int64_t zeros =
        checked_mul(op, o.dilation[i], std::max<int64_t>(weight_shape[2 + i] - 1, 0));
    if (zeros > 2 * kMaxWindow)
      throw shape_error(op, text("padding would be ", zeros, " elements"))
          .remedy("use a smaller kernel or dilation");
    o.padding[i] = zeros / 2;
    shape[2 + i] += zeros % 2;
  }
  return shape;
}

Tensor pad_same(const char* op, const Tensor& x, const Tensor& weight, ConvOptions& o) {
  return o.same ? enlarged(x, number_padding(op, x.shape(), weight.shape(), o)) : x;
}

void check_windows(const char* op, const Tensor& x, const Tensor& weight, const ConvOptions& o) {
  check_groups(op, weight, o.groups, "output");
  for (int i = 0; i < o.stride.n; ++i) {
    const int64_t window = reach(op, weight, o, i), room = x.size(2 + i) + 2 * o.padding[i];
    if (room < window)
      throw shape_error(
          op, text("the kernel reaches over ", window, " elements, the padded input has ", room))
          .show("input", x)
          .show("weight", weight)
          .remedy("use a larger input, more padding, or a smaller kernel or dilation");
  }
}

Tensor conv(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
            const ConvOptions& o) {
  if (computes_in_float32(x))
    return in_float32(
        [&](const Tensor& xs, const Tensor& w, const Tensor& b) { return conv(op, xs, w, b, o); },
        x, weight, bias);
  const int rank = o.stride.n;
  if (x.dim() == rank + 1) return squeeze(conv(op, unsqueeze(x, 0), weight, bias, o), 0);
  if (o.same) {
    ConvOptions numbered = o;
    const Tensor padded = pad_same(op, x, weight, numbered);
    return conv(op, padded, weight, bias, numbered);
  }
  check_windows(op, x, weight, o);
  if (rank == 3) return conv3d(op, x, weight, bias, o);
  if (rank == 2) return conv2d(op, x, weight, bias, as_2d(o));
  return squeeze(conv2d(op, unsqueeze(x, 2), unsqueeze(weight, 2), bias, as_2d(o)), 2);
}

Tensor conv_transpose(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                      const Dims& output_padding, const ConvOptions& o) {
  if (computes_in_float32(x))
    return in_float32(
        [&](const Tensor& xs, const Tensor& w, const Tensor& b) {
          return conv_transpose(op, xs, w, b, output_padding, o);
        },
        x, weight, bias);
  const int rank = o.stride.n;
  if (x.dim() == rank + 1)
    return squeeze(conv_transpose(op, unsqueeze(x, 0), weight, bias, output_padding, o), 0);
  check_groups(op, weight, o.groups, "input");
  Dims shape = transposed_shape(op, x, weight, output_padding, o), x_shape = x.shape();
  // A stride leaves fewer rows over than it has: more are those that further rows of x would reach.
  for (int i = 0; i < rank; ++i) x_shape[2 + i] += output_padding[i] / o.stride[i];
  const Tensor xs = enlarged(x, x_shape);
  if (rank == 3) return conv3d_input_grad(op, xs, weight, bias, shape, o);
  if (rank == 2) return conv2d_input_grad(op, xs, weight, bias, shape, as_2d(o));
  shape.insert(2, 1);
  return squeeze(
      conv2d_input_grad(op, unsqueeze(xs, 2), unsqueeze(weight, 2), bias, shape, as_2d(o)), 2);
}

}  // namespace fastdl
