// Python objects to the argument types of ops. Each conversion throws: TypeError for an object of
// the wrong kind, ArgumentError for a number that does not fit.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "bindings/python.h"
#include "bindings/tensor_type.h"
#include "core/dtype.h"
#include "core/layout.h"
#include "core/rng.h"
#include "core/shape.h"
#include "core/stream.h"

namespace fastdl::bindings {

// The name of the op and of the argument, for the message.
struct Place {
  const char* op;
  const char* argument;
};

[[noreturn]] void throw_type_error(const Place& at, const char* expected, PyObject* got);

struct OptionalTensor {
  Tensor tensor;  // undefined for None
};
template <int N>
struct Spatial {  // an int for all N directions, or N ints
  int64_t at[N];
};
using Pair = Spatial<2>;
template <int N>
struct Padding {  // in numbers, or a word, with which the numbers are 0
  Spatial<N> zeros{};
  std::optional<std::string> word;
};
struct Ints {  // an int, or any number of them
  std::vector<int64_t> at;
  bool alone = false;
};
// The same with None, for a direction or all of them, where it stays as it is.
template <int N>
struct SpatialOrNone {
  Dims given;          // those that are not None
  int64_t at[N] = {};  // 0 for None
};
// One tensor, or a list or tuple of them.
struct TensorOrTensors {
  std::vector<Tensor> tensors;
  bool one = false;
};
// A tensor, or a Python number that takes the dtype of the tensor beside it.
struct TensorOrNumber {
  Tensor tensor;  // undefined for a number
  double number = 0;
  int64_t integer = 0;
  enum { floating, integral, boolean } kind = floating;
};

template <class T>
T from_python(PyObject* o, const Place& at);

// Any array is viewed without a copy: NumPy and the buffer protocol, or __dlpack__ (interop.cc).
Tensor tensor_from_array(PyObject* o);  // undefined where o is no array

template <>
Tensor from_python<Tensor>(PyObject* o, const Place& at);
template <>
inline OptionalTensor from_python<OptionalTensor>(PyObject* o, const Place& at) {
  return {o == Py_None ? Tensor() : from_python<Tensor>(o, at)};
}
template <>
TensorOrNumber from_python<TensorOrNumber>(PyObject* o, const Place& at);
template <>
int64_t from_python<int64_t>(PyObject* o, const Place& at);
template <>
double from_python<double>(PyObject* o, const Place& at);
template <>
bool from_python<bool>(PyObject* o, const Place& at);
template <>
std::string from_python<std::string>(PyObject* o, const Place& at);
template <>
Spatial<1> from_python<Spatial<1>>(PyObject* o, const Place& at);
template <>
Spatial<2> from_python<Spatial<2>>(PyObject* o, const Place& at);
template <>
Spatial<3> from_python<Spatial<3>>(PyObject* o, const Place& at);
template <>
Padding<1> from_python<Padding<1>>(PyObject* o, const Place& at);
template <>
Padding<2> from_python<Padding<2>>(PyObject* o, const Place& at);
template <>
Padding<3> from_python<Padding<3>>(PyObject* o, const Place& at);
template <>
SpatialOrNone<1> from_python<SpatialOrNone<1>>(PyObject* o, const Place& at);
template <>
SpatialOrNone<2> from_python<SpatialOrNone<2>>(PyObject* o, const Place& at);
template <>
SpatialOrNone<3> from_python<SpatialOrNone<3>>(PyObject* o, const Place& at);
template <>
Dims from_python<Dims>(PyObject* o, const Place& at);  // an int or a sequence of ints
template <>
Ints from_python<Ints>(PyObject* o, const Place& at);
template <>
std::vector<double> from_python<std::vector<double>>(PyObject* o,
                                                     const Place& at);  // a number or several
template <>
DType from_python<DType>(PyObject* o, const Place& at);  // a dtype, its name, or NumPy's
template <>
Layout from_python<Layout>(PyObject* o, const Place& at);  // a memory_format
template <>
Device from_python<Device>(PyObject* o, const Place& at);  // a device or its name
template <>
Generator* from_python<Generator*>(PyObject* o, const Place& at);  // None: the default one
template <>
Stream from_python<Stream>(PyObject* o, const Place& at);
template <>
std::vector<Tensor> from_python<std::vector<Tensor>>(PyObject* o, const Place& at);
template <>
TensorOrTensors from_python<TensorOrTensors>(PyObject* o, const Place& at);

template <class T>
struct OptionalArgument {
  static std::optional<T> get(PyObject* o, const Place& at) {
    if (o == Py_None) return std::nullopt;
    return from_python<T>(o, at);
  }
};

// An op on a tensor and a number, or two of each: numbers become 0-d tensors. Integers and a
// floating number give float32, as in PyTorch.
std::pair<Tensor, Tensor> matched(const TensorOrNumber& a, const TensorOrNumber& b);

inline PyObject* to_python(Tensor t) { return wrap(std::move(t)); }
inline PyObject* to_python(PyObject* o) { return check(o); }
inline PyObject* to_python(bool b) { return PyBool_FromLong(b); }
inline PyObject* to_python(int64_t i) { return PyLong_FromLongLong(i); }
template <class Tensors>
PyObject* to_tuple(const Tensors& ts) {
  Owned tuple(check(PyTuple_New(static_cast<Py_ssize_t>(ts.size()))));
  for (size_t i = 0; i < ts.size(); ++i)
    PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), wrap(ts[i]));
  return tuple.release();
}
template <size_t N>
PyObject* to_python(const std::array<Tensor, N>& ts) {
  return to_tuple(ts);
}
inline PyObject* to_python(const std::vector<Tensor>& ts) { return to_tuple(ts); }

}  // namespace fastdl::bindings
