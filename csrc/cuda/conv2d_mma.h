// Convolution on the tensor cores of sm_80, of channels-last operands without groups
// (conv2d_mma_kernel.cuh).
#pragma once

#include "core/epilogue.h"
#include "core/precision.h"
#include "cuda/conv2d_form.cuh"

namespace fastdl::cuda {

// Whether the kernels below compute a form: its indices and offsets fit 32 bits. `item` is the size
// of an element, `inner` and `rows` are the channels summed over and those of the output.
inline bool suits_conv_mma(const ConvForm& form, int64_t inner, size_t item) {
  const auto line = static_cast<int64_t>(16 / item);
  const int64_t positions = form.position[0] * form.position[1] * form.position[2];
  const int64_t taps = form.tap[0] * form.tap[1] * form.tap[2];
  const int64_t x_size = form.position[0] * form.axis[0].size * form.axis[1].size * inner;
  int64_t reach = 0;
  for (int i = 0; i < 2; ++i)
    reach =
        std::max({reach, form.position[i + 1] * form.axis[i].step,
                  form.tap[i + 1] * std::abs(form.axis[i].reach), std::abs(form.axis[i].origin)});
  return form.groups == 1 && inner % line == 0 && form.rows % line == 0 && positions > 0 &&
         taps > 0 && std::max({positions, taps, x_size, reach}) <= kMostElements / 4;
}

// T is Half, BFloat16 or float (as TF32, or three products of it). x, y and dy lie channels last,
// and so do the strides form.y; form.x_stride is not read. Rows of y's channels are neighbours.

// y = the sum over taps: the forward pass, or a phase of the gradient by the input.
template <class T>
void conv_mma_taps(const Context& context, const ConvForm& form, Precision precision, const T* x,
                   const T* f, const Epilogue& epilogue, T* y);

// f = the sum over positions: the gradient by the weight. dy is dense.
template <class T>
void conv_mma_positions(const Context& context, const ConvForm& form, Precision precision,
                        const T* x, const T* dy, T* f);

}  // namespace fastdl::cuda
