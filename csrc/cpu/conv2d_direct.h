// Convolution as a product on channels-last strips, never written out as a matrix.
#pragma once

#include "core/context.h"
#include "cpu/conv2d_problem.h"

namespace fastdl::cpu {

// Instantiated for float and double.
template <class T>
int64_t direct_packed_size(const ConvProblem<T>& c);  // elements
template <class T>
void direct_pack(const Context& context, const ConvProblem<T>& c, T* packed);
template <class T>
void direct_conv(const Context& context, const ConvProblem<T>& c);

}  // namespace fastdl::cpu
