// Elementwise functions of one tensor: the table of ops/unary.h over cpu/elementwise.h and the
// vector functions of cpu/math.h.
#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/math.h"
#include "cpu/register.h"
#include "cpu/special.h"
#include "ops/unary.h"

namespace fastdl::cpu {
namespace {

template <Unary op>
struct Formula;

#define F(name, doc, value_formula, gradient_formula)                                        \
  template <>                                                                                \
  struct Formula<Unary::name> {                                                              \
    template <class X>                                                                       \
    static X value(X x, [[maybe_unused]] X a, [[maybe_unused]] X b) {                        \
      return value_formula;                                                                  \
    }                                                                                        \
    template <class X>                                                                       \
    static X gradient(X g, [[maybe_unused]] X x, [[maybe_unused]] X y, [[maybe_unused]] X a, \
                      [[maybe_unused]] X b) {                                                \
      return gradient_formula;                                                               \
    }                                                                                        \
  };
FASTDL_UNARY_ALL
#undef F

constexpr bool is_cheap(Unary op) {
  switch (op) {
    case Unary::reciprocal:
    case Unary::sqrt:
    case Unary::rsqrt:
    case Unary::softsign:
    case Unary::hardswish:
    case Unary::leaky_relu:
    case Unary::hardtanh:
    case Unary::hardsigmoid:
    case Unary::threshold:
    case Unary::hardshrink:
    case Unary::softshrink:
    case Unary::clip: return true;
    default: return takes_integers(op);
  }
}
constexpr bool is_cheap_gradient(Unary op) {
  return is_cheap(op) || op == Unary::exp || op == Unary::tanh || op == Unary::sigmoid ||
         op == Unary::log || op == Unary::atan;
}

// kernels

template <Unary op, class T, bool stream = false>
void value_loop(const Numbers& numbers, int64_t n, T* y, const T* x) {
  if constexpr (std::is_floating_point_v<T>) {
    using V = Vec<T>;
    const V a(static_cast<T>(numbers.a)), b(static_cast<T>(numbers.b));
    int64_t i = 0;
    for (; i + V::size <= n; i += V::size)
      Formula<op>::value(V::load(x + i), a, b).template put<stream>(y + i);
    if (i < n) Formula<op>::value(V::load(x + i, n - i, T(1)), a, b).store(y + i, n - i);
  } else {
    const Integer<T> none(T(0));
    for (int64_t i = 0; i < n; ++i) y[i] = Formula<op>::value(Integer<T>(x[i]), none, none).v;
  }
}

template <Unary op, class T, bool stream = false>
void gradient_loop(const Numbers& numbers, int64_t n, T* dx, const T* g, const T* x, const T* y) {
  using V = Vec<T>;
  const V a(static_cast<T>(numbers.a)), b(static_cast<T>(numbers.b));
  int64_t i = 0;
  for (; i + V::size <= n; i += V::size)
    Formula<op>::gradient(V::load(g + i), V::load(x + i), V::load(y + i), a, b)
        .template put<stream>(dx + i);
  if (i < n) {
    const int64_t m = n - i;
    Formula<op>::gradient(V::load(g + i, m), V::load(x + i, m, T(1)), V::load(y + i, m, T(1)), a, b)
        .store(dx + i, m);
  }
}

// launchers

template <class T>
void forward(const Context& context, Unary op, Numbers numbers, const Strided<2>& walk,
             const void* x, void* y) {
  typename Elementwise<T, T>::Loops loops;
  bool cheap = true;
  switch (op) {
#define F(name, doc, value_formula, gradient_formula)                             \
  case Unary::name:                                                               \
    if constexpr (is_floating(dtype_of<T>::value) || takes_integers(Unary::name)) \
      loops = {{value_loop<Unary::name, Compute<T>>, numbers},                    \
               {value_loop<Unary::name, Compute<T>, true>, numbers}},             \
      cheap = is_cheap(Unary::name);                                              \
    break;
    FASTDL_UNARY_ALL
#undef F
  }
  if (loops.loop)
    Elementwise<T, T>::run(context, walk, cheap ? kCheapGrain : kCostlyGrain, loops,
                           static_cast<T*>(y), static_cast<const T*>(x));
}

template <class T>
void backward(const Context& context, Unary op, Numbers numbers, const Strided<4>& walk,
              const void* g, const void* x, const void* y, void* dx) {
  typename Elementwise<T, T, T, T>::Loops loops;
  switch (op) {
#define F(name, doc, value_formula, gradient_formula)                  \
  case Unary::name:                                                    \
    loops = {{gradient_loop<Unary::name, Compute<T>>, numbers},        \
             {gradient_loop<Unary::name, Compute<T>, true>, numbers}}; \
    break;
    FASTDL_UNARY_ALL
#undef F
  }
  Elementwise<T, T, T, T>::run(context, walk, is_cheap_gradient(op) ? kCheapGrain : kCostlyGrain,
                               loops, static_cast<T*>(dx), static_cast<const T*>(g),
                               static_cast<const T*>(x), static_cast<const T*>(y));
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

}  // namespace fastdl::cpu
