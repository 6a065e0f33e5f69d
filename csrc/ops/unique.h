// Each element, or slice, once.
#pragma once

#include <optional>

#include "core/tensor.h"

namespace fastdl {

struct Unique {
  Tensor values;   // ascending
  Tensor inverse;  // int64: which of the values each element is
  Tensor counts;   // int64: how often each value occurs
};

// Of all elements, or of the slices along `dim`, in lexicographic order. NaN equals nothing, itself
// included.
Unique unique(const Tensor& x, std::optional<int64_t> dim);

}  // namespace fastdl
