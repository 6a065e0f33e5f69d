// Sums of parts of k, which gemm kernels leave where tiles are few.
#pragma once

#include "cuda/epilogue.cuh"
#include "cuda/gemm_plan.h"

namespace fastdl::cuda {

// Of the partial sums [part, batch, m, n]; none where k is in one piece.
template <class T>
size_t partial_bytes(const GemmArguments& g, const GemmPlan& plan) {
  return plan.parts > 1 ? sizeof(Compute<T>) * static_cast<size_t>(plan.parts * g.batch * g.m * g.n)
                        : 0;
}

// c = what `finish` makes of the parts, added in order.
template <class T>
void add_gemm_parts(const Context& context, const GemmArguments& arguments, int64_t parts,
                    const Compute<T>* partials, const Finish<T>& finish, T* c);

}  // namespace fastdl::cuda
