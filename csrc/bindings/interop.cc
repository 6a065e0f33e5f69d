#include "bindings/interop.h"

#include <pybind11/numpy.h>

#include <memory>

#include "autograd/variable.h"
#include "bindings/dlpack.h"
#include "core/backend.h"
#include "core/capture.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/shape.h"

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

// buffers (NumPy)

std::optional<DType> dtype_of_format(const char* format, Py_ssize_t item) {
  if (!format) return DType::u8;
  if (*format == '@' || *format == '=' || *format == '<' || *format == '|') ++format;
  if (!*format || format[1]) return std::nullopt;
  switch (*format) {
    case 'e': return DType::f16;
    case 'f': return DType::f32;
    case 'd': return DType::f64;
    case '?': return DType::boolean;
    case 'B': return DType::u8;
    case 'i':
    case 'l':
    case 'q': return item == 8 ? DType::i64 : DType::i32;
    default: return std::nullopt;
  }
}

void drop_buffer(void* owner) {
  const PyGILState_STATE state = PyGILState_Ensure();
  auto* view = static_cast<Py_buffer*>(owner);
  PyBuffer_Release(view);
  delete view;
  PyGILState_Release(state);
}

[[noreturn]] void throw_unknown_dtype(const char* op, const std::string& what) {
  throw Error(ErrorKind::dtype, op, "arrays of " + what + " have no fastdl dtype")
      .remedy(
          "convert with .astype(numpy.float32), or another of: float16, float32, float64, int32, "
          "int64, uint8, bool");
}

Tensor from_buffer(PyObject* o) {
  auto view = std::make_unique<Py_buffer>();
  if (PyObject_GetBuffer(o, view.get(), PyBUF_STRIDED | PyBUF_FORMAT) < 0) {
    PyErr_Clear();
    if (PyObject_GetBuffer(o, view.get(), PyBUF_STRIDED_RO | PyBUF_FORMAT) < 0) throw PythonError();
  }
  if (view->ndim > 0 && (!view->shape || !view->strides)) {  // NumPy's datetime64 scalar
    PyBuffer_Release(view.get());
    throw_unknown_dtype("from_numpy", text("type ", Py_TYPE(o)->tp_name));
  }
  const auto dtype = dtype_of_format(view->format, view->itemsize);
  const std::string format = view->format ? view->format : "bytes";
  Dims shape, stride;
  bool aligned = dtype.has_value();
  for (int i = 0; aligned && i < view->ndim && i < kMaxDims; ++i) {
    shape.push(view->shape[i]);
    aligned = view->strides[i] % view->itemsize == 0;
    stride.push(view->strides[i] / view->itemsize);
  }
  aligned = aligned && reinterpret_cast<uintptr_t>(view->buf) % item_size(*dtype) == 0;
  if (!dtype || !aligned || view->ndim > kMaxDims) {
    PyBuffer_Release(view.get());
    if (!dtype) throw_unknown_dtype("from_numpy", "format '" + format + "'");
    throw shape_error(
        "from_numpy",
        "the array is not aligned, its strides are not whole elements, or it has too many "
        "dimensions")
        .remedy("pass x.copy(), with at most 8 dimensions");
  }
  Py_buffer* owner = view.release();
  return Tensor(Ref(new Storage({}, static_cast<size_t>(owner->len), owner->buf, owner, drop_buffer,
                                owner->readonly != 0)),
                *dtype, shape, stride, 0);
}

// DLPack

dlpack::DataType dlpack_dtype(DType t) {
  const auto bits = static_cast<uint8_t>(8 * item_size(t));
  switch (t) {
    case DType::bf16: return {4, bits, 1};
    case DType::i32:
    case DType::i64: return {0, bits, 1};
    case DType::u8: return {1, bits, 1};
    case DType::boolean: return {6, bits, 1};
    default: return {2, bits, 1};
  }
}

DType dtype_of(const dlpack::DataType& t) {
  for (int i = 0; i < kDTypes; ++i) {
    const auto mine = dlpack_dtype(static_cast<DType>(i));
    if (mine.code == t.code && mine.bits == t.bits && t.lanes == 1) return static_cast<DType>(i);
  }
  throw_unknown_dtype("from_dlpack",
                      text("DLPack code ", int{t.code}, " with ", int{t.bits}, " bits"));
}

Device device_of(const dlpack::Device& d) {
  if (d.type == 1 || d.type == 3) return {};
  if (d.type == 2 && d.index >= 0 && d.index <= INT8_MAX)
    return {DeviceType::cuda, static_cast<int8_t>(d.index)};
  throw Error(ErrorKind::device, "from_dlpack",
              text("unknown DLPack device ", d.type, ", number ", d.index))
      .remedy("move the array to the CPU or to CUDA");
}

// Offsets within the array are int64: what lies further apart cannot be memory.
void check_reach(const Dims& shape, const Dims& stride, size_t item) {
  int64_t reach = 1;
  for (int i = 0; i < shape.n; ++i) {
    const bool least = stride[i] == INT64_MIN;
    const int64_t step = least || stride[i] >= 0 ? stride[i] : -stride[i];
    int64_t along;
    if (least || __builtin_mul_overflow(shape[i] - 1, step, &along) ||
        __builtin_add_overflow(reach, along, &reach))
      throw shape_error("from_dlpack", text("strides ", str(stride), " of shape ", str(shape)))
          .remedy("pass a copy");
  }
  checked_mul("from_dlpack", reach, static_cast<int64_t>(item));
}

template <class M>
Tensor adopt(M* managed, bool readonly) {
  const dlpack::View& v = managed->view;
  std::unique_ptr<M, void (*)(M*)> owner(managed, [](M* m) {
    if (m->deleter) m->deleter(m);
  });
  if (v.ndim < 0 || v.ndim > kMaxDims)
    throw shape_error("from_dlpack", text(v.ndim, " dimensions, expected 0 to ", kMaxDims))
        .remedy("reshape first");
  if (v.ndim > 0 && !v.shape)
    throw shape_error("from_dlpack", text(v.ndim, " dimensions without sizes"))
        .remedy("pass an array that has a shape");
  const Device device = device_of(v.device);
  require_device(device);
  const DType dtype = dtype_of(v.dtype);
  Dims shape, stride;
  for (int i = 0; i < v.ndim; ++i) shape.push(v.shape[i]);
  const int64_t bytes = checked_mul("from_dlpack", checked_numel("from_dlpack", shape),
                                    static_cast<int64_t>(item_size(dtype)));
  stride = contiguous_strides(shape);
  for (int i = 0; v.strides && i < v.ndim; ++i) stride[i] = v.strides[i];
  if (bytes) check_reach(shape, stride, item_size(dtype));
  void* data = static_cast<char*>(v.data) + v.byte_offset;
  if (!v.data && bytes)
    throw argument_error("from_dlpack", text("null memory for ", bytes, " bytes"))
        .remedy("pass an array that has memory");
  if (reinterpret_cast<uintptr_t>(data) % item_size(dtype) != 0)
    throw argument_error("from_dlpack", "the elements are not aligned").remedy("pass a copy");
  return Tensor(Ref(new Storage(
                    device, static_cast<size_t>(bytes), data, owner.release(),
                    [](void* m) {
                      const PyGILState_STATE state = PyGILState_Ensure();
                      if (static_cast<M*>(m)->deleter)
                        static_cast<M*>(m)->deleter(static_cast<M*>(m));
                      PyGILState_Release(state);
                    },
                    readonly)),
                dtype, shape, stride, 0);
}

struct Exported {
  dlpack::Managed managed;
  Tensor tensor;
  Dims shape, stride;
};

void drop_unused_capsule(PyObject* capsule) {
  if (!PyCapsule_IsValid(capsule, "dltensor")) return;  // a consumer took it
  auto* m = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule, "dltensor"));
  m->deleter(m);
}

void check_shareable(const char* op, const Tensor& t) {
  if (requires_grad(t))
    throw Error(ErrorKind::autograd, op,
                "the tensor is part of a graph that another library cannot see")
        .show("tensor", t)
        .remedy("use .detach() first");
}

}  // namespace

Tensor tensor_from_array(PyObject* o) {
  if (PyObject_CheckBuffer(o) && !PyBytes_Check(o) && !PyByteArray_Check(o)) return from_buffer(o);
  if (PyObject_HasAttrString(o, "__dlpack__")) return tensor_from_dlpack(o);
  return {};
}

Tensor tensor_from_dlpack(PyObject* o) {
  if (is_tensor(o)) return tensor_of(o).alias();
  const Owned capsule(check(
      PyCapsule_CheckExact(o) ? Py_NewRef(o) : PyObject_CallMethod(o, "__dlpack__", nullptr)));
  if (PyCapsule_IsValid(capsule.get(), "dltensor_versioned")) {
    auto* m = static_cast<dlpack::ManagedVersioned*>(
        PyCapsule_GetPointer(capsule.get(), "dltensor_versioned"));
    PyCapsule_SetName(capsule.get(), "used_dltensor_versioned");
    if (m->major != 1) {  // of another layout, but for the deleter
      const uint32_t major = m->major;
      if (m->deleter) m->deleter(m);
      throw argument_error("from_dlpack", text("a capsule of DLPack ", major, ", expected 1"))
          .remedy("ask for __dlpack__(max_version=(1, 0))");
    }
    return adopt(m, m->flags & 1);
  }
  if (!PyCapsule_IsValid(capsule.get(), "dltensor"))
    throw argument_error("from_dlpack", "no DLPack capsule, or one that was consumed already")
        .remedy("pass the array itself, or call its __dlpack__() again");
  auto* m = static_cast<dlpack::Managed*>(PyCapsule_GetPointer(capsule.get(), "dltensor"));
  PyCapsule_SetName(capsule.get(), "used_dltensor");
  return adopt(m, false);
}

PyObject* tensor_to_dlpack(const Tensor& t) {
  check_shareable("__dlpack__", t);
  refuse_reading("__dlpack__");
  if (t.storage().readonly)
    throw argument_error("__dlpack__", "the tensor's memory is read-only")
        .show("tensor", t)
        .remedy("share a .clone()");
  t.storage().shared = true;
  auto* e = new Exported{{}, t, t.shape(), t.stride()};
  e->managed.view = {t.mutable_data(),
                     {t.device().is_cpu() ? 1 : 2, t.device().index},
                     t.dim(),
                     dlpack_dtype(t.dtype()),
                     e->shape.d,
                     e->stride.d,
                     0};
  e->managed.context = e;
  e->managed.deleter = [](dlpack::Managed* m) { delete static_cast<Exported*>(m->context); };
  return PyCapsule_New(&e->managed, "dltensor", drop_unused_capsule);
}

PyObject* tensor_to_numpy(PyObject* self) {
  const Tensor& t = tensor_of(self);
  check_shareable("numpy", t);
  refuse_reading("numpy");
  if (!t.device().is_cpu())
    throw Error(ErrorKind::device, "numpy", "the tensor is not on the CPU")
        .show("tensor", t)
        .remedy("use .cpu() first");
  if (t.dtype() == DType::bf16)
    throw Error(ErrorKind::dtype, "numpy", "NumPy has no bfloat16")
        .show("tensor", t)
        .remedy("convert with .float()");
  std::vector<py::ssize_t> shape(t.shape().begin(), t.shape().end()), stride;
  for (int64_t s : t.stride()) stride.push_back(s * static_cast<int64_t>(item_size(t.dtype())));
  py::array array(py::dtype(name_of(t.dtype())), shape, stride, t.data(), py::handle(self));
  t.storage().shared = true;
  if (t.storage().readonly) array.attr("setflags")(py::arg("write") = false);
  return array.release().ptr();
}

Tensor tensor_from_data(PyObject* data, std::optional<DType> dtype, std::optional<Device> device) {
  Tensor t;
  if (is_tensor(data)) {
    t = detach(tensor_of(data));
  } else if (PyFloat_Check(data)) {
    t = full({}, PyFloat_AS_DOUBLE(data), dtype.value_or(DType::f32), Device{});
  } else {
    t = tensor_from_array(data);
    if (!t.defined()) {
      const py::array array = py::module_::import("numpy").attr("asarray")(py::handle(data));
      if (array.dtype().kind() == 'O' || array.dtype().kind() == 'U') {
        PyErr_Format(
            PyExc_TypeError,
            "tensor: data should be numbers, nested lists of one length, or an array, not %s",
            Py_TYPE(data)->tp_name);
        throw PythonError();
      }
      t = from_buffer(array.ptr());
      if (t.dtype() == DType::f64 && !dtype) dtype = DType::f32;  // Python floats
    }
  }
  const Device where = device.value_or(t.device());
  Tensor out = dtype ? cast(t, *dtype) : t;
  out = to_device(out, where);
  return &out.storage() == &t.storage() ? clone(out) : contiguous(out);
}

}  // namespace fastdl::bindings
