// Layer normalisation (Ba, Kiros and Hinton, 2016): each row to mean 0 and variance 1.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// x[rows, columns], contiguous. Statistics, weight and bias are in float for 16-bit floats, else in
// the dtype of x.
struct LayerNormShape {
  int64_t rows, columns;
};

// y = (x - mean) * rstd * weight + bias, rstd = 1 / sqrt(variance + eps), the variance being the
// biased one; weight and bias [columns] may be null. mean[rows] and rstd[rows] are results too.
FASTDL_KERNEL(layer_norm_forward, const LayerNormShape& shape, double eps, const void* x,
              const void* weight, const void* bias, void* y, void* mean, void* rstd);
// The gradient of the whole; weight and any of the three results may be null. CUDA gives dx alone.
FASTDL_KERNEL(layer_norm_backward, const LayerNormShape& shape, const void* x, const void* dy,
              const void* mean, const void* rstd, const void* weight, void* dx, void* dweight,
              void* dbias);

// Over the last dimensions of x, which are `normalized`; weight and bias, of that shape, may be
// undefined.
Tensor layer_norm(const Tensor& x, const Dims& normalized, const Tensor& weight, const Tensor& bias,
                  double eps);

}  // namespace fastdl
