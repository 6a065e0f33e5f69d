// out[m, j] = bias[m] + sum over (channel, tap) of weight[m, channel, tap] * source at j: the
// product behind the forward convolution and its gradient by the input.
#pragma once

#include "core/context.h"
#include "cpu/conv2d_window.h"

namespace fastdl::cpu {

template <class T>
struct ShiftConv {
  Window window;
  int64_t samples, groups, m;  // m: output channels of a group
  const T* src;                // [samples, groups, channels, h, w]
  const T* weight;             // element (group, i, channel, tap) at these strides:
  int64_t w_group, w_out, w_in;
  const T* bias;                  // [groups, m] or null
  T* dst;                         // element (sample, group, i, row, column):
  int64_t d_plane, d_row, d_col;  // strides; planes of all samples, groups and i follow each other
};

// Instantiated for float and double.
template <class T>
void shift_conv(const Context& context, const ShiftConv<T>& conv);

}  // namespace fastdl::cpu
