// fastdl.Tensor: a native Python type around the C++ handle.
#pragma once

#include "bindings/python.h"
#include "core/tensor.h"

namespace fastdl::bindings {

struct TensorObject {
  PyObject_HEAD Tensor tensor;
  PyObject* weak_references;
};

extern PyTypeObject TensorType;

inline bool is_tensor(PyObject* o) {
  return Py_TYPE(o) == &TensorType || PyType_IsSubtype(Py_TYPE(o), &TensorType);
}
inline const Tensor& tensor_of(PyObject* o) { return reinterpret_cast<TensorObject*>(o)->tensor; }

// A new Python object; None for an undefined tensor.
PyObject* wrap(Tensor t);

// Python's view of the other core types; the objects are singletons.
PyObject* wrap(DType t);
PyObject* wrap(Device d);
PyObject* wrap(const Dims& dims);  // a tuple

}  // namespace fastdl::bindings
