#include "cuda/conv2d_mma_kernel.cuh"

namespace fastdl::cuda {

template void conv_mma_taps(const Context&, const ConvForm&, Precision, const Half*, const Half*,
                            const Epilogue&, Half*);
template void conv_mma_positions(const Context&, const ConvForm&, Precision, const Half*,
                                 const Half*, Half*);

}  // namespace fastdl::cuda
