#include "autograd/inplace.h"

#include "autograd/node.h"
#include "core/error.h"

namespace fastdl {

void check_editable(const char* op, const Tensor& t) {
  if (t.storage().readonly)
    throw Error(ErrorKind::argument, op, "the tensor's memory is read-only")
        .show("tensor", t)
        .remedy("edit a .clone()");
  if (!grad_enabled()) return;
  if (requires_grad(t) && is_leaf(t))
    throw Error(ErrorKind::autograd, op,
                "a leaf that requires a gradient cannot be edited in place")
        .show("tensor", t)
        .remedy("edit it under fastdl.no_grad(), or edit a .clone()");
  if (t.storage().viewed)
    throw Error(ErrorKind::autograd, op,
                "recorded views share this memory, and their history would be wrong")
        .show("tensor", t)
        .remedy("edit a .clone(), or edit under fastdl.no_grad()");
}

void take_history(const Tensor& t, const Tensor& replacement) {
  const Edge e = edge_of(replacement);
  if (e.node) set_history(t, e.node, e.output);
}

}  // namespace fastdl
