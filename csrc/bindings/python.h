// The few CPython helpers that the hot path uses instead of pybind11.
#pragma once

#include <Python.h>

#include <exception>
#include <memory>
#include <new>
#include <utility>

#include "core/error.h"

namespace fastdl::bindings {

// Thrown where a Python exception is set already.
struct PythonError : std::exception {};

inline PyObject* check(PyObject* p) {
  if (!p) throw PythonError();
  return p;
}

// An owned reference.
class Owned {
 public:
  Owned() = default;
  explicit Owned(PyObject* p) : p_(p) {}
  Owned(Owned&& o) noexcept : p_(std::exchange(o.p_, nullptr)) {}
  Owned& operator=(Owned&& o) noexcept {
    std::swap(p_, o.p_);
    return *this;
  }
  ~Owned() { Py_XDECREF(p_); }
  static Owned share(PyObject* p) { return Owned(Py_XNewRef(p)); }

  PyObject* get() const { return p_; }
  PyObject* release() { return std::exchange(p_, nullptr); }
  explicit operator bool() const { return p_ != nullptr; }

 private:
  PyObject* p_ = nullptr;
};

// The same for owners that may die on a thread without the interpreter's lock.
inline std::shared_ptr<PyObject> shared(PyObject* p) {
  return {Py_NewRef(p), [](PyObject* last) {
            const PyGILState_STATE state = PyGILState_Ensure();
            Py_DECREF(last);
            PyGILState_Release(state);
          }};
}

// Sets the Python exception for a C++ one (errors.cc). Call inside a catch block. `op` names what
// failed where the exception does not know (an allocation).
void set_python_error(const char* op = "allocate") noexcept;

// Runs f and turns what it throws into a Python exception and a null (or -1).
template <class F>
auto guarded(F&& f, const char* op = "allocate") noexcept -> decltype(f()) {
  try {
    return f();
  } catch (...) {
    set_python_error(op);
    if constexpr (std::is_pointer_v<decltype(f())>)
      return nullptr;
    else
      return -1;
  }
}

}  // namespace fastdl::bindings
