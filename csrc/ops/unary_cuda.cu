// Elementwise functions of one tensor: the table of ops/unary.h over cuda/elementwise.cuh. 16-bit
// floats are widened to float and rounded once, at the end.
#include "core/dtype.h"
#include "cuda/elementwise.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "ops/unary.h"

namespace fastdl::cuda {
namespace {

template <Unary op>
struct Formula;

#define F(name, doc, value_formula, gradient_formula)                             \
  template <>                                                                     \
  struct Formula<Unary::name> {                                                   \
    template <class X>                                                            \
    static __device__ X value(X x, [[maybe_unused]] X a, [[maybe_unused]] X b) {  \
      return value_formula;                                                       \
    }                                                                             \
    template <class X>                                                            \
    static __device__ X gradient(X g, [[maybe_unused]] X x, [[maybe_unused]] X y, \
                                 [[maybe_unused]] X a, [[maybe_unused]] X b) {    \
      return gradient_formula;                                                    \
    }                                                                             \
  };
FASTDL_UNARY_ALL
#undef F

// kernels

template <Unary op, class T>
struct Forward {
  using X = Value<Compute<T>>;
  Compute<T> a, b;
  __device__ T operator()(T x) const {
    return T(Formula<op>::value(X(Compute<T>(x)), X(a), X(b)).v);
  }
};

template <Unary op, class T>
struct Backward {
  using X = Value<Compute<T>>;
  Compute<T> a, b;
  __device__ T operator()(T g, T x, T y) const {
    return T(
        Formula<op>::gradient(X(Compute<T>(g)), X(Compute<T>(x)), X(Compute<T>(y)), X(a), X(b)).v);
  }
};

// launchers

template <Unary op, class T>
void run_forward(const Context& context, Numbers numbers, const Strided<2>& walk, const T* x,
                 T* y) {
  if constexpr (is_floating(dtype_of<T>::value) || takes_integers(op)) {
    const auto a = static_cast<Compute<T>>(numbers.a), b = static_cast<Compute<T>>(numbers.b);
    elementwise(context, walk, Forward<op, T>{a, b}, y, x);
  }
}

template <class T>
void forward(const Context& context, Unary op, Numbers numbers, const Strided<2>& walk,
             const void* x, void* y) {
  switch (op) {
#define F(name, doc, value, gradient)                                                 \
  case Unary::name:                                                                   \
    return run_forward<Unary::name>(context, numbers, walk, static_cast<const T*>(x), \
                                    static_cast<T*>(y));
    FASTDL_UNARY_ALL
#undef F
  }
}

template <class T>
void backward(const Context& context, Unary op, Numbers numbers, const Strided<4>& walk,
              const void* g, const void* x, const void* y, void* dx) {
  const auto a = static_cast<Compute<T>>(numbers.a), b = static_cast<Compute<T>>(numbers.b);
  switch (op) {
#define F(name, doc, value, gradient)                                                      \
  case Unary::name:                                                                        \
    return elementwise(context, walk, Backward<Unary::name, T>{a, b}, static_cast<T*>(dx), \
                       static_cast<const T*>(g), static_cast<const T*>(x),                 \
                       static_cast<const T*>(y));
    FASTDL_UNARY_ALL
#undef F
  }
}

}  // namespace

void register_unary(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<unary_forward>(dtype_of<T>::value, forward<T>);
  });
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<unary_backward>(dtype_of<T>::value, backward<T>);
  });
}

}  // namespace fastdl::cuda
