// Gradient modes and autograd.grad.
#include "autograd/anomaly.h"
#include "autograd/engine.h"
#include "autograd/variable.h"
#include "bindings/convert.h"
#include "bindings/module.h"
#include "core/error.h"
#include "ops/common.h"

#include <pybind11/stl.h>

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

// One tensor or several; of the gradients some or all may be None.
std::vector<Tensor> tensors_of(const py::object& o, const char* argument, bool optional = false) {
  if (optional && o.is_none()) return {};
  const Place at{"grad", argument};
  const bool several = PyList_Check(o.ptr()) || PyTuple_Check(o.ptr()) || PyIter_Check(o.ptr());
  if (!several) return {from_python<Tensor>(o.ptr(), at)};
  std::vector<Tensor> out;
  for (const py::handle item : o)
    out.push_back(optional ? from_python<OptionalTensor>(item.ptr(), at).tensor
                           : from_python<Tensor>(item.ptr(), at));
  return out;
}

py::tuple grad(const py::object& outputs, const py::object& inputs, const py::object& grad_outputs,
               std::optional<bool> retain_graph, bool create_graph, bool allow_unused) {
  const std::vector<Tensor> xs = tensors_of(inputs, "inputs");
  const std::vector<Tensor> ys = tensors_of(outputs, "outputs");
  const std::vector<Tensor> starts = tensors_of(grad_outputs, "grad_outputs", true);
  if (!starts.empty() && starts.size() != ys.size())
    throw argument_error("grad", text(starts.size(), " gradients for ", ys.size(), " outputs"))
        .remedy("pass one of grad_outputs for each of outputs, or none");
  for (const Tensor& x : xs)
    if (!x.defined() || !requires_grad(x))
      throw Error(ErrorKind::autograd, "grad", "an input does not require a gradient")
          .show("input", x)
          .remedy("set requires_grad=True on it before the forward pass");
  const std::vector<Tensor> found =
      gradients(ys, starts, xs, retain_graph.value_or(create_graph), create_graph);
  py::tuple out(found.size());
  for (size_t i = 0; i < found.size(); ++i) {
    if (!found[i].defined() && !allow_unused)
      throw Error(ErrorKind::autograd, "grad", "an input was not used to compute the outputs")
          .show("input", xs[i])
          .remedy("pass allow_unused=True to get None for it");
    out[i] = py::reinterpret_steal<py::object>(wrap(found[i]));
  }
  return out;
}

}  // namespace

void register_autograd(py::module_& m) {
  m.def("is_grad_enabled", grad_enabled, "Whether ops are recorded in this thread.");
  m.def("_set_grad_enabled", set_grad_enabled, py::arg("on"), "See autograd.set_grad_enabled.");
  m.def("_anomaly_detection", anomaly_detection, "See autograd.detect_anomaly.");
  m.def("_set_anomaly_detection", set_anomaly_detection, py::arg("on"),
        "See autograd.detect_anomaly.");
  m.def("grad", grad, py::arg("outputs"), py::arg("inputs"), py::arg("grad_outputs") = py::none(),
        py::arg("retain_graph") = py::none(), py::arg("create_graph") = false,
        py::arg("allow_unused") = false,
        "The gradients of outputs (one tensor or several) with respect to inputs, as a tuple.\n\n"
        "Changes no .grad. create_graph allows differentiating the result again.\n"
        "Raises AutogradError for an input without a gradient or, unless allow_unused, without a "
        "path.");
  m.def(
      "zero_grads",
      [](const std::vector<Tensor>& tensors) {
        for (const Tensor& t : tensors) clear_grad(t);
      },
      py::arg("tensors"), "Sets .grad of each to None.");
}

}  // namespace fastdl::bindings
