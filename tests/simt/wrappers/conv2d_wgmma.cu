// The kernels of cuda/conv2d_wgmma.h against the definition of a convolution: tiles, parts, steps and
// tails as sizes give them. Values are such that every sum is exact.
#include <algorithm>

#include "cuda/conv2d_wgmma_launch.cuh"
#include "wrappers/check.h"

using namespace fastdl;
using namespace fastdl::cuda;
using namespace simt_test;

namespace {

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

struct Sizes {
  int64_t n, c, h, w, k, r, s;
  int64_t stride_h = 1, stride_w = 1, pad_h = 0, pad_w = 0, dilation_h = 1, dilation_w = 1;
};

Conv2dShape shape_of(const Sizes& z) {
  const auto outputs = [](int64_t size, int64_t pad, int64_t dilation, int64_t taps,
                          int64_t stride) {
    return (size + 2 * pad - dilation * (taps - 1) - 1) / stride + 1;
  };
  Conv2dShape s{};
  s.n = z.n, s.c = z.c, s.h = z.h, s.w = z.w, s.k = z.k, s.r = z.r, s.s = z.s;
  s.stride_h = z.stride_h, s.stride_w = z.stride_w, s.pad_h = z.pad_h, s.pad_w = z.pad_w;
  s.dilation_h = z.dilation_h, s.dilation_w = z.dilation_w, s.groups = 1;
  s.p = outputs(s.h, s.pad_h, s.dilation_h, s.r, s.stride_h);
  s.q = outputs(s.w, s.pad_w, s.dilation_w, s.s, s.stride_w);
  return s;
}

// act(place in x, place in the weight, place in y) for every term of the sums, channels last.
template <class F>
void for_terms(const Conv2dShape& s, F act) {
  for (int64_t n = 0; n < s.n; ++n)
    for (int64_t p = 0; p < s.p; ++p)
      for (int64_t q = 0; q < s.q; ++q)
        for (int64_t r = 0; r < s.r; ++r)
          for (int64_t t = 0; t < s.s; ++t) {
            const int64_t h = p * s.stride_h + r * s.dilation_h - s.pad_h;
            const int64_t w = q * s.stride_w + t * s.dilation_w - s.pad_w;
            if (h < 0 || h >= s.h || w < 0 || w >= s.w) continue;
            for (int64_t k = 0; k < s.k; ++k)
              for (int64_t c = 0; c < s.c; ++c)
                act(static_cast<size_t>(((n * s.h + h) * s.w + w) * s.c + c),
                    static_cast<size_t>(((k * s.c + c) * s.r + r) * s.s + t),
                    static_cast<size_t>(((n * s.p + p) * s.q + q) * s.k + k));
          }
}

template <class T>
struct Operands {
  Conv2dShape s;
  std::vector<T> x, weight, y;
  explicit Operands(const Conv2dShape& shape)
      : s(shape),
        x(filled<T>(static_cast<size_t>(s.n * s.h * s.w * s.c), small_value)),
        weight(filled<T>(static_cast<size_t>(s.k * s.c * s.r * s.s),
                         [](int64_t i) { return small_value(5 * i + 2); })),
        y(filled<T>(static_cast<size_t>(s.n * s.p * s.q * s.k),
                    [](int64_t i) { return small_value(3 * i + 1); })) {}
};

template <class T>
void require_close(const std::vector<T>& is, const std::vector<double>& should, const char* what) {
  for (size_t i = 0; i < is.size(); ++i)
    require(float(is[i]) == float(T(static_cast<float>(should[i]))), what, static_cast<long>(i));
}

template <class T>
void test_forward(const Sizes& sizes, bool finish = false, Precision precision = {}) {
  Operands<T> o(shape_of(sizes));
  o.s.precision = precision;
  const auto bias = filled<T>(static_cast<size_t>(o.s.k), [](int64_t i) { return small_value(i); });
  const DeviceArray<T> dx(o.x), dw(o.weight), dbias(bias), dresidual(o.y), dy(o.y.size());
  Epilogue epilogue;
  if (finish) {
    epilogue.bias = dbias.data();
    epilogue.residual = dresidual.data();
    epilogue.activation = Activation::relu;
  }
  conv2d_wgmma_forward<T>(with_scratch(), o.s, dx.data(), dw.data(), epilogue, dy.data());
  std::vector<double> should(o.y.size());
  for_terms(o.s, [&](size_t x, size_t w, size_t y) {
    should[y] += double(float(o.x[x])) * double(float(o.weight[w]));
  });
  for (size_t i = 0; finish && i < should.size(); ++i)
    should[i] =
        std::max(0.0, should[i] + double(float(bias[i % bias.size()])) + double(float(o.y[i])));
  require_close(dy.host(), should, "forward");
}

template <class T>
void test_phases(const Sizes& sizes) {
  const Operands<T> o(shape_of(sizes));
  const auto bias = filled<T>(static_cast<size_t>(o.s.c), [](int64_t i) { return small_value(i); });
  const DeviceArray<T> dy(o.y), dw(o.weight), dbias(bias);
  std::vector<double> should(o.x.size());
  for_terms(o.s, [&](size_t x, size_t w, size_t y) {
    should[x] += double(float(o.y[y])) * double(float(o.weight[w]));
  });
  const PhaseAxis rows = phase_rows(o.s), columns = phase_columns(o.s);
  for (int64_t r = 0; r < rows.candidates(); ++r)
    for (int64_t t = 0; t < columns.candidates(); ++t) {
      const Phase row = rows.phase(r), column = columns.phase(t);
      if (row.first >= o.s.h || column.first >= o.s.w) continue;
      const DeviceArray<T> part(static_cast<size_t>(o.s.n * row.count * column.count * o.s.c));
      conv2d_wgmma_phase<T>(with_scratch(), o.s, row, column, dy.data(), dw.data(), dbias.data(),
                            part.data());
      const std::vector<T> is = part.host();
      for (size_t i = 0; i < is.size(); ++i) {
        auto at = static_cast<int64_t>(i);
        const int64_t c = at % o.s.c, j = (at /= o.s.c) % column.count,
                      h = (at /= column.count) % row.count, n = at / row.count;
        const int64_t place =
            ((n * o.s.h + row.first + h * o.s.stride_h) * o.s.w + column.first + j * o.s.stride_w) *
                o.s.c +
            c;
        const double value =
            should[static_cast<size_t>(place)] + double(float(bias[static_cast<size_t>(c)]));
        require(float(is[i]) == float(T(static_cast<float>(value))), "phase", static_cast<long>(i));
      }
    }
}

template <class T>
void test_weight_grad(const Sizes& sizes) {
  const Operands<T> o(shape_of(sizes));
  const DeviceArray<T> dx(o.x), dy(o.y), dw(o.weight.size());
  conv2d_wgmma_weight_grad<T>(with_scratch(), o.s, dx.data(), dy.data(), dw.data());
  std::vector<double> should(o.weight.size());
  for_terms(o.s, [&](size_t x, size_t w, size_t y) {
    should[w] += double(float(o.x[x])) * double(float(o.y[y]));
  });
  require_close(dw.host(), should, "weight gradient");
}

}  // namespace

// Clusters of two, tails of positions, channels and filters; windows that differ by direction.
PROGRAM(conv2d_wgmma_forward_tiles) {
  test_forward<Half>({2, 72, 9, 11, 24, 3, 2, 1, 2, 1, 0}, true);
  test_forward<BFloat16>({3, 16, 12, 10, 136, 3, 3, 1, 1, 2, 2, 2, 2});
  test_forward<Half>({1, 8, 7, 9, 8, 2, 4, 3, 1, 1, 3, 2, 1});
}

// One tap: filters are read where they lie.
PROGRAM(conv2d_wgmma_forward_one_tap) {
  test_forward<Half>({2, 136, 8, 9, 40, 1, 1}, true);
  test_forward<Half>({1, 64, 9, 9, 16, 1, 1, 2, 2});
}

PROGRAM(conv2d_wgmma_forward_float32) {
  const Sizes sizes{2, 36, 7, 6, 20, 3, 3, 1, 2, 1, 1};
  test_forward<float>(sizes, true);
  test_forward<float>(sizes, false, Precision::high);
}

PROGRAM(conv2d_wgmma_input_grad) {
  test_phases<Half>({2, 24, 9, 8, 72, 3, 2, 1, 1, 1, 0});
  test_phases<Half>({2, 16, 9, 8, 24, 3, 3, 2, 2, 1, 1});
  test_phases<BFloat16>({1, 8, 12, 11, 16, 4, 3, 2, 3, 0, 2, 3, 2});
  test_phases<float>({1, 36, 6, 7, 20, 2, 3, 1, 1, 0, 1, 2, 1});
}

// Several parts, positions that end within a block, columns beyond the last tap.
PROGRAM(conv2d_wgmma_weight_grad) {
  test_weight_grad<Half>({3, 72, 11, 10, 24, 3, 2, 1, 1, 1, 0});
  test_weight_grad<BFloat16>({2, 16, 21, 20, 136, 3, 3, 2, 1, 1, 2, 1, 2});
  test_weight_grad<Half>({1, 8, 9, 9, 8, 1, 1});
}

// What is refused, and how the gradient by the weight is cut, on an H100.
PROGRAM(conv2d_wgmma_plans) {
  constexpr DeviceFacts kDevice{90, 132, 227 << 10};
  const auto plan = [&](const Sizes& z, Conv2dProduct product = Conv2dProduct::forward,
                        DType dtype = DType::f16) {
    return plan_conv2d_cuda(shape_of(z), product, dtype, kDevice).wgmma;
  };
  const Sizes good{32, 64, 56, 56, 64, 3, 3, 1, 1, 1, 1};
  require(plan(good), "3x3");
  require(plan(good, Conv2dProduct::input_grad), "3x3, by the input");
  require(plan(good, Conv2dProduct::weight_grad), "3x3, by the weight");
  require(plan(good, Conv2dProduct::forward, DType::f32), "3x3, float32");
  require(!plan(good, Conv2dProduct::weight_grad, DType::f32), "float32 across");
  require(!plan(good, Conv2dProduct::forward, DType::f64), "float64");
  require(!plan({32, 60, 56, 56, 64, 3, 3}), "channels");
  require(!plan({32, 64, 56, 56, 60, 3, 3}), "filters");
  require(!plan({32, 64, 300, 56, 64, 1, 1, 9, 1}), "stride");
  require(!plan({32, 64, 300, 300, 64, 3, 3, 1, 1, 0, 0, 128, 1}), "reach");
  require(!plan({1, 8, 4, 4, 8, 1, 1}), "little work");
  require(!plan_conv2d_cuda(shape_of(good), Conv2dProduct::forward, DType::f16, {80, 108, 0}).wgmma,
          "sm_80");
  const auto lies = [&](const Sizes& z, Layout given) {
    return conv2d_layout_cuda(shape_of(z), Conv2dProduct::forward, given, DType::f16, kDevice);
  };
  require(lies(good, Layout::last) == Layout::last, "last");
  require(lies(good, Layout::first) == Layout::last, "worth a transpose");
  require(lies({32, 64, 56, 56, 64, 1, 1}, Layout::first) == Layout::first, "not worth it");
  const WeightGradPlan cut = plan_weight_grad(forward_windows(shape_of(good)), 64, kDevice);
  require(cut.parts > 20 && cut.parts * cut.blocks * 64 >= 32 * 56 * 56, "parts");
}
