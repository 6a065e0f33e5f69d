#include "ops/common.h"

#include "autograd/engine.h"
#include "ops/copy.h"
#include "ops/shape.h"

namespace fastdl {

void check_same_device(const char* op, std::initializer_list<Operand> operands) {
  const Tensor& first = operands.begin()->tensor;
  for (const Operand& o : operands) {
    if (!o.tensor.defined() || o.tensor.device() == first.device()) continue;
    Error e(ErrorKind::device, op, "the operands are on different devices");
    for (const Operand& each : operands)
      if (each.tensor.defined())
        e.show(each.name, describe(each.tensor) + (each.tensor.device().is_cpu() ? " on cpu" : ""));
    throw e.remedy(text("move ", o.name, " with .to('", name_of(first.device()), "')"));
  }
}

void check_same_kind(const char* op, std::initializer_list<Operand> operands) {
  check_same_device(op, operands);
  const Tensor& first = operands.begin()->tensor;
  for (const Operand& o : operands) {
    if (!o.tensor.defined() || o.tensor.dtype() == first.dtype()) continue;
    Error e(ErrorKind::dtype, op, "the operands have different dtypes");
    for (const Operand& each : operands)
      if (each.tensor.defined()) e.show(each.name, each.tensor);
    throw e.remedy(text("convert ", o.name, " with .to(fastdl.", name_of(first.dtype()),
                        first.dtype() == DType::boolean ? "_)" : ")"));
  }
}

void check_floating(const char* op, const Operand& o) {
  if (!is_floating(o.tensor.dtype()))
    throw Error(ErrorKind::dtype, op, text(o.name, " is not a floating tensor"))
        .show(o.name, o.tensor)
        .remedy("convert it with .to(fastdl.float32)");
}

void check_dim(const char* op, const Operand& o, int dim, const char* layout) {
  if (o.tensor.dim() != dim)
    throw shape_error(op, text(o.name, " has ", o.tensor.dim(), " dimensions, expected ", dim))
        .show(o.name, o.tensor)
        .show("expected", layout)
        .remedy("add or remove dimensions with reshape or unsqueeze");
}

Tensor scalar_like(double value, const Tensor& x) { return full({}, value, x.dtype(), x.device()); }

std::vector<Tensor> composed_gradients(
    const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& composed,
    const std::vector<Tensor>& operands, const std::vector<Tensor>& result_grads) {
  // Aliases, so that an operand that occurs twice is two variables here.
  std::vector<Tensor> aliases, wanted;
  for (const Tensor& t : operands) {
    aliases.push_back(requires_grad(t) ? reshape(t, t.shape()) : t);
    if (requires_grad(t)) wanted.push_back(aliases.back());
  }
  const std::vector<Tensor> results = composed(aliases);
  std::vector<Tensor> outputs, grads;
  for (size_t i = 0; i < results.size(); ++i)
    // A result of no steps (lstm with T = 0) depends on nothing.
    if (result_grads[i].defined() && requires_grad(results[i]))
      outputs.push_back(results[i]), grads.push_back(result_grads[i]);
  const std::vector<Tensor> found = gradients(outputs, grads, wanted, true, true);
  std::vector<Tensor> out;
  size_t next = 0;
  for (const Tensor& t : operands) {
    if (!requires_grad(t)) {
      out.emplace_back();
      continue;
    }
    const Tensor& g = found[next++];
    out.push_back(g.defined() ? g : full(t.shape(), 0, t.dtype(), t.device()));
  }
  return out;
}

}  // namespace fastdl
