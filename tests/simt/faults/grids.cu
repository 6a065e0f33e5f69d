// Bugs between the blocks of a cooperative grid.
#include "cuda/grid_barrier.cuh"
#include "faults/fault.h"

using namespace fastdl::cuda;
using simt_test::context;
using simt_test::device_array;

namespace {

constexpr unsigned kThreads = 64, kBlocks = 3;

// kernel(values, y, counters), with an element of each array for every thread.
void run(void (*kernel)(int*, int*, uint32_t*), bool cooperative = true) {
  LaunchShape shape{dim3(kBlocks), dim3(kThreads)};
  shape.cooperative = cooperative;
  launch(context(), kernel, shape, device_array<int>(2 * kBlocks * kThreads),
         device_array<int>(kBlocks * kThreads), device_array<uint32_t>(kBlocks));
}

__device__ unsigned own() { return blockIdx.x * kThreads + threadIdx.x; }
__device__ unsigned neighbour() { return (blockIdx.x + 1) % kBlocks; }

}  // namespace

template <bool faulty>
__global__ void read_at_once(int* values, int* y, uint32_t* counters) {
  values[own()] = 1;  // FAULT: race
  __syncthreads();
  if (threadIdx.x == 0) publish(counters + blockIdx.x, 1);
  if (!faulty) await(counters, kBlocks, 1);
  y[own()] = values[neighbour() * kThreads + threadIdx.x];  // FAULT: race
}
PROGRAM(no_await) { run(faulty ? read_at_once<true> : read_at_once<false>); }

template <bool faulty>
__global__ void await_another(int* values, int* y, uint32_t* counters) {
  values[own()] = 1;  // FAULT: race
  __syncthreads();
  if (threadIdx.x == 0) publish(counters + blockIdx.x, 1);
  await(counters + (faulty ? blockIdx.x : neighbour()), 1, 1);
  y[own()] = values[neighbour() * kThreads + threadIdx.x];  // FAULT: race
}
PROGRAM(await_of_another_block) { run(faulty ? await_another<true> : await_another<false>); }

template <bool faulty>
__global__ void publish_early(int* values, int* y, uint32_t* counters) {
  values[own()] = 1;  // FAULT: race
  if (!faulty) __syncthreads();
  if (threadIdx.x == 0) publish(counters + blockIdx.x, 1);
  await(counters, kBlocks, 1);
  y[own()] = values[neighbour() * kThreads + threadIdx.x];  // FAULT: race
}
PROGRAM(publish_before_the_block_has_met) {
  run(faulty ? publish_early<true> : publish_early<false>);
}

// Two buffers in turn need one exchange a step; one buffer would need two.
template <bool faulty>
__global__ void steps(int* values, int* y, uint32_t* counters) {
  int sum = 0;
  for (uint32_t step = 0; step < 4; ++step) {
    int* const buffer = values + (faulty ? 0 : step % 2 * kBlocks * kThreads);
    buffer[own()] = 1;  // FAULT: race
    __syncthreads();
    if (threadIdx.x == 0) publish(counters + blockIdx.x, step + 1);
    await(counters, kBlocks, step + 1);
    sum += buffer[neighbour() * kThreads + threadIdx.x];  // FAULT: race
  }
  y[own()] = sum;
}
PROGRAM(one_buffer_for_all_steps) { run(faulty ? steps<true> : steps<false>); }

template <bool faulty>
__global__ void await_more(int* values, int* y, uint32_t* counters) {
  values[own()] = 1;
  __syncthreads();
  if (threadIdx.x == 0) publish(counters + blockIdx.x, 1);
  await(counters, kBlocks, faulty ? 2 : 1);  // FAULT: deadlock
  y[own()] = values[neighbour() * kThreads + threadIdx.x];
}
PROGRAM(await_of_what_is_never_published) { run(faulty ? await_more<true> : await_more<false>); }

__global__ void wait_for_each_other(int* values, int* y, uint32_t* counters) {
  values[own()] = 1;
  __syncthreads();
  if (threadIdx.x == 0) publish(counters + blockIdx.x, 1);
  await(counters, kBlocks, 1);  // FAULT: deadlock
  y[own()] = values[neighbour() * kThreads + threadIdx.x];
}
PROGRAM(await_in_an_ordinary_launch) { run(wait_for_each_other, !faulty); }
