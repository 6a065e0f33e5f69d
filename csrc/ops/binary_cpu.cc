// Elementwise functions of two tensors, comparisons and `where`: the tables of ops/binary.h over
// cpu/elementwise.h.
#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/math.h"
#include "cpu/register.h"
#include "cpu/special.h"
#include "ops/binary.h"

namespace fastdl::cpu {
namespace {

template <Binary op>
struct Formula;
template <Compare op>
struct Test;

#define F(name, value_formula, gradient_a, gradient_b) \
  template <>                                          \
  struct Formula<Binary::name> {                       \
    template <class X>                                 \
    static X value(X a, X b) {                         \
      return value_formula;                            \
    }                                                  \
  };
FASTDL_BINARY(F)
#undef F
#define F(name, test)             \
  template <>                     \
  struct Test<Compare::name> {    \
    template <class X>            \
    static bool value(X a, X b) { \
      return test;                \
    }                             \
  };
FASTDL_COMPARE(F)
#undef F

constexpr bool is_costly(Binary op) {
  return op == Binary::pow || op == Binary::atan2 || op == Binary::fmod ||
         op == Binary::remainder || op == Binary::floor_divide;
}

// kernels

template <Binary op, class T, bool stream = false>
void value_loop(int64_t n, T* y, const T* a, const T* b) {
  if constexpr (std::is_floating_point_v<T>) {
    using V = Vec<T>;
    int64_t i = 0;
    for (; i + V::size <= n; i += V::size)
      Formula<op>::value(V::load(a + i), V::load(b + i)).template put<stream>(y + i);
    if (i < n) {
      const int64_t m = n - i;
      Formula<op>::value(V::load(a + i, m, T(1)), V::load(b + i, m, T(1))).store(y + i, m);
    }
  } else {
    for (int64_t i = 0; i < n; ++i) y[i] = Formula<op>::value(Integer<T>(a[i]), Integer<T>(b[i])).v;
  }
}

template <Compare op, class T>
void compare_loop(int64_t n, bool* y, const T* a, const T* b) {
  for (int64_t i = 0; i < n; ++i) y[i] = Test<op>::value(a[i], b[i]);
}

template <class T>
void where_loop(int64_t n, T* y, const bool* condition, const T* a, const T* b) {
  // A block's conditions become masks first: then neither loop has a branch or mixes widths.
  constexpr int64_t kBlock = 256;
  const uint8_t* const c = reinterpret_cast<const uint8_t*>(condition);
  T yes[kBlock];
  for (int64_t i = 0; i < n; i += kBlock) {
    const int64_t m = std::min(kBlock, n - i);
    for (int64_t k = 0; k < m; ++k) yes[k] = static_cast<T>(-static_cast<T>(c[i + k]));
    for (int64_t k = 0; k < m; ++k)
      y[i + k] = static_cast<T>((a[i + k] & yes[k]) | (b[i + k] & ~yes[k]));
  }
}

// launchers

template <class T>
void binary(const Context& context, Binary op, const Strided<3>& walk, const void* a, const void* b,
            void* y) {
  typename Elementwise<T, T, T>::Loops loops;
  switch (op) {
#define F(name, value_formula, gradient_a, gradient_b)                                            \
  case Binary::name:                                                                              \
    if constexpr (is_floating(dtype_of<T>::value) || takes_integers(Binary::name))                \
      loops = {value_loop<Binary::name, Compute<T>>, value_loop<Binary::name, Compute<T>, true>}; \
    break;
    FASTDL_BINARY(F)
#undef F
  }
  if (loops.loop)
    Elementwise<T, T, T>::run(context, walk, is_costly(op) ? kCostlyGrain : kCheapGrain, loops,
                              static_cast<T*>(y), static_cast<const T*>(a),
                              static_cast<const T*>(b));
}

template <class T>
void compare(const Context& context, Compare op, const Strided<3>& walk, const void* a,
             const void* b, bool* y) {
  typename Elementwise<bool, T, T>::Loop loop = nullptr;
  switch (op) {
#define F(name, test) \
  case Compare::name: loop = compare_loop<Compare::name, Compute<T>>; break;
    FASTDL_COMPARE(F)
#undef F
  }
  Elementwise<bool, T, T>::run(context, walk, kCheapGrain, loop, y, static_cast<const T*>(a),
                               static_cast<const T*>(b));
}

template <class T>
void where(const Context& context, const Strided<4>& walk, const bool* condition, const void* a,
           const void* b, void* y) {
  Elementwise<T, bool, T, T>::run(context, walk, kCheapGrain, where_loop<T>, static_cast<T*>(y),
                                  condition, static_cast<const T*>(a), static_cast<const T*>(b));
}

}  // namespace

void register_binary(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<binary_forward>(dtype_of<T>::value, binary<T>);
  });
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t, bool>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<compare_forward>(dtype_of<T>::value, compare<T>);
    registry.add<where_forward>(dtype_of<T>::value, where<Bytes<T>>);
  });
}

}  // namespace fastdl::cpu
