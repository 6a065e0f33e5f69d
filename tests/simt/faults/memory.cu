// Memory that was never written, and vectors at odd addresses.
#include "faults/fault.h"

using namespace fastdl::cuda;
using simt_test::context;
using simt_test::device_array;

__global__ void padded_tile(float* y, int filled) {
  __shared__ float tile[64];
  if (static_cast<int>(threadIdx.x) < filled) tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];  // FAULT: unwritten
}
PROGRAM(unwritten_shared) {
  launch(context(), padded_tile, dim3(1), dim3(64), device_array<float>(64), faulty ? 60 : 64);
}

__global__ void copy_all(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];  // FAULT: unwritten
}
PROGRAM(unwritten_global) {
  void* fresh = nullptr;
  cudaMalloc(&fresh, 64 * sizeof(float));
  if (!faulty) cudaMemset(fresh, 0, 64 * sizeof(float));
  launch(context(), copy_all, dim3(1), dim3(64), static_cast<float*>(fresh),
         device_array<float>(64));
}

__global__ void load_vector(const float* x, float* y) {
  store_pack<4>(y, load_pack<4>(x));  // FAULT: unaligned
}
PROGRAM(unaligned_vector) {
  float* x = device_array<float>(8);
  launch(context(), load_vector, dim3(1), dim3(1), x + (faulty ? 1 : 0), device_array<float>(4));
}

// The second block must not see what the first one left in shared memory.
__global__ void left_over(float* y, bool always) {
  __shared__ float tile[1];
  if (always || blockIdx.x == 0) tile[0] = 1;
  y[blockIdx.x] = tile[0];  // FAULT: unwritten
}
PROGRAM(shared_of_an_earlier_block) {
  launch(context(), left_over, dim3(2), dim3(1), device_array<float>(2), !faulty);
}

// The first fault counts: the second launch would read what the first did not come to write.
namespace {  // as most kernels are: messages name them all the same

template <bool faulty>
__global__ void first_launch(float* y) {
  if (faulty) y[threadIdx.x + 64] = 1;  // FAULT: out-of-bounds
  y[threadIdx.x] = 1;
}
__global__ void second_launch(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x]; }

}  // namespace

PROGRAM(fault_before_a_good_launch) {
  void* fresh = nullptr;
  cudaMalloc(&fresh, 64 * sizeof(float));
  float* y = static_cast<float*>(fresh);
  launch(context(), faulty ? first_launch<true> : first_launch<false>, dim3(1), dim3(64), y);
  launch(context(), second_launch, dim3(1), dim3(64), y, device_array<float>(64));
}
