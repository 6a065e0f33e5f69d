// The door of functions that are composed in Python (python/fastdl/composed): the same language and
// the same checks.
#include <pybind11/stl.h>

#include "bindings/autocast.h"
#include "bindings/door.h"
#include "bindings/module.h"

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

class PythonDoor {
 public:
  PythonDoor(std::string op, std::string asks, const std::vector<std::string>& names,
             std::vector<bool> arrays, py::tuple defaults)
      : op_(std::move(op)),
        names_(names),
        arrays_(std::move(arrays)),
        defaults_(std::move(defaults)),
        policy_(take_policy(asks)),
        asks_(asks),
        door_(asks, names) {
    for (const std::string& name : names_) keys_.emplace_back(name);
  }

  // (args, kwargs) of the call with arrays of other libraries as tensors, or None where an argument
  // is symbolic. Throws what the door throws, and TypeError where an array is something else.
  py::object enter(const py::tuple& args, const py::dict& kwargs) const {
    const size_t n = names_.size();
    std::vector<Value> values(n);
    std::vector<Holder> held(n);
    py::list out;
    bool changed = false;
    for (size_t i = 0; i < n; ++i) {
      PyObject* o = nullptr;
      if (i < args.size())
        o = PyTuple_GET_ITEM(args.ptr(), static_cast<Py_ssize_t>(i));
      else
        o = PyDict_GetItemWithError(kwargs.ptr(), keys_[i].ptr());
      if (!o && i < defaults_.size()) o = defaults_[i].ptr();  // None where there is none
      if (!o || o == Py_None) continue;
      if (arrays_[i] && !is_tensor(o)) {
        if (PyObject_HasAttrString(reinterpret_cast<PyObject*>(Py_TYPE(o)), "__fastdl_function__"))
          return py::none();
        held[i].tensors = {from_python<Tensor>(o, {op_.c_str(), names_[i].c_str()})};
        changed = true;
      }
      values[i] = held[i].see(o);
    }
    if (autocast_on) {
      TensorSlots slots;
      for (Holder& h : held) add_slots(h.tensors, slots);
      std::vector<TensorImpl*> before;
      for (const Tensor* t : slots) before.push_back(t->impl());
      recast(policy_, slots.begin(), slots.size());
      auto was = before.begin();
      for (Holder& h : held)
        for (const Tensor& t : h.tensors) h.cast = t.impl() != *was++ || h.cast;
      for (const Holder& h : held) changed = changed || h.cast;
    }
    door_.check(op_.c_str(), values.data());
    if (!changed) return py::make_tuple(args, kwargs);
    for (size_t i = 0; i < args.size(); ++i)
      out.append(i < n ? converted(i, held, args[i]) : args[i]);
    py::dict named;
    for (const auto& [key, value] : kwargs) named[key] = value;
    for (size_t i = args.size(); i < n; ++i)
      if ((arrays_[i] || held[i].cast) && kwargs.contains(keys_[i]))
        named[keys_[i]] = converted(i, held, kwargs[keys_[i]]);
    return py::make_tuple(py::tuple(out), named);
  }

  const std::string& asks() const { return asks_; }

 private:
  // What a Value points into.
  struct Holder {
    std::vector<Tensor> tensors;
    std::vector<int64_t> ints;
    std::string text;
    bool cast = false;  // the tensors are others than those that were given

    Value see(PyObject* o) {
      if (is_tensor(o)) tensors = {tensor_of(o)};
      if (!tensors.empty()) return Value::of(tensors);
      if (PyBool_Check(o)) return {};
      if (PyFloat_Check(o)) return Value::of(PyFloat_AS_DOUBLE(o));
      if (PyUnicode_Check(o)) {
        text = from_python<std::string>(o, {"", ""});
        return Value::of(text);
      }
      if (!is_list(o)) return see_int(o) ? Value::of(ints.data(), 1) : Value{};
      for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i) {
        PyObject* const item = PySequence_Fast_GET_ITEM(o, i);
        if (is_tensor(item))
          tensors.push_back(tensor_of(item));
        else if (!see_int(item))
          return {};
      }
      if (!tensors.empty()) return Value::of(tensors);
      return Value::of(ints.data(), static_cast<int64_t>(ints.size()));
    }
    bool see_int(PyObject* o) {
      const Owned index(PyIndex_Check(o) ? PyNumber_Index(o) : nullptr);
      if (!index) return PyErr_Clear(), false;  // an array says that it could be one
      ints.push_back(from_python<int64_t>(index.get(), {"", "a number"}));
      return true;
    }
  };

  static bool is_list(PyObject* o) { return PyList_Check(o) || PyTuple_Check(o); }
  py::object converted(size_t i, const std::vector<Holder>& held, const py::handle& o) const {
    if (held[i].cast && is_list(o.ptr())) {
      py::list out;
      for (const Tensor& t : held[i].tensors)
        out.append(py::reinterpret_steal<py::object>(wrap(t)));
      return out;
    }
    if (!held[i].cast && (!arrays_[i] || is_tensor(o.ptr()) || held[i].tensors.size() != 1))
      return py::reinterpret_borrow<py::object>(o);
    return py::reinterpret_steal<py::object>(wrap(held[i].tensors[0]));
  }

  std::string op_;
  std::vector<std::string> names_;
  std::vector<py::str> keys_;
  std::vector<bool> arrays_;
  py::tuple defaults_;
  const CastPolicy policy_;
  const std::string asks_;
  Door door_;
};

}  // namespace

void register_door(py::module_& m) {
  py::class_<PythonDoor>(m, "_Door", "Checks the arguments of a function composed in Python.")
      .def(py::init<std::string, const std::string&, const std::vector<std::string>&,
                    std::vector<bool>, py::tuple>())
      .def("enter", &PythonDoor::enter)
      .def_property_readonly("asks", &PythonDoor::asks, "What the door asks of the arguments.");
}

}  // namespace fastdl::bindings
