#include "cuda/conv2d_mma_kernel.cuh"

namespace fastdl::cuda {

template void conv_mma_taps(const Context&, const ConvForm&, Precision, const float*, const float*,
                            const Epilogue&, float*);
template void conv_mma_positions(const Context&, const ConvForm&, Precision, const float*,
                                 const float*, float*);

}  // namespace fastdl::cuda
