// Bugs with wgmma. The operands are a 64 x 16 tile and an N = 64 x 16 tile, rows of 32 bytes with
// the 32-byte swizzle, all ones: every sum is 16.
#include "cuda/shared.cuh"
#include "cuda/wgmma.cuh"
#include "faults/fault.h"

using namespace fastdl;
using namespace fastdl::cuda;
using simt_test::context;
using simt_test::device_array;
using simt_test::expect_equal;

namespace {

constexpr unsigned kThreads = 128;
constexpr uint32_t kTile = 64 * 16 * sizeof(Half);

__device__ void fill_with_ones(bool fence) {
  Half* const tiles = reinterpret_cast<Half*>(dynamic_shared());
  for (unsigned i = threadIdx.x; i < 2 * 64 * 16; i += kThreads) tiles[i] = 1.f;
  if (fence) fence_proxy_async();
  __syncthreads();
}
__device__ MatrixDescriptor tile_a() { return k_descriptor<Swizzle::b32>(dynamic_shared()); }
__device__ MatrixDescriptor tile_b() {
  return k_descriptor<Swizzle::b32>(dynamic_shared() + kTile);
}

void run(void (*kernel)(float*), float* y) {
  launch(context(), kernel, LaunchShape{dim3(1), dim3(kThreads), 2 * kTile}, y);
}
void run(void (*kernel)(float*)) { run(kernel, device_array<float>(kThreads)); }

}  // namespace

template <bool faulty>
__global__ void read_before_wait(float* y) {
  fill_with_ones(true);
  WgmmaAccumulator<64> d;
  wgmma_fence();
  wgmma<Half>(d, tile_a(), tile_b(), false);
  wgmma_commit();
  wgmma_wait<faulty ? 1 : 0>(d);
  y[threadIdx.x] = d.v[0];  // FAULT: in-flight
  wgmma_wait<0>(d);
}
PROGRAM(wgmma_result_read_before_wait) {
  run(faulty ? read_before_wait<true> : read_before_wait<false>);
}

template <bool faulty>
__global__ void never_wait(float* y) {
  fill_with_ones(true);
  WgmmaAccumulator<64> d;
  wgmma_fence();
  wgmma<Half>(d, tile_a(), tile_b(), false);
  if (!faulty) wgmma_commit();  // what was not committed is not waited for
  wgmma_wait<0>(d);
  y[threadIdx.x] = d.v[0];  // FAULT: in-flight
}
PROGRAM(wgmma_not_committed) { run(faulty ? never_wait<true> : never_wait<false>); }

template <bool faulty>
__global__ void no_proxy_fence(float* y) {
  fill_with_ones(!faulty);
  WgmmaAccumulator<64> d;
  wgmma_fence();
  wgmma<Half>(d, tile_a(), tile_b(), false);  // FAULT: missing-proxy-fence
  wgmma_commit();
  wgmma_wait<0>(d);
  y[threadIdx.x] = d.v[0];
}
PROGRAM(wgmma_operand_without_proxy_fence) {
  run(faulty ? no_proxy_fence<true> : no_proxy_fence<false>);
}

template <bool faulty>
__global__ void no_wgmma_fence(float* y) {
  fill_with_ones(true);
  WgmmaAccumulator<64> d{};
  if (!faulty) wgmma_fence();
  wgmma<Half>(d, tile_a(), tile_b());  // FAULT: missing-fence
  wgmma_commit();
  wgmma_wait<0>(d);
  y[threadIdx.x] = d.v[0];
}
PROGRAM(wgmma_without_its_fence) { run(faulty ? no_wgmma_fence<true> : no_wgmma_fence<false>); }

template <bool faulty>
__global__ void overwrite_operand(float* y) {
  fill_with_ones(true);
  WgmmaAccumulator<64> d;
  wgmma_fence();
  wgmma<Half>(d, tile_a(), tile_b(), false);
  wgmma_commit();
  if (!faulty) wgmma_wait<0>(d);
  dynamic_shared()[threadIdx.x] = 0;  // FAULT: race FAULT: missing-proxy-fence
  wgmma_wait<0>(d);                   // FAULT: race FAULT: missing-proxy-fence
  y[threadIdx.x] = d.v[0];
}
PROGRAM(wgmma_operand_overwritten_before_wait) {
  run(faulty ? overwrite_operand<true> : overwrite_operand<false>);
}

template <bool faulty>
__global__ void warps_disagree(float* y) {
  fill_with_ones(true);
  WgmmaAccumulator<64> d;
  wgmma_fence();
  const bool swap = faulty && threadIdx.x >= 96;
  wgmma<Half>(d, swap ? tile_b() : tile_a(), tile_b(), false);  // FAULT: divergent-warpgroup
  wgmma_commit();
  wgmma_wait<0>(d);
  y[threadIdx.x] = d.v[0];
}
PROGRAM(wgmma_with_different_operands) {
  run(faulty ? warps_disagree<true> : warps_disagree<false>);
}

template <bool faulty>
__global__ void three_warps(float* y) {
  fill_with_ones(true);
  WgmmaAccumulator<64> d{};
  if (!faulty || threadIdx.x < 96) {
    wgmma_fence();
    wgmma<Half>(d, tile_a(), tile_b(), false);
    wgmma_commit();
    wgmma_wait<0>(d);  // FAULT: deadlock
  }
  y[threadIdx.x] = d.v[0];
}
PROGRAM(wgmma_by_three_warps) { run(faulty ? three_warps<true> : three_warps<false>); }

// With rows of 64 bytes the tile would reach twice as far.
template <bool faulty>
__global__ void wrong_mode(float* y) {
  fill_with_ones(true);
  WgmmaAccumulator<64> d;
  const MatrixDescriptor b =
      faulty ? k_descriptor<Swizzle::b64>(dynamic_shared() + kTile) : tile_b();
  wgmma_fence();
  wgmma<Half>(d, tile_a(), b, false);  // FAULT: out-of-bounds
  wgmma_commit();
  wgmma_wait<0>(d);
  y[threadIdx.x] = d.v[0];
}
PROGRAM(wgmma_descriptor_of_another_swizzle) { run(faulty ? wrong_mode<true> : wrong_mode<false>); }

// a[i][k] = 1 and b[j][k] = 2 for k < 8, else 0; without the swizzle odd groups of rows change
// halves.
template <bool faulty>
__global__ void forgotten_swizzle(float* y) {
  fill_with_ones(true);
  unsigned char* const a = dynamic_shared();
  for (uint32_t i = threadIdx.x; i < 64 * 16; i += kThreads) {
    const uint32_t offset = i * 2;
    const Half value = i % 16 < 8 ? 1.f : 0.f;
    *reinterpret_cast<Half*>(a + (faulty ? offset : swizzled(Swizzle::b32, offset))) = value;
  }
  Half* const b = reinterpret_cast<Half*>(a + kTile);
  for (uint32_t i = threadIdx.x; i < 64 * 16; i += kThreads)
    *reinterpret_cast<Half*>(reinterpret_cast<unsigned char*>(b) + swizzled(Swizzle::b32, i * 2)) =
        i % 16 < 8 ? 2.f : 0.f;
  fence_proxy_async();
  __syncthreads();
  WgmmaAccumulator<64> d;
  wgmma_fence();
  wgmma<Half>(d, tile_a(), tile_b(), false);
  wgmma_commit();
  wgmma_wait<0>(d);
  y[threadIdx.x] = d.v[0];
}
static void require_sixteen(const float* y) {
  expect_equal(y, std::vector<float>(kThreads, 16.f));  // FAULT: wrong-result
}
PROGRAM(wgmma_of_unswizzled_tile) {
  float* const y = device_array<float>(kThreads);
  run(faulty ? forgotten_swizzle<true> : forgotten_swizzle<false>, y);
  require_sixteen(y);
}
