// The model of csrc/cuda/grid_barrier.cuh; the meaning is in grid_barrier.cc.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "wrappers.h"

namespace fastdl::cuda {

SIMT_WRAPPER void publish(uint32_t* counter, uint32_t step) {
  simt::check_atomic(counter, sizeof *counter);
  simt::publish(counter, step);
}

SIMT_WRAPPER void await(const uint32_t* counters, int count, uint32_t step, SIMT_SITE) {
  for (int i = 0; i < count; ++i) {
    simt::check_atomic(const_cast<uint32_t*>(counters + i), sizeof *counters);
    simt::await(counters + i, step, site);
  }
}

}  // namespace fastdl::cuda
