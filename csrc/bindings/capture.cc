// Captured steps (core/capture.h) as Python sees them; fastdl/capture.py is built on this.
#include "core/capture.h"

#include <pybind11/stl.h>

#include <memory>
#include <optional>

#include "autograd/variable.h"
#include "bindings/autocast.h"
#include "bindings/module.h"
#include "bindings/python.h"
#include "core/error.h"
#include "ops/copy.h"

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

// A capture and the tensors in which it finds its inputs.
class Recording {
 public:
  Recording(std::vector<Tensor> inputs, bool strict)
      : capture(new Capture(strict)), inputs_(std::move(inputs)) {}

  void begin() {
    recorded_ = grad_enabled();
    autocast_ = autocast_state();
    capture->begin();
  }

  std::optional<bool> replay_on(const py::tuple& given) const {
    if (given.size() != inputs_.size() || grad_enabled() != recorded_ ||
        autocast_state() != autocast_)
      return std::nullopt;
    for (size_t i = 0; i < inputs_.size(); ++i) {
      PyObject* const o = PyTuple_GET_ITEM(given.ptr(), static_cast<Py_ssize_t>(i));
      if (!is_tensor(o)) return std::nullopt;
      const Tensor &x = tensor_of(o), &own = inputs_[i];
      if (x.shape() != own.shape() || x.dtype() != own.dtype() || x.device() != own.device() ||
          requires_grad(x))
        return std::nullopt;
    }
    capture->look();
    if (!capture->fits()) return false;
    capture->enter();
    for (size_t i = 0; i < inputs_.size(); ++i) {
      const Tensor& x = tensor_of(PyTuple_GET_ITEM(given.ptr(), static_cast<Py_ssize_t>(i)));
      GradMode off(false);
      copy_(inputs_[i], x);
    }
    capture->replay();
    return true;
  }

  const Ref<Capture> capture;

 private:
  const std::vector<Tensor> inputs_;
  bool recorded_ = false;  // with gradients
  AutocastState autocast_;
};

}  // namespace

void register_capture(py::module_& m) {
  py::class_<Recording>(m, "Capture", "Work of ops, recorded; see fastdl.capture.")
      .def(py::init<std::vector<Tensor>, bool>(), py::arg("inputs") = std::vector<Tensor>(),
           py::arg("strict") = true)
      .def("begin", &Recording::begin, "Records what this thread does from here on.")
      .def(
          "end", [](Recording& r) { r.capture->end(); }, "Ends the recording.")
      .def(
          "replay", [](Recording& r) { return r.capture->fits() && (r.capture->replay(), true); },
          "Does the recorded work again; False, with nothing done, where it does not fit any "
          "more.")
      .def("replay_on", &Recording::replay_on, py::arg("inputs"),
           "replay() after `inputs` were copied into its own; None where they are not alike, or "
           "the mode of gradients is another.")
      .def_property_readonly(
          "broken", [](const Recording& r) { return r.capture->broken(); },
          "Why a capture that is not strict cannot be replayed, or ''.")
      .def_property_readonly(
          "steps", [](const Recording& r) { return r.capture->steps(); },
          "How many kernels a replay runs.")
      .def_property_readonly(
          "graphs", [](const Recording& r) { return r.capture->graphs(); },
          "On a GPU, how many stretches of kernels a replay starts with one call. They are made at "
          "the first replay.")
      .def_property_readonly(
          "memory", [](const Recording& r) { return r.capture->bytes(); },
          "Bytes that the capture holds.");
  m.def(
      "is_capturing", [] { return capturing() != nullptr; },
      "Whether this thread's work is being captured.");
  m.def(
      "replay_if",
      [](const py::function& f) {
        if (Capture* c = capturing())
          c->guard([f = shared(f.ptr())] {
            const Owned out(check(PyObject_CallNoArgs(f.get())));
            return out.get() != Py_False;
          });
      },
      py::arg("function"),
      "Calls function() before each replay of the capture that is being made; False says that it "
      "does not fit any more.");
  m.def(
      "uncaptured",
      [](const py::function& f) {
        const CapturePause pause;
        return f();
      },
      py::arg("function"), "function(), which is no part of a capture that is being made.");
}

}  // namespace fastdl::bindings
