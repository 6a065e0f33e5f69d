// Losses. Mean squared error and binary cross entropy are compositions; cross entropy is fused.
#pragma once

#include <string>

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// loss[i] = logsumexp(x[i, :]) - x[i, target[i]]; lse[i] = logsumexp(x[i, :]). Contiguous
// x[rows, classes]; targets are in range (checked by the op) or `ignored`, whose loss is 0.
FASTDL_KERNEL(cross_entropy_forward, int64_t rows, int64_t classes, const void* x,
              const int64_t* target, int64_t ignored, void* loss, void* lse);
// dx[i, j] = (exp(x[i, j] - lse[i]) - (j == target[i])) * dloss[i * dloss_stride], 0 where ignored
FASTDL_KERNEL(cross_entropy_backward, int64_t rows, int64_t classes, const void* x,
              const int64_t* target, int64_t ignored, const void* lse, const void* dloss,
              int64_t dloss_stride, void* dx);

struct CrossEntropyOptions {
  int64_t ignored = -100;
  std::string reduction;
  double smoothing = 0;
};
// Of class indices, or of probabilities in the input's shape. `weight[classes]` may be undefined.
Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                     const CrossEntropyOptions& options);
// reduction: "none", "mean" or "sum". Weights broadcast, targets do not; weights may be undefined.
Tensor mse_loss(const Tensor& x, const Tensor& target, const std::string& reduction);
Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                            const std::string& reduction);
Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const Tensor& weight,
                                        const std::string& reduction, const Tensor& pos_weight);

}  // namespace fastdl
