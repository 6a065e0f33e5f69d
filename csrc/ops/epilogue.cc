#include "ops/epilogue.h"

#include "autograd/variable.h"
#include "ops/common.h"

namespace fastdl {

Activation parse_activation(const char* op, const std::string& name) {
  if (name == "none") return Activation::none;
  if (name == "relu") return Activation::relu;
  if (name == "leaky_relu") return Activation::leaky_relu;
  throw argument_error(op, "unknown activation '" + name + "'")
      .remedy("use one of: none, relu, leaky_relu");
}

void check_residual(const char* op, const Tensor& residual, const Dims& shape) {
  if (residual.defined() && residual.shape() != shape)
    throw shape_error(op, "the residual has another shape than the result")
        .show("residual", residual)
        .show("expected", str(shape))
        .remedy("give a residual of the result's shape; it does not broadcast");
}

void check_inference(const char* op, std::initializer_list<const Tensor*> operands) {
  if (!grad_enabled()) return;
  for (const Tensor* t : operands)
    if (requires_grad(*t))
      throw Error(ErrorKind::autograd, op, "fused ops have no gradient, and an operand wants one")
          .show("operand", *t)
          .remedy("call it under fastdl.no_grad(), or use the separate ops");
}

}  // namespace fastdl
