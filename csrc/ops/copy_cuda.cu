// Conversion, strided copies and fills over cuda/elementwise.cuh, transpositions over
// cuda/transpose.cuh.
#include "cuda/elementwise.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "cuda/transpose.cuh"
#include "ops/copy.h"

namespace fastdl::cuda {
namespace {

// kernels

template <class To>
struct Convert {
  template <class From>
  __device__ To operator()(From x) const {
    return convert_to<To>(x);
  }
};

template <class T>
struct Constant {
  T value;
  __device__ T operator()() const { return value; }
};

template <class T>
__global__ void __launch_bounds__(kBlock)
    arange_kernel(int64_t n, double start, double step, T* y) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < n; i += threads)
    y[i] = convert_to<T>(start + static_cast<double>(i) * step);
}

// launchers

template <class To>
void convert_kernel(const Context& context, DType from, const Strided<2>& walk, const void* x,
                    void* y) {
  if (from == dtype_of<To>::value) {
    const auto* const source = static_cast<const Bytes<To>*>(x);
    auto* const target = static_cast<Bytes<To>*>(y);
    if (!transpose(context, walk, source, target))
      elementwise(context, walk, Convert<Bytes<To>>{}, target, source);
    return;
  }
  with_dtype(from, [&](auto tag) {
    using From = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<From, To>)
      elementwise(context, walk, Convert<To>{}, static_cast<To*>(y), static_cast<const From*>(x));
  });
}

template <class T>
void fill_kernel(const Context& context, const Strided<1>& walk, uint64_t bits, void* y) {
  elementwise(context, walk, Constant<T>{static_cast<T>(bits)}, static_cast<T*>(y));
}

template <class T>
void arange_launch(const Context& context, int64_t n, double start, double step, void* y) {
  if (n > 0)
    launch(context, arange_kernel<T>, loop_grid(n), dim3(kBlock), n, start, step,
           static_cast<T*>(y));
}

}  // namespace

void register_copy(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t, bool>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<convert>(dtype_of<T>::value, convert_kernel<T>);
    registry.add<fill>(dtype_of<T>::value, fill_kernel<Bytes<T>>);
    registry.add<arange_fill>(dtype_of<T>::value, arange_launch<T>);
  });
}

}  // namespace fastdl::cuda
