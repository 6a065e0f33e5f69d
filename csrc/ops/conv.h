// Convolutions of one, two and three spatial dimensions, as they are called: without a batch
// dimension too, and with padding by name. One dimension is two of which the first has one row, so
// that the long one lies along rows in memory; three are in ops/conv3d.h.
#pragma once

#include "core/fwd.h"
#include "core/shape.h"

namespace fastdl {

struct Conv2dOptions;  // ops/conv2d.h
struct ConvOptions {
  Dims stride, padding, dilation;  // one of each for every spatial dimension
  int64_t groups = 1;
  bool same = false;  // as much padding as keeps the sizes; `padding` is not read
};

Conv2dOptions as_2d(const ConvOptions& o);  // of one or two dimensions

// Cross-correlation of x [N, C, ...] or [C, ...] by weight [K, C / groups, ...]; bias [K] may be
// undefined.
Tensor conv(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
            const ConvOptions& o);
// The gradient of conv by its input, as an op on x [N, C, ...] or [C, ...] with weight
// [C, K / groups, ...]. output_padding rows more are what a stride has left over.
Tensor conv_transpose(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                      const Dims& output_padding, const ConvOptions& o);

// Writes padding of `same` as numbers. Where a window is even, the other half zero lies behind the
// input: the result is the input's shape with it.
Dims number_padding(const char* op, const Dims& x_shape, const Dims& weight_shape, ConvOptions& o);
// The same, and the input of that shape.
Tensor pad_same(const char* op, const Tensor& x, const Tensor& weight, ConvOptions& o);
// Throws ShapeError where groups do not divide the filters, or windows do not fit in the input.
void check_windows(const char* op, const Tensor& x, const Tensor& weight, const ConvOptions& o);

}  // namespace fastdl
