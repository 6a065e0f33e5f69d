#include "cuda/conv2d_mma_kernel.cuh"

namespace fastdl::cuda {

template void conv_mma_taps(const Context&, const ConvForm&, Precision, const BFloat16*,
                            const BFloat16*, const Epilogue&, BFloat16*);
template void conv_mma_positions(const Context&, const ConvForm&, Precision, const BFloat16*,
                                 const BFloat16*, BFloat16*);

}  // namespace fastdl::cuda
