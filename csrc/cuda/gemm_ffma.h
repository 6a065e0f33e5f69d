// Products without tensor cores (gemm_ffma.cu): tiles in registers, any strides, all dtypes.
#pragma once

#include "cuda/gemm_plan.h"

namespace fastdl::cuda {

// Whether 16 bytes at a time suit both operands, which the tiles of 128 x 128 ask for.
template <class T>
bool ffma_reads_vectors(const GemmArguments& arguments, const void* a, const void* b);

template <class T>
void gemm_ffma(const Context& context, const GemmArguments& arguments, const GemmPlan& plan,
               const T* a, const T* b, const Epilogue& epilogue, T* c);

}  // namespace fastdl::cuda
