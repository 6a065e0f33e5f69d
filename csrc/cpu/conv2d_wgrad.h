// The gradient of a convolution by its weight (and bias), without an im2col matrix:
//
//     dweight[k, c, r, s] = sum over positions (n, p, q) of dy[n, k, p, q] * x[n, c, p', q']
//
// with p' = p * stride - pad + r * dilation. See docs/kernels/conv2d.md.
#pragma once

#include "core/context.h"

namespace fastdl::cpu {

template <class T>
struct WeightGrad {
  int64_t n, groups, c, h, w;  // c and k: channels of one group
  int64_t k, p, q, r, s;
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
  bool channels_last;  // of x and dy
  const T* x;
  const T* dy;
  T* dweight;  // [groups * k, c, r, s]
  T* dbias;    // [groups * k] or null
};

// Which operand's channels fill the registers.
enum class WgradLanes {
  x,         // 32 channels of x by 14 of dy, for each tap
  dy,        // 32 channels of dy by 14 pairs of a channel of x and a tap
  positions  // neither has enough channels: inner products along the rows (conv2d_correlate.h)
};

// Estimated cycles per output position, by which the choice is made.
struct WgradCost {
  double x, dy, positions;
  WgradLanes best() const;
};
template <class T>
WgradCost weight_grad_cost(const WeightGrad<T>& g);

// With lanes of x or dy. Instantiated for float and double.
template <class T>
void weight_grad(const Context& context, const WeightGrad<T>& g, WgradLanes lanes);

}  // namespace fastdl::cpu
