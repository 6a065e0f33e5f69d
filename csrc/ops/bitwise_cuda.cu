#include "core/dtype.h"
#include "cuda/elementwise.cuh"
#include "cuda/register.h"
#include "ops/bitwise.h"

namespace fastdl::cuda {
namespace {

// kernels

#define F(name, value)                        \
  struct Value_##name {                       \
    template <class T>                        \
    __device__ T operator()(T a, T b) const { \
      return static_cast<T>(value);           \
    }                                         \
  };
FASTDL_BITWISE(F)
#undef F

// launchers

template <class T>
void bitwise_kernel(const Context& context, Bitwise op, const Strided<3>& walk, const void* a,
                    const void* b, void* y) {
  const T* const x0 = static_cast<const T*>(a);
  const T* const x1 = static_cast<const T*>(b);
  switch (op) {
#define F(name, value) \
  case Bitwise::name: return elementwise(context, walk, Value_##name{}, static_cast<T*>(y), x0, x1);
    FASTDL_BITWISE(F)
#undef F
  }
}

}  // namespace

void register_bitwise(Registry& registry) {
  for_types<int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<bitwise_forward>(dtype_of<T>::value, bitwise_kernel<T>);
  });
  registry.add<bitwise_forward>(DType::boolean, bitwise_kernel<uint8_t>);  // 0 and 1 stay such
}

}  // namespace fastdl::cuda
