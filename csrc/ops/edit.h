// The in-place form of an op that has none of its own: x becomes f(x).
#pragma once

#include <initializer_list>

#include "autograd/inplace.h"
#include "ops/common.h"
#include "ops/copy.h"

namespace fastdl {

// `others` are the operands besides x, which decide with it whether the edit is recorded.
template <class F>
Tensor edit(const char* op, const Tensor& x, std::initializer_list<const Tensor*> others, F f) {
  check_editable(op, x);
  bool records = requires_grad(x);
  for (const Tensor* t : others) records |= requires_grad(*t);
  // What f keeps for its gradient are the values before the edit.
  const Tensor after = f(records && grad_enabled() ? clone_in(x, layout_of(x)) : x.alias());
  if (after.shape() != x.shape() || after.dtype() != x.dtype())
    throw Error(after.dtype() == x.dtype() ? ErrorKind::shape : ErrorKind::dtype, op,
                "the result does not fit in the tensor that is edited in place")
        .show("input", x)
        .show("result", after)
        .remedy("use the function without the underscore, which makes a new tensor");
  {
    GradMode off(false);
    copy_(x, after);
  }
  take_history(x, after);
  return x;
}

}  // namespace fastdl
