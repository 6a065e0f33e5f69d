// The type object: life cycle, number slots, attributes. Methods come from the function table.
#include "bindings/tensor_type.h"
#include "bindings/autocast.h"

#include <cstddef>

#include "autograd/node.h"
#include "autograd/variable.h"
#include "bindings/convert.h"
#include "bindings/indexing.h"
#include "bindings/module.h"
#include "bindings/signature.h"
#include "core/capture.h"
#include "ops/binary.h"
#include "ops/bitwise.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/matmul.h"
#include "ops/shape.h"
#include "ops/unary.h"

namespace fastdl::bindings {
namespace {

TensorObject* object(PyObject* self) { return reinterpret_cast<TensorObject*>(self); }

// Freed objects of the exact type wait here: an eager op makes one per call.
constexpr int kFreeObjects = 64;
PyObject* free_objects[kFreeObjects];
int free_count = 0;

PyObject* allocate(PyTypeObject* type) {
  PyObject* self;
  if (type == &TensorType && free_count > 0) {
    self = free_objects[--free_count];
    PyObject_Init(self, type);
  } else {
    self = check(type->tp_alloc(type, 0));
  }
  new (&object(self)->tensor) Tensor;
  object(self)->weak_references = nullptr;
  return self;
}

void deallocate(PyObject* self) {
  if (object(self)->weak_references) PyObject_ClearWeakRefs(self);
  object(self)->tensor.~Tensor();
  if (Py_TYPE(self) == &TensorType && free_count < kFreeObjects)
    free_objects[free_count++] = self;
  else
    Py_TYPE(self)->tp_free(self);
}

// Tensor(data): a new leaf of this class around data's memory.
PyObject* make(PyTypeObject* type, PyObject* args, PyObject*) {
  return guarded([&]() -> PyObject* {
    if (PyTuple_GET_SIZE(args) < 1) {
      PyErr_SetString(PyExc_TypeError,
                      "Tensor() needs an array; use fastdl.tensor, zeros or empty to make one");
      return nullptr;
    }
    const Tensor data = from_python<Tensor>(PyTuple_GET_ITEM(args, 0), {"Tensor", "data"});
    PyObject* self = allocate(type);
    object(self)->tensor = data.alias();
    return self;
  });
}
int accept_any_arguments(PyObject*, PyObject*, PyObject*) { return 0; }  // subclasses add some

// The operators do what the functions of the table do, under autocast, too.
template <Tensor (*op)(const Tensor&, const Tensor&), CastPolicy policy = CastPolicy::promote>
PyObject* binary_slot(PyObject* a, PyObject* b) {
  return guarded([&]() -> PyObject* {
    if (!autocast_on && is_tensor(a) && is_tensor(b)) return wrap(op(tensor_of(a), tensor_of(b)));
    for (PyObject* o : {a, b})
      if (!is_tensor(o) && !PyFloat_Check(o) && !PyLong_Check(o) && !PyObject_CheckBuffer(o) &&
          !PyObject_HasAttrString(o, "__dlpack__"))
        return Py_NewRef(Py_NotImplemented);
    auto [x, y] = matched(from_python<TensorOrNumber>(a, {"operator", "input"}),
                          from_python<TensorOrNumber>(b, {"operator", "other"}));
    if (autocast_on) recast(policy, {&x, &y});
    return wrap(op(x, y));
  });
}

template <Binary op>
PyObject* inplace_slot(PyObject* self, PyObject* other) {
  return guarded([&]() -> PyObject* {
    TensorOrNumber me{tensor_of(self)};
    auto second = matched(me, from_python<TensorOrNumber>(other, {"operator", "other"})).second;
    if (autocast_on) recast(CastPolicy::edit, {&me.tensor, &second});
    binary_(op, me.tensor, second);
    return Py_NewRef(self);
  });
}

template <Tensor (*op)(const Tensor&)>
PyObject* unary_slot(PyObject* self) {
  return guarded([&] { return wrap(op(tensor_of(self))); });
}

PyObject* power(PyObject* a, PyObject* b, PyObject*) {
  int overflow = 0;
  if (is_tensor(a) && PyLong_Check(b) && PyLong_AsLongAndOverflow(b, &overflow) == 2)
    return guarded([&] {
      Tensor x = tensor_of(a);
      if (autocast_on) recast(CastPolicy::full, {&x});
      return wrap(square(x));
    });
  return binary_slot<pow, CastPolicy::full>(a, b);
}

PyObject* compare_slot(PyObject* a, PyObject* b, int how) {
  switch (how) {
    case Py_EQ: return binary_slot<eq>(a, b);
    case Py_NE: return binary_slot<ne>(a, b);
    case Py_LT: return binary_slot<lt>(a, b);
    case Py_LE: return binary_slot<le>(a, b);
    case Py_GT: return binary_slot<gt>(a, b);
    default: return binary_slot<ge>(a, b);
  }
}

int truth(PyObject* self) {
  return guarded([&]() -> int {
    const Tensor& t = tensor_of(self);
    refuse_reading("bool");
    if (t.numel() != 1)
      throw argument_error("bool", "a tensor of several elements has no truth value")
          .show("input", t)
          .remedy("compare single elements, or use .sum() or .amax() first");
    return *cast(to_device(detach(t), Device{}), DType::boolean).as<bool>();
  });
}

PyObject* to_item(PyObject* self) { return PyObject_CallMethod(self, "item", nullptr); }
PyObject* to_float(PyObject* self) {
  const Owned item(to_item(self));
  return item ? PyNumber_Float(item.get()) : nullptr;
}
PyObject* to_int(PyObject* self) {
  const Owned item(to_item(self));
  return item ? PyNumber_Long(item.get()) : nullptr;
}
PyObject* to_index(PyObject* self) {
  if (!is_floating(tensor_of(self).dtype())) return to_int(self);
  PyErr_SetString(PyExc_TypeError, "only an integer tensor can be an index");
  return nullptr;
}

Py_ssize_t length(PyObject* self) {
  const Tensor& t = tensor_of(self);
  if (t.dim() > 0) return t.size(0);
  PyErr_SetString(PyExc_TypeError, "len() of a 0-d tensor");
  return -1;
}

PyObject* representation(PyObject* self) {
  const Owned module(PyImport_ImportModule("fastdl._repr"));
  return module ? PyObject_CallMethod(module.get(), "tensor_repr", "O", self) : nullptr;
}

// By identity, though == compares elements.
Py_hash_t hash(PyObject* self) {
  return static_cast<Py_hash_t>(reinterpret_cast<uintptr_t>(self) >> 4);
}

// attributes

PyObject* get_shape(PyObject* self, void*) { return wrap(tensor_of(self).shape()); }
PyObject* get_dtype(PyObject* self, void*) { return wrap(tensor_of(self).dtype()); }
PyObject* get_device(PyObject* self, void*) { return wrap(tensor_of(self).device()); }
PyObject* get_ndim(PyObject* self, void*) { return PyLong_FromLong(tensor_of(self).dim()); }
PyObject* get_nbytes(PyObject* self, void*) {
  const Tensor& x = tensor_of(self);
  return PyLong_FromLongLong(x.numel() * static_cast<int64_t>(item_size(x.dtype())));
}
PyObject* get_requires_grad(PyObject* self, void*) {
  return PyBool_FromLong(requires_grad(tensor_of(self)));
}
PyObject* get_is_leaf(PyObject* self, void*) { return PyBool_FromLong(is_leaf(tensor_of(self))); }
PyObject* get_version(PyObject* self, void*) {
  return PyLong_FromLong(tensor_of(self).storage().version);
}
PyObject* get_shared(PyObject* self, void*) {
  return PyBool_FromLong(tensor_of(self).storage().shared);
}
PyObject* get_transposed(PyObject* self, void*) {
  return guarded([&] {
    Dims order;
    for (int i = tensor_of(self).dim() - 1; i >= 0; --i) order.push(i);
    return wrap(permute(tensor_of(self), order));
  });
}
PyObject* get_matrix_transposed(PyObject* self, void*) {
  return guarded([&] {
    const Tensor& x = tensor_of(self);
    if (x.dim() < 2)
      throw shape_error("mT", text("a tensor of ", x.dim(), " dimensions is no batch of matrices"))
          .show("input", x)
          .remedy("add dimensions with unsqueeze, or use .T");
    return wrap(transpose(x, -2, -1));
  });
}
PyObject* get_grad(PyObject* self, void*) {
  const Variable* v = variable(tensor_of(self));
  return wrap(v ? v->grad : Tensor());
}
PyObject* get_grad_fn(PyObject* self, void*) {
  const Variable* v = variable(tensor_of(self));
  if (!v || !v->node) Py_RETURN_NONE;
  return PyUnicode_FromFormat("<%s>", v->node->name);
}
int set_grad(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> int {
    const Tensor& t = tensor_of(self);
    if (!value || value == Py_None) {
      clear_grad(t);
      return 0;
    }
    const Tensor g = from_python<Tensor>(value, {"grad", "value"});
    check_same_kind("grad", {{"tensor", t}, {"grad", g}});
    if (g.shape() != t.shape())
      throw shape_error("grad", "a gradient has its tensor's shape")
          .show("tensor", t)
          .show("grad", g)
          .remedy("assign a tensor of that shape");
    clear_grad(t);
    make_variable(t).grad = g;
    return 0;
  });
}
int assign_requires_grad(PyObject* self, PyObject* value, void*) {
  return guarded([&]() -> int {
    const bool on = value && from_python<bool>(value, {"requires_grad", "value"});
    set_requires_grad(tensor_of(self), on);
    return 0;
  });
}

PyGetSetDef attributes[] = {
    {"shape", get_shape, nullptr, "The sizes, as a tuple.", nullptr},
    {"dtype", get_dtype, nullptr, "The element type.", nullptr},
    {"device", get_device, nullptr, "Where the elements are.", nullptr},
    {"ndim", get_ndim, nullptr, "The number of dimensions.", nullptr},
    {"nbytes", get_nbytes, nullptr, "Bytes of all elements.", nullptr},
    {"requires_grad", get_requires_grad, assign_requires_grad,
     "Whether gradients flow to this tensor; settable on leaves.", nullptr},
    {"grad", get_grad, set_grad, "The gradient that backward() has added up, or None.", nullptr},
    {"is_leaf", get_is_leaf, nullptr, "Whether no recorded op made this tensor.", nullptr},
    {"grad_fn", get_grad_fn, nullptr, "The recorded op that made this tensor, or None.", nullptr},
    {"T", get_transposed, nullptr, "A view with the dimensions reversed.", nullptr},
    {"mT", get_matrix_transposed, nullptr, "A view with the last two dimensions exchanged.",
     nullptr},
    {"_version", get_version, nullptr, "Counts in-place edits of the memory.", nullptr},
    {"_shared", get_shared, nullptr, "Whether another library has seen the memory.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr}};

PyNumberMethods numbers = [] {
  PyNumberMethods n{};
  n.nb_add = binary_slot<add>;
  n.nb_subtract = binary_slot<sub>;
  n.nb_multiply = binary_slot<mul>;
  n.nb_true_divide = binary_slot<div>;
  n.nb_floor_divide = binary_slot<floor_divide>;
  n.nb_remainder = binary_slot<remainder>;
  n.nb_power = power;
  n.nb_matrix_multiply = binary_slot<matmul, CastPolicy::low>;
  n.nb_negative = unary_slot<neg>;
  n.nb_absolute = unary_slot<abs>;
  n.nb_and = binary_slot<bitwise_and>;
  n.nb_or = binary_slot<bitwise_or>;
  n.nb_xor = binary_slot<bitwise_xor>;
  n.nb_invert = unary_slot<bitwise_not>;
  n.nb_lshift = binary_slot<bitwise_left_shift>;
  n.nb_rshift = binary_slot<bitwise_right_shift>;
  n.nb_inplace_add = inplace_slot<Binary::add>;
  n.nb_inplace_subtract = inplace_slot<Binary::sub>;
  n.nb_inplace_multiply = inplace_slot<Binary::mul>;
  n.nb_inplace_true_divide = inplace_slot<Binary::div>;
  n.nb_bool = truth;
  n.nb_float = to_float;
  n.nb_int = to_int;
  n.nb_index = to_index;
  return n;
}();

PyMappingMethods mapping = {length, get_item, set_item};
// An old-style sequence too: iteration asks for items 0, 1, ... until IndexError.
PySequenceMethods sequence = [] {
  PySequenceMethods s{};
  s.sq_length = length;
  s.sq_item = get_row;
  return s;
}();

}  // namespace

PyTypeObject TensorType = [] {
  PyTypeObject t = {PyVarObject_HEAD_INIT(nullptr, 0)};
  t.tp_name = "fastdl.Tensor";
  t.tp_basicsize = sizeof(TensorObject);
  t.tp_dealloc = deallocate;
  t.tp_repr = representation;
  t.tp_hash = hash;
  t.tp_as_number = &numbers;
  t.tp_as_mapping = &mapping;
  t.tp_as_sequence = &sequence;
  t.tp_richcompare = compare_slot;
  t.tp_flags = Py_TPFLAGS_DEFAULT | Py_TPFLAGS_BASETYPE;
  t.tp_doc =
      "An array of one dtype on one device, through which gradients flow.\n\nMade by "
      "fastdl.tensor, zeros, randn and others.";
  t.tp_weaklistoffset = offsetof(TensorObject, weak_references);
  t.tp_getset = attributes;
  t.tp_init = accept_any_arguments;
  t.tp_new = make;
  return t;
}();

PyObject* wrap(Tensor t) {
  if (!t.defined()) Py_RETURN_NONE;
  PyObject* self = allocate(&TensorType);
  object(self)->tensor = std::move(t);
  return self;
}

PyObject* wrap(const Dims& dims) {
  PyObject* tuple = PyTuple_New(dims.n);
  for (int i = 0; tuple && i < dims.n; ++i)
    PyTuple_SET_ITEM(tuple, i, PyLong_FromLongLong(dims[i]));
  return tuple;
}

void register_tensor(pybind11::module_& m) {
  static std::vector<PyMethodDef> methods;
  for (Signature& s : all_signatures())
    if (s.kind != "function") methods.push_back(s.method_def);
  methods.push_back({nullptr, nullptr, 0, nullptr});
  TensorType.tp_methods = methods.data();
  if (PyType_Ready(&TensorType) < 0) throw pybind11::error_already_set();
  m.add_object("Tensor", Py_NewRef(reinterpret_cast<PyObject*>(&TensorType)));
}

}  // namespace fastdl::bindings
