#include "cuda/gemm_parts.h"

#include "core/dtype.h"

namespace fastdl::cuda {
namespace {

struct Parts {
  int64_t batch, m, n, c_batch, c_row, count;
};

// kernels

template <class T>
__global__ void __launch_bounds__(kBlock)
    add_parts_kernel(const __grid_constant__ Parts p, const Compute<T>* partials,
                     const __grid_constant__ Finish<T> finish, T* c) {
  const int64_t total = p.batch * p.m * p.n, threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < total;
       i += threads) {
    const int64_t j = i % p.n, r = i / p.n % p.m, z = i / p.n / p.m;
    Compute<T> sum(0);
    for (int64_t part = 0; part < p.count; ++part) sum += partials[part * total + i];
    const int64_t at = z * p.c_batch + r * p.c_row + j;
    c[at] = T(finish.at(sum, j, at));
  }
}

}  // namespace

// launchers

template <class T>
void add_gemm_parts(const Context& context, const GemmArguments& g, int64_t parts,
                    const Compute<T>* partials, const Finish<T>& finish, T* c) {
  launch(context, add_parts_kernel<T>, loop_grid(g.batch * g.m * g.n), dim3(kBlock),
         Parts{g.batch, g.m, g.n, g.c_batch, g.c_row, parts}, partials, finish, c);
}

#define FASTDL_ADD_PARTS(T)                                                                      \
  template void add_gemm_parts(const Context&, const GemmArguments&, int64_t, const Compute<T>*, \
                               const Finish<T>&, T*);
FASTDL_ADD_PARTS(Half)
FASTDL_ADD_PARTS(BFloat16)
FASTDL_ADD_PARTS(float)
FASTDL_ADD_PARTS(double)
#undef FASTDL_ADD_PARTS

}  // namespace fastdl::cuda
