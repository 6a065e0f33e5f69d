// Barriers and masks that not everybody keeps to.
#include "faults/fault.h"

using namespace fastdl::cuda;
using simt_test::context;
using simt_test::device_array;

__global__ void early_return(float* y, int n) {
  __shared__ float tile[64];
  if (static_cast<int>(threadIdx.x) >= n) return;
  tile[threadIdx.x] = 1;
  __syncthreads();  // FAULT: divergent-barrier
  y[threadIdx.x] = tile[63 - threadIdx.x];
}
PROGRAM(barrier_after_return) {
  launch(context(), early_return, dim3(1), dim3(64), device_array<float>(64), faulty ? 60 : 64);
}

__global__ void two_barriers(float* y, bool split) {
  if (split && threadIdx.x >= 32) {
    __syncthreads();  // FAULT: divergent-barrier
  } else {
    __syncthreads();  // FAULT: divergent-barrier
  }
  y[threadIdx.x] = 1;
}
PROGRAM(barrier_in_both_branches) {
  launch(context(), two_barriers, dim3(1), dim3(64), device_array<float>(64), faulty);
}

__global__ void half_warp(float* y, unsigned mask) {
  float v = static_cast<float>(threadIdx.x);
  if (threadIdx.x < 16) v = __shfl_xor_sync(mask, v, 1);  // FAULT: wrong-mask
  y[threadIdx.x] = v;
}
PROGRAM(shuffle_names_absent_lanes) {
  launch(context(), half_warp, dim3(1), dim3(32), device_array<float>(32),
         faulty ? 0xffffffffu : 0xffffu);
}

__global__ void foreign_lane(float* y, int distance) {
  float v = static_cast<float>(threadIdx.x);
  if (threadIdx.x < 16) v = __shfl_xor_sync(0xffffu, v, distance);  // FAULT: wrong-mask
  y[threadIdx.x] = v;
}
PROGRAM(shuffle_reads_absent_lane) {
  launch(context(), foreign_lane, dim3(1), dim3(32), device_array<float>(32), faulty ? 16 : 8);
}

__global__ void not_in_mask(float* y, unsigned mask) {
  y[threadIdx.x] = static_cast<float>(__ballot_sync(mask, 1));  // FAULT: wrong-mask
}
PROGRAM(vote_outside_its_mask) {
  launch(context(), not_in_mask, dim3(1), dim3(32), device_array<float>(32),
         faulty ? 0x7fffffffu : 0xffffffffu);
}
