// Dynamic shared memory: as many bytes as LaunchShape::shared says, aligned to 1024 (what the widest
// swizzle of the tensor copy engine asks for).
#pragma once

#include <cuda_runtime.h>

namespace fastdl::cuda {

__device__ inline unsigned char* dynamic_shared() {
  extern __shared__ __align__(1024) unsigned char fastdl_dynamic_shared[];
  return fastdl_dynamic_shared;
}

}  // namespace fastdl::cuda
