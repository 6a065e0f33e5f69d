#include "cuda/conv2d_wgmma_launch.cuh"

namespace fastdl::cuda {

template void conv2d_wgmma_forward(const Context&, const Conv2dShape&, const BFloat16*,
                                   const BFloat16*, const Epilogue&, BFloat16*);
template void conv2d_wgmma_phase(const Context&, const Conv2dShape&, const Phase&, const Phase&,
                                 const BFloat16*, const BFloat16*, const BFloat16*, BFloat16*);
template void conv2d_wgmma_weight_grad(const Context&, const Conv2dShape&, const BFloat16*,
                                       const BFloat16*, BFloat16*);

}  // namespace fastdl::cuda
