// Products by the kernel that plan_gemm chooses.
#include "cuda/gemm.h"

#include <algorithm>

#include "core/dtype.h"
#include "cuda/gemm_ffma.h"
#include "cuda/gemm_mma.h"
#include "cuda/gemm_plan.h"
#include "cuda/gemm_wgmma.h"

namespace fastdl::cuda {
namespace {

template <class T>
void run(const Context& context, const GemmArguments& g, const T* a, const T* b,
         const Epilogue& epilogue, T* c) {
  const GemmPlan plan = plan_gemm(g, dtype_of<T>::value, a, b, c, device_facts(context.device));
  if constexpr (sizeof(T) < 8) {
    if (plan.algorithm == GemmAlgorithm::mma) return gemm_mma(context, g, plan, a, b, epilogue, c);
    if (plan.algorithm == GemmAlgorithm::wgmma)
      return gemm_wgmma(context, g, plan, a, b, epilogue, c);
  }
  gemm_ffma(context, g, plan, a, b, epilogue, c);
}

}  // namespace

template <class T>
void gemm(const Context& context, const GemmArguments& arguments, const T* a, const T* b,
          const Epilogue& epilogue, T* c) {
  if (arguments.batch == 0 || arguments.m == 0 || arguments.n == 0) return;
  constexpr int64_t kMostBatches = 65535;  // what a grid can count
  for (int64_t first = 0; first < arguments.batch; first += kMostBatches) {
    GemmArguments g = arguments;
    g.batch = std::min(arguments.batch - first, kMostBatches);
    Epilogue e = epilogue;
    if (e.residual) e.residual = static_cast<const T*>(e.residual) + first * g.c_batch;
    run(context, g, a + first * g.a_batch, b + first * g.b_batch, e, c + first * g.c_batch);
  }
}

template void gemm(const Context&, const GemmArguments&, const Half*, const Half*, const Epilogue&,
                   Half*);
template void gemm(const Context&, const GemmArguments&, const BFloat16*, const BFloat16*,
                   const Epilogue&, BFloat16*);
template void gemm(const Context&, const GemmArguments&, const float*, const float*,
                   const Epilogue&, float*);
template void gemm(const Context&, const GemmArguments&, const double*, const double*,
                   const Epilogue&, double*);

}  // namespace fastdl::cuda
