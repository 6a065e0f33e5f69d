// One register_*(module) per subject.
#pragma once

#include <pybind11/pybind11.h>

#include "bindings/tensor_type.h"

namespace fastdl::bindings {

void register_errors(pybind11::module_& m);
void register_types(pybind11::module_& m);      // dtype, device, Generator
void register_tensor(pybind11::module_& m);     // after the function table is filled
void register_functions(pybind11::module_& m);  // the table
void register_door(pybind11::module_& m);
void register_autograd(pybind11::module_& m);
void register_autocast(pybind11::module_& m);
void register_runtime(pybind11::module_& m);
void register_capture(pybind11::module_& m);

}  // namespace fastdl::bindings

namespace pybind11::detail {

// pybind11 functions take and give Tensors too, arrays included.
template <>
struct type_caster<fastdl::Tensor> {
  PYBIND11_TYPE_CASTER(fastdl::Tensor, const_name("Tensor"));
  bool load(handle source, bool) {
    if (source.is_none()) return true;  // undefined
    if (!fastdl::bindings::is_tensor(source.ptr())) return false;
    value = fastdl::bindings::tensor_of(source.ptr());
    return true;
  }
  static handle cast(const fastdl::Tensor& t, return_value_policy, handle) {
    return fastdl::bindings::wrap(t);
  }
};

}  // namespace pybind11::detail
