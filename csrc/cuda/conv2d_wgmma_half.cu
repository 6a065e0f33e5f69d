#include "cuda/conv2d_wgmma_launch.cuh"

namespace fastdl::cuda {

template void conv2d_wgmma_forward(const Context&, const Conv2dShape&, const Half*, const Half*,
                                   const Epilogue&, Half*);
template void conv2d_wgmma_phase(const Context&, const Conv2dShape&, const Phase&, const Phase&,
                                 const Half*, const Half*, const Half*, Half*);
template void conv2d_wgmma_weight_grad(const Context&, const Conv2dShape&, const Half*, const Half*,
                                       Half*);

}  // namespace fastdl::cuda
