#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"
#include "ops/bitwise.h"

namespace fastdl::cpu {
namespace {

// kernels

#define F(name, value)                                          \
  template <class T>                                            \
  void name##_loop(int64_t n, T* y, const T* x0, const T* x1) { \
    for (int64_t i = 0; i < n; ++i) {                           \
      const T a = x0[i], b = x1[i];                             \
      y[i] = static_cast<T>(value);                             \
    }                                                           \
  }
FASTDL_BITWISE(F)
#undef F

// launchers

template <class T>
void bitwise(const Context& context, Bitwise op, const Strided<3>& walk, const void* a,
             const void* b, void* y) {
  typename Elementwise<T, T, T>::Loop loop = nullptr;
  switch (op) {
#define F(name, value) \
  case Bitwise::name: loop = name##_loop<T>; break;
    FASTDL_BITWISE(F)
#undef F
  }
  Elementwise<T, T, T>::run(context, walk, kCheapGrain, loop, static_cast<T*>(y),
                            static_cast<const T*>(a), static_cast<const T*>(b));
}

}  // namespace

void register_bitwise(Registry& registry) {
  for_types<int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<bitwise_forward>(dtype_of<T>::value, bitwise<T>);
  });
  registry.add<bitwise_forward>(DType::boolean, bitwise<uint8_t>);  // bytes of 0 and 1 stay such
}

}  // namespace fastdl::cpu
