// Normalisation of rows: layer norm (Ba, Kiros and Hinton, 2016), RMS norm (Zhang and Sennrich, 2019),
// group norm (Wu and He, 2018) and instance norm (Ulyanov, Vedaldi and Lempitsky, 2016) are one
// computation. They differ in what a row is, and in which elements share a weight.
#pragma once

#include <optional>

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// x[rows, columns], contiguous. Element c of row r has number r % groups * (columns / inner) +
// c / inner in weight and bias: in layer norm each column its own, in group norm each channel, whose
// `inner` pixels are neighbours. Statistics, weight and bias are in float for 16-bit floats, else in
// the dtype of x.
struct RowNormShape {
  int64_t rows, columns;
  int64_t groups = 1, inner = 1;
  bool centred = true;  // false: the mean is taken to be 0, as in RMS norm

  int64_t weights_of_row() const { return columns / inner; }
  int64_t weights() const { return groups * (columns / inner); }
};

// y = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(variance + eps), the variance being the
// biased one; weight and bias may be null. mean[rows] and rstd[rows] are results too.
FASTDL_KERNEL(row_norm_forward, const RowNormShape& shape, double eps, const void* x,
              const void* weight, const void* bias, void* y, void* mean, void* rstd);
// The gradient of the whole; weight and any of the three results may be null.
FASTDL_KERNEL(row_norm_backward, const RowNormShape& shape, const void* x, const void* dy,
              const void* mean, const void* rstd, const void* weight, void* dx, void* dweight,
              void* dbias);

// The same of images x[samples, pixels, channels] in channels-last, whose groups are normalised: on the
// CPU alone. mean and rstd are [samples, groups], weight and bias [channels].
struct LastNormShape {
  int64_t samples, pixels, channels, groups;
};
FASTDL_KERNEL(last_norm_forward, const LastNormShape& shape, double eps, const void* x,
              const void* weight, const void* bias, void* y, void* mean, void* rstd);
FASTDL_KERNEL(last_norm_backward, const LastNormShape& shape, const void* x, const void* dy,
              const void* mean, const void* rstd, const void* weight, void* dx, void* dweight,
              void* dbias);

// Over the last dimensions of x, which are `normalized`; weight and bias, of that shape, may be
// undefined.
Tensor layer_norm(const Tensor& x, const Dims& normalized, const Tensor& weight, const Tensor& bias,
                  double eps);
Tensor rms_norm(const Tensor& x, const Dims& normalized, const Tensor& weight,
                std::optional<double> eps);  // none: the dtype's epsilon

// Over the pixels of x[N, C, ...] and the channels of a group; weight and bias [C] may be undefined.
Tensor group_norm(const Tensor& x, int64_t groups, const Tensor& weight, const Tensor& bias,
                  double eps);

// Over the pixels of each channel of x[N, C, ...]. The running pair [C], which may be undefined, moves
// towards the mean over N of the statistics (with the unbiased variance), in place; without
// `use_input_stats` it is what normalises.
struct InstanceNormOptions {
  bool use_input_stats = true;
  double momentum = 0.1, eps = 1e-5;
};
Tensor instance_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                     const Tensor& weight, const Tensor& bias, const InstanceNormOptions& options);

}  // namespace fastdl
