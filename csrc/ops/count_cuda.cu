// Counting without atomics: bin numbers are sorted (cuda/sort.cuh), and a bin's count is how long its
// run is.
#include "ops/count.h"

#include <type_traits>

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "cuda/sort.cuh"

namespace fastdl::cuda {
namespace {

// What Bins take T for.
template <class T>
using Wide = std::conditional_t<std::is_integral_v<T>, int64_t, double>;

// kernels

// keys[i] = the bin of x[i], or the number of bins where it has none.
template <class T, class Word>
__global__ void __launch_bounds__(kBlock)
    bins_kernel(int64_t n, const __grid_constant__ Bins bins, const T* x, Word* keys) {
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < n;
       i += static_cast<int64_t>(gridDim.x) * kBlock) {
    const int64_t bin = bins.of(static_cast<Wide<T>>(static_cast<Compute<T>>(x[i])));
    keys[i] = static_cast<Word>(bin < 0 ? bins.count : bin);
  }
}

// How many of the ascending keys[n] are below `key`.
template <class Word>
__device__ inline int64_t below(const Word* keys, int64_t n, int64_t key) {
  int64_t first = 0;
  while (n > 0) {
    const int64_t half = n / 2;
    const bool after = static_cast<int64_t>(keys[first + half]) < key;
    first = after ? first + half + 1 : first;
    n = after ? n - half - 1 : half;
  }
  return first;
}

template <class Word>
__global__ void __launch_bounds__(kBlock)
    count_runs_kernel(int64_t n, int64_t bins, const Word* keys, int64_t* counts) {
  for (int64_t b = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; b < bins;
       b += static_cast<int64_t>(gridDim.x) * kBlock) {
    const int64_t first = below(keys, n, b);
    counts[b] = below(keys + first, n - first, b + 1);
  }
}

// launchers

template <class T, class Word>
void count(const Context& context, int64_t n, const Bins& bins, const T* x, int64_t* counts) {
  KeySort<Word> sorted(context, n, static_cast<uint64_t>(bins.count) + 1);
  launch(context, bins_kernel<T, Word>, loop_grid(n), dim3(kBlock), n, bins, x, sorted.keys());
  sorted.sort();
  launch(context, count_runs_kernel<Word>, loop_grid(bins.count), dim3(kBlock), n, bins.count,
         sorted.keys(), counts);
}

template <class T>
void count_launch(const Context& context, int64_t n, const Bins& bins, const void* x_,
                  int64_t* counts) {
  if (bins.count == 0) return;
  const T* const x = static_cast<const T*>(x_);
  if (n == 0)
    launch(context, count_runs_kernel<uint32_t>, loop_grid(bins.count), dim3(kBlock), n, bins.count,
           static_cast<const uint32_t*>(nullptr), counts);
  else if (n < int64_t{UINT32_MAX} && bins.count < int64_t{UINT32_MAX})
    count<T, uint32_t>(context, n, bins, x, counts);
  else
    count<T, uint64_t>(context, n, bins, x, counts);
}

}  // namespace

void register_count(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<count_forward>(dtype_of<T>::value, count_launch<T>);
  });
}

}  // namespace fastdl::cuda
