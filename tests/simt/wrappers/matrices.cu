// mma.sync, ldmatrix, stmatrix and cp.async, against loops.
#include <type_traits>

#include "cuda/math.cuh"
#include "cuda/mma.cuh"
#include "wrappers/check.h"

using namespace fastdl;
using namespace fastdl::cuda;
using namespace simt_test;

namespace {

__device__ inline uint32_t to_register(Half x, Half y) { return pack_pair(x, y); }
__device__ inline uint32_t to_register(BFloat16 x, BFloat16 y) { return pack_pair(x, y); }

// Element type in memory.
template <class T>
using Stored = std::conditional_t<std::is_same_v<T, Tf32>, float, T>;

// c[m][n] += a[m][k] b[k][n], with fragments filled element by element.
template <class T>
__global__ void __launch_bounds__(32)
    one_mma(const Stored<T>* a, const Stored<T>* b, typename Mma<T>::Sum* c) {
  using M = Mma<T>;
  const int lane = static_cast<int>(threadIdx.x);
  FragmentA<T> fa;
  FragmentB<T> fb;
  Accumulator<T> sum;
  const auto at_a = [&](int i) {
    const Position p = position_a<T>(lane, i);
    return a[p.row * M::k + p.column];
  };
  const auto at_b = [&](int i) {
    const Position p = position_b<T>(lane, i);
    return b[p.row * M::n + p.column];
  };
  for (int i = 0; i < fa.kRegisters; ++i)
    if constexpr (std::is_same_v<T, Tf32>)
      fa.r[i] = to_tf32(at_a(i));
    else if constexpr (std::is_same_v<T, double>)
      fa.r[i] = at_a(i);
    else
      fa.r[i] = to_register(at_a(2 * i), at_a(2 * i + 1));
  for (int i = 0; i < fb.kRegisters; ++i)
    if constexpr (std::is_same_v<T, Tf32>)
      fb.r[i] = to_tf32(at_b(i));
    else if constexpr (std::is_same_v<T, double>)
      fb.r[i] = at_b(i);
    else
      fb.r[i] = to_register(at_b(2 * i), at_b(2 * i + 1));
  for (int i = 0; i < sum.kElements; ++i) {
    const Position p = position_c(lane, i);
    sum.v[i] = c[p.row * M::n + p.column];
  }
  mma(sum, fa, fb);
  for (int i = 0; i < sum.kElements; ++i) {
    const Position p = position_c(lane, i);
    c[p.row * M::n + p.column] = sum.v[i];
  }
}

template <class T>
void test_mma(const char* what) {
  using M = Mma<T>;
  using Sum = typename M::Sum;
  const auto a = filled<Stored<T>>(M::m * M::k, [](int64_t i) { return small_value(i); });
  const auto b = filled<Stored<T>>(M::k * M::n, [](int64_t i) { return small_value(3 * i + 1); });
  auto c = filled<Sum>(M::m * M::n, [](int64_t i) { return small_value(5 * i + 2); });
  const DeviceArray<Stored<T>> da(a), db(b);
  const DeviceArray<Sum> dc(c);
  launch(context(), one_mma<T>, dim3(1), dim3(32), da.data(), db.data(), dc.data());
  for (int i = 0; i < M::m; ++i)
    for (int j = 0; j < M::n; ++j)
      for (int k = 0; k < M::k; ++k)
        c[static_cast<size_t>(i * M::n + j)] +=
            Sum(a[static_cast<size_t>(i * M::k + k)]) * Sum(b[static_cast<size_t>(k * M::n + j)]);
  require_equal(dc.host(), c, what);
}

}  // namespace

PROGRAM(mma_f16) { test_mma<Half>("mma of Half"); }
PROGRAM(mma_bf16) { test_mma<BFloat16>("mma of BFloat16"); }
PROGRAM(mma_tf32) { test_mma<Tf32>("mma of Tf32"); }
PROGRAM(mma_f64) { test_mma<double>("mma of double"); }

namespace {

__global__ void __launch_bounds__(32) round_to_tf32(const float* x, uint32_t* y) {
  y[threadIdx.x] = to_tf32(x[threadIdx.x]);
}

}  // namespace

PROGRAM(tf32_rounding) {
  // 1 + 2^-11 is half way between 1 and the next tf32 number: away from zero, on both sides.
  std::vector<float> x(32, 1.f);
  x[1] = 1.f + 0x1p-11f;
  x[2] = -x[1];
  x[3] = 1.f + 0x1p-12f;
  x[4] = 1.f + 0x1.8p-10f;
  x[5] = 0x1.fffffep127f;
  const DeviceArray<float> dx(x);
  const DeviceArray<uint32_t> dy(32);
  launch(context(), round_to_tf32, dim3(1), dim3(32), dx.data(), dy.data());
  const std::vector<uint32_t> y = dy.host();
  const uint32_t should[] = {0x3f800000u, 0x3f802000u, 0xbf802000u,
                             0x3f800000u, 0x3f804000u, 0x7f800000u};
  for (size_t i = 0; i < 6; ++i)  // the lowest 13 bits are nobody's business
    require((y[i] & ~0x1fffu) == should[i], "to_tf32", static_cast<long>(i));
}

namespace {

// y[j][i] of the lane's registers: element 2 i and 2 i + 1 of matrix j.
template <bool transposed, int count>
__global__ void __launch_bounds__(32) load_matrices(const uint16_t* x, uint32_t* y) {
  alignas(16) __shared__ uint16_t tile[32 * 8];
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = 0; i < 8; ++i) tile[lane * 8 + i] = x[lane * 8 + i];
  __syncwarp();
  uint32_t r[count];
  load_matrix<transposed>(r, tile + lane % (8 * count) * 8);
  for (int j = 0; j < count; ++j) y[j * 32 + lane] = r[j];
}

template <bool transposed, int count>
void test_load_matrix() {
  const auto x = filled<uint16_t>(32 * 8, [](int64_t i) { return i; });
  const DeviceArray<uint16_t> dx(x);
  const DeviceArray<uint32_t> dy(count * 32);
  launch(context(), load_matrices<transposed, count>, dim3(1), dim3(32), dx.data(), dy.data());
  const std::vector<uint32_t> y = dy.host();
  for (uint32_t j = 0; j < count; ++j)
    for (uint32_t lane = 0; lane < 32; ++lane) {
      const uint32_t row = lane / 4, element = lane % 4 * 2;
      const uint32_t low = transposed ? element * 8 + row : row * 8 + element;
      const uint32_t high = transposed ? (element + 1) * 8 + row : row * 8 + element + 1;
      require(y[j * 32 + lane] == ((j * 64 + low) | (j * 64 + high) << 16), "ldmatrix",
              static_cast<long>(j * 32 + lane));
    }
}

// There and back.
template <bool transposed, int count>
__global__ void __launch_bounds__(32) store_matrices(const uint16_t* x, uint16_t* y) {
  alignas(16) __shared__ uint16_t from[32 * 8], to[32 * 8];
  const int lane = static_cast<int>(threadIdx.x);
  for (int i = 0; i < 8; ++i) from[lane * 8 + i] = x[lane * 8 + i];
  __syncwarp();
  uint32_t r[count];
  load_matrix<transposed>(r, from + lane % (8 * count) * 8);
  store_matrix<transposed>(to + lane % (8 * count) * 8, r);
  __syncwarp();
  if (lane < 8 * count)
    for (int i = 0; i < 8; ++i) y[lane * 8 + i] = to[lane * 8 + i];
}

template <bool transposed, int count>
void test_store_matrix() {
  const auto x = filled<uint16_t>(32 * 8, [](int64_t i) { return i * 3; });
  const DeviceArray<uint16_t> dx(x), dy(count * 8 * 8);
  launch(context(), store_matrices<transposed, count>, dim3(1), dim3(32), dx.data(), dy.data());
  require_equal(dy.host(), std::vector<uint16_t>(x.begin(), x.begin() + count * 64), "stmatrix");
}

}  // namespace

PROGRAM(load_matrix) {
  test_load_matrix<false, 1>();
  test_load_matrix<false, 2>();
  test_load_matrix<false, 4>();
  test_load_matrix<true, 1>();
  test_load_matrix<true, 2>();
  test_load_matrix<true, 4>();
}

PROGRAM(store_matrix) {
  test_store_matrix<false, 1>();
  test_store_matrix<false, 2>();
  test_store_matrix<false, 4>();
  test_store_matrix<true, 1>();
  test_store_matrix<true, 2>();
  test_store_matrix<true, 4>();
}

namespace {

// The warp's fragments of A (row-major, m x k) and B (stored n x k) from shared memory: what a
// matrix kernel does.
__global__ void __launch_bounds__(32) mma_from_shared(const Half* a, const Half* b, float* c) {
  alignas(16) __shared__ uint16_t tile_a[16][16], tile_b[8][16];
  const int lane = static_cast<int>(threadIdx.x);
  copy_async<16>(&tile_a[lane / 2][lane % 2 * 8], a + lane * 8);
  if (lane < 16) copy_async<16>(&tile_b[lane / 2][lane % 2 * 8], b + lane * 8);
  copy_commit();
  copy_wait<0>();
  __syncwarp();
  FragmentA<Half> fa;
  FragmentB<Half> fb;
  Accumulator<Half> sum{};
  load_matrix(fa.r, &tile_a[lane % 16][lane / 16 * 8]);
  load_matrix(fb.r, &tile_b[lane % 8][lane / 8 % 2 * 8]);
  mma(sum, fa, fb);
  for (int i = 0; i < 4; ++i) {
    const Position p = position_c(lane, i);
    c[p.row * 8 + p.column] = sum.v[i];
  }
}

// Copies `existing` bytes a thread, three groups in flight.
template <int bytes>
__global__ void __launch_bounds__(32) copy_groups(const uint8_t* x, uint8_t* y) {
  alignas(16) __shared__ uint8_t tile[3][32 * bytes];
  const int lane = static_cast<int>(threadIdx.x);
  for (int group = 0; group < 3; ++group) {
    copy_async<bytes>(tile[group] + lane * bytes, x + (group * 32 + lane) * bytes,
                      group == 1 ? lane % (bytes + 1) : bytes);
    copy_commit();
  }
  const auto out = [&](int group) {
    for (int i = 0; i < bytes; ++i)
      y[(group * 32 + lane) * bytes + i] = tile[group][lane * bytes + i];
  };
  copy_wait<2>();
  out(0);
  copy_wait<1>();
  out(1);
  copy_wait<0>();
  out(2);
}

template <int bytes>
void test_copy_groups() {
  constexpr size_t kBytes = 3 * 32 * bytes;
  auto x = filled<uint8_t>(kBytes, [](int64_t i) { return static_cast<uint8_t>(i * 7 + 1); });
  const DeviceArray<uint8_t> dx(x), dy(kBytes);
  launch(context(), copy_groups<bytes>, dim3(1), dim3(32), dx.data(), dy.data());
  for (size_t lane = 0; lane < 32; ++lane)
    for (size_t i = lane % (bytes + 1); i < bytes; ++i) x[(32 + lane) * bytes + i] = 0;
  require_equal(dy.host(), x, "cp.async");
}

}  // namespace

PROGRAM(mma_after_ldmatrix) {
  const auto a = filled<Half>(16 * 16, [](int64_t i) { return small_value(i); });
  const auto b = filled<Half>(8 * 16, [](int64_t i) { return small_value(3 * i + 1); });
  const DeviceArray<Half> da(a), db(b);
  const DeviceArray<float> dc(16 * 8);
  launch(context(), mma_from_shared, dim3(1), dim3(32), da.data(), db.data(), dc.data());
  std::vector<float> c(16 * 8);
  for (size_t i = 0; i < 16; ++i)
    for (size_t j = 0; j < 8; ++j)
      for (size_t k = 0; k < 16; ++k) c[i * 8 + j] += float(a[i * 16 + k]) * float(b[j * 16 + k]);
  require_equal(dc.host(), c, "ldmatrix and mma");
}

PROGRAM(copies_in_groups) {
  test_copy_groups<4>();
  test_copy_groups<8>();
  test_copy_groups<16>();
}
