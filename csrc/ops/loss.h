// Losses. Mean squared error and binary cross entropy are compositions; cross entropy is fused.
#pragma once

#include <string>

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// loss[i] = logsumexp(x[i, :]) - x[i, target[i]]; lse[i] = logsumexp(x[i, :]). Contiguous
// x[rows, classes]; targets are in range (checked by the op).
FASTDL_KERNEL(cross_entropy_forward, int64_t rows, int64_t classes, const void* x,
              const int64_t* target, void* loss, void* lse);
// dx[i, j] = (exp(x[i, j] - lse[i]) - (j == target[i])) * dloss[i * dloss_stride]
FASTDL_KERNEL(cross_entropy_backward, int64_t rows, int64_t classes, const void* x,
              const int64_t* target, const void* lse, const void* dloss, int64_t dloss_stride,
              void* dx);

// reduction: "none", "mean" or "sum". Operands of different shapes are refused, not broadcast.
Tensor cross_entropy(const Tensor& x, const Tensor& target, const std::string& reduction);
Tensor mse_loss(const Tensor& x, const Tensor& target, const std::string& reduction);
Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const std::string& reduction);
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        const std::string& reduction);

}  // namespace fastdl
