// Draws by weight: a block sums the chunks of a row; with replacement a thread then makes a draw,
// without it one thread makes the draws of a row one after another.
#include "core/dtype.h"
#include "core/weighted.h"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"
#include "cuda/register.h"
#include "ops/sample.h"

namespace fastdl::cuda {
namespace {

// kernels

// A reducer of cuda/reduce.cuh.
template <class T>
struct FirstOutside {
  using Acc = int64_t;
  static constexpr int64_t kNone = INT64_MAX;
  double low, high;
  __device__ Acc init() const { return kNone; }
  __device__ Acc add(Acc first, T x, int64_t i) const {
    const double v = static_cast<double>(Compute<T>(x));
    return v >= low && v <= high ? first : min(first, i);
  }
  __device__ Acc combine(Acc a, Acc b) const { return min(a, b); }
  __device__ int64_t finish(Acc first) const { return first == kNone ? -1 : first; }
  static __device__ Acc shuffle(Acc first, int mask) { return shuffle_xor(first, mask); }
};

// sums[row, c] and before[row, c + 1] of chunk c; with `left`, a copy of the weights. A block per row.
template <class T>
__global__ void __launch_bounds__(kBlock)
    sum_weights_kernel(int64_t rows, int64_t n, const T* weights, double* sums, double* before,
                       T* left) {
  const int64_t chunks = weight_chunks(n);
  for (int64_t row = blockIdx.x; row < rows; row += gridDim.x) {
    const T* const from = weights + row * n;
    for (int64_t c = threadIdx.x; c < chunks; c += kBlock)
      sums[row * chunks + c] = weight_of_chunk(from, n, c);
    if (left)
      for (int64_t i = threadIdx.x; i < n; i += kBlock) left[row * n + i] = from[i];
    __syncthreads();
    if (threadIdx.x == 0) {
      double sum = 0;
      double* const to = before + row * (chunks + 1);
      to[0] = 0;
      for (int64_t c = 0; c < chunks; ++c) to[c + 1] = sum += sums[row * chunks + c];
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    draw_kernel(uint64_t seed, uint64_t offset, int64_t count, int64_t n, int64_t samples,
                const T* weights, const double* before, int64_t* y) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < count;
       i += threads) {
    const int64_t row = i / samples;
    const double u = fine_uniform(philox(seed, offset + static_cast<uint64_t>(i)));
    y[i] = weighted_choice(weights + row * n, n, before + row * (weight_chunks(n) + 1), u);
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    remove_kernel(uint64_t seed, uint64_t offset, int64_t rows, int64_t n, int64_t samples, T* left,
                  double* sums, double* before, int64_t* y) {
  const int64_t chunks = weight_chunks(n);
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t row = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; row < rows;
       row += threads)
    for (int64_t i = row * samples; i < (row + 1) * samples; ++i) {
      const double u = fine_uniform(philox(seed, offset + static_cast<uint64_t>(i)));
      y[i] =
          weighted_removal(left + row * n, n, sums + row * chunks, before + row * (chunks + 1), u);
    }
}

// launchers

template <class T>
void first_outside_launch(const Context& context, int64_t n, const void* x, double low, double high,
                          int64_t* position) {
  Strided<2> kept;
  Strided<1> reduced;
  reduced.ndim = 1;
  reduced.numel = reduced.size[0] = n;
  reduced.stride[0][0] = 1;
  reduce(context, kept, reduced, FirstOutside<T>{low, high}, static_cast<const T*>(x), position);
}

template <class T>
void multinomial_launch(const Context& context, uint64_t seed, uint64_t offset, int64_t rows,
                        int64_t n, int64_t samples, bool replacement, const void* weights_,
                        int64_t* y) {
  if (rows * samples == 0) return;
  constexpr int64_t kMostBlocks = 8192;
  const T* const weights = static_cast<const T*>(weights_);
  const auto bytes = [](int64_t count, size_t item) { return static_cast<size_t>(count) * item; };
  const int64_t chunks = weight_chunks(n);
  const Scratch sums(context, bytes(rows * chunks, sizeof(double)));
  const Scratch before(context, bytes(rows * (chunks + 1), sizeof(double)));
  const Scratch left(context, replacement ? 0 : bytes(rows * n, sizeof(T)));
  launch(context, sum_weights_kernel<T>,
         dim3(static_cast<unsigned>(rows < kMostBlocks ? rows : kMostBlocks)), dim3(kBlock), rows,
         n, weights, sums.as<double>(), before.as<double>(), left.template as<T>());
  if (replacement)
    launch(context, draw_kernel<T>, loop_grid(rows * samples), dim3(kBlock), seed, offset,
           rows * samples, n, samples, weights, static_cast<const double*>(before.as<double>()), y);
  else
    launch(context, remove_kernel<T>, loop_grid(rows), dim3(kBlock), seed, offset, rows, n, samples,
           left.template as<T>(), sums.as<double>(), before.as<double>(), y);
}

}  // namespace

void register_sample(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<first_outside>(dtype_of<T>::value, first_outside_launch<T>);
  });
  registry.add<multinomial_forward>(DType::f32, multinomial_launch<float>);
  registry.add<multinomial_forward>(DType::f64, multinomial_launch<double>);
}

}  // namespace fastdl::cuda
