// Parameter updates, in place, over all parameters in one call.
#pragma once

#include <functional>
#include <vector>

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// One parameter of n contiguous elements, its gradient, and the optimiser's state for it.
struct OptimizerSlot {
  int64_t n;
  void* param;
  const void* grad;
  void* first;   // momentum buffer, or first moment; null where there is none
  void* second;  // second moment
};

struct SgdOptions {
  double lr, momentum, dampening, weight_decay;
  bool nesterov, first_step;  // first_step: the momentum buffer starts as the gradient
};
struct AdamOptions {
  double lr, beta1, beta2, eps, weight_decay;
  int64_t step;    // counts from 1
  bool decoupled;  // AdamW (Loshchilov and Hutter, 2019) instead of L2 in the gradient
};

FASTDL_KERNEL(sgd_update, const SgdOptions& options, const OptimizerSlot* slots, int64_t count);
// Kingma and Ba, 2015, algorithm 1, with both bias corrections as in PyTorch:
// p -= lr / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
FASTDL_KERNEL(adam_update, const AdamOptions& options, const OptimizerSlot* slots, int64_t count);

// Loss scaling (Micikevicius et al., 2018): the slots' `param`, gradients here, divided by *scale, which
// is above 0, in place. *found becomes 1 where one of the results is infinite or NaN, else 0.
FASTDL_KERNEL(unscale_update, const OptimizerSlot* slots, int64_t count, const float* scale,
              float* found);

// In a captured step `next` brings the options up to date before each replay.
void sgd_step(const std::vector<Tensor>& params, const std::vector<Tensor>& grads,
              const std::vector<Tensor>& momentum, const SgdOptions& options,
              std::function<void(SgdOptions&)> next = {});
void adam_step(const std::vector<Tensor>& params, const std::vector<Tensor>& grads,
               const std::vector<Tensor>& first, const std::vector<Tensor>& second,
               const AdamOptions& options, std::function<void(AdamOptions&)> next = {});

// Gradients of one dtype and device, in place; returns what `found` says.
Tensor unscale_grads(const std::vector<Tensor>& grads, const Tensor& scale);

}  // namespace fastdl
