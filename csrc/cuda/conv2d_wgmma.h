// Convolution by the tensor cores of Hopper, on channels-last tensors. The caller has asked
// plan_conv2d_cuda.
#pragma once

#include "core/context.h"
#include "core/epilogue.h"
#include "cuda/conv2d_plan.h"

namespace fastdl::cuda {

// T is Half, BFloat16 or float; the last in the precision of the shape.
template <class T>
void conv2d_wgmma_forward(const Context& context, const Conv2dShape& s, const T* x, const T* weight,
                          const Epilogue& epilogue, T* y);

// One phase of the gradient by the input, into a dense `to` [n, row.count, column.count, c].
template <class T>
void conv2d_wgmma_phase(const Context& context, const Conv2dShape& s, const Phase& row,
                        const Phase& column, const T* dy, const T* weight, const T* bias, T* to);

// T is Half or BFloat16.
template <class T>
void conv2d_wgmma_weight_grad(const Context& context, const Conv2dShape& s, const T* x, const T* dy,
                              T* dw);

}  // namespace fastdl::cuda
