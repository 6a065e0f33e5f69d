// Convolution with samples in the lanes of registers, for small planes and few channels: no lane
// and no multiplication is spent on padding, on the ends of rows or on filters that do not fill a
// register.
#pragma once

#include "core/context.h"
#include "cpu/conv2d_problem.h"

namespace fastdl::cpu {

// Whether there are samples enough, and source and weights are small enough to stay in the caches.
template <class T>
bool samples_applies(const ConvProblem<T>& c);

// Multiply-adds of one sample that meet the source: those with the padding's zeros are not made.
template <class T>
int64_t samples_macs(const ConvProblem<T>& c);

// Instantiated for float and double; the epilogue's part after the bias is left to the caller.
template <class T>
void samples_conv(const Context& context, const ConvProblem<T>& c);

}  // namespace fastdl::cpu
