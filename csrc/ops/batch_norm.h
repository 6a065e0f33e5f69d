// Batch normalisation (Ioffe and Szegedy, 2015): each channel to mean 0 and variance 1.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// x[n, c, inner], contiguous. Statistics are in float for 16-bit floats, else in the dtype of x.
struct BatchNormShape {
  int64_t n, c, inner;
};

// mean[c] and the biased variance[c], by sums of squared deviations (no cancellation).
FASTDL_KERNEL(batch_norm_statistics, const BatchNormShape& shape, const void* x, void* mean,
              void* variance);
// y = (x - mean) * rstd * weight + bias; weight and bias may be null.
FASTDL_KERNEL(batch_norm_apply, const BatchNormShape& shape, const void* x, const void* mean,
              const void* rstd, const void* weight, const void* bias, void* y);
// The gradient of the whole. `training`: mean and rstd are functions of x. Any of the three
// results may be null.
FASTDL_KERNEL(batch_norm_backward, const BatchNormShape& shape, bool training, const void* x,
              const void* dy, const void* mean, const void* rstd, const void* weight, void* dx,
              void* dweight, void* dbias);

// running_mean and running_var are updated in place in training (with the unbiased variance).
// Any of the four may be undefined, the running pair only in training.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, bool training, double momentum,
                  double eps);

}  // namespace fastdl
