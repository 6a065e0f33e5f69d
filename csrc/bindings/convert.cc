#include "bindings/convert.h"

#include "bindings/runtime.h"
#include "core/capture.h"
#include "ops/common.h"
#include "ops/copy.h"

namespace fastdl::bindings {
namespace {

// An int, or an object with __index__ that is no bool-like array; -1 with an exception is an error.
int64_t to_int64(PyObject* o, const Place& at, const char* expected) {
  if (!PyIndex_Check(o) || is_tensor(o)) throw_type_error(at, expected, o);
  const Owned index(check(PyNumber_Index(o)));
  int overflow = 0;
  const long long v = PyLong_AsLongLongAndOverflow(index.get(), &overflow);
  if (overflow)
    throw argument_error(at.op, text(at.argument, " does not fit in 64 bits"))
        .remedy("use a smaller number");
  if (v == -1 && PyErr_Occurred()) throw PythonError();
  return v;
}

bool is_sequence(PyObject* o) { return PyList_Check(o) || PyTuple_Check(o); }

template <int N>
Spatial<N> to_spatial(PyObject* o, const Place& at, const char* expected) {
  const bool several = is_sequence(o);
  if (several && PySequence_Fast_GET_SIZE(o) != N) throw_type_error(at, expected, o);
  Spatial<N> out;
  for (int i = 0; i < N; ++i)
    out.at[i] = to_int64(several ? PySequence_Fast_GET_ITEM(o, i) : o, at, expected);
  return out;
}

template <int N>
Padding<N> to_padding(PyObject* o, const Place& at) {
  if (PyUnicode_Check(o)) return {{}, from_python<std::string>(o, at)};
  constexpr const char* expected[] = {"an int or a str", "an int, a pair of ints or a str",
                                      "an int, three ints or a str"};
  return {to_spatial<N>(o, at, expected[N - 1]), std::nullopt};
}

template <int N>
SpatialOrNone<N> to_spatial_or_none(PyObject* o, const Place& at, const char* expected) {
  const bool several = is_sequence(o);
  if (several && PySequence_Fast_GET_SIZE(o) != N) throw_type_error(at, expected, o);
  SpatialOrNone<N> out;
  for (int i = 0; i < N; ++i) {
    PyObject* const size = several ? PySequence_Fast_GET_ITEM(o, i) : o;
    if (size == Py_None) continue;
    out.given.push(out.at[i] = to_int64(size, at, expected));
  }
  return out;
}

}  // namespace

void throw_type_error(const Place& at, const char* expected, PyObject* got) {
  PyErr_Format(PyExc_TypeError, "%s: %s should be %s, not %s", at.op, at.argument, expected,
               Py_TYPE(got)->tp_name);
  throw PythonError();
}

template <>
Tensor from_python<Tensor>(PyObject* o, const Place& at) {
  if (is_tensor(o)) return tensor_of(o);
  Tensor t = tensor_from_array(o);
  if (!t.defined()) throw_type_error(at, "a Tensor or an array", o);
  return t;
}

template <>
TensorOrNumber from_python<TensorOrNumber>(PyObject* o, const Place& at) {
  TensorOrNumber out;
  if (is_tensor(o)) {
    out.tensor = tensor_of(o);
  } else if (PyFloat_Check(o)) {
    out.number = PyFloat_AS_DOUBLE(o);
  } else if (PyBool_Check(o)) {
    out.kind = TensorOrNumber::boolean;
    out.number = static_cast<double>(out.integer = o == Py_True);
  } else if (PyLong_Check(o)) {
    out.kind = TensorOrNumber::integral;
    out.integer = to_int64(o, at, "a number");
    out.number = static_cast<double>(out.integer);
  } else {
    out.tensor = tensor_from_array(o);
    if (!out.tensor.defined()) throw_type_error(at, "a Tensor, an array or a number", o);
  }
  return out;
}

template <>
int64_t from_python<int64_t>(PyObject* o, const Place& at) {
  return to_int64(o, at, "an int");
}

template <>
double from_python<double>(PyObject* o, const Place& at) {
  if (PyFloat_Check(o)) return PyFloat_AS_DOUBLE(o);
  if (!PyNumber_Check(o) || PyComplex_Check(o)) throw_type_error(at, "a number", o);
  const double v = PyFloat_AsDouble(o);
  if (v == -1.0 && PyErr_Occurred()) throw PythonError();
  return v;
}

template <>
bool from_python<bool>(PyObject* o, const Place&) {
  const int truth = PyObject_IsTrue(o);
  if (truth < 0) throw PythonError();
  return truth != 0;
}

template <>
std::string from_python<std::string>(PyObject* o, const Place& at) {
  if (!PyUnicode_Check(o)) throw_type_error(at, "a str", o);
  Py_ssize_t size;
  const char* s = PyUnicode_AsUTF8AndSize(o, &size);
  if (!s) {  // half of a surrogate pair
    PyErr_Clear();
    throw argument_error(at.op, text(at.argument, " is no text in Unicode"))
        .remedy("pass a word that the documentation names");
  }
  return {s, static_cast<size_t>(size)};
}

template <>
Spatial<1> from_python<Spatial<1>>(PyObject* o, const Place& at) {
  return to_spatial<1>(o, at, "an int");
}

template <>
Spatial<2> from_python<Spatial<2>>(PyObject* o, const Place& at) {
  return to_spatial<2>(o, at, "an int or a pair of ints");
}

template <>
Spatial<3> from_python<Spatial<3>>(PyObject* o, const Place& at) {
  return to_spatial<3>(o, at, "an int or three ints");
}

template <>
Padding<1> from_python<Padding<1>>(PyObject* o, const Place& at) {
  return to_padding<1>(o, at);
}
template <>
Padding<2> from_python<Padding<2>>(PyObject* o, const Place& at) {
  return to_padding<2>(o, at);
}
template <>
Padding<3> from_python<Padding<3>>(PyObject* o, const Place& at) {
  return to_padding<3>(o, at);
}

template <>
SpatialOrNone<1> from_python<SpatialOrNone<1>>(PyObject* o, const Place& at) {
  return to_spatial_or_none<1>(o, at, "an int or None");
}

template <>
SpatialOrNone<2> from_python<SpatialOrNone<2>>(PyObject* o, const Place& at) {
  return to_spatial_or_none<2>(o, at, "an int, None or a pair of these");
}

template <>
SpatialOrNone<3> from_python<SpatialOrNone<3>>(PyObject* o, const Place& at) {
  return to_spatial_or_none<3>(o, at, "an int, None or three of these");
}

template <>
Dims from_python<Dims>(PyObject* o, const Place& at) {
  constexpr const char* expected = "an int or a sequence of ints";
  if (PyIndex_Check(o)) return {to_int64(o, at, expected)};
  if (!PySequence_Check(o) || PyUnicode_Check(o)) throw_type_error(at, expected, o);
  const Owned items(check(PySequence_Fast(o, "expected a sequence")));
  Dims dims;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
    dims.push(to_int64(PySequence_Fast_GET_ITEM(items.get(), i), at, expected));
  return dims;
}

template <>
Ints from_python<Ints>(PyObject* o, const Place& at) {
  constexpr const char* expected = "an int or a sequence of ints";
  if (PyIndex_Check(o)) return {{to_int64(o, at, expected)}, true};
  if (!PySequence_Check(o) || PyUnicode_Check(o)) throw_type_error(at, expected, o);
  const Owned items(check(PySequence_Fast(o, "expected a sequence")));
  Ints out;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
    out.at.push_back(to_int64(PySequence_Fast_GET_ITEM(items.get(), i), at, expected));
  return out;
}

template <>
std::vector<double> from_python<std::vector<double>>(PyObject* o, const Place& at) {
  if (!PySequence_Check(o) || PyUnicode_Check(o)) return {from_python<double>(o, at)};
  const Owned items(check(PySequence_Fast(o, "expected a sequence")));
  std::vector<double> out;
  for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(items.get()); ++i)
    out.push_back(from_python<double>(PySequence_Fast_GET_ITEM(items.get(), i), at));
  return out;
}

template <>
std::vector<Tensor> from_python<std::vector<Tensor>>(PyObject* o, const Place& at) {
  if (is_tensor(o) || !PySequence_Check(o)) throw_type_error(at, "a sequence of tensors", o);
  const Owned items(check(PySequence_Fast(o, "expected a sequence of tensors")));
  std::vector<Tensor> out;
  const Py_ssize_t n = PySequence_Fast_GET_SIZE(items.get());
  out.reserve(static_cast<size_t>(n));
  for (Py_ssize_t i = 0; i < n; ++i)
    out.push_back(from_python<Tensor>(PySequence_Fast_GET_ITEM(items.get(), i), at));
  return out;
}

template <>
TensorOrTensors from_python<TensorOrTensors>(PyObject* o, const Place& at) {
  if (is_sequence(o)) return {from_python<std::vector<Tensor>>(o, at), false};
  return {{from_python<Tensor>(o, at)}, true};
}

namespace {

// The number as a 0-d tensor beside `other`, which changes dtype only from integer to float32.
Tensor beside(const TensorOrNumber& n, Tensor& other) {
  if (n.kind == TensorOrNumber::floating && !is_floating(other.dtype()))
    other = cast(other, DType::f32);
  if (n.kind == TensorOrNumber::integral && other.dtype() == DType::boolean)
    other = cast(other, DType::i64);
  if (n.kind != TensorOrNumber::floating && other.dtype() == DType::i64 &&
      other.device().is_cpu()) {
    Tensor exact = empty({}, DType::i64, other.device());
    on_host([to = exact.as<int64_t>(), value = n.integer] { *to = value; });
    return exact;
  }
  return scalar_like(n.number, other);
}

Tensor alone(const TensorOrNumber& n) {
  const DType dtype = n.kind == TensorOrNumber::floating   ? DType::f32
                      : n.kind == TensorOrNumber::integral ? DType::i64
                                                           : DType::boolean;
  return full({}, n.number, dtype, Device{});
}

}  // namespace

std::pair<Tensor, Tensor> matched(const TensorOrNumber& a, const TensorOrNumber& b) {
  std::pair<Tensor, Tensor> out{a.tensor, b.tensor};
  if (!out.first.defined() && !out.second.defined()) out.second = alone(b);
  if (!out.first.defined()) out.first = beside(a, out.second);
  if (!out.second.defined()) out.second = beside(b, out.first);
  return out;
}

}  // namespace fastdl::bindings
