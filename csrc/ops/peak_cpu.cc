// The multiply-add peak: enough independent sums in registers to keep the units busy.
#include "ops/peak.h"

#include "cpu/register.h"
#include "cpu/vec.h"

namespace fastdl::cpu {
namespace {

// More than latency times throughput (4 x 2 on Zen 5 and on Intel since Skylake), and few enough
// for 16 registers with both factors.
constexpr int kSums = 12;

// kernels

float chunk(int64_t rounds, float factor) {
  using V = Vec<float>;
  const V a(factor), b(1.0f - factor);
  V sums[kSums];
  for (int i = 0; i < kSums; ++i) sums[i] = V(static_cast<float>(i));
  for (int64_t r = 0; r < rounds; ++r) {
#pragma GCC unroll 12
    for (int i = 0; i < kSums; ++i) sums[i] = sums[i] * a + b;  // tends to 1
  }
  V total(0.0f);
  for (const V& sum : sums) total += sum;
  float lanes[V::size];
  total.store(lanes);
  return lanes[0];
}

// launchers

void multiply_add(const Context& context, int64_t rounds, int64_t chunks, float* out,
                  double* flops) {
  context.parallel_for(chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      out[i] = chunk(rounds, 0.5f + static_cast<float>(i) / static_cast<float>(4 * chunks));
  });
  *flops = 2.0 * kSums * Vec<float>::size * static_cast<double>(rounds);
}

}  // namespace

void register_peak(Registry& registry) {
  registry.add<multiply_add_rounds>(DType::f32, multiply_add);
}

}  // namespace fastdl::cpu
