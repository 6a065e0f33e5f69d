// Clusters: blocks that run at the same time and reach one another's shared memory (sm_90).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/mma.cuh"

namespace fastdl::cuda {

__device__ inline uint32_t cluster_rank() {
  uint32_t rank = 0;
  FASTDL_SM90_ASM("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  return rank;
}

// In blocks.
__device__ inline uint32_t cluster_size() {
  uint32_t size = 1;
  FASTDL_SM90_ASM("mov.u32 %0, %%cluster_nctarank;" : "=r"(size));
  return size;
}

// Every thread of every block arrives and then waits ("barrier.cluster"); what was written before
// the arrival is seen after the wait. No block may end while others reach into its shared memory.
__device__ inline void cluster_arrive() {
  FASTDL_SM90_ASM("barrier.cluster.arrive.release.aligned;" :: : "memory");
}
__device__ inline void cluster_wait() {
  FASTDL_SM90_ASM("barrier.cluster.wait.acquire.aligned;" :: : "memory");
}
__device__ inline void cluster_sync() {
  cluster_arrive();
  cluster_wait();
}

// What block `rank` of the cluster has at the address that this block calls `shared` ("mapa"). An
// ordinary pointer: loads and stores through it are loads and stores of distributed shared memory.
template <class T>
__device__ inline T* remote_shared(T* shared, uint32_t rank) {
  uint64_t remote = 0;
  FASTDL_SM90_ASM("mapa.u64 %0, %1, %2;" : "=l"(remote) : "l"(shared), "r"(rank));
  return reinterpret_cast<T*>(remote);
}

}  // namespace fastdl::cuda
