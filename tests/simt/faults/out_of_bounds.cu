// Indices that leave their array: in global memory, in static and in dynamic shared memory.
#include "cuda/shared.cuh"
#include "faults/fault.h"

using namespace fastdl::cuda;
using simt_test::context;
using simt_test::device_array;

__global__ void off_by_one(const float* x, float* y, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i <= n) y[i] = 1;  // FAULT: out-of-bounds
  (void)x;
}
PROGRAM(off_by_one_global) {
  float* y = device_array<float>(100);
  launch(context(), off_by_one, dim3(1), dim3(128), y, y, faulty ? 100 : 99);
}

__global__ void read_before_array(const float* x, float* y, int back) {
  const int i = static_cast<int>(threadIdx.x);
  y[i] = x[i - back];  // FAULT: out-of-bounds
}
PROGRAM(read_before_global) {
  float* x = device_array<float>(32);
  launch(context(), read_before_array, dim3(1), dim3(32), x, device_array<float>(32),
         faulty ? 1 : 0);
}

__global__ void use_after_free(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];  // FAULT: out-of-bounds
}
PROGRAM(use_after_release) {
  float* x = device_array<float>(32);
  if (faulty) cudaFree(x);
  launch(context(), use_after_free, dim3(1), dim3(32), x, device_array<float>(32));
}

__global__ void host_pointer(const float* x, float* y) {
  y[threadIdx.x] = x[threadIdx.x];  // FAULT: out-of-bounds
}
PROGRAM(host_memory) {
  static float host[32];
  float* on_heap = new float[32];
  launch(context(), host_pointer, dim3(1), dim3(32), faulty ? on_heap : device_array<float>(32),
         device_array<float>(32));
  delete[] on_heap;
  (void)host;
}

__global__ void static_array(float* y, int shift) {
  __shared__ float tile[32];
  tile[threadIdx.x] = 1;
  __syncthreads();
  y[threadIdx.x] = tile[threadIdx.x + shift];  // FAULT: out-of-bounds
}
PROGRAM(static_shared_array) {
  launch(context(), static_array, dim3(1), dim3(32), device_array<float>(32), faulty ? 1 : 0);
}

__global__ void dynamic_array(float* y, int shift) {
  float* tile = reinterpret_cast<float*>(dynamic_shared());
  tile[threadIdx.x + shift] = 1;  // FAULT: out-of-bounds
  __syncthreads();
  if (shift == 0) y[threadIdx.x] = tile[threadIdx.x];
}
PROGRAM(dynamic_shared_array) {
  launch(context(), dynamic_array, LaunchShape{dim3(1), dim3(32), 32 * sizeof(float)},
         device_array<float>(32), faulty ? 1 : 0);
}
