#include "cuda/gemm_wgmma_launch.cuh"

namespace fastdl::cuda {

template void gemm_wgmma(const Context&, const GemmArguments&, const GemmPlan&, const float*,
                         const float*, const Epilogue&, float*);

}  // namespace fastdl::cuda
