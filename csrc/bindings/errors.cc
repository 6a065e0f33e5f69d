// C++ exceptions into the classes of python/fastdl/errors.py.
#include <pybind11/pybind11.h>

#include "bindings/module.h"
#include "bindings/python.h"

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

const char* class_of(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::shape: return "ShapeError";
    case ErrorKind::dtype: return "DTypeError";
    case ErrorKind::device: return "DeviceError";
    case ErrorKind::out_of_memory: return "OutOfMemoryError";
    case ErrorKind::format: return "FormatError";
    case ErrorKind::index: return "IndexRangeError";
    case ErrorKind::argument: return "ArgumentError";
    case ErrorKind::autograd: return "AutogradError";
    case ErrorKind::capture: return "CaptureError";
    case ErrorKind::interrupted: break;
  }
  return "Error";
}

void set_typed_error(const Error& e) {
  const py::object cls = py::module_::import("fastdl.errors").attr(class_of(e.kind));
  py::dict details;
  for (const auto& [name, value] : e.details) details[py::str(name)] = value;
  const py::object error = cls(e.op, e.problem, details, e.advice);
  PyErr_SetObject(cls.ptr(), error.ptr());
}

}  // namespace

void set_python_error(const char* op) noexcept {
  try {
    try {
      throw;
    } catch (Error& e) {
      set_typed_error(e.by(op));
    } catch (const Interrupted&) {
      if (!PyErr_Occurred()) PyErr_SetNone(PyExc_KeyboardInterrupt);
    } catch (const PythonError&) {
    } catch (py::error_already_set& e) {
      e.restore();
    } catch (const std::bad_alloc&) {
      PyErr_NoMemory();
    } catch (const std::exception& e) {
      PyErr_SetString(PyExc_RuntimeError, e.what());
    }
  } catch (py::error_already_set& e) {  // while building the error
    e.restore();
  } catch (...) {
    PyErr_SetString(PyExc_SystemError, "fastdl: unknown C++ exception");
  }
}

void register_errors(pybind11::module_&) {
  py::register_exception_translator([](std::exception_ptr p) {
    try {
      std::rethrow_exception(p);
    } catch (const Error&) {
      set_python_error();
    } catch (const Interrupted&) {
      set_python_error();
    } catch (const PythonError&) {
    }
  });
}

}  // namespace fastdl::bindings
