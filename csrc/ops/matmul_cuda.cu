// Matrix products on CUDA: cuda/gemm.h under the op's name.
#include "ops/matmul.h"

#include "core/dtype.h"
#include "cuda/gemm.h"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

template <class T>
void gemm_launch(const Context& context, const GemmShape& s, const void* a, const void* b,
                 const void*, const Epilogue& epilogue, void* c) {
  const GemmArguments arguments{s.batch,   s.m,     s.n,         s.k,     s.a_batch,
                                s.a_row,   s.a_col, s.b_batch,   s.b_row, s.b_col,
                                s.c_batch, s.c_row, s.accumulate};
  gemm(context, arguments, static_cast<const T*>(a), static_cast<const T*>(b), epilogue,
       static_cast<T*>(c));
}

}  // namespace

void register_matmul(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<fastdl::gemm>(dtype_of<T>::value, gemm_launch<T>);
  });
}

}  // namespace fastdl::cuda
