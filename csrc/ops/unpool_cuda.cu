// Values back to where maxima lay. The places are sorted, stably (cuda/sort.cuh): the last value of
// a run of equal ones is the one that stays.
#include "ops/unpool.h"

#include "core/dtype.h"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"
#include "cuda/register.h"
#include "cuda/sort.cuh"

namespace fastdl::cuda {
namespace {

using Word = uint64_t;

// kernels

__global__ void __launch_bounds__(kBlock)
    places_kernel(int64_t n, int64_t count, int64_t cells, const int64_t* index, Word* keys) {
  for (int64_t i = blockIdx.x * kBlock + threadIdx.x; i < n; i += gridDim.x * kBlock)
    keys[i] = static_cast<Word>(i / count * cells + index[i]);
}

template <class W>
__global__ void __launch_bounds__(kBlock) clear_kernel(int64_t n, W* y) {
  for (int64_t i = blockIdx.x * kBlock + threadIdx.x; i < n; i += gridDim.x * kBlock) y[i] = W(0);
}

// For every place: forward its cell of `to` from its last value, backward the other way round.
template <class W>
__global__ void __launch_bounds__(kBlock)
    move_last_kernel(int64_t n, bool forward, const Word* places, const Word* positions,
                     const W* from, W* to) {
  for (int64_t i = blockIdx.x * kBlock + threadIdx.x; i < n; i += gridDim.x * kBlock) {
    if (i + 1 < n && places[i + 1] == places[i]) continue;
    const Word place = places[i], position = positions[i];
    to[forward ? place : position] = from[forward ? position : place];
  }
}

// launchers

template <class W>
void move(const Context& context, int64_t planes, int64_t count, int64_t cells, bool forward,
          const void* from, const int64_t* index, void* to_) {
  W* const to = static_cast<W*>(to_);
  const int64_t n = planes * count, size = forward ? planes * cells : n;
  if (size == 0) return;
  launch(context, clear_kernel<W>, loop_grid(size), dim3(kBlock), size, to);
  if (n == 0) return;
  KeySort<Word> sorted(context, n, static_cast<uint64_t>(planes * cells));
  launch(context, places_kernel, loop_grid(n), dim3(kBlock), n, count, cells, index, sorted.keys());
  sorted.sort();
  launch(context, move_last_kernel<W>, loop_grid(n), dim3(kBlock), n, forward, sorted.keys(),
         sorted.positions(), static_cast<const W*>(from), to);
}

template <class W>
void forward(const Context& context, int64_t planes, int64_t count, int64_t cells, const void* x,
             const int64_t* index, void* y) {
  move<W>(context, planes, count, cells, true, x, index, y);
}

template <class W>
void backward(const Context& context, int64_t planes, int64_t count, int64_t cells, const void* dy,
              const int64_t* index, void* dx) {
  move<W>(context, planes, count, cells, false, dy, index, dx);
}

}  // namespace

void register_unpool(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<unpool_forward>(dtype_of<T>::value, forward<Bytes<T>>);
    registry.add<unpool_backward>(dtype_of<T>::value, backward<Bytes<T>>);
  });
}

}  // namespace fastdl::cuda
