// Arrays of other libraries, without a copy: the buffer protocol and DLPack, both ways.
#pragma once

#include <optional>

#include "bindings/convert.h"

namespace fastdl::bindings {

// A copy of numbers, nested lists or an array.
Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, std::optional<Device> device);
Tensor tensor_from_dlpack(PyObject* o);  // throws TypeError where o has no __dlpack__
PyObject* tensor_to_dlpack(const Tensor& t);
PyObject* tensor_to_numpy(PyObject* self);  // shares memory; keeps the tensor alive
bool is_device_like(PyObject* o);           // a device, or a string such as "cuda:0"

template <>
inline PyObject* from_python<PyObject*>(PyObject* o, const Place&) {
  return o;
}

}  // namespace fastdl::bindings
