// Data that passes between threads without anything that orders the two accesses.
#include "faults/fault.h"

using namespace fastdl::cuda;
using simt_test::context;
using simt_test::device_array;

template <bool faulty>
__global__ void reverse(float* y) {
  __shared__ float tile[64];
  tile[threadIdx.x] = static_cast<float>(threadIdx.x);  // FAULT: race
  if (!faulty) __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x ^ 1];  // FAULT: race FAULT: unwritten
}
PROGRAM(missing_barrier) {
  launch(context(), faulty ? reverse<true> : reverse<false>, dim3(1), dim3(64),
         device_array<float>(64));
}

template <bool faulty>
__global__ void sum_rounds(float* y) {
  __shared__ float tile[64];
  float sum = 0;
  for (int round = 0; round < 3; ++round) {
    tile[threadIdx.x] = static_cast<float>(round);  // FAULT: race
    __syncthreads();
    sum += tile[63 - threadIdx.x];  // FAULT: race
    if (!faulty) __syncthreads();
  }
  y[threadIdx.x] = sum;
}
PROGRAM(missing_second_barrier) {
  launch(context(), faulty ? sum_rounds<true> : sum_rounds<false>, dim3(1), dim3(64),
         device_array<float>(64));
}

template <bool faulty>
__global__ void warp_transpose(float* y) {
  __shared__ float tile[32];
  tile[threadIdx.x] = 1;  // FAULT: race
  if (!faulty) __syncwarp();
  y[threadIdx.x] = tile[threadIdx.x ^ 1];  // FAULT: race FAULT: unwritten
}
PROGRAM(missing_syncwarp) {
  launch(context(), faulty ? warp_transpose<true> : warp_transpose<false>, dim3(1), dim3(32),
         device_array<float>(32));
}

// A shuffle makes lanes meet, but orders no memory.
template <bool faulty>
__global__ void shuffle_as_barrier(float* y) {
  __shared__ float tile[32];
  tile[threadIdx.x] = 1;  // FAULT: race
  const int lane = __shfl_xor_sync(0xffffffffu, static_cast<int>(threadIdx.x), 1);
  if (!faulty) __syncwarp();
  y[threadIdx.x] = tile[lane];  // FAULT: race
}
PROGRAM(shuffle_is_no_barrier) {
  launch(context(), faulty ? shuffle_as_barrier<true> : shuffle_as_barrier<false>, dim3(1),
         dim3(32), device_array<float>(32));
}

template <bool faulty>
__global__ void same_element(float* y) {
  if (!faulty || threadIdx.x < 2) y[faulty ? 0 : threadIdx.x] = 1;  // FAULT: race
}
PROGRAM(two_writers) {
  launch(context(), faulty ? same_element<true> : same_element<false>, dim3(1), dim3(64),
         device_array<float>(64));
}

template <bool faulty>
__global__ void count_up(int* y) {
  if (faulty)
    y[0] += 1;  // FAULT: race-of-blocks
  else
    atomicAdd(y, 1);
}
PROGRAM(blocks_update_one_number) {
  launch(context(), faulty ? count_up<true> : count_up<false>, dim3(4), dim3(1),
         device_array<int>(1));
}

template <bool faulty>
__global__ void neighbours(float* x) {
  const unsigned next = faulty ? (blockIdx.x + 1) % gridDim.x : blockIdx.x;
  const float v = x[next];  // FAULT: race-of-blocks
  x[blockIdx.x] = v + 1;    // FAULT: race-of-blocks
}
PROGRAM(block_reads_what_another_writes) {
  launch(context(), faulty ? neighbours<true> : neighbours<false>, dim3(4), dim3(1),
         device_array<float>(4));
}
