// Autocast: within a scope, functions whose rows say so compute in another precision than that of
// their arguments (docs/autocast.md). What is asked of a row stands in it, as `autocast: low` or
// `autocast: full`; the casts happen behind the conversion of the arguments, in front of the door.
#pragma once

#include <array>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/convert.h"
#include "core/small_vector.h"

namespace fastdl::bindings {

enum class CastPolicy : uint8_t {
  promote,  // operands of several precisions: the widest
  low,      // that of the scope: products, convolutions, recurrent layers
  full,     // float32: exponentials, sums, losses, normalisations
  edit,     // that of the first operand, which is changed in place
};

// Takes the clause `autocast: ...` out of the text.
CastPolicy take_policy(std::string& asks);

inline thread_local bool autocast_on = false;                          // for some device
using AutocastState = std::array<std::optional<DType>, kDeviceTypes>;  // by device; none: off
const AutocastState& autocast_state();
// Brings the tensors to the dtype that the policy asks for, those of them on a device of the scope.
void recast(CastPolicy policy, Tensor* const* tensors, size_t count);
inline void recast(CastPolicy policy, std::initializer_list<Tensor*> tensors) {
  recast(policy, tensors.begin(), tensors.size());
}

using TensorSlots = SmallVector<Tensor*, 8>;

template <class T>
void add_slots(T&, TensorSlots&) {}  // no tensor
inline void add_slots(Tensor& t, TensorSlots& out) { out.push_back(&t); }
inline void add_slots(OptionalTensor& t, TensorSlots& out) { out.push_back(&t.tensor); }
inline void add_slots(TensorOrNumber& t, TensorSlots& out) { out.push_back(&t.tensor); }
inline void add_slots(std::vector<Tensor>& list, TensorSlots& out) {
  for (Tensor& t : list) out.push_back(&t);
}
inline void add_slots(TensorOrTensors& t, TensorSlots& out) { add_slots(t.tensors, out); }
template <class T>
void add_slots(std::optional<T>& t, TensorSlots& out) {
  if (t) add_slots(*t, out);
}

template <class... T>
void recast_arguments(CastPolicy policy, T&... arguments) {
  TensorSlots slots;
  const auto add = [&](auto& a) {
    if constexpr (std::is_same_v<std::decay_t<decltype(a)>, PyObject*>) {
      // The tensor that a method edits stays what it is.
      if (policy == CastPolicy::edit && slots.empty() && is_tensor(a))
        slots.push_back(const_cast<Tensor*>(&tensor_of(a)));
    } else {
      add_slots(a, slots);
    }
  };
  (add(arguments), ...);
  recast(policy, slots.begin(), slots.size());
}

}  // namespace fastdl::bindings
