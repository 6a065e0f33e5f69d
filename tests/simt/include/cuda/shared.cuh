// The model's dynamic shared memory: each block of a cluster has its own.
#pragma once

#include <cuda_runtime.h>

namespace fastdl::cuda {

inline unsigned char* dynamic_shared() { return simt::dynamic_shared(); }

}  // namespace fastdl::cuda
