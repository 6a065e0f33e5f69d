// Sums, extremes and their positions over cuda/reduce.cuh. 16-bit floats accumulate in float, and
// integers wrap around.
#include <limits>

#include "core/dtype.h"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"
#include "cuda/register.h"
#include "ops/reduce.h"

namespace fastdl::cuda {
namespace {

// Whether b beats a: larger (smaller for amin), and NaN beats any number.
template <Reduce op, class T>
__device__ inline bool beats(T b, T a) {
  if (b != b) return a == a;
  return op == Reduce::amax ? b > a : b < a;
}

template <Reduce op, class T>
__device__ inline T weakest() {
  using Limits = std::numeric_limits<T>;
  constexpr T top = Limits::has_infinity ? Limits::infinity() : Limits::max();
  constexpr T bottom = Limits::has_infinity ? -Limits::infinity() : Limits::lowest();
  return op == Reduce::amax ? bottom : top;
}

// kernels (reducers of cuda/reduce.cuh)

template <Reduce op, class T>
struct Extreme {
  using Acc = Compute<T>;
  __device__ Acc init() const { return weakest<op, Acc>(); }
  __device__ Acc add(Acc acc, T x, int64_t) const { return combine(acc, Acc(x)); }
  __device__ Acc combine(Acc a, Acc b) const { return beats<op>(b, a) ? b : a; }
  __device__ T finish(Acc acc) const { return T(acc); }
  static __device__ Acc shuffle(Acc acc, int mask) {
    return static_cast<Acc>(shuffle_xor(acc, mask));
  }
};

template <class A>
struct Position {
  A value;
  int64_t index;  // -1: nothing yet
};

template <Reduce op, class T>
struct ArgExtreme {
  // At least as wide as what a shuffle moves.
  using Value = std::conditional_t<sizeof(Compute<T>) < 4, int32_t, Compute<T>>;
  using Acc = Position<Value>;
  __device__ Acc init() const { return {weakest<op, Value>(), -1}; }
  __device__ Acc add(Acc acc, T x, int64_t r) const {
    return combine(acc, {Value(Compute<T>(x)), r});
  }
  __device__ Acc combine(Acc a, Acc b) const {
    if (b.index < 0) return a;
    if (a.index < 0) return b;
    const bool tie = !beats<op>(b.value, a.value) && !beats<op>(a.value, b.value);
    return (tie ? b.index < a.index : beats<op>(b.value, a.value)) ? b : a;
  }
  __device__ int64_t finish(Acc acc) const { return acc.index < 0 ? 0 : acc.index; }
  static __device__ Acc shuffle(Acc acc, int mask) {
    return {shuffle_xor(acc.value, mask), shuffle_xor(acc.index, mask)};
  }
};

// launchers

template <class T>
void reduce_launch(const Context& context, Reduce op, const ReduceShape& shape, const void* x,
                   void* y) {
  const auto run = [&](const auto& reducer) {
    reduce(context, shape.kept, shape.reduced, reducer, static_cast<const T*>(x),
           static_cast<T*>(y));
  };
  switch (op) {
    case Reduce::sum: return run(Sum<T>{});
    case Reduce::prod: return run(Product<T>{});
    case Reduce::amax: return run(Extreme<Reduce::amax, T>{});
    case Reduce::amin: return run(Extreme<Reduce::amin, T>{});
  }
}

template <class T>
void arg_reduce_launch(const Context& context, Reduce op, int64_t outer, int64_t n, int64_t inner,
                       const void* x, int64_t* y) {
  Strided<2> kept;
  kept.numel = outer * inner;
  const int64_t size[2] = {inner, outer}, x_stride[2] = {1, n * inner}, y_stride[2] = {1, inner};
  for (int d = 0; d < 2; ++d) {
    if (size[d] == 1) continue;
    kept.size[kept.ndim] = size[d];
    kept.stride[0][kept.ndim] = x_stride[d];
    kept.stride[1][kept.ndim] = y_stride[d];
    ++kept.ndim;
  }
  Strided<1> reduced;
  reduced.ndim = 1;
  reduced.numel = reduced.size[0] = n;
  reduced.stride[0][0] = inner;
  const auto run = [&](const auto& reducer) {
    reduce(context, kept, reduced, reducer, static_cast<const T*>(x), y);
  };
  if (op == Reduce::amin)
    run(ArgExtreme<Reduce::amin, T>{});
  else
    run(ArgExtreme<Reduce::amax, T>{});
}

}  // namespace

void register_reduce(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<reduce_forward>(dtype_of<T>::value, reduce_launch<T>);
    registry.add<arg_reduce_forward>(dtype_of<T>::value, arg_reduce_launch<T>);
  });
}

}  // namespace fastdl::cuda
