// dweight[m, channel, tap] = sum over samples and positions of dy[m, j] * source at j: the gradient
// of a convolution by its weight.
#pragma once

#include "core/context.h"
#include "cpu/conv2d_window.h"

namespace fastdl::cpu {

template <class T>
struct CorrelateConv {
  Window window;
  int64_t samples, groups, m;
  const T* src;  // [samples, groups, channels, h, w]
  const T* dy;   // [samples, groups, m, p, q]
  T* dweight;    // [groups, m, channels, taps]
  T* dbias;      // [groups, m] or null
};

// Instantiated for float and double.
template <class T>
void correlate_conv(const Context& context, const CorrelateConv<T>& conv);

}  // namespace fastdl::cpu
