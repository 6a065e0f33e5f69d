// 16-bit operands of ops that have no kernels for them, or that would round too often.
#pragma once

#include <type_traits>

#include "core/tensor.h"
#include "ops/copy.h"

namespace fastdl {

// f of 16-bit operands (undefined ones stay so) in float32, each result rounded once, and so are the
// gradients.
template <class F, class... Rest>
auto in_float32(const F& f, const Tensor& x, const Rest&... rest) {
  const auto wide = [](const Tensor& t) { return t.defined() ? cast(t, DType::f32) : t; };
  auto y = f(wide(x), wide(rest)...);
  if constexpr (std::is_same_v<decltype(y), Tensor>)
    y = cast(y, x.dtype());
  else
    for (Tensor& t : y) t = cast(t, x.dtype());
  return y;
}
inline bool has_16_bits(const Tensor& x) { return item_size(x.dtype()) == 2; }

}  // namespace fastdl
