#include "cuda/gemm_mma_kernel.cuh"

namespace fastdl::cuda {

template void gemm_mma(const Context&, const GemmArguments&, const GemmPlan&, const BFloat16*,
                       const BFloat16*, const Epilogue&, BFloat16*);

}  // namespace fastdl::cuda
