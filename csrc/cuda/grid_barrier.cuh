// Waiting for other blocks of a cooperative launch, whose blocks all run at the same time
// (LaunchShape::cooperative). Each block has a counter in global memory, zero before the launch, and
// raises it when something is ready; who needs that polls the counters of those who make it. A store
// and a load instead of an atomic addition by all to one place, and no block waits for one that it
// takes nothing from.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace fastdl::cuda {

// By one thread, after a __syncthreads of its block: what the block wrote before is seen by those
// who have awaited `step`. Steps rise.
__device__ inline void publish(uint32_t* counter, uint32_t step) {
  asm volatile("st.release.gpu.global.u32 [%0], %1;" ::"l"(__cvta_generic_to_global(counter)),
               "r"(step)
               : "memory");
}

// By a whole warp: until each of `count` counters is at `step` or beyond. A block is one-dimensional.
__device__ inline void await(const uint32_t* counters, int count, uint32_t step) {
  for (int i = static_cast<int>(threadIdx.x) % 32; i < count; i += 32) {
    uint32_t is = 0;
    do {
      asm volatile("ld.acquire.gpu.global.u32 %0, [%1];"
                   : "=r"(is)
                   : "l"(__cvta_generic_to_global(counters + i))
                   : "memory");
    } while (is < step);
  }
  __syncwarp();  // what one lane has acquired the others see
}

}  // namespace fastdl::cuda
