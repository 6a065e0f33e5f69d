// Convolution by 3x3 filters with fewer multiplications (Lavin and Gray, "Fast algorithms for
// convolutional neural networks", 2016): an M x M tile of results takes (M + 2)^2 of them instead
// of 9 M^2, a quarter for M = 4.
//
// Float32 only. Products of transformed numbers are larger than the results, so rounding errors grow:
// by about 2 for M = 2 and 10 for M = 4 (docs/kernels/conv2d.md).
#pragma once

#include "core/context.h"
#include "cpu/conv2d_problem.h"

namespace fastdl::cpu {

// One part of 3x3 neighbouring taps, stride 1, channels in whole registers.
bool winograd_applies(const ConvProblem<float>& c);

// M = 2 or 4.
template <int M>
int64_t winograd_packed_size(const ConvProblem<float>& c);  // elements
template <int M>
void winograd_pack(const Context& context, const ConvProblem<float>& c, float* packed);
template <int M>
void winograd_conv(const Context& context, const ConvProblem<float>& c);

}  // namespace fastdl::cpu
