#include "cuda/gemm_wgmma_launch.cuh"

namespace fastdl::cuda {

template void gemm_wgmma(const Context&, const GemmArguments&, const GemmPlan&, const BFloat16*,
                         const BFloat16*, const Epilogue&, BFloat16*);

}  // namespace fastdl::cuda
