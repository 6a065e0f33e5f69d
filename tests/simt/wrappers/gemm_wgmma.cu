// The kernels of cuda/gemm_wgmma.h with tiles, layouts and epilogues as told here, against loops.
// What the chooser of kernels makes of shapes is tested in tests/test_cuda_wgmma.py.
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>

#include "cuda/device.cu"
#include "cuda/gemm_wgmma_launch.cuh"
#include "wrappers/check.h"

using namespace fastdl;
using namespace fastdl::cuda;
using namespace simt_test;

namespace {

struct Case {
  int64_t batch, m, n, k;
  bool a_along_m, b_along_n;  // how neighbours lie
  int tile_m, tile_n;
  int64_t parts;
  bool bias = false, residual = false, accumulate = false, one_b = false;
  Activation activation = Activation::none;
  int64_t odd = 0;  // elements that spoil the alignment of rows
  Precision precision = Precision::highest;
};

// Where the elements of an operand of `rows` by `k` lie.
struct Lines {
  int64_t step, k_step, batch, size;
  Lines(int64_t rows, int64_t k, int64_t batches, bool along_rows, int64_t odd) {
    const int64_t pitch = ((along_rows ? rows : k) + 7) / 8 * 8 + 8 + odd;
    step = along_rows ? 1 : pitch;
    k_step = along_rows ? pitch : 1;
    batch = pitch * (along_rows ? k : rows);
    size = batches * batch;
  }
};

Context with_scratch() {
  Context out = context();
  out.allocate = [](const Context&, size_t bytes) {
    void* p = nullptr;
    cudaMalloc(&p, bytes);
    return p;
  };
  out.release = [](const Context&, void* p) { cudaFree(p); };
  return out;
}

template <class T>
float finished(const Case& t, double sum, float bias, float before) {
  float x = static_cast<float>(sum) + bias + before;
  if (t.activation != Activation::none && x < 0)
    x = t.activation == Activation::relu ? 0 : x * 0.25f;
  return x;
}

// `tolerance` is relative to the sum of the magnitudes of the terms.
template <class T, class F>
void test_product(const Case& t, F value, double tolerance = 0) {
  const Lines la(t.m, t.k, t.batch, t.a_along_m, t.odd),
      lb(t.n, t.k, t.one_b ? 1 : t.batch, t.b_along_n, t.odd);
  const auto a = filled<T>(static_cast<size_t>(la.size), value);
  const auto b =
      filled<T>(static_cast<size_t>(lb.size), [&](int64_t i) { return value(3 * i + 1); });
  const int64_t row = (t.n + 7) / 8 * 8 + 8, elements = t.batch * t.m * row;
  const auto before = filled<T>(static_cast<size_t>(elements), small_value);
  const auto bias =
      filled<T>(static_cast<size_t>(t.n), [](int64_t i) { return small_value(7 * i); });
  const DeviceArray<T> da(a), db(b), dc(before), dresidual(before), dbias(bias);
  const GemmArguments arguments{t.batch,      t.m,        t.n,       t.k,
                                la.batch,     la.step,    la.k_step, t.one_b ? 0 : lb.batch,
                                lb.k_step,    lb.step,    t.m * row, row,
                                t.accumulate, t.precision};
  Epilogue epilogue;
  if (t.bias) epilogue.bias = dbias.data();
  if (t.residual) epilogue.residual = dresidual.data();
  epilogue.activation = t.activation;
  epilogue.slope = 0.25;
  gemm_wgmma<T>(with_scratch(), arguments,
                {GemmAlgorithm::wgmma, t.tile_m, t.tile_n, t.parts, 0, ""}, da.data(), db.data(),
                epilogue, dc.data());
  const std::vector<T> c = dc.host();
  for (int64_t z = 0; z < t.batch; ++z)
    for (int64_t i = 0; i < t.m; ++i)
      for (int64_t j = 0; j < row; ++j) {
        const auto at = static_cast<size_t>((z * t.m + i) * row + j);
        if (j >= t.n) {
          require(float(c[at]) == float(before[at]), "beyond the row", static_cast<long>(at));
          continue;
        }
        double sum = 0, magnitude = 0;
        const T* x = a.data() + z * la.batch + i * la.step;
        const T* y = b.data() + (t.one_b ? 0 : z) * lb.batch + j * lb.step;
        for (int64_t p = 0; p < t.k; ++p) {
          const double term = double(float(x[p * la.k_step])) * double(float(y[p * lb.k_step]));
          sum += term;
          magnitude += std::abs(term);
        }
        const float should = finished<T>(t, sum, t.bias ? float(bias[static_cast<size_t>(j)]) : 0.f,
                                         t.residual || t.accumulate ? float(before[at]) : 0.f);
        const double error = std::abs(double(float(c[at])) - double(float(T(should))));
        require(error <= tolerance * magnitude, "product", static_cast<long>(at));
      }
}

template <class T>
void test_exact(const Case& t) {
  test_product<T>(t, small_value);
}

// All 24 bits of a float32.
float long_value(int64_t i) {
  const auto mixed = static_cast<uint32_t>(i) * 2654435761u ^ 0x9e3779b9u;
  return static_cast<float>(static_cast<int32_t>(mixed * 747796405u)) * 0x1p-31f;
}

}  // namespace

// Two tiles a block, clusters of two, tails in every direction, more blocks of k than stages.
PROGRAM(gemm_wgmma_large_tiles) {
  test_exact<Half>({1, 200, 300, 328, false, false, 128, 256, 1});
  Case t{1, 300, 520, 72, false, true, 128, 256, 1};
  t.bias = t.residual = true;
  t.activation = Activation::relu;
  test_exact<Half>(t);
}

PROGRAM(gemm_wgmma_middle_tiles) {
  Case t{3, 130, 100, 392, true, false, 128, 128, 1};
  t.bias = t.one_b = true;
  t.activation = Activation::leaky_relu;
  test_exact<Half>(t);
  Case u{5, 100, 40, 8, true, true, 128, 128, 1};  // one row of tiles: no cluster
  u.accumulate = true;
  test_exact<Half>(u);
}

// A cluster for each tile, k in parts; the last parts have nothing.
PROGRAM(gemm_wgmma_parts_of_k) {
  test_exact<Half>({2, 70, 150, 392, false, false, 64, 128, 1});
  Case t{1, 70, 131, 584, true, true, 64, 128, 8};
  t.bias = t.residual = true;
  t.activation = Activation::relu;
  test_exact<Half>(t);
  Case u{1, 9, 16, 200, false, true, 64, 128, 4};
  u.accumulate = true;
  test_exact<Half>(u);
  test_exact<Half>({1, 65, 130, 140, true, false, 64, 128, 2});
  test_exact<Half>({1, 100, 72, 200, false, true, 128, 128, 2});
}

PROGRAM(gemm_wgmma_tf32) {
  Case t{1, 130, 260, 140, false, false, 128, 256, 1};
  t.precision = Precision::high;
  t.bias = t.residual = true;
  test_exact<float>(t);
  t.tile_n = 128;
  test_exact<float>(t);
  test_exact<float>({2, 40, 50, 36, false, false, 64, 128, 2});
}

// Operands that the copy engine cannot read.
PROGRAM(gemm_wgmma_copied_operands) {
  Case t{2, 70, 90, 75, false, true, 64, 128, 1};
  t.odd = 1;
  t.one_b = true;
  test_exact<Half>(t);
  t = {2, 70, 90, 75, true, true, 64, 128, 1};
  test_exact<float>(t);
}

// 3xTF32 keeps 21 bits of each operand and leaves out the product of the lower parts: 2^-20 of each
// term at most; TF32 alone would have an error near 2^-11.
PROGRAM(gemm_wgmma_float32) {
  test_product<float>({1, 130, 70, 140, false, false, 128, 128, 1}, long_value, 0x1p-20);
  test_product<float>({1, 70, 40, 300, false, false, 64, 128, 2}, long_value, 0x1p-20);
  test_product<float>({1, 70, 40, 80, false, false, 128, 128, 2}, long_value, 0x1p-20);
}

// Infinities and NaN as in plain arithmetic, also where other operands have no lower parts.
PROGRAM(gemm_wgmma_infinities) {
  constexpr int64_t m = 66, n = 40, k = 68;
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  auto a = filled<float>(m * k, small_value);
  auto b = filled<float>(n * k, [](int64_t i) { return long_value(i) + (i % 3 ? 0.f : 1.f); });
  a[3 * k + 66] = kInfinity;
  a[5 * k + 1] = -kInfinity;
  constexpr uint32_t kNan = 0x7fc00001u, kLowNan = 0x7f800001u;  // infinite without its lower bits
  std::memcpy(&a[65 * k + 2], &kNan, sizeof kNan);
  std::memcpy(&a[64 * k + 3], &kLowNan, sizeof kLowNan);
  b[7 * k + 66] = kInfinity;
  b[8 * k + 1] = 0;
  b[9 * k + 40] = -kInfinity;
  const DeviceArray<float> da(a), db(b), dc(m * n);
  const GemmArguments arguments{1, m, n, k, 0, k, 1, 0, 1, k, 0, n};
  gemm_wgmma<float>(with_scratch(), arguments, {GemmAlgorithm::wgmma, 64, 128, 1, 0, ""}, da.data(),
                    db.data(), {}, dc.data());
  const std::vector<float> c = dc.host();
  int infinite = 0, none = 0;
  for (size_t i = 0; i < m; ++i)
    for (size_t j = 0; j < n; ++j) {
      double sum = 0, magnitude = 0;
      for (size_t p = 0; p < k; ++p) {
        sum += double(a[i * k + p]) * double(b[j * k + p]);
        magnitude += std::abs(double(a[i * k + p]) * double(b[j * k + p]));
      }
      const float is = c[i * n + j];
      infinite += std::isinf(sum);
      none += std::isnan(sum);
      const bool equal = std::isnan(sum)   ? std::isnan(is)
                         : std::isinf(sum) ? double(is) == sum
                                           : std::abs(double(is) - sum) <= 0x1p-20 * magnitude;
      require(equal, "product", static_cast<long>(i * n + j));
    }
  require(infinite > 100 && none > 80, "there are infinities and NaN");
}

// Tiles and parts of k on an H100, and what is refused.
PROGRAM(gemm_wgmma_plans) {
  constexpr DeviceFacts kDevice{90, 132, 227 << 10};
  alignas(16) static Half data[16];
  const auto arguments = [](int64_t m, int64_t n, int64_t k) {
    return GemmArguments{1, m, n, k, 0, k, 1, 0, n, 1, 0, n};
  };
  const auto suits = [&](const GemmArguments& g, DType dtype, int64_t offset = 0) {
    return suits_wgmma(g, dtype, data + offset, data, data, kDevice);
  };
  const auto expect = [&](int64_t m, int64_t n, int64_t k, DType dtype, int tile_m, int tile_n,
                          int64_t parts) {
    const GemmArguments g = arguments(m, n, k);
    const GemmPlan p = plan_wgmma(g, dtype, kDevice);
    require(suits(g, dtype), "suits", m);
    require(p.tile_m == tile_m && p.tile_n == tile_n && p.parts == parts, "plan", m);
    require(p.chunk * p.parts >= k && p.chunk % 32 == 0, "chunk", m);
  };
  expect(8192, 8192, 8192, DType::bf16, 128, 256, 1);
  expect(4096, 4096, 4096, DType::f16, 128, 256, 1);
  expect(2048, 2048, 2048, DType::bf16, 128, 256, 1);
  expect(1024, 1024, 1024, DType::bf16, 128, 128, 2);
  expect(512, 512, 512, DType::bf16, 64, 128, 2);
  expect(64, 4096, 4096, DType::bf16, 64, 128, 2);
  expect(128, 4096, 4096, DType::bf16, 128, 128, 4);
  expect(32, 1000, 2048, DType::bf16, 64, 128, 8);
  expect(100000, 64, 256, DType::bf16, 128, 128, 1);
  expect(4096, 4096, 4096, DType::f32, 128, 128, 1);
  require(!suits(arguments(32, 32, 64), DType::f16), "too small");
  require(!suits(arguments(4096, 4096, 0), DType::f16), "k = 0");
  require(!suits(arguments(4096, 4096, 4096), DType::f64), "float64");
  require(!suits(arguments(64, 256, 65536), DType::f16), "a long sum of few results");
  require(!suits(arguments(4096, 4095, 4096), DType::f16), "rows of c");
  require(suits(arguments(4096, 4096, 4095), DType::f16), "a copied");
  require(!suits(arguments(4096, 64, 4095), DType::f16), "a copied for few columns");
  require(!suits(arguments(4096, 64, 4096), DType::f16, 1), "an unaligned a");
  require(!suits_wgmma(arguments(4096, 4096, 4096), DType::f16, data, data, data, {80, 108, 0}),
          "sm_80");
}
