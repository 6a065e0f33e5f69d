// x[...] and x[...] = value with NumPy's meaning, for ints, slices (also of negative step), None,
// Ellipsis, and tensors, arrays and lists of ints or bools.
#pragma once

#include <Python.h>

#include "ops/selection.h"

namespace fastdl::bindings {

PyObject* get_item(PyObject* self, PyObject* key);
int set_item(PyObject* self, PyObject* key, PyObject* value);
PyObject* get_row(PyObject* self, Py_ssize_t i);

// Of a list or tuple with an index tensor, or a mask, per dimension; None: all of the dimension.
Selection selection_of_indices(const char* op, const Tensor& x, PyObject* indices);

}  // namespace fastdl::bindings
