// x[...] and x[...] = value, for ints, slices of positive step, None and Ellipsis.
#pragma once

#include <Python.h>

namespace fastdl::bindings {

PyObject* get_item(PyObject* self, PyObject* key);
int set_item(PyObject* self, PyObject* key, PyObject* value);
PyObject* get_row(PyObject* self, Py_ssize_t i);

}  // namespace fastdl::bindings
