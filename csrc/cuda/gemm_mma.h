// Products on the tensor cores of sm_80 (gemm_mma_kernel.cuh).
#pragma once

#include "cuda/gemm_plan.h"

namespace fastdl::cuda {

// T is Half, BFloat16 or float: as three products of TF32 numbers (Precision::highest) or as one.
template <class T>
void gemm_mma(const Context& context, const GemmArguments& arguments, const GemmPlan& plan,
              const T* a, const T* b, const Epilogue& epilogue, T* c);

}  // namespace fastdl::cuda
