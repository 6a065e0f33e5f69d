// Barriers in shared memory that count threads and bytes (PTX ISA, "mbarrier"; sm_90).
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/mma.cuh"

namespace fastdl::cuda {

// Whose threads meet, which decides how far their writes have to be seen.
enum class Scope { block, cluster };

// Phases 0, 1, 2, ... of a barrier are told apart by their lowest bit. A phase ends when `arrivals`
// threads have arrived and as many bytes as were expected in it have been copied; the next one
// begins at once. An object in shared memory: no constructor runs.
struct alignas(8) Mbarrier {
  uint64_t state;

  // By one thread, before a barrier of those that use it; see also fence_mbarrier_init.
  __device__ void init(uint32_t arrivals) {
    FASTDL_SM90_ASM("mbarrier.init.shared::cta.b64 [%0], %1;" ::"r"(shared_address(this)),
                    "r"(arrivals) : "memory");
  }

  // Ends the life of the barrier: its memory may serve for something else.
  __device__ void invalidate() {
    FASTDL_SM90_ASM("mbarrier.inval.shared::cta.b64 [%0];" ::"r"(shared_address(this)) : "memory");
  }

  __device__ void arrive() {
    FASTDL_SM90_ASM(
        "mbarrier.arrive.shared::cta.b64 _, [%0];" ::"r"(shared_address(this)) : "memory");
  }

  // Arrives, and has the phase wait for `bytes` of asynchronous copies.
  __device__ void arrive_expect(uint32_t bytes) {
    FASTDL_SM90_ASM(
        "mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"(shared_address(this)),
        "r"(bytes) : "memory");
  }

  // Arrives at the barrier that another block of the cluster has at this address.
  __device__ void arrive_remote(uint32_t rank) {
    FASTDL_SM90_ASM(
        "{\n"
        ".reg .b32 remote;\n"
        "mapa.shared::cluster.u32 remote, %0, %1;\n"
        "mbarrier.arrive.release.cluster.shared::cluster.b64 _, [remote];\n"
        "}" ::"r"(shared_address(this)),
        "r"(rank) : "memory");
  }

  // The same by a thread that has written nothing which the other block is to see, for instance when
  // it says that what it was sent may be overwritten: a release of the cluster's scope would wait for
  // all of the thread's memory accesses, on the device (MEMBAR.ALL.GPU).
  __device__ void arrive_remote_reader(uint32_t rank) {
    FASTDL_SM90_ASM(
        "{\n"
        ".reg .b32 remote;\n"
        "mapa.shared::cluster.u32 remote, %0, %1;\n"
        "mbarrier.arrive.shared::cluster.b64 _, [remote];\n"
        "}" ::"r"(shared_address(this)),
        "r"(rank) : "memory");
  }

  // Whether the phase of this parity has ended. It may sleep a while before it says no.
  template <Scope scope = Scope::block>
  __device__ bool try_wait(uint32_t parity) {
    uint32_t done = 0;
    if constexpr (scope == Scope::block)
      FASTDL_SM90_ASM(
          "{\n"
          ".reg .pred done;\n"
          "mbarrier.try_wait.parity.shared::cta.b64 done, [%1], %2;\n"
          "selp.u32 %0, 1, 0, done;\n"
          "}" : "=r"(done) : "r"(shared_address(this)),
          "r"(parity) : "memory");
    else
      FASTDL_SM90_ASM(
          "{\n"
          ".reg .pred done;\n"
          "mbarrier.try_wait.parity.acquire.cluster.shared::cta.b64 done, [%1], %2;\n"
          "selp.u32 %0, 1, 0, done;\n"
          "}" : "=r"(done) : "r"(shared_address(this)),
          "r"(parity) : "memory");
    return done != 0;
  }

  template <Scope scope = Scope::block>
  __device__ void wait(uint32_t parity) {
    while (!try_wait<scope>(parity)) {
    }
  }
};

// Makes the thread's inits known to the copy engine and to the blocks of the cluster ("membar,
// fence": fence.mbarrier_init).
__device__ inline void fence_mbarrier_init() {
  FASTDL_SM90_ASM("fence.mbarrier_init.release.cluster;" :: : "memory");
}

// Between the thread's own writes to shared memory and their reading by the copy engine or by
// wgmma, which look at memory through another proxy ("Async proxy").
__device__ inline void fence_proxy_async() {
  FASTDL_SM90_ASM("fence.proxy.async.shared::cta;" :: : "memory");
}

}  // namespace fastdl::cuda
