#include "bindings/indexing.h"

#include "bindings/convert.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/shape.h"

namespace fastdl::bindings {
namespace {

constexpr const char* kOp = "index";

// A key as one window of x and the shape of what is left after ints and None.
struct Selection {
  Window window;
  Dims shape;
};

void select_all(const Tensor& x, Selection& s) {
  const int d = s.window.start.n;
  s.window.start.push(0);
  s.window.step.push(1);
  s.window.length.push(x.size(d));
  s.shape.push(x.size(d));
}

void select_one(const Tensor& x, int64_t i, Selection& s) {
  const int d = s.window.start.n;
  const int64_t size = x.size(d);
  if (i < -size || i >= size)
    throw Error(ErrorKind::index, kOp,
                text("index ", i, " is out of range for dim ", d, " of size ", size))
        .show("input", x)
        .remedy(size ? text("use an index from ", -size, " to ", size - 1)
                     : "the dimension is empty");
  s.window.start.push(i < 0 ? i + size : i);
  s.window.step.push(1);
  s.window.length.push(1);
}

void select_slice(const Tensor& x, PyObject* slice, Selection& s) {
  const int d = s.window.start.n;
  Py_ssize_t start, stop, step;
  if (PySlice_Unpack(slice, &start, &stop, &step) < 0) throw PythonError();
  if (step < 1)
    throw argument_error(kOp, text("slice step ", step, " is not positive"))
        .show("input", x)
        .remedy("use a step of 1 or more");
  const Py_ssize_t length = PySlice_AdjustIndices(x.size(d), &start, &stop, step);
  s.window.start.push(start);
  s.window.step.push(length > 1 ? step : 1);  // any step does, and a huge one would overflow
  s.window.length.push(length);
  s.shape.push(length);
}

Selection parse(const Tensor& x, PyObject* key) {
  const Owned tuple(PyTuple_Check(key) ? Py_NewRef(key) : check(PyTuple_Pack(1, key)));
  const Py_ssize_t count = PyTuple_GET_SIZE(tuple.get());
  int consumed = 0;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* part = PyTuple_GET_ITEM(tuple.get(), i);
    if (part != Py_None && part != Py_Ellipsis) ++consumed;
  }
  if (consumed > x.dim())
    throw Error(ErrorKind::index, kOp, text(consumed, " indices for ", x.dim(), " dimensions"))
        .show("input", x)
        .remedy("index fewer dimensions");
  Selection s;
  bool ellipsis = false;
  for (Py_ssize_t i = 0; i < count; ++i) {
    PyObject* part = PyTuple_GET_ITEM(tuple.get(), i);
    if (part == Py_None) {
      s.shape.push(1);
    } else if (part == Py_Ellipsis) {
      if (ellipsis) throw argument_error(kOp, "more than one Ellipsis").remedy("use one");
      ellipsis = true;
      for (int skip = x.dim() - consumed; skip > 0; --skip) select_all(x, s);
    } else if (PySlice_Check(part)) {
      select_slice(x, part, s);
    } else if (PyIndex_Check(part) && !PyBool_Check(part) &&
               (!is_tensor(part) || tensor_of(part).dim() == 0)) {
      select_one(x, from_python<int64_t>(part, {kOp, "index"}), s);
    } else {
      PyErr_Format(PyExc_TypeError,
                   "index: a tensor is indexed by ints, slices, None and Ellipsis, not %s; for "
                   "rows by an index tensor use fastdl.functional.embedding or gather",
                   Py_TYPE(part)->tp_name);
      throw PythonError();
    }
  }
  while (s.window.start.n < x.dim()) select_all(x, s);
  return s;
}

Tensor select(const Tensor& x, const Selection& s) {
  const Tensor window = slice(x, s.window);
  return window.shape() == s.shape ? window : reshape(window, s.shape);
}

}  // namespace

PyObject* get_item(PyObject* self, PyObject* key) {
  return guarded([&] { return wrap(select(tensor_of(self), parse(tensor_of(self), key))); });
}

PyObject* get_row(PyObject* self, Py_ssize_t i) {
  return guarded([&]() -> PyObject* {
    const Tensor& x = tensor_of(self);
    if (x.dim() == 0) {
      PyErr_SetString(PyExc_TypeError, "a 0-d tensor has no items");
      return nullptr;
    }
    Selection s;
    select_one(x, i, s);
    while (s.window.start.n < x.dim()) select_all(x, s);
    return wrap(select(x, s));
  });
}

int set_item(PyObject* self, PyObject* key, PyObject* value) {
  return guarded([&]() -> int {
    const Tensor& x = tensor_of(self);
    if (!value) {
      PyErr_SetString(PyExc_TypeError, "elements of a tensor cannot be deleted");
      return -1;
    }
    const TensorOrNumber given = from_python<TensorOrNumber>(value, {kOp, "value"});
    const Tensor source = given.tensor.defined() ? given.tensor : scalar_like(given.number, x);
    const Selection s = parse(x, key);
    assign(x, s.window, s.shape, source);
    return 0;
  });
}

}  // namespace fastdl::bindings
