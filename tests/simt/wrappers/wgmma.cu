// wgmma with operands in every layout, against loops; and a small matrix product in the form that
// the wrappers are made for.
#include <type_traits>

#include "cuda/hopper.cuh"
#include "cuda/shared.cuh"
#include "wrappers/check.h"

using namespace fastdl;
using namespace fastdl::cuda;
using namespace simt_test;

namespace {

constexpr int kWarpgroup = 128;

template <class T>
using Stored = std::conditional_t<std::is_same_v<T, Tf32>, float, T>;

// A tile of `rows` (along m or n) by `depth` (k) in boxes, as matrix_descriptor.cuh says.
template <class T, Swizzle swizzle, Major major, int rows, int depth>
struct SharedTile {
  using E = Stored<T>;
  static constexpr int kWidth = static_cast<int>(swizzle_width(swizzle) / sizeof(E));  // elements
  static constexpr uint32_t kBox = (major == Major::k ? rows : depth) * swizzle_width(swizzle);

  __device__ static uint32_t offset(int row, int k) {
    const int along = major == Major::k ? k : row, across = major == Major::k ? row : k;
    const auto in_box = static_cast<uint32_t>(across * kWidth + along % kWidth);
    return swizzled(swizzle, static_cast<uint32_t>(along / kWidth) * kBox +
                                 in_box * static_cast<uint32_t>(sizeof(E)));
  }
  // Of the columns k to k + Mma<T>::k.
  __device__ static MatrixDescriptor descriptor(const unsigned char* tile, int k) {
    if constexpr (major == Major::k)
      return k_descriptor<swizzle>(tile, kBox) +
             (static_cast<uint32_t>(k / kWidth) * kBox +
              static_cast<uint32_t>(k % kWidth) * static_cast<uint32_t>(sizeof(E)));
    else
      return mn_descriptor<swizzle>(tile, kBox) + static_cast<uint32_t>(k) * swizzle_width(swizzle);
  }
};

// c[64][N] = a[64][depth] b[depth][N]; the last step on top of a second wgmma_fence.
template <class T, int N, Swizzle swizzle, Major a_major, Major b_major, bool a_in_registers>
__global__ void __launch_bounds__(kWarpgroup)
    one_wgmma(const Stored<T>* a, const Stored<T>* b, float* c) {
  constexpr int kDepth = 4 * Mma<T>::k;
  using TileA = SharedTile<T, swizzle, a_major, 64, kDepth>;
  using TileB = SharedTile<T, swizzle, b_major, N, kDepth>;
  unsigned char* const tile_a = dynamic_shared();
  unsigned char* const tile_b = tile_a + 64 * kDepth * sizeof(Stored<T>);
  const int thread = static_cast<int>(threadIdx.x);
  for (int i = thread; i < 64 * kDepth; i += kWarpgroup)
    *reinterpret_cast<Stored<T>*>(tile_a + TileA::offset(i / kDepth, i % kDepth)) = a[i];
  for (int i = thread; i < N * kDepth; i += kWarpgroup)
    *reinterpret_cast<Stored<T>*>(tile_b + TileB::offset(i % N, i / N)) = b[i];
  fence_proxy_async();
  __syncthreads();

  WgmmaAccumulator<N> sum;
  const auto multiply = [&](int step) {
    const int k = step * Mma<T>::k;
    const MatrixDescriptor b_step = TileB::descriptor(tile_b, k);
    if constexpr (a_in_registers) {
      FragmentA<T> f;
      const auto at = [&](int i) {
        const Position p = position_a<T>(thread % 32, i);
        return a[(thread / 32 * 16 + p.row) * kDepth + k + p.column];
      };
#pragma unroll
      for (int i = 0; i < f.kRegisters; ++i)
        if constexpr (std::is_same_v<T, Tf32>)
          f.r[i] = to_tf32(at(i));
        else
          f.r[i] = pack_pair(at(2 * i), at(2 * i + 1));
      wgmma_fence();
      wgmma<T, b_major>(sum, f, b_step, step > 0);
    } else {
      wgmma<T, a_major, b_major>(sum, TileA::descriptor(tile_a, k), b_step, step > 0);
    }
  };
  wgmma_fence();
  for (int step = 0; step < 3; ++step) multiply(step);
  wgmma_commit();
  wgmma_wait<0>(sum);
  wgmma_fence();
  multiply(3);
  wgmma_commit();
  wgmma_wait<0>(sum);
#pragma unroll
  for (int i = 0; i < sum.kElements; ++i) {
    const Position p = wgmma_position(thread, i);
    c[p.row * N + p.column] = sum.v[i];
  }
}

template <class T, int N, Swizzle swizzle, Major a_major = Major::k, Major b_major = Major::k,
          bool a_in_registers = false>
void test_wgmma(const char* what) {
  constexpr int kDepth = 4 * Mma<T>::k;
  const auto a = filled<Stored<T>>(64 * kDepth, [](int64_t i) { return small_value(i); });
  const auto b = filled<Stored<T>>(kDepth * N, [](int64_t i) { return small_value(3 * i + 1); });
  const DeviceArray<Stored<T>> da(a), db(b);
  const DeviceArray<float> dc(64 * N);
  const size_t bytes = sizeof(Stored<T>) * kDepth * (64 + N);
  launch(context(), one_wgmma<T, N, swizzle, a_major, b_major, a_in_registers>,
         LaunchShape{dim3(1), dim3(kWarpgroup), bytes}, da.data(), db.data(), dc.data());
  std::vector<float> c(64 * N);
  for (size_t i = 0; i < 64; ++i)
    for (size_t k = 0; k < kDepth; ++k)
      for (size_t j = 0; j < N; ++j) c[i * N + j] += float(a[i * kDepth + k]) * float(b[k * N + j]);
  require_equal(dc.host(), c, what);
}

}  // namespace

PROGRAM(wgmma_k_major) {
  test_wgmma<Half, 64, Swizzle::none>("none");
  test_wgmma<Half, 64, Swizzle::b32>("32 B");
  test_wgmma<BFloat16, 128, Swizzle::b64>("64 B");
  test_wgmma<BFloat16, 256, Swizzle::b128>("128 B");
}

PROGRAM(wgmma_mn_major) {
  test_wgmma<Half, 64, Swizzle::none, Major::mn, Major::mn>("none");
  test_wgmma<BFloat16, 64, Swizzle::b32, Major::mn, Major::mn>("32 B");
  test_wgmma<Half, 128, Swizzle::b64, Major::k, Major::mn>("64 B, b along n");
  test_wgmma<BFloat16, 128, Swizzle::b128, Major::mn, Major::k>("128 B, a along m");
}

PROGRAM(wgmma_tf32) {
  test_wgmma<Tf32, 64, Swizzle::none>("none");
  test_wgmma<Tf32, 128, Swizzle::b64>("64 B");
  test_wgmma<Tf32, 256, Swizzle::b128>("128 B");
}

PROGRAM(wgmma_a_in_registers) {
  test_wgmma<Half, 64, Swizzle::b128, Major::k, Major::k, true>("Half");
  test_wgmma<BFloat16, 128, Swizzle::b64, Major::k, Major::mn, true>("BFloat16, b along n");
  test_wgmma<Tf32, 64, Swizzle::b32, Major::k, Major::k, true>("Tf32");
}

namespace {

// c = a b^T for a [m, k] and b [n, k]: one warpgroup copies, one multiplies tiles of 64 x 128, in
// kStages stages of 64 columns. Whatever sticks out is filled with zeros or not stored.
constexpr int kTileM = 64, kTileN = 128, kTileK = 64, kStages = 3;

struct Stage {
  Half a[kTileM][kTileK], b[kTileN][kTileK];  // swizzled: rows of 128 bytes
};
struct Plan {
  Stage stages[kStages];
  Half c[2][kTileM][64];  // two boxes, swizzled
  Mbarrier full[kStages], empty[kStages];
};

__device__ void produce(Plan& plan, const TensorMap& a, const TensorMap& b, int steps) {
  decrease_registers<40>();
  if (threadIdx.x != 0) return;
  for (int step = 0; step < steps; ++step) {
    const int s = step % kStages;
    plan.empty[s].wait(static_cast<uint32_t>(step / kStages + 1) % 2);
    plan.full[s].arrive_expect(sizeof(Stage));
    const int k = step * kTileK;
    tile_load(plan.stages[s].a, a, {k, static_cast<int>(blockIdx.y) * kTileM}, plan.full[s]);
    tile_load(plan.stages[s].b, b, {k, static_cast<int>(blockIdx.x) * kTileN}, plan.full[s]);
  }
}

__device__ void consume(Plan& plan, int steps) {
  increase_registers<168>();
  const int thread = static_cast<int>(threadIdx.x) - kWarpgroup, lane = thread % 32;
  WgmmaAccumulator<kTileN> sum;
  for (int step = 0; step < steps; ++step) {
    const int s = step % kStages;
    plan.full[s].wait(static_cast<uint32_t>(step / kStages) % 2);
    const MatrixDescriptor a = k_descriptor<Swizzle::b128>(plan.stages[s].a);
    const MatrixDescriptor b = k_descriptor<Swizzle::b128>(plan.stages[s].b);
    wgmma_fence();
#pragma unroll
    for (uint32_t k = 0; k < kTileK / 16; ++k)
      wgmma<Half>(sum, a + 32 * k, b + 32 * k, step > 0 || k > 0);
    wgmma_commit();
    wgmma_wait<1>(sum);  // the previous step is over
    if (step > 0 && thread == 0) plan.empty[(step - 1) % kStages].arrive();
  }
  wgmma_wait<0>(sum);

  // 16 x 16 at a time: two fragments of 8 columns.
#pragma unroll
  for (int j = 0; j < kTileN / 16; ++j) {
    uint32_t r[4];
#pragma unroll
    for (int i = 0; i < 4; ++i)
      r[i] = pack_pair(Half(sum.v[j * 8 + 2 * i]), Half(sum.v[j * 8 + 2 * i + 1]));
    const int row = thread / 32 * 16 + lane % 16, column = j % 4 * 16 + lane / 16 * 8;
    unsigned char* const box = reinterpret_cast<unsigned char*>(plan.c[j / 4]);
    store_matrix(box + swizzled(Swizzle::b128, static_cast<uint32_t>(row * 128 + column * 2)), r);
  }
  fence_proxy_async();
}

__global__ void __launch_bounds__(2 * kWarpgroup, 1)
    multiply_tiles(const __grid_constant__ TensorMap a, const __grid_constant__ TensorMap b,
                   const __grid_constant__ TensorMap c, int steps) {
  Plan& plan = *reinterpret_cast<Plan*>(dynamic_shared());
  if (threadIdx.x == 0) {
    for (int s = 0; s < kStages; ++s) {
      plan.full[s].init(1);
      plan.empty[s].init(1);
    }
    fence_mbarrier_init();
  }
  __syncthreads();
  if (threadIdx.x < kWarpgroup)
    produce(plan, a, b, steps);
  else
    consume(plan, steps);
  __syncthreads();
  if (threadIdx.x == kWarpgroup) {
    const int row = static_cast<int>(blockIdx.y) * kTileM;
    const int column = static_cast<int>(blockIdx.x) * kTileN;
    tile_store(c, {column, row}, plan.c[0]);
    tile_store(c, {column + 64, row}, plan.c[1]);
    bulk_commit();
    bulk_wait_read<0>();
  }
}

}  // namespace

PROGRAM(warp_specialised_product) {
  constexpr int m = 100, n = 200, k = 344;
  const auto a = filled<Half>(m * k, [](int64_t i) { return small_value(i); });
  const auto b = filled<Half>(n * k, [](int64_t i) { return small_value(3 * i + 1); });
  const DeviceArray<Half> da(a), db(b), dc(m * n);
  const auto map_of = [](const Half* data, int rows, int columns, uint32_t box_rows) {
    TensorMap map;
    const TensorTile tile{data,
                          2,
                          {static_cast<uint64_t>(columns), static_cast<uint64_t>(rows)},
                          {0, static_cast<uint64_t>(columns) * sizeof(Half)},
                          {64, box_rows},
                          Swizzle::b128};
    require(make_tensor_map<Half>(tile, map), "make_tensor_map");
    return map;
  };
  launch(context(), multiply_tiles,
         LaunchShape{dim3((n + kTileN - 1) / kTileN, (m + kTileM - 1) / kTileM),
                     dim3(2 * kWarpgroup), sizeof(Plan)},
         map_of(da.data(), m, k, kTileM), map_of(db.data(), n, k, kTileN),
         map_of(dc.data(), m, n, kTileM), (k + kTileK - 1) / kTileK);
  std::vector<Half> c(m * n);
  for (size_t i = 0; i < m; ++i)
    for (size_t j = 0; j < n; ++j) {
      float sum = 0;
      for (size_t l = 0; l < k; ++l) sum += float(a[i * k + l]) * float(b[j * k + l]);
      c[i * n + j] = Half(sum);
    }
  require_equal(dc.host(), c, "product");
}
