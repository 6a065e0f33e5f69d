// The model of csrc/cuda/cluster.cuh; the meaning is in clusters.cc.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/mma.cuh"

namespace fastdl::cuda {

SIMT_WRAPPER uint32_t cluster_rank() { return simt::cluster_rank(); }
SIMT_WRAPPER uint32_t cluster_size() { return simt::cluster_size(); }

SIMT_WRAPPER void cluster_arrive() { simt::cluster_arrive(); }
SIMT_WRAPPER void cluster_wait(SIMT_SITE) { simt::cluster_wait(site); }
SIMT_WRAPPER void cluster_sync(SIMT_SITE) {
  simt::cluster_arrive();
  simt::cluster_wait(site);
}

template <class T>
SIMT_WRAPPER T* remote_shared(T* shared, uint32_t rank) {
  return static_cast<T*>(simt::remote_shared(shared, rank));
}

}  // namespace fastdl::cuda
