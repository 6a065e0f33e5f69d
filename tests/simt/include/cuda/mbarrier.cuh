// The model of csrc/cuda/mbarrier.cuh; the meaning is in mbarriers.cc.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/mma.cuh"

namespace fastdl::cuda {

enum class Scope { block, cluster };

// The model keeps the state elsewhere, by address.
struct alignas(8) Mbarrier {
  uint64_t state;

  SIMT_WRAPPER void init(uint32_t arrivals) { simt::mbarrier_init(this, arrivals); }
  SIMT_WRAPPER void invalidate() { simt::mbarrier_invalidate(this); }
  SIMT_WRAPPER void arrive() { simt::mbarrier_arrive(this); }
  SIMT_WRAPPER void arrive_expect(uint32_t bytes) { simt::mbarrier_expect(this, bytes); }
  SIMT_WRAPPER void arrive_remote(uint32_t rank) {
    simt::mbarrier_arrive(simt::remote_shared(this, rank));
  }
  SIMT_WRAPPER void arrive_remote_reader(uint32_t rank) { arrive_remote(rank); }
  template <Scope scope = Scope::block>
  SIMT_WRAPPER bool try_wait(uint32_t parity, SIMT_SITE) {
    return simt::mbarrier_try_wait(this, parity, site);
  }
  template <Scope scope = Scope::block>
  SIMT_WRAPPER void wait(uint32_t parity, SIMT_SITE) {
    simt::mbarrier_wait(this, parity, site);
  }
};

SIMT_WRAPPER void fence_mbarrier_init() { simt::fence_mbarrier_init(); }
SIMT_WRAPPER void fence_proxy_async() { simt::fence_proxy_async(); }

}  // namespace fastdl::cuda
