// Elementwise functions of two tensors, comparisons and `where`: the tables of ops/binary.h over
// cuda/elementwise.cuh.
#include "core/dtype.h"
#include "cuda/elementwise.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "ops/binary.h"

namespace fastdl::cuda {
namespace {

template <Binary op>
struct Formula;
template <Compare op>
struct Test;

#define F(name, value_formula, gradient_a, gradient_b) \
  template <>                                          \
  struct Formula<Binary::name> {                       \
    template <class X>                                 \
    static __device__ X value(X a, X b) {              \
      return value_formula;                            \
    }                                                  \
  };
FASTDL_BINARY(F)
#undef F
#define F(name, test)                        \
  template <>                                \
  struct Test<Compare::name> {               \
    template <class X>                       \
    static __device__ bool value(X a, X b) { \
      return test;                           \
    }                                        \
  };
FASTDL_COMPARE(F)
#undef F

// kernels

template <Binary op, class T>
struct Combine {
  using X = Value<Compute<T>>;
  __device__ T operator()(T a, T b) const {
    return T(Formula<op>::value(X(Compute<T>(a)), X(Compute<T>(b))).v);
  }
};

template <Compare op, class T>
struct Comparison {
  using X = Value<Compute<T>>;
  __device__ bool operator()(T a, T b) const {
    return Test<op>::value(X(Compute<T>(a)), X(Compute<T>(b)));
  }
};

struct Choose {
  template <class T>
  __device__ T operator()(bool condition, T a, T b) const {
    return condition ? a : b;
  }
};

// launchers

template <Binary op, class T>
void run_binary(const Context& context, const Strided<3>& walk, const T* a, const T* b, T* y) {
  if constexpr (is_floating(dtype_of<T>::value) || takes_integers(op))
    elementwise(context, walk, Combine<op, T>{}, y, a, b);
}

template <class T>
void binary_kernel(const Context& context, Binary op, const Strided<3>& walk, const void* a,
                   const void* b, void* y) {
  const T* const x0 = static_cast<const T*>(a);
  const T* const x1 = static_cast<const T*>(b);
  switch (op) {
#define F(name, value, ga, gb) \
  case Binary::name: return run_binary<Binary::name>(context, walk, x0, x1, static_cast<T*>(y));
    FASTDL_BINARY(F)
#undef F
  }
}

template <class T>
void compare_kernel(const Context& context, Compare op, const Strided<3>& walk, const void* a,
                    const void* b, bool* y) {
  const T* const x0 = static_cast<const T*>(a);
  const T* const x1 = static_cast<const T*>(b);
  switch (op) {
#define F(name, value) \
  case Compare::name: return elementwise(context, walk, Comparison<Compare::name, T>{}, y, x0, x1);
    FASTDL_COMPARE(F)
#undef F
  }
}

template <class T>
void where_kernel(const Context& context, const Strided<4>& walk, const bool* condition,
                  const void* a, const void* b, void* y) {
  elementwise(context, walk, Choose{}, static_cast<T*>(y), condition, static_cast<const T*>(a),
              static_cast<const T*>(b));
}

}  // namespace

void register_binary(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<binary_forward>(dtype_of<T>::value, binary_kernel<T>);
  });
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t, bool>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<compare_forward>(dtype_of<T>::value, compare_kernel<T>);
    registry.add<where_forward>(dtype_of<T>::value, where_kernel<Bytes<T>>);
  });
}

}  // namespace fastdl::cuda
