// Weights in the form that a kernel reads fastest, kept beside the weight.
//
// Packing a weight costs a pass over it, which a single image through a deep layer notices. In
// inference the weight stays the same, so its packed form is made once and kept with the weight's
// memory until an in-place edit changes the memory's version.
#pragma once

#include <functional>

#include "core/tensor.h"

namespace fastdl {

struct PackedKey {
  const char* op;     // who packed it
  int64_t algorithm;  // how; the op's own numbers
  Dims sizes;         // whatever else decides the form
};

// False where nothing should be kept: while the weight's gradient is being recorded (the next step
// changes the weight), and for memory that another library sees and could edit without our notice.
bool may_keep_packed(const Tensor& weight);

// The packed form of `weight`, made by `make` if it is not there yet. Undefined unless
// may_keep_packed.
//
// `make` fills the tensor by a kernel that it calls directly, not through launch<>: what is kept is
// no step of a captured program.
Tensor kept_packed(const Tensor& weight, const PackedKey& key, const std::function<Tensor()>& make);

}  // namespace fastdl
