#include "cuda/gemm_mma_kernel.cuh"

namespace fastdl::cuda {

template void gemm_mma(const Context&, const GemmArguments&, const GemmPlan&, const Half*,
                       const Half*, const Epilogue&, Half*);

}  // namespace fastdl::cuda
