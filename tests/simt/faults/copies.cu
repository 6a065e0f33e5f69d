// Bugs with mbarriers and the copy engine.
#include "cuda/shared.cuh"
#include "cuda/tma.cuh"
#include "faults/fault.h"

using namespace fastdl;
using namespace fastdl::cuda;
using simt_test::context;
using simt_test::device_array;
using simt_test::expect_equal;

namespace {

constexpr int kCount = 256;  // floats
constexpr uint32_t kBytes = kCount * sizeof(float);
constexpr int kThreads = 64;

std::vector<float> numbers(size_t n) {
  std::vector<float> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = static_cast<float>(i % 251);
  return out;
}

float* device_numbers(size_t n) {
  float* const p = device_array<float>(n);
  cudaMemcpy(p, numbers(n).data(), n * sizeof(float), cudaMemcpyHostToDevice);
  return p;
}

__device__ float* shared_floats() { return reinterpret_cast<float*>(dynamic_shared()); }

// The kernels get a `tile` of kCount floats.
void run(void (*kernel)(const float*, float*)) {
  launch(context(), kernel, LaunchShape{dim3(1), dim3(kThreads), kBytes},
         device_numbers(2 * kCount), device_array<float>(kCount));
}

}  // namespace

// Parity 1 is that of the phase before the first one: it does not wait at all.
template <bool faulty>
__global__ void wait_for_phase_before(const float* x, float* y) {
  float* const tile = shared_floats();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(kBytes);
    bulk_load(tile, x, kBytes, full);
  }
  __syncthreads();
  full.wait(faulty ? 1 : 0);
  y[threadIdx.x] = tile[threadIdx.x];  // FAULT: in-flight
}
PROGRAM(barrier_phase_too_early) {
  run(faulty ? wait_for_phase_before<true> : wait_for_phase_before<false>);
}

template <bool faulty>
__global__ void wait_for_phase_after(const float* x, float* y) {
  float* const tile = shared_floats();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
  }
  __syncthreads();
  for (uint32_t round = 0; round < 2; ++round) {
    if (threadIdx.x == 0) {
      full.arrive_expect(kBytes);
      bulk_load(tile, x + round * kCount, kBytes, full);
    }
    full.wait(faulty ? round ^ 1 : round);  // FAULT: deadlock
    y[threadIdx.x] = tile[threadIdx.x];     // FAULT: in-flight FAULT: unwritten
    __syncthreads();
  }
}
PROGRAM(barrier_phase_off_by_one) {
  run(faulty ? wait_for_phase_after<true> : wait_for_phase_after<false>);
}

template <bool faulty>
__global__ void expect_part(const float* x, float* y) {
  float* const tile = shared_floats();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(faulty ? kBytes / 2 : kBytes);
    bulk_load(tile, x, kBytes / 2, full);
    bulk_load(tile + kCount / 2, x + kCount / 2, kBytes / 2, full);
  }
  __syncthreads();
  full.wait(0);
  y[threadIdx.x] = tile[kCount - 1 - threadIdx.x];  // FAULT: in-flight
}
PROGRAM(barrier_expects_too_few_bytes) { run(faulty ? expect_part<true> : expect_part<false>); }

template <bool faulty>
__global__ void expect_more(const float* x, float* y) {
  float* const tile = shared_floats();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(faulty ? kBytes + 16 : kBytes);
    bulk_load(tile, x, kBytes, full);
  }
  __syncthreads();
  full.wait(0);  // FAULT: deadlock
  y[threadIdx.x] = tile[threadIdx.x];
}
PROGRAM(barrier_expects_too_many_bytes) { run(faulty ? expect_more<true> : expect_more<false>); }

// While the bytes of a phase are outstanding its arrivals are all there: one more is undefined.
template <bool faulty>
__global__ void arrive_once_more(const float* x, float* y) {
  float* const tile = shared_floats();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(kBytes);
    bulk_load(tile, x, kBytes, full);
    if (faulty) full.arrive();  // FAULT: wrong-phase
  }
  __syncthreads();
  full.wait(0);
  y[threadIdx.x] = tile[threadIdx.x];
}
PROGRAM(barrier_with_too_many_arrivals) {
  run(faulty ? arrive_once_more<true> : arrive_once_more<false>);
}

template <bool faulty>
__global__ void use_uninitialised(const float*, float* y) {
  __shared__ Mbarrier ready[2];
  if (threadIdx.x == 0)
    for (int i = 0; i < (faulty ? 1 : 2); ++i) ready[i].init(kThreads);
  __syncthreads();
  ready[1].arrive();  // FAULT: unwritten FAULT: no-barrier
  ready[1].wait(0);
  y[threadIdx.x] = 0;
}
PROGRAM(barrier_not_initialised) {
  run(faulty ? use_uninitialised<true> : use_uninitialised<false>);
}

template <bool faulty>
__global__ void use_at_once(const float*, float* y) {
  __shared__ Mbarrier ready;
  if (threadIdx.x == 0) ready.init(kThreads);  // FAULT: race
  if (!faulty) __syncthreads();
  ready.arrive();  // FAULT: race FAULT: unwritten
  ready.wait(0);
  y[threadIdx.x] = 0;
}
PROGRAM(barrier_used_before_others_know_it) {
  run(faulty ? use_at_once<true> : use_at_once<false>);
}

template <bool faulty>
__global__ void initialise_again(const float*, float* y) {
  __shared__ Mbarrier ready;
  for (int round = 0; round < 2; ++round) {
    if (threadIdx.x == 0) ready.init(kThreads);  // FAULT: live-barrier
    __syncthreads();
    ready.arrive();
    ready.wait(0);
    __syncthreads();
    if (!faulty && threadIdx.x == 0) ready.invalidate();
  }
  y[threadIdx.x] = 0;
}
PROGRAM(barrier_initialised_twice) {
  run(faulty ? initialise_again<true> : initialise_again<false>);
}

template <bool faulty>
__global__ void no_init_fence(const float* x, float* y) {
  float* const tile = shared_floats();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    if (!faulty) fence_mbarrier_init();
    full.arrive_expect(kBytes);
    bulk_load(tile, x, kBytes, full);  // FAULT: missing-barrier-fence
  }
  __syncthreads();
  full.wait(0);
  y[threadIdx.x] = tile[threadIdx.x];
}
PROGRAM(missing_fence_after_barrier_init) {
  run(faulty ? no_init_fence<true> : no_init_fence<false>);
}

// Two stages in turn: a stage is filled again only when all have read it.
template <bool faulty>
__global__ void refill_too_early(const float* x, float* y) {
  float* const tile = shared_floats();
  __shared__ Mbarrier full, empty;
  if (threadIdx.x == 0) {
    full.init(1);
    empty.init(kThreads);
    fence_mbarrier_init();
  }
  __syncthreads();
  for (uint32_t round = 0; round < 2; ++round) {
    if (threadIdx.x == 0) {
      if (!faulty) empty.wait(round ^ 1);
      full.arrive_expect(kBytes);
      bulk_load(tile, x + round * kCount, kBytes, full);  // FAULT: race
    }
    full.wait(round);
    y[threadIdx.x] = tile[threadIdx.x];  // FAULT: race FAULT: in-flight
    empty.arrive();
  }
}
PROGRAM(stage_refilled_before_it_was_read) {
  run(faulty ? refill_too_early<true> : refill_too_early<false>);
}

template <bool faulty>
__global__ void store_unfenced(const float* x, float* y) {
  float* const tile = shared_floats();
  for (unsigned i = threadIdx.x; i < kCount; i += kThreads)
    tile[i] = x[i];  // FAULT: missing-proxy-fence
  if (!faulty) fence_proxy_async();
  __syncthreads();
  if (threadIdx.x == 0) {
    bulk_store(y, tile, kBytes);  // FAULT: missing-proxy-fence
    bulk_commit();
    bulk_wait_read<0>();
  }
}
PROGRAM(missing_proxy_fence) { run(faulty ? store_unfenced<true> : store_unfenced<false>); }

// Zeros, and then a load on top of them, through the other proxy.
template <bool faulty>
__global__ void load_over_zeros(const float* x, float* y) {
  float* const tile = shared_floats();
  __shared__ Mbarrier full;
  for (unsigned i = threadIdx.x; i < kCount; i += kThreads) tile[i] = 0;
  if (!faulty) fence_proxy_async();
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    full.arrive_expect(kBytes / 2);
    bulk_load(tile, x, kBytes / 2, full);  // FAULT: missing-proxy-fence
  }
  full.wait(0);
  y[threadIdx.x] = tile[kCount - 1 - threadIdx.x];
}
PROGRAM(missing_proxy_fence_before_load) {
  run(faulty ? load_over_zeros<true> : load_over_zeros<false>);
}

template <bool faulty>
__global__ void overwrite_source(const float* x, float* y) {
  float* const tile = shared_floats();
  if (threadIdx.x > 0) return;
  for (unsigned i = 0; i < kCount; ++i) tile[i] = x[i];
  fence_proxy_async();
  bulk_store(y, tile, kBytes);  // FAULT: missing-proxy-fence
  bulk_commit();
  if (!faulty) bulk_wait_read<0>();
  tile[0] = 1;  // FAULT: missing-proxy-fence
  bulk_wait<0>();
}
PROGRAM(source_overwritten_before_it_was_read) {
  run(faulty ? overwrite_source<true> : overwrite_source<false>);
}

template <bool faulty>
__global__ void return_too_early(const float* x, float* y) {
  float* const tile = shared_floats();
  if (threadIdx.x > 0) return;
  for (unsigned i = 0; i < kCount; ++i) tile[i] = x[i];
  fence_proxy_async();
  bulk_store(y, tile, kBytes);  // FAULT: missing-wait
  bulk_commit();
  if (!faulty) bulk_wait_read<0>();
}
PROGRAM(return_before_source_was_read) {
  run(faulty ? return_too_early<true> : return_too_early<false>);
}

template <bool faulty>
__global__ void read_destination(const float* x, float* y) {
  float* const tile = shared_floats();
  if (threadIdx.x > 0) return;
  for (unsigned i = 0; i < kCount; ++i) tile[i] = x[i];
  fence_proxy_async();
  bulk_store(y, tile, kBytes);
  bulk_commit();
  bulk_wait_read<0>();
  if (!faulty) bulk_wait<0>();
  y[0] += 1;  // FAULT: in-flight
}
PROGRAM(stored_bytes_read_before_they_arrive) {
  run(faulty ? read_destination<true> : read_destination<false>);
}

template <bool faulty>
__global__ void odd_size(const float* x, float* y) {
  float* const tile = shared_floats();
  __shared__ Mbarrier full;
  constexpr uint32_t kOdd = faulty ? kBytes - 4 : kBytes - 16;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(kOdd);
    bulk_load(tile, x, kOdd, full);  // FAULT: wrong-size
  }
  __syncthreads();
  full.wait(0);
  y[threadIdx.x] = tile[threadIdx.x];
}
PROGRAM(bulk_copy_of_odd_size) { run(faulty ? odd_size<true> : odd_size<false>); }

// ---- tensor copies: 8 rows of 128 bytes

namespace {

void run_tile(void (*kernel)(const TensorMap, float*), size_t shared, float* y) {
  TensorMap map;
  const TensorTile tile{device_numbers(kCount), 2, {32, 8}, {0, 128}, {32, 8}, Swizzle::b128};
  if (!make_tensor_map<float>(tile, map)) return;
  launch(context(), kernel, LaunchShape{dim3(1), dim3(kThreads), shared}, map, y);
}

}  // namespace

template <bool faulty>
__global__ void read_unswizzled(const __grid_constant__ TensorMap map, float* y) {
  unsigned char* const tile = dynamic_shared();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(kBytes);
    tile_load(tile, map, {0, 0}, full);
  }
  __syncthreads();
  full.wait(0);
  for (uint32_t i = threadIdx.x; i < kCount; i += kThreads) {
    const uint32_t offset = swizzled(faulty ? Swizzle::b64 : Swizzle::b128, i * 4);
    y[i] = *reinterpret_cast<const float*>(tile + offset);
  }
}
static void require_numbers(const float* y) {
  expect_equal(y, numbers(kCount));  // FAULT: wrong-result
}
PROGRAM(wrong_swizzle) {
  float* const y = device_array<float>(kCount);
  run_tile(faulty ? read_unswizzled<true> : read_unswizzled<false>, kBytes, y);
  require_numbers(y);
}

template <bool faulty>
__global__ void tile_off_its_period(const __grid_constant__ TensorMap map, float* y) {
  unsigned char* const tile = dynamic_shared() + (faulty ? 128 : 1024);
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(kBytes);
    tile_load(tile, map, {0, 0}, full);  // FAULT: unaligned
  }
  __syncthreads();
  full.wait(0);
  y[threadIdx.x] = *reinterpret_cast<const float*>(tile + swizzled(Swizzle::b128, threadIdx.x * 4));
}
PROGRAM(tile_not_aligned_to_its_swizzle) {
  run_tile(faulty ? tile_off_its_period<true> : tile_off_its_period<false>, 2 * kBytes,
           device_array<float>(kCount));
}

template <bool faulty>
__global__ void wrong_rank(const __grid_constant__ TensorMap map, float* y) {
  unsigned char* const tile = dynamic_shared();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(kBytes);
    if (faulty)
      tile_load(tile, map, {0, 0, 0}, full);  // FAULT: wrong-tensor-map
    else
      tile_load(tile, map, {0, 0}, full);
  }
  __syncthreads();
  full.wait(0);
  y[threadIdx.x] = *reinterpret_cast<const float*>(tile + swizzled(Swizzle::b128, threadIdx.x * 4));
}
PROGRAM(tile_of_another_rank) {
  run_tile(faulty ? wrong_rank<true> : wrong_rank<false>, kBytes, device_array<float>(kCount));
}

template <bool faulty>
__global__ void window_outside(const __grid_constant__ TensorMap map, float* y) {
  unsigned char* const tile = dynamic_shared();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(kBytes);
    im2col_load(tile, map, {0, faulty ? -2 : -1, 0, 0}, {0, 0}, full);  // FAULT: wrong-size
  }
  __syncthreads();
  full.wait(0);
  y[threadIdx.x] = *reinterpret_cast<const float*>(tile + swizzled(Swizzle::b128, threadIdx.x * 4));
}
PROGRAM(window_outside_of_the_box) {
  constexpr uint32_t kPixels = kBytes / 128;
  const float* const x = device_numbers(4096);
  TensorMap map;
  if (!make_im2col_map<float>({x,
                               {32, 8, 4, 4},
                               {0, 128, 1024, 4096},
                               {-1, -1},
                               {-1, -1},
                               {1, 1},
                               32,
                               kPixels,
                               Swizzle::b128},
                              map))
    return;
  launch(context(), faulty ? window_outside<true> : window_outside<false>,
         LaunchShape{dim3(1), dim3(kThreads), kBytes}, map, device_array<float>(kCount));
}
