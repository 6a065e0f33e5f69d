// dtype, device and Generator as Python classes. dtypes and devices are singletons, so that the hot
// path hands out objects that exist.
#include <pybind11/operators.h>
#include <pybind11/stl.h>

#include <array>

#include "bindings/convert.h"
#include "bindings/interop.h"
#include "bindings/module.h"
#include "bindings/runtime.h"
#include "core/capture.h"

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

// pybind11 needs class types of its own to hold.
struct PyDType {
  DType value;
};
struct PyMemoryFormat {
  Layout value;
};
struct PyDevice {
  Device value;
};

std::array<PyObject*, kDTypes> dtype_objects;
constexpr int kMaxDevices = 1 + 100;
std::array<PyObject*, kMaxDevices> device_objects{};

}  // namespace

Generator& default_generator() {
  static Generator g;
  return g;
}

PyObject* wrap(DType t) { return Py_NewRef(dtype_objects[static_cast<size_t>(t)]); }

PyObject* wrap(Device d) {
  PyObject*& slot = device_objects[d.is_cpu() ? 0 : static_cast<size_t>(1 + d.index)];
  if (!slot) slot = py::cast(PyDevice{d}).release().ptr();
  return Py_NewRef(slot);
}

template <>
DType from_python<DType>(PyObject* o, const Place& at) {
  for (int i = 0; i < kDTypes; ++i)
    if (o == dtype_objects[static_cast<size_t>(i)]) return static_cast<DType>(i);
  py::object name;
  if (PyUnicode_Check(o))
    name = py::reinterpret_borrow<py::object>(o);
  else if (o == reinterpret_cast<PyObject*>(&PyFloat_Type) ||
           o == reinterpret_cast<PyObject*>(&PyLong_Type) ||
           o == reinterpret_cast<PyObject*>(&PyBool_Type) || PyObject_HasAttrString(o, "dtype") ||
           PyObject_HasAttrString(o, "kind"))
    name = py::module_::import("numpy").attr("dtype")(py::handle(o)).attr("name");
  if (!name) throw_type_error(at, "a dtype or its name", o);
  const std::string text = py::cast<std::string>(name);
  for (int i = 0; i < kDTypes; ++i)
    if (text == name_of(static_cast<DType>(i))) return static_cast<DType>(i);
  throw Error(ErrorKind::dtype, at.op, "unknown dtype '" + text + "'")
      .remedy("use one of: float16, bfloat16, float32, float64, int32, int64, uint8, bool");
}

template <>
Layout from_python<Layout>(PyObject* o, const Place& at) {
  if (!py::isinstance<PyMemoryFormat>(py::handle(o)))
    throw_type_error(at, "fastdl.channels_last or fastdl.contiguous_format", o);
  return py::cast<PyMemoryFormat&>(py::handle(o)).value;
}

template <>
Device from_python<Device>(PyObject* o, const Place& at) {
  if (PyUnicode_Check(o)) return parse_device(from_python<std::string>(o, at));
  if (py::isinstance<PyDevice>(py::handle(o))) return py::cast<PyDevice&>(py::handle(o)).value;
  throw_type_error(at, "a device or its name", o);
}

bool is_device_like(PyObject* o) {
  if (py::isinstance<PyDevice>(py::handle(o))) return true;
  if (!PyUnicode_Check(o)) return false;
  const std::string name = py::cast<std::string>(py::handle(o));
  return name.rfind("cpu", 0) == 0 || name.rfind("cuda", 0) == 0;
}

template <>
Generator* from_python<Generator*>(PyObject* o, const Place& at) {
  if (o == Py_None) return &default_generator();
  if (!py::isinstance<Generator>(py::handle(o))) throw_type_error(at, "a Generator or None", o);
  if (Capture* c = capturing()) c->keep(shared(o));  // replays draw from it
  return py::cast<Generator*>(py::handle(o));
}

void register_types(py::module_& m) {
  py::class_<PyDType>(m, "dtype", "The type of a tensor's elements; one object per type.")
      .def_property_readonly(
          "name", [](const PyDType& t) { return name_of(t.value); }, "As NumPy calls it.")
      .def_property_readonly(
          "itemsize", [](const PyDType& t) { return item_size(t.value); }, "Bytes per element.")
      .def_property_readonly(
          "is_floating_point", [](const PyDType& t) { return is_floating(t.value); },
          "Whether it holds fractions.")
      .def("__reduce__",
           [](const PyDType& t) {
             return t.value == DType::boolean ? std::string("bool_")
                                              : std::string(name_of(t.value));
           })
      .def("__repr__", [](const PyDType& t) {
        return text("fastdl.", name_of(t.value), t.value == DType::boolean ? "_" : "");
      });
  for (int i = 0; i < kDTypes; ++i) {
    const auto t = static_cast<DType>(i);
    py::object o = py::cast(PyDType{t});
    m.attr(t == DType::boolean ? "bool_" : name_of(t)) = o;
    dtype_objects[static_cast<size_t>(i)] = o.release().ptr();
  }

  py::class_<PyMemoryFormat>(m, "memory_format",
                             "How the elements of a tensor [N, C, H, W] lie in memory: "
                             "fastdl.contiguous_format, fastdl.channels_last.")
      .def("__reduce__",
           [](const PyMemoryFormat& f) {
             return std::string(f.value == Layout::first ? "contiguous_format" : "channels_last");
           })
      .def("__repr__", [](const PyMemoryFormat& f) {
        return std::string(f.value == Layout::first ? "fastdl.contiguous_format"
                                                    : "fastdl.channels_last");
      });
  m.attr("contiguous_format") = PyMemoryFormat{Layout::first};
  m.attr("channels_last") = PyMemoryFormat{Layout::last};

  py::class_<PyDevice>(m, "device", "Where tensors live: device('cpu'), device('cuda:0').")
      .def(py::init([](const std::string& name) { return PyDevice{parse_device(name)}; }),
           py::arg("name"))
      .def_property_readonly(
          "type", [](const PyDevice& d) { return d.value.is_cpu() ? "cpu" : "cuda"; },
          "'cpu' or 'cuda'.")
      .def_property_readonly(
          "index", [](const PyDevice& d) { return static_cast<int>(d.value.index); },
          "Which one, from 0.")
      .def("__eq__",
           [](const PyDevice& d, const py::object& other) {
             if (py::isinstance<PyDevice>(other))
               return d.value == py::cast<PyDevice&>(other).value;
             if (!py::isinstance<py::str>(other)) return false;
             const std::string name = py::cast<std::string>(other);
             return name == name_of(d.value) || (name == "cuda" && name_of(d.value) == "cuda:0");
           })
      .def("__hash__",
           [](const PyDevice& d) { return static_cast<int>(d.value.type) * 128 + d.value.index; })
      .def("__str__", [](const PyDevice& d) { return name_of(d.value); })
      .def("__repr__", [](const PyDevice& d) { return "device('" + name_of(d.value) + "')"; });

  py::class_<Generator>(
      m, "Generator",
      "A stream of random numbers: a seed and a position (Philox, Salmon et al., 2011).")
      .def(py::init([](uint64_t seed) { return Generator{seed, 0}; }), py::arg("seed") = 0)
      .def_readonly("seed", &Generator::seed, "What the stream is a function of.")
      .def_readonly("offset", &Generator::offset, "How many blocks of it are used.")
      .def(
          "manual_seed", [](Generator& g, uint64_t seed) { g = {seed, 0}; }, py::arg("seed"),
          "Starts the stream of another seed.")
      .def(
          "get_state", [](const Generator& g) { return std::pair(g.seed, g.offset); },
          "(seed, offset).")
      .def(
          "set_state",
          [](Generator& g, std::pair<uint64_t, uint64_t> state) {
            g = {state.first, state.second};
          },
          py::arg("state"), "Continues from what get_state returned.");
  m.attr("default_generator") = py::cast(&default_generator(), py::return_value_policy::reference);
  m.def(
      "manual_seed", [](uint64_t seed) { default_generator() = {seed, 0}; }, py::arg("seed"),
      "Seeds the default generator. The same seed gives the same numbers on every device.");
}

}  // namespace fastdl::bindings
