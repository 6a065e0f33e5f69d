// Matrix products on the CPU: batches and 16-bit operands on top of cpu/gemm.h.
#include "ops/matmul.h"

#include <algorithm>

#include "cpu/epilogue.h"
#include "cpu/gemm.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

// launchers

static_assert(kPackedColumns % kTileCols<float> == 0 && kPackedColumns % kTileCols<double> == 0);

template <class T>
Gemm<T> problem(const GemmShape& s, const T* a, const T* b, const void* packed, const Epilogue& e,
                T* c) {
  return {s.m,
          s.n,
          s.k,
          a,
          s.a_row,
          s.a_col,
          b,
          s.b_row,
          s.b_col,
          c,
          s.c_row,
          static_cast<const T*>(e.bias),
          s.accumulate,
          static_cast<const T*>(e.residual),
          s.c_row,
          e.activation,
          static_cast<T>(e.slope),
          static_cast<const T*>(packed)};
}

// A batch that shares B is one tall product when A's and C's rows continue from matrix to matrix.
GemmShape merged(GemmShape s) {
  if (s.batch > 1 && s.b_batch == 0 && s.a_batch == s.m * s.a_row && s.c_batch == s.m * s.c_row) {
    s.m *= s.batch;
    s.batch = 1;
  }
  return s;
}

template <class T>
void gemm_launch(const Context& context, const GemmShape& given, const void* a, const void* b,
                 const void* packed, const Epilogue& epilogue, void* c) {
  const GemmShape s = merged(given);
  if (s.batch <= 0 || s.m <= 0 || s.n <= 0) return;
  const Gemm<T> first = problem(s, static_cast<const T*>(a), static_cast<const T*>(b), packed,
                                epilogue, static_cast<T*>(c));
  if (s.batch == 1) return gemm(context, first);
  const auto at = [&](int64_t i) {
    Gemm<T> g = first;
    g.a += i * s.a_batch;
    g.b += i * s.b_batch;
    g.c += i * s.c_batch;
    if (g.residual) g.residual += i * s.c_batch;
    return g;
  };
  const int64_t macs = std::max<int64_t>(s.m * s.n * s.k, 1);
  if (macs >= 2 * kChunkMacs) {
    for (int64_t i = 0; i < s.batch; ++i) gemm(context, at(i));
    return;
  }
  context.parallel_for(s.batch, std::max<int64_t>(kChunkMacs / macs, 1),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t i = begin; i < end; ++i) gemm_serial(at(i));
                       });
}

// 16-bit storage: the product is formed in float and rounded once.
template <class S>
void gemm_launch_16(const Context& context, const GemmShape& given, const void* a_, const void* b_,
                    const void*, const Epilogue& epilogue, void* c_) {
  const GemmShape s = merged(given);
  if (s.batch <= 0 || s.m <= 0 || s.n <= 0) return;
  const S* const bias = static_cast<const S*>(epilogue.bias);
  Scratch scratch(context, static_cast<size_t>((s.m + 1) * s.n) * sizeof(float));
  float* const wide = scratch.as<float>();
  float* const wide_bias = wide + s.m * s.n;
  if (bias)
    for (int64_t j = 0; j < s.n; ++j) wide_bias[j] = bias[j];
  const int64_t grain = std::max<int64_t>(1, 65536 / s.n);
  for (int64_t i = 0; i < s.batch; ++i) {
    S* const c = static_cast<S*>(c_) + i * s.c_batch;
    const auto rows = [&](auto&& body) {
      context.parallel_for(s.m, grain, [&](int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) body(wide + r * s.n, c + r * s.c_row);
      });
    };
    if (s.accumulate)
      rows([&](float* w, const S* p) {
        for (int64_t j = 0; j < s.n; ++j) w[j] = p[j];
      });
    gemm(context, Gemm<float, S>{s.m, s.n, s.k, static_cast<const S*>(a_) + i * s.a_batch, s.a_row,
                                 s.a_col, static_cast<const S*>(b_) + i * s.b_batch, s.b_row,
                                 s.b_col, wide, s.n, bias ? wide_bias : nullptr, s.accumulate});
    rows([&](float* w, S* p) {
      constexpr int64_t kSize = Vec<float>::size;
      if (epilogue.residual) {
        const S* const residual =
            static_cast<const S*>(epilogue.residual) + (p - static_cast<S*>(c_));
        for (int64_t j = 0; j < s.n; ++j) w[j] += static_cast<float>(residual[j]);
      }
      for (int64_t j = 0; j < s.n; j += kSize) {
        const int64_t n = std::min(kSize, s.n - j);
        const Vec<float> y = activate(Vec<float>::load(w + j, n), epilogue.activation,
                                      static_cast<float>(epilogue.slope));
        if (n == kSize)
          store_from_float(y, p + j);
        else
          for (int64_t i = 0; i < n; ++i) p[j + i] = S(y.v[i]);
      }
    });
  }
}

template <class T>
void gemm_pack_launch(const Context& context, int64_t k, int64_t n, const void* b, int64_t b_row,
                      int64_t b_col, void* packed) {
  pack_panels(context, k, n, static_cast<const T*>(b), b_row, b_col, static_cast<T*>(packed));
}

}  // namespace

void register_matmul(Registry& registry) {
  registry.add<fastdl::gemm>(DType::f32, gemm_launch<float>);
  registry.add<fastdl::gemm>(DType::f64, gemm_launch<double>);
  registry.add<gemm_pack>(DType::f32, gemm_pack_launch<float>);
  registry.add<gemm_pack>(DType::f64, gemm_pack_launch<double>);
  registry.add<fastdl::gemm>(DType::f16, gemm_launch_16<Half>);
  registry.add<fastdl::gemm>(DType::bf16, gemm_launch_16<BFloat16>);
}

}  // namespace fastdl::cpu
