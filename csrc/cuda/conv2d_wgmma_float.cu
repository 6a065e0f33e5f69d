#include "cuda/conv2d_wgmma_launch.cuh"

namespace fastdl::cuda {

template void conv2d_wgmma_forward(const Context&, const Conv2dShape&, const float*, const float*,
                                   const Epilogue&, float*);
template void conv2d_wgmma_phase(const Context&, const Conv2dShape&, const Phase&, const Phase&,
                                 const float*, const float*, const float*, float*);

}  // namespace fastdl::cuda
