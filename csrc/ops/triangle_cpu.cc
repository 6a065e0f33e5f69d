// Triangles: each row is a copy and a fill.
#include "ops/triangle.h"

#include <algorithm>
#include <cstring>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

template <class T>
void triangle_launch(const Context& context, bool lower, int64_t diagonal, int64_t batch, int64_t m,
                     int64_t n, const void* x_, void* y_) {
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const int64_t grain = std::max<int64_t>(1, kCheapGrain / n);
  context.parallel_for(batch * m, grain, [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) {
      // Elements in front of `cut` are kept (lower), or those from it on.
      const int64_t cut = std::clamp<int64_t>(row % m + diagonal + lower, 0, n);
      const int64_t from = row * n + (lower ? 0 : cut), kept = lower ? cut : n - cut;
      memcpy(y + from, x + from, static_cast<size_t>(kept) * sizeof(T));
      std::fill_n(y + row * n + (lower ? cut : 0), n - kept, T(0));
    }
  });
}

}  // namespace

void register_triangle(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t, bool>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<triangle_forward>(dtype_of<T>::value, triangle_launch<Bytes<T>>);
  });
}

}  // namespace fastdl::cpu
