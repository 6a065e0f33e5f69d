// Rows of the function table that only methods have: conversion, gradients, in-place edits.
#include <memory>

#include "autograd/engine.h"
#include "autograd/inplace.h"
#include "autograd/variable.h"
#include "bindings/interop.h"
#include "bindings/signature.h"
#include "core/capture.h"
#include "core/rng.h"
#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/edit.h"
#include "ops/random.h"
#include "ops/shape.h"
#include "ops/unary.h"

namespace fastdl::bindings {
namespace {

PyObject* item(const Tensor& x) {
  refuse_reading("item");
  if (x.numel() != 1)
    throw argument_error("item", "only a tensor of one element is a number")
        .show("input", x)
        .remedy("index it, or use .tolist()");
  const Tensor t = to_device(detach(x), Device{});
  if (t.dtype() == DType::boolean) return PyBool_FromLong(*t.as<bool>());
  if (is_floating(t.dtype())) return PyFloat_FromDouble(*cast(t, DType::f64).as<double>());
  return PyLong_FromLongLong(*cast(t, DType::i64).as<int64_t>());
}

PyObject* to_list(const Tensor& x) {
  if (x.dim() == 0) return item(x);
  Owned list(check(PyList_New(x.size(0))));
  for (int64_t i = 0; i < x.size(0); ++i) {
    Dims shape = x.shape(), stride = x.stride();
    shape.erase(0), stride.erase(0);
    PyList_SET_ITEM(list.get(), i, to_list(x.view(shape, stride, x.offset() + i * x.stride()[0])));
  }
  return list.release();
}

// to(dtype), to(device), to(device, dtype): each may also be named.
Tensor convert_to(const Tensor& x, PyObject* first, std::optional<DType> dtype,
                  std::optional<Device> device, bool non_blocking, std::optional<Layout> layout) {
  if (first != Py_None) {
    if (is_device_like(first))
      device = from_python<Device>(first, {"to", "target"});
    else
      dtype = from_python<DType>(first, {"to", "target"});
  }
  Tensor y = dtype ? cast(x, *dtype) : x;
  if (device) y = to_device(y, *device, non_blocking);
  return layout ? in_layout(y, *layout) : y;
}

void define_conversions(FunctionTable& t) {
  t.method(
      "to(self, target: Any = None, dtype: DTypeLike | None = None, device: DeviceLike | None = "
      "None, non_blocking: bool = False, memory_format: memory_format | None = None) -> Tensor",
      "",
      "The tensor in another dtype, on another device or in another memory format; itself where\n"
      "nothing changes.\n\n"
      "With non_blocking, copies from pinned memory to a GPU, and from a GPU into new pinned "
      "memory,\nrun on while the caller goes on. Wait for the stream before the source is changed, "
      "or the\nresult read, on the CPU.",
      [](const Tensor& x, PyObject* target, std::optional<DType> dtype,
         std::optional<Device> device, bool non_blocking, std::optional<Layout> layout) {
        return convert_to(x, target, dtype, device, non_blocking, layout);
      });
  t.method("cpu(self) -> Tensor", "", "The tensor on the CPU.",
           [](const Tensor& x) { return to_device(x, Device{}); });
  t.method("cuda(self) -> Tensor", "", "The tensor on the first GPU.",
           [](const Tensor& x) { return to_device(x, Device{DeviceType::cuda, 0}); });
  t.method("float(self) -> Tensor", "", "As float32.",
           [](const Tensor& x) { return cast(x, DType::f32); });
  t.method("double(self) -> Tensor", "", "As float64.",
           [](const Tensor& x) { return cast(x, DType::f64); });
  t.method("half(self) -> Tensor", "", "As float16.",
           [](const Tensor& x) { return cast(x, DType::f16); });
  t.method("bfloat16(self) -> Tensor", "", "As bfloat16.",
           [](const Tensor& x) { return cast(x, DType::bf16); });
  t.method("long(self) -> Tensor", "", "As int64.",
           [](const Tensor& x) { return cast(x, DType::i64); });
  t.method("int(self) -> Tensor", "", "As int32.",
           [](const Tensor& x) { return cast(x, DType::i32); });
  t.method("byte(self) -> Tensor", "", "As uint8.",
           [](const Tensor& x) { return cast(x, DType::u8); });
  t.method("type_as(self, other: Tensor) -> Tensor", "", "In the dtype of other, on its device.",
           [](const Tensor& x, const Tensor& other) {
             return to_device(cast(x, other.dtype()), other.device());
           });
  t.method("bool(self) -> Tensor", "", "As bool: true where not 0.",
           [](const Tensor& x) { return cast(x, DType::boolean); });
  t.method("item(self) -> Any", "", "The one element as a Python number.",
           [](const Tensor& x) { return item(x); });
  t.method("tolist(self) -> Any", "", "Nested lists of Python numbers.",
           [](const Tensor& x) { return to_list(to_device(detach(x), Device{})); });
  t.method("numpy(self) -> Any", "",
           "A NumPy array that shares the tensor's memory; CPU tensors outside the graph only.",
           [](PyObject* self) { return tensor_to_numpy(self); });
  t.method(
      "contiguous(self, memory_format: memory_format | None = None) -> Tensor", "",
      "The tensor, or a copy if its elements are not in order without gaps.\n\nmemory_format: "
      "channels_last, for a tensor [N, C, H, W], makes the channels of a pixel neighbours;\nthe "
      "shape stays. ShapeError where there are not 4 dimensions.",
      [](const Tensor& x, std::optional<Layout> layout) {
        return in_layout(x, layout.value_or(Layout::first));
      });
  t.method(
      "pin_memory(self) -> Tensor", "",
      "The tensor in page-locked memory, which a GPU copies from while the CPU goes on; itself "
      "where\nit is.\n\n    batch = x.pin_memory().to(\"cuda\", non_blocking=True)",
      [](const Tensor& x) { return pin_memory(x); });
  t.method("clone(self) -> Tensor", "",
           "A copy without gaps, in channels last where the tensor is; gradients flow through it.",
           [](const Tensor& x) { return clone_in(x, layout_of(x)); });
  t.method("detach(self) -> Tensor", "", "A view of the same memory outside the graph.",
           [](const Tensor& x) { return detach(x); });
}

void define_queries(FunctionTable& t) {
  t.method("numel(self) -> int", "", "The number of elements.",
           [](const Tensor& x) { return x.numel(); });
  t.method("dim(self) -> int", "", "The number of dimensions.",
           [](const Tensor& x) { return static_cast<int64_t>(x.dim()); });
  t.method("size(self, dim: int | None = None) -> Any", "",
           "The shape, or the size of one dimension.",
           [](const Tensor& x, std::optional<int64_t> dim) {
             return dim ? to_python(x.size(normalize_dim("size", *dim, x.dim()))) : wrap(x.shape());
           });
  t.method("stride(self) -> tuple[int, ...]", "",
           "The distance between neighbours per dimension, in elements.",
           [](const Tensor& x) { return wrap(x.stride()); });
  t.method("element_size(self) -> int", "", "Bytes of an element.",
           [](const Tensor& x) { return static_cast<int64_t>(item_size(x.dtype())); });
  t.method("is_floating_point(self) -> bool", "", "Whether the dtype is one of floats.",
           [](const Tensor& x) { return is_floating(x.dtype()); });
  t.method("is_contiguous(self, memory_format: memory_format | None = None) -> bool", "",
           "Whether the elements are in order without gaps. An image of one channel or pixel is so "
           "in\neither memory format.",
           [](const Tensor& x, std::optional<Layout> layout) {
             return lies_in(layout.value_or(Layout::first), x);
           });
  t.method("is_pinned(self) -> bool", "", "Whether the memory is page-locked by pin_memory.",
           [](const Tensor& x) { return is_pinned(x.storage()); });
  t.method("record_stream(self, stream: Stream) -> None", "",
           "Says that work on another stream uses the tensor, so that its memory, once freed, is "
           "not given\nout again before that stream has done what it has now.\n\n"
           "    with fastdl.cuda.stream(side):\n        y = x * 2\n    x.record_stream(side)",
           [](const Tensor& x, Stream stream) {
             use_on(x.storage(), stream);
             return Py_NewRef(Py_None);
           });
  t.method("data_ptr(self) -> int", "", "The address of the first element.", [](const Tensor& x) {
    return static_cast<int64_t>(reinterpret_cast<intptr_t>(x.data()));
  });
}

void define_gradients(FunctionTable& t) {
  t.method(
      "backward(self, gradient: Tensor | None = None, retain_graph: bool | None = None, "
      "create_graph: bool = False) -> None",
      "",
      "Adds the gradient of this tensor into .grad of every leaf that it was computed "
      "from.\n\n`gradient` (default: one, for a single element) is where it starts. create_graph "
      "records the\npass for higher derivatives; retain_graph (default: create_graph) allows "
      "another pass.",
      [](const Tensor& x, const OptionalTensor& g, std::optional<bool> retain, bool create) {
        backward({x}, {g.tensor}, retain.value_or(create), create);
        return Py_NewRef(Py_None);
      });
  t.method("requires_grad_(self, requires_grad: bool = True) -> Tensor", "",
           "Sets requires_grad and returns the tensor.", [](PyObject* self, bool on) {
             return set_requires_grad(tensor_of(self), on), Py_NewRef(self);
           });
  t.method("retain_grad(self) -> None", "", "Keeps .grad of this tensor though it is no leaf.",
           [](const Tensor& x) {
             if (!requires_grad(x))
               throw Error(ErrorKind::autograd, "retain_grad",
                           "the tensor does not require a gradient")
                   .show("tensor", x)
                   .remedy("set requires_grad=True on an operand first");
             variable(x)->retain_grad(true);
             return Py_NewRef(Py_None);
           });
  t.method("_add_hook(self, hook: Any) -> int", "",
           "Calls hook(gradient) in every backward pass; see register_hook.",
           [](const Tensor& x, PyObject* hook) {
             return add_hook(x, [keep = shared(hook)](const Tensor& g) -> Tensor {
               const Owned in(wrap(g)), out(check(PyObject_CallOneArg(keep.get(), in.get())));
               return out.get() == Py_None
                          ? Tensor()
                          : from_python<Tensor>(out.get(), {"hook", "the returned gradient"});
             });
           });
  t.method("_remove_hook(self, id: int) -> None", "", "See register_hook.",
           [](const Tensor& x, int64_t id) {
             remove_hook(x, id);
             return Py_NewRef(Py_None);
           });
  t.method("register_hook(self, hook: Callable[[Tensor], Tensor | None]) -> HookHandle", "",
           "Calls hook(gradient) in every backward pass; it may return another gradient.\nThe "
           "handle's remove() ends that.",
           [](PyObject* self, PyObject* hook) {
             const Owned module(check(PyImport_ImportModule("fastdl.autograd")));
             return PyObject_CallMethod(module.get(), "_register_hook", "OO", self, hook);
           });
}

// The in-place form of every elementwise function of the tables.
void define_elementwise_edits(FunctionTable& t) {
#define F(name, doc, value, gradient)                                                              \
  if constexpr (sizeof(doc) > 1)                                                                   \
    t.method(#name "_(self) -> Tensor", "", "In place, elementwise " doc ".", [](PyObject* self) { \
      return unary_(Unary::name, tensor_of(self)), Py_NewRef(self);                                \
    });
  FASTDL_UNARY(F)
#undef F
#define G(name, python, parameters, arguments, doc, value, gradient)                      \
  if constexpr (sizeof(doc) > 1)                                                          \
    t.method(#name "_(self, " python ") -> Tensor", "", "In place, elementwise " doc ".", \
             [](PyObject* self, FASTDL_UNWRAP parameters) {                               \
               unary_(Unary::name, tensor_of(self), Numbers{FASTDL_UNWRAP arguments});    \
               return Py_NewRef(self);                                                    \
             });
  FASTDL_UNARY_WITH_NUMBERS(G)
#undef G
#define F(name, value, ga, gb)                                                                   \
  t.method(#name "_(self, other: ArrayLike | Number) -> Tensor", "", "In place; see " #name ".", \
           [](PyObject* self, const TensorOrNumber& other) {                                     \
             const TensorOrNumber me{tensor_of(self)};                                           \
             binary_(Binary::name, me.tensor, matched(me, other).second);                        \
             return Py_NewRef(self);                                                             \
           });
  FASTDL_BINARY(F)
#undef F
  t.method("clamp_(self, min: Number | None = None, max: Number | None = None) -> Tensor", "",
           "In place; see clamp.",
           [](PyObject* self, std::optional<double> low, std::optional<double> high) {
             edit("clamp_", tensor_of(self), {},
                  [&](const Tensor& x) { return clamp(x, low, high); });
             return Py_NewRef(self);
           });
}

void define_edits(FunctionTable& t) {
  define_elementwise_edits(t);
  t.method("copy_(self, source: ArrayLike) -> Tensor", "",
           "Takes the values of `source`, which may broadcast, have another dtype or device.",
           [](PyObject* self, const Tensor& source) {
             return copy_(tensor_of(self), source), Py_NewRef(self);
           });
  t.method(
      "fill_(self, value: float) -> Tensor", "", "Sets every element.",
      [](PyObject* self, double value) { return fill_(tensor_of(self), value), Py_NewRef(self); });
  t.method("zero_(self) -> Tensor", "", "Sets every element to 0.",
           [](PyObject* self) { return fill_(tensor_of(self), 0), Py_NewRef(self); });
  t.method(
      "uniform_(self, low: float = 0.0, high: float = 1.0, generator: Generator | None = None) -> "
      "Tensor",
      "", "Draws every element uniformly from [low, high).",
      [](PyObject* self, double low, double high, Generator* g) {
        return uniform_(tensor_of(self), low, high, g), Py_NewRef(self);
      });
  t.method(
      "normal_(self, mean: float = 0.0, std: float = 1.0, generator: Generator | None = None) -> "
      "Tensor",
      "std: 0..", "Draws every element from a normal distribution.",
      [](PyObject* self, double mean, double std, Generator* g) {
        return normal_(tensor_of(self), mean, std, g), Py_NewRef(self);
      });
}

void define_protocols(FunctionTable& t) {
  t.method(
      "__dlpack__(self, *, stream: Any = None, max_version: Any = None, dl_device: Any = None, "
      "copy: bool | None = None) -> Any",
      "", "The DLPack capsule that other libraries read this tensor's memory through.",
      [](const Tensor& x, PyObject* stream, PyObject*, PyObject*, std::optional<bool> copy) {
        // The consumer reads on a stream of its own; -1 says that it wants no waiting.
        const bool ordered = PyLong_Check(stream) && PyLong_AsLong(stream) == -1;
        if (!x.device().is_cpu() && !ordered) synchronize(current_stream(x.device()));
        return tensor_to_dlpack(copy.value_or(false) ? clone(detach(x)) : x);
      });
  t.method("__dlpack_device__(self) -> tuple[int, int]", "",
           "DLPack's code of the device, and its index.", [](const Tensor& x) {
             return Py_BuildValue("(ii)", x.device().is_cpu() ? 1 : 2,
                                  static_cast<int>(x.device().index));
           });
  t.method("__array__(self, dtype: Any = None, copy: bool | None = None) -> Any", "",
           "NumPy's view of the tensor.",
           [](PyObject* self, PyObject* dtype, std::optional<bool> copy) {
             Owned array(tensor_to_numpy(self));
             if (copy.value_or(false))
               array = Owned(check(PyObject_CallMethod(array.get(), "copy", nullptr)));
             if (dtype == Py_None) return array.release();
             // NumPy's protocol: copy=False refuses a conversion that needs one.
             Owned converted(check(PyObject_CallMethod(array.get(), "__array__", "O", dtype)));
             if (copy.has_value() && !*copy && converted.get() != array.get()) {
               PyErr_SetString(PyExc_ValueError, "Tensor: this dtype needs a copy, and copy=False");
               throw PythonError();
             }
             return converted.release();
           });
  t.method("__format__(self, format_spec: str) -> str", "",
           "The number of a tensor without dimensions, as in f'{loss:.4f}'; without a format, str.",
           [](PyObject* self, const std::string& format) {
             const Tensor& x = tensor_of(self);
             if (x.dim() > 0 && !format.empty())
               throw argument_error("format", "only a tensor without dimensions takes a format")
                   .show("input", x)
                   .remedy("format its elements, or a sum such as x.mean()");
             if (x.dim() > 0) return check(PyObject_Str(self));
             const Owned number(item(x)), spec(check(PyUnicode_FromString(format.c_str())));
             return check(PyObject_Format(number.get(), spec.get()));
           });
  t.method("__deepcopy__(self, memo: Any) -> Tensor", "", "A leaf with a copy of the memory.",
           [](PyObject* self, PyObject*) {
             const Tensor& x = tensor_of(self);
             if (!is_leaf(x))
               throw Error(ErrorKind::autograd, "deepcopy",
                           "only leaves can be copied; this tensor has a history")
                   .show("tensor", x)
                   .remedy("copy x.detach()");
             const Owned copy(wrap(clone_in(detach(x), layout_of(x))));
             Owned same(check(
                 PyObject_CallOneArg(reinterpret_cast<PyObject*>(Py_TYPE(self)), copy.get())));
             set_requires_grad(tensor_of(same.get()), requires_grad(x));
             return same.release();
           });
}

}  // namespace

void define_tensor_methods(FunctionTable& t) {
  define_conversions(t);
  define_queries(t);
  define_gradients(t);
  define_edits(t);
  define_protocols(t);
}

}  // namespace fastdl::bindings
