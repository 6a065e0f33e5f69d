// The last step of a product (core/epilogue.h) over registers.
#pragma once

#include "core/epilogue.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

template <class T>
[[gnu::always_inline]] inline Vec<T> activate(Vec<T> x, Activation activation, T slope) {
  switch (activation) {  // NaN stays NaN
    case Activation::none: return x;
    case Activation::relu: return select(x < T(0), T(0), x);
    case Activation::leaky_relu: return select(x < T(0), x * slope, x);
  }
  return x;
}

}  // namespace fastdl::cpu
