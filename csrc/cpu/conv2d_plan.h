// Which algorithm computes a convolution: a function of its shape and the instruction set alone, so
// that results have the same bits every time.
#pragma once

#include "cpu/conv2d_problem.h"

namespace fastdl::cpu {

// shift, direct, samples: conv2d_shift.h and so on; the others F(M x M, 3 x 3) of conv2d_winograd.h.
enum class ConvAlgorithm : int8_t { shift, direct, winograd2, winograd4, samples };
inline constexpr int kConvAlgorithms = 5;

struct ConvPlan {
  ConvAlgorithm chosen;
  double cycles[kConvAlgorithms];           // estimated for one core; infinite: does not apply
  double multiplications[kConvAlgorithms];  // of one call, without padding to registers
};

// Instantiated for float and double. `winograd`: whether it may be chosen.
template <class T>
ConvPlan plan_conv(const ConvProblem<T>& c, bool winograd);

}  // namespace fastdl::cpu
