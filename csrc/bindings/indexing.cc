#include "bindings/indexing.h"

#include <pybind11/pybind11.h>

#include "bindings/convert.h"
#include "bindings/interop.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/selection.h"
#include "ops/shape.h"

namespace fastdl::bindings {
namespace {

constexpr const char* kOp = "index";

// One part of a key.
struct Item {
  enum Kind { integer, slice, none, ellipsis, index, mask } kind;
  int64_t number = 0;
  PyObject* object = nullptr;  // a slice
  Tensor tensor;
  int consumes() const {  // dimensions
    return kind == none || kind == ellipsis ? 0 : kind == mask ? tensor.dim() : 1;
  }
};

[[noreturn]] void throw_no_index(PyObject* o) {
  PyErr_Format(PyExc_TypeError,
               "index: a tensor is indexed by ints, slices, None, Ellipsis, and tensors, arrays or "
               "lists of ints or bools, not %s",
               Py_TYPE(o)->tp_name);
  throw PythonError();
}

// An int, or anything with __index__ that is no tensor; an array of one dimension has none.
bool as_integer(PyObject* o, int64_t& out) {
  if (is_tensor(o) || PyBool_Check(o) || !PyIndex_Check(o)) return false;
  const Owned number(PyNumber_Index(o));
  if (!number.get()) {
    if (PyLong_Check(o) || !PyErr_ExceptionMatches(PyExc_TypeError)) throw PythonError();
    PyErr_Clear();
    return false;
  }
  out = from_python<int64_t>(number.get(), {kOp, "index"});
  return true;
}

// A tensor, array, list or bool as a tensor beside x.
Tensor as_tensor(PyObject* o, const Tensor& x) {
  if (is_tensor(o)) return tensor_of(o);
  Tensor t;
  if (PyList_Check(o) || PyTuple_Check(o) || PyRange_Check(o) || PyBool_Check(o)) {
    t = tensor_from_data(o, std::nullopt, std::nullopt);
    if (t.numel() == 0) t = cast(t, DType::i64);  // NumPy makes floats of no items
  } else {
    t = tensor_from_array(o);
    if (!t.defined()) throw_no_index(o);
  }
  return to_device(t, x.device());
}

Item item_of(PyObject* o, const Tensor& x) {
  Item item;
  if (o == Py_None) {
    item.kind = Item::none;
  } else if (o == Py_Ellipsis) {
    item.kind = Item::ellipsis;
  } else if (PySlice_Check(o)) {
    item.kind = Item::slice;
    item.object = o;
  } else if (as_integer(o, item.number)) {
    item.kind = Item::integer;
  } else {
    item.tensor = as_tensor(o, x);
    item.kind = item.tensor.dtype() == DType::boolean ? Item::mask : Item::index;
    if (is_floating(item.tensor.dtype()))
      throw Error(ErrorKind::dtype, kOp, "indices are neither integers nor bools")
          .show("index", item.tensor)
          .remedy("convert them with .long(), or compare first to get a mask");
  }
  return item;
}

// An index of dimension `dim`, from its end if negative, as one from its start.
int64_t in_range(const Tensor& x, int dim, int64_t i) {
  const int64_t size = x.size(dim);
  if (i < -size || i >= size)
    throw Error(ErrorKind::index, kOp,
                text("index ", i, " is out of range for dim ", dim, " of size ", size))
        .show("input", x)
        .remedy(size ? text("use an index from ", -size, " to ", size - 1)
                     : "the dimension is empty");
  return i < 0 ? i + size : i;
}

std::vector<Item> items_of(const Tensor& x, PyObject* key) {
  const Owned tuple(PyTuple_Check(key) ? Py_NewRef(key) : check(PyTuple_Pack(1, key)));
  std::vector<Item> items;
  int consumed = 0, ellipses = 0;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple.get()); ++i) {
    items.push_back(item_of(PyTuple_GET_ITEM(tuple.get(), i), x));
    consumed += items.back().consumes();
    ellipses += items.back().kind == Item::ellipsis;
  }
  if (ellipses > 1) throw argument_error(kOp, "more than one Ellipsis").remedy("use one");
  if (consumed > x.dim())
    throw Error(ErrorKind::index, kOp, text(consumed, " indices for ", x.dim(), " dimensions"))
        .show("input", x)
        .remedy("index fewer dimensions");
  Item rest;
  rest.kind = Item::ellipsis;
  if (!ellipses) items.push_back(rest);
  for (Item& item : items)
    if (item.kind == Item::ellipsis) item.number = x.dim() - consumed;
  return items;
}

// Takes the items of a key one by one, from the first dimension to the last.
class Parser {
 public:
  Parser(const Tensor& x, const std::vector<Item>& items) : x_(x) {
    bool advanced = false;
    for (const Item& item : items) advanced |= item.kind == Item::index || item.kind == Item::mask;
    for (const Item& item : items) {
      take(item);
      const bool is_index =
          item.kind == Item::index || item.kind == Item::mask || item.kind == Item::integer;
      if (advanced) place(is_index);
    }
    finish();
  }

  Selection selection;

 private:
  void take(const Item& item) {
    switch (item.kind) {
      case Item::none: return keep(1, false);
      case Item::ellipsis:
        for (int64_t i = 0; i < item.number; ++i) whole(false);
        return;
      case Item::slice: return slice(item.object);
      case Item::integer: return window(in_range(x_, dim(), item.number), 1, 1);
      case Item::index:
        selection.parts.push_back({item.tensor, x_.size(dim()), false, true});
        return whole(true);
      case Item::mask: return mask(item.tensor);
    }
  }

  int dim() const { return selection.window.start.n; }

  void window(int64_t start, int64_t step, int64_t length) {
    selection.window.start.push(start);
    selection.window.step.push(step);
    selection.window.length.push(length);
  }

  void keep(int64_t size, bool indexed) {
    (indexed ? indexed_ : rest_).push(selection.kept.n);
    selection.kept.push(size);
    if (indexed) selection.sizes.push(size);
  }

  void whole(bool indexed) {
    keep(x_.size(dim()), indexed);
    window(0, 1, x_.size(dim()));
  }

  void slice(PyObject* slice) {
    Py_ssize_t start, stop, step;
    if (PySlice_Unpack(slice, &start, &stop, &step) < 0) throw PythonError();
    const Py_ssize_t length = PySlice_AdjustIndices(x_.size(dim()), &start, &stop, step);
    keep(length, false);
    // any step does for one element, and a huge one would overflow
    window(start, length > 1 ? step : 1, length);
  }

  void mask(const Tensor& mask) {
    bool fits = true;
    for (int i = 0; i < mask.dim(); ++i) fits &= mask.size(i) == x_.size(dim() + i);
    if (!fits)
      throw shape_error(kOp, text("the mask does not cover the dimensions from ", dim(), " on"))
          .show("input", x_)
          .show("mask", mask)
          .remedy("give the mask the sizes of the dimensions that it selects from");
    check_same_device(kOp, {{"input", x_}, {"mask", mask}});
    ++masks_;
    selection.parts.push_back(mask_part(mask));
    if (mask.dim() == 0) keep(1, true);  // a dimension of its own
    for (int i = 0; i < mask.dim(); ++i) whole(true);
  }

  // Indices that stand side by side leave their shape there, others in front.
  void place(bool is_index) {
    if (!is_index) {
      if (state_ == State::inside) state_ = State::behind;
    } else if (state_ == State::before) {
      state_ = State::inside;
      selection.place = rest_.n;
    } else if (state_ == State::behind) {
      state_ = State::apart;
      selection.place = 0;
    }
  }

  void finish() {
    selection.order = indexed_;
    for (int64_t d : rest_) selection.order.push(d);
    selection.once = masks_ == 1 && selection.parts.size() == 1;
  }

  const Tensor& x_;
  Dims indexed_, rest_;  // of the kept dimensions
  int masks_ = 0;
  enum class State { before, inside, behind, apart } state_ = State::before;
};

Selection parse(const Tensor& x, PyObject* key) { return Parser(x, items_of(x, key)).selection; }

// The first part of a key that is a symbolic or a traced tensor, or null.
PyObject* find_symbolic(PyObject* key) {
  const pybind11::error_scope aside;  // looking for an attribute clears the exception that is set
  for (Py_ssize_t i = 0; i < (PyTuple_Check(key) ? PyTuple_GET_SIZE(key) : 1); ++i) {
    PyObject* part = PyTuple_Check(key) ? PyTuple_GET_ITEM(key, i) : key;
    if (PyObject_HasAttrString(reinterpret_cast<PyObject*>(Py_TYPE(part)), "__fastdl_function__"))
      return part;
  }
  return nullptr;
}

// After a TypeError: with a symbolic tensor in the key the call is noted instead.
PyObject* call_symbolic_item(PyObject* self, PyObject* key) {
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) return nullptr;
  PyObject* const symbol = find_symbolic(key);
  if (!symbol) return nullptr;
  PyErr_Clear();
  const Owned module(check(PyImport_ImportModule("operator")));
  const Owned getitem(check(PyObject_GetAttrString(module.get(), "getitem")));
  return check(PyObject_CallMethod(reinterpret_cast<PyObject*>(Py_TYPE(symbol)),
                                   "__fastdl_function__", "OO(OO){}", symbol, getitem.get(), self,
                                   key));
}

}  // namespace

PyObject* get_item(PyObject* self, PyObject* key) {
  PyObject* const item = guarded([&] {
    const Tensor& x = tensor_of(self);
    if (int64_t i; PyLong_CheckExact(key) && x.dim() > 0 && as_integer(key, i))
      return wrap(row(x, in_range(x, 0, i)));
    return wrap(read_selected(kOp, x, parse(x, key)));
  });
  return item ? item : guarded([&] { return call_symbolic_item(self, key); });
}

Selection selection_of_indices(const char* op, const Tensor& x, PyObject* indices) {
  if (!PyList_Check(indices) && !PyTuple_Check(indices))
    throw_type_error({op, "indices"}, "a tuple or list of tensors", indices);
  const Owned tuple(check(PySequence_Tuple(indices)));
  const Owned key(check(PyTuple_New(PyTuple_GET_SIZE(tuple.get()))));
  bool found = false;
  for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(tuple.get()); ++i) {
    PyObject* const one = PyTuple_GET_ITEM(tuple.get(), i);
    found |= one != Py_None;
    PyTuple_SET_ITEM(
        key.get(), i,
        one == Py_None ? check(PySlice_New(nullptr, nullptr, nullptr)) : wrap(as_tensor(one, x)));
  }
  if (!found)
    throw argument_error(op, "there is no index among the indices")
        .show("input", x)
        .remedy("pass a tensor of integers or bools for a dimension");
  return parse(x, key.get());
}

PyObject* get_row(PyObject* self, Py_ssize_t i) {
  return guarded([&]() -> PyObject* {
    const Tensor& x = tensor_of(self);
    if (x.dim() == 0) {
      PyErr_SetString(PyExc_TypeError, "a 0-d tensor has no items");
      return nullptr;
    }
    return wrap(row(x, in_range(x, 0, i)));
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
    write_selected("setitem", x, parse(x, key), source);
    return 0;
  });
}

}  // namespace fastdl::bindings
