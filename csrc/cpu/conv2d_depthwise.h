// Depthwise convolution: every plane of x has filters of its own, `multiplier` of them.
//
//     y[n, c * multiplier + m, p, q] = sum over r, s of weight[c * multiplier + m, r, s] * x[n, c, p', q']
//
// No arithmetic worth the name is shared between channels, so this is a matter of bytes: each plane
// is read once and written once. Channels first, registers hold columns of a plane; channels last,
// they hold channels of a pixel.
#pragma once

#include "core/context.h"
#include "core/epilogue.h"

namespace fastdl::cpu {

struct Depthwise {
  int64_t n, c, multiplier, h, w, r, s, p, q;
  int64_t stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;
};

// Channels first. Instantiated for float and double.
template <class T>
void depthwise_forward(const Context& context, const Depthwise& d, const T* x, const T* weight,
                       const Epilogue& epilogue, T* y);
template <class T>
void depthwise_backward_data(const Context& context, const Depthwise& d, const T* dy,
                             const T* weight, const Epilogue& epilogue, T* dx);
template <class T>
void depthwise_backward_weight(const Context& context, const Depthwise& d, const T* x, const T* dy,
                               T* dweight, T* dbias);

// Channels last, with a multiplier of 1.
template <class T>
void depthwise_last_forward(const Context& context, const Depthwise& d, const T* x, const T* weight,
                            const Epilogue& epilogue, T* y);
template <class T>
void depthwise_last_backward_data(const Context& context, const Depthwise& d, const T* dy,
                                  const T* weight, const Epilogue& epilogue, T* dx);
template <class T>
void depthwise_last_backward_weight(const Context& context, const Depthwise& d, const T* x,
                                    const T* dy, T* dweight, T* dbias);

}  // namespace fastdl::cpu
