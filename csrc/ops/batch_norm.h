// Batch normalisation (Ioffe and Szegedy, 2015): each channel to mean 0 and variance 1.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"
#include "ops/epilogue.h"

namespace fastdl {

// x[n, c, inner], contiguous; images in channels-last are x[n * h * w, c, 1]. Statistics are in float
// for 16-bit floats, else in the dtype of x.
struct BatchNormShape {
  int64_t n, c, inner;
};

// Training on the CPU: mean[c], the biased variance[c] by sums of squared deviations (no
// cancellation), rstd = 1 / sqrt(variance + eps), and y as below.
FASTDL_KERNEL(batch_norm_forward, const BatchNormShape& shape, double eps, const void* x,
              const void* weight, const Epilogue& epilogue, void* y, void* mean, void* variance,
              void* rstd);
// mean[c], variance[c] and rstd[c] alone, on CUDA.
FASTDL_KERNEL(batch_norm_statistics, const BatchNormShape& shape, double eps, const void* x,
              void* mean, void* variance, void* rstd);
// running = (1 - momentum) * running + momentum * factor * now, of so many channels, on CUDA.
FASTDL_KERNEL(batch_norm_running, int64_t channels, double momentum, double factor, const void* now,
              void* running);
// y = activation((x - mean) * rstd * weight + bias + residual); weight may be null. On CUDA the
// epilogue is a bias at most.
FASTDL_KERNEL(batch_norm_apply, const BatchNormShape& shape, const void* x, const void* mean,
              const void* rstd, const void* weight, const Epilogue& epilogue, void* y);

// The gradient of the whole. `training`: mean and rstd are functions of x. Any of the four results
// may be null. y and dresidual only where there is an activation, which there is on the CPU alone.
struct BatchNormGradient {
  bool training;
  const void *x, *dy, *mean, *rstd, *weight;
  const void* y;
  Activation activation;
  double slope;
  void *dx, *dresidual, *dweight, *dbias;
};
FASTDL_KERNEL(batch_norm_backward, const BatchNormShape& shape, const BatchNormGradient& gradient);

struct Operand;  // ops/common.h

// Statistics of 16-bit inputs are in float32, and so are weight and bias in kernels.
DType statistics_dtype(const Tensor& x);
// A weight or bias, which may be undefined, in that dtype; given in it, or in the input's.
Tensor in_statistics_dtype(const char* op, const Tensor& x, const Operand& o);

struct BatchNormOptions {
  bool training = false;
  double momentum = 0.1, eps = 1e-5;
  FusedOptions fused;
};

// running_mean and running_var are updated in place in training (with the unbiased variance).
// Any operand but x may be undefined, the running pair only in training.
Tensor batch_norm(const Tensor& x, const Tensor& running_mean, const Tensor& running_var,
                  const Tensor& weight, const Tensor& bias, const Tensor& residual,
                  const BatchNormOptions& options);

}  // namespace fastdl
