// In-place edits: what may be edited, and how the history follows.
#pragma once

#include "core/tensor.h"

namespace fastdl {

// Throws where an edit would make gradients wrong (a leaf that wants one, a view of a recorded
// tensor) or the memory is read-only.
void check_editable(const char* op, const Tensor& t);

// Marks the edit: saved copies of the storage are now out of date.
inline void bump_version(const Tensor& t) {
  ++t.storage().version;
  if (captures_active.load(std::memory_order_relaxed)) note_edit(t.storage());
}

// `t` takes over the history of `replacement`, which holds the values it was edited to.
void take_history(const Tensor& t, const Tensor& replacement);

}  // namespace fastdl
