// Bugs between the blocks of a cluster.
#include "cuda/cluster.cuh"
#include "cuda/mbarrier.cuh"
#include "cuda/shared.cuh"
#include "faults/fault.h"

using namespace fastdl::cuda;
using simt_test::context;
using simt_test::device_array;

namespace {

constexpr unsigned kThreads = 32, kCluster = 2;

void run(void (*kernel)(int*)) {
  launch(context(), kernel, LaunchShape{dim3(kCluster), dim3(kThreads), 1024, kCluster},
         device_array<int>(kCluster * kThreads));
}

}  // namespace

template <bool faulty>
__global__ void read_at_once(int* y) {
  int* const mine = reinterpret_cast<int*>(dynamic_shared());
  mine[threadIdx.x] = static_cast<int>(threadIdx.x);  // FAULT: race
  if (!faulty) cluster_sync();
  y[blockIdx.x * kThreads + threadIdx.x] =
      remote_shared(mine, cluster_rank() ^ 1)[threadIdx.x];  // FAULT: race FAULT: unwritten
  cluster_sync();
}
PROGRAM(remote_read_before_cluster_sync) { run(faulty ? read_at_once<true> : read_at_once<false>); }

template <bool faulty>
__global__ void arrive_at_unknown_barrier(int* y) {
  Mbarrier* const barrier = reinterpret_cast<Mbarrier*>(dynamic_shared());
  if (threadIdx.x == 0) {
    barrier->init(1);  // FAULT: race
    fence_mbarrier_init();
  }
  if (faulty)
    __syncthreads();
  else
    cluster_sync();
  if (threadIdx.x == 0) barrier->arrive_remote(cluster_rank() ^ 1);  // FAULT: race FAULT: unwritten
  barrier->wait<Scope::cluster>(0);
  y[blockIdx.x * kThreads + threadIdx.x] = 0;
  cluster_sync();
}
PROGRAM(remote_arrival_before_cluster_sync) {
  run(faulty ? arrive_at_unknown_barrier<true> : arrive_at_unknown_barrier<false>);
}

template <bool faulty>
__global__ void arrive_twice(int* y) {
  cluster_arrive();
  if (!faulty) cluster_wait();
  cluster_arrive();  // FAULT: wrong-phase
  cluster_wait();
  y[blockIdx.x * kThreads + threadIdx.x] = 0;
}
PROGRAM(cluster_arrive_twice) { run(faulty ? arrive_twice<true> : arrive_twice<false>); }

template <bool faulty>
__global__ void write_beyond_the_cluster(int* y) {
  int* const mine = reinterpret_cast<int*>(dynamic_shared());
  const unsigned next = faulty ? cluster_rank() + 1 : (cluster_rank() + 1) % cluster_size();
  remote_shared(mine, next)[threadIdx.x] = 1;  // FAULT: out-of-bounds
  cluster_sync();
  y[blockIdx.x * kThreads + threadIdx.x] = mine[threadIdx.x];
}
PROGRAM(no_such_block_in_the_cluster) {
  run(faulty ? write_beyond_the_cluster<true> : write_beyond_the_cluster<false>);
}

template <bool faulty>
__global__ void read_at_the_end(int* y) {
  int* const mine = reinterpret_cast<int*>(dynamic_shared());
  mine[threadIdx.x] = static_cast<int>(threadIdx.x);
  cluster_sync();
  const int* const other = remote_shared(mine, cluster_rank() ^ 1);
  y[blockIdx.x * kThreads + threadIdx.x] = other[threadIdx.x];  // FAULT: out-of-bounds
  if (!faulty) cluster_sync();
}
PROGRAM(block_ends_while_others_read_it) {
  run(faulty ? read_at_the_end<true> : read_at_the_end<false>);
}
