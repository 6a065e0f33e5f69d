// Matrix products on CUDA: cuda/gemm.h under the op's name.
#include "ops/matmul.h"

#include "core/dtype.h"
#include "cuda/gemm.h"
#include "cuda/gemm_plan.h"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

GemmArguments arguments_of(const GemmShape& s) {
  return {s.batch,   s.m,     s.n,     s.k,       s.a_batch, s.a_row,      s.a_col,
          s.b_batch, s.b_row, s.b_col, s.c_batch, s.c_row,   s.accumulate, s.precision};
}

template <class T>
void gemm_launch(const Context& context, const GemmShape& s, const void* a, const void* b,
                 const void*, const Epilogue& epilogue, void* c) {
  gemm(context, arguments_of(s), static_cast<const T*>(a), static_cast<const T*>(b), epilogue,
       static_cast<T*>(c));
}

const char* name_of(GemmAlgorithm algorithm) {
  switch (algorithm) {
    case GemmAlgorithm::skinny: return "skinny";
    case GemmAlgorithm::mma: return "mma";
    case GemmAlgorithm::wgmma: return "wgmma";
    default: return "ffma";
  }
}

template <class T>
void gemm_plan_launch(const Context& context, const GemmShape& s, GemmChoice& choice) {
  const GemmPlan plan = plan_gemm(arguments_of(s), dtype_of<T>::value, nullptr, nullptr, nullptr,
                                  device_facts(context.device));
  choice = {name_of(plan.algorithm), plan.why, plan.tile_m, plan.tile_n, plan.parts, plan.chunk};
}

}  // namespace

void register_matmul(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<fastdl::gemm>(dtype_of<T>::value, gemm_launch<T>);
    registry.add<fastdl::gemm_plan>(dtype_of<T>::value, gemm_plan_launch<T>);
  });
}

}  // namespace fastdl::cuda
