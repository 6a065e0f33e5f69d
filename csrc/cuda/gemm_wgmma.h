// Matrix products by the tensor cores of Hopper. The caller has asked suits_wgmma.
#pragma once

#include "core/context.h"
#include "core/epilogue.h"
#include "cuda/gemm.h"
#include "cuda/gemm_plan.h"

namespace fastdl::cuda {

// T is Half, BFloat16 or float: float as 3xTF32 or as TF32, by arguments.precision. The residual
// lies like c. The result is activation(a b + bias + residual + c if accumulate).
template <class T>
void gemm_wgmma(const Context& context, const GemmArguments& arguments, const GemmPlan& plan,
                const T* a, const T* b, const Epilogue& epilogue, T* c);

}  // namespace fastdl::cuda
