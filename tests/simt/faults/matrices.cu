// Bugs with mma, ldmatrix and cp.async.
#include "cuda/mma.cuh"
#include "faults/fault.h"

using namespace fastdl;
using namespace fastdl::cuda;
using simt_test::context;
using simt_test::device_array;
using simt_test::expect_equal;

// c = a b with a = (row), b = (1): every column of c holds 16 times its row.
template <bool faulty>
__global__ void wrong_lane(float* c) {
  const int lane = static_cast<int>(threadIdx.x);
  FragmentA<Half> a;
  FragmentB<Half> b;
  Accumulator<Half> sum{};
  for (int i = 0; i < 4; ++i) {
    const Position p = position_a<Half>(lane, 2 * (faulty ? i ^ 1 : i));
    const Half row = static_cast<float>(p.row);
    a.r[i] = pack_pair(row, row);
  }
  for (int i = 0; i < 2; ++i) b.r[i] = pack_pair(Half(1.f), Half(1.f));
  mma(sum, a, b);
  for (int i = 0; i < 4; ++i) {
    const Position p = position_c(lane, i);
    c[p.row * 8 + p.column] = sum.v[i];
  }
}
static void require_rows(const float* c) {
  std::vector<float> should(16 * 8);
  for (size_t i = 0; i < should.size(); ++i) should[i] = static_cast<float>(i / 8 * 16);
  expect_equal(c, should);  // FAULT: wrong-result
}
PROGRAM(wrong_fragment_lane) {
  float* const c = device_array<float>(16 * 8);
  launch(context(), faulty ? wrong_lane<true> : wrong_lane<false>, dim3(1), dim3(32), c);
  require_rows(c);
}

template <bool faulty>
__global__ void half_a_warp(float* c) {
  const FragmentA<Half> a{};
  const FragmentB<Half> b{};
  Accumulator<Half> sum{};
  if (!faulty || threadIdx.x < 16) mma(sum, a, b);  // FAULT: wrong-mask FAULT: deadlock
  c[threadIdx.x] = sum.v[0];
}
PROGRAM(mma_by_half_a_warp) {
  launch(context(), faulty ? half_a_warp<true> : half_a_warp<false>, dim3(1), dim3(32),
         device_array<float>(32));
}

// Rows of 24 bytes: every other one is not aligned to 16.
template <bool faulty>
__global__ void short_rows(uint32_t* y) {
  constexpr int kPitch = faulty ? 12 : 16;
  alignas(16) __shared__ uint16_t tile[8 * kPitch];
  for (int i = static_cast<int>(threadIdx.x); i < 8 * kPitch; i += 32)
    tile[i] = static_cast<uint16_t>(i);
  __syncwarp();
  uint32_t r[1];
  load_matrix(r, tile + threadIdx.x % 8 * kPitch);  // FAULT: unaligned
  y[threadIdx.x] = r[0];
}
PROGRAM(ldmatrix_with_unaligned_rows) {
  launch(context(), faulty ? short_rows<true> : short_rows<false>, dim3(1), dim3(32),
         device_array<uint32_t>(32));
}

template <bool faulty>
__global__ void load_what_others_wrote(uint32_t* y) {
  alignas(16) __shared__ uint32_t tile[32];
  tile[threadIdx.x] = threadIdx.x;  // FAULT: race
  if (!faulty) __syncwarp();
  uint32_t r[1];
  load_matrix<true>(r, tile + threadIdx.x % 8 * 4);  // FAULT: race FAULT: unwritten
  y[threadIdx.x] = r[0];
}
PROGRAM(ldmatrix_without_syncwarp) {
  launch(context(), faulty ? load_what_others_wrote<true> : load_what_others_wrote<false>, dim3(1),
         dim3(32), device_array<uint32_t>(32));
}

template <bool faulty>
__global__ void read_at_once(const float* x, float* y) {
  alignas(16) __shared__ float tile[2][32];
  copy_async<4>(&tile[0][threadIdx.x], x + threadIdx.x);
  copy_commit();
  copy_async<4>(&tile[1][threadIdx.x], x + 32 + threadIdx.x);
  copy_commit();
  copy_wait<faulty ? 1 : 0>();
  y[threadIdx.x] = tile[1][threadIdx.x];  // FAULT: in-flight
}
PROGRAM(cp_async_read_before_its_wait) {
  launch(context(), faulty ? read_at_once<true> : read_at_once<false>, dim3(1), dim3(32),
         device_array<float>(64), device_array<float>(32));
}

// A thread's wait is for its own copies only.
template <bool faulty>
__global__ void read_neighbours(const float* x, float* y) {
  alignas(16) __shared__ float tile[64];
  copy_async<4>(tile + threadIdx.x, x + threadIdx.x);  // FAULT: race
  copy_commit();
  copy_wait<0>();
  if (!faulty) __syncthreads();
  y[threadIdx.x] = tile[63 - threadIdx.x];  // FAULT: race FAULT: unwritten FAULT: in-flight
}
PROGRAM(cp_async_without_barrier) {
  launch(context(), faulty ? read_neighbours<true> : read_neighbours<false>, dim3(1), dim3(64),
         device_array<float>(64), device_array<float>(64));
}

template <bool faulty>
__global__ void copy_sixteen_bytes(const float* x, float* y) {
  alignas(16) __shared__ float tile[32 * 4];
  const float* const from = x + threadIdx.x * 4 + (faulty ? 1 : 0);
  copy_async<16>(tile + threadIdx.x * 4, from);  // FAULT: unaligned
  copy_commit();
  copy_wait<0>();
  y[threadIdx.x] = tile[threadIdx.x * 4];
}
PROGRAM(cp_async_unaligned) {
  launch(context(), faulty ? copy_sixteen_bytes<true> : copy_sixteen_bytes<false>, dim3(1),
         dim3(32), device_array<float>(132), device_array<float>(32));
}

// The last of the threads has fewer than four elements: what does not exist is not to be read.
template <bool faulty>
__global__ void copy_a_tail(const float* x, float* y, int count) {
  alignas(16) __shared__ float tile[32 * 4];
  const int first = static_cast<int>(threadIdx.x) * 4, left = min(max(count - first, 0), 4);
  const float* const from = left ? x + first : x;
  copy_async<16>(tile + first, from, faulty && left ? 16 : left * 4);  // FAULT: out-of-bounds
  copy_commit();
  copy_wait<0>();
  for (int i = 0; i < 4; ++i) y[first + i] = tile[first + i];
}
PROGRAM(cp_async_beyond_the_end) {
  launch(context(), faulty ? copy_a_tail<true> : copy_a_tail<false>, dim3(1), dim3(32),
         device_array<float>(101), device_array<float>(128), 101);
}
