#include "bindings/signature.h"

#include <pybind11/eval.h>

namespace fastdl::bindings {
namespace {

// Cuts "a: int = 1, b: tuple[int, int] = (1, 2)" at its outer commas.
std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  std::string part;
  int depth = 0;
  for (char c : text) {
    if (c == '(' || c == '[') ++depth;
    if (c == ')' || c == ']') --depth;
    if (c == ',' && depth == 0) {
      parts.push_back(part);
      part.clear();
    } else if (!(part.empty() && c == ' ')) {
      part += c;
    }
  }
  if (!part.empty()) parts.push_back(part);
  return parts;
}

[[noreturn]] void throw_call_error(const Signature& s, const std::string& problem) {
  PyErr_SetString(PyExc_TypeError, (s.name + ": " + problem + "\n  signature: " + s.text).c_str());
  throw PythonError();
}

}  // namespace

Signature parse_signature(const std::string& text) {
  Signature s;
  s.text = text;
  const size_t open = text.find('('), close = text.rfind(") ->");
  s.name = text.substr(0, open);
  for (const std::string& part : split(text.substr(open + 1, close - open - 1))) {
    if (part == "*") continue;  // what follows is meant to be named
    Parameter p;
    p.name = part.substr(0, part.find(':'));
    p.interned = PyUnicode_InternFromString(p.name.c_str());
    p.variadic = part.find(": Shape") != std::string::npos;
    if (const size_t at = part.find(" = "); at != std::string::npos)
      p.default_value = pybind11::eval(part.substr(at + 3)).release().ptr();
    s.parameters.push_back(p);
  }
  return s;
}

void Signature::bind(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords,
                     PyObject** out, Owned& packed) const {
  const size_t total = parameters.size();
  size_t next = 0;
  if (self) out[next++] = self;
  Py_ssize_t used = 0;
  for (; used < count && next < total; ++used, ++next) {
    out[next] = args[used];
    if (!parameters[next].variadic || !PyIndex_Check(args[used])) continue;
    Py_ssize_t ints = used;
    while (ints < count && PyIndex_Check(args[ints])) ++ints;
    packed = Owned(check(PyTuple_New(ints - used)));
    for (Py_ssize_t i = used; i < ints; ++i)
      PyTuple_SET_ITEM(packed.get(), i - used, Py_NewRef(args[i]));
    out[next] = packed.get();
    used = ints - 1;
  }
  if (used < count)
    throw_call_error(*this, "takes " + std::to_string(total) + " arguments, not " +
                                std::to_string(count + (self ? 1 : 0)));
  const size_t positional = next;
  for (; next < total; ++next) out[next] = nullptr;

  const Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  for (Py_ssize_t k = 0; k < named; ++k) {
    PyObject* name = PyTuple_GET_ITEM(keywords, k);
    size_t i = 0;
    while (i < total && parameters[i].interned != name) ++i;
    if (i == total)  // not interned, or unknown
      for (i = 0; i < total && PyUnicode_Compare(parameters[i].interned, name) != 0;) ++i;
    if (i == total) {
      const char* shown = PyUnicode_AsUTF8(name);
      if (!shown) throw PythonError();  // half of a surrogate pair
      throw_call_error(*this, std::string("unknown argument '") + shown + "'");
    }
    if (i < positional || out[i])
      throw_call_error(*this, "argument '" + parameters[i].name + "' is given twice");
    out[i] = args[count + k];
  }
  for (size_t i = positional; i < total; ++i) {
    if (out[i]) continue;
    out[i] = parameters[i].default_value;
    if (!out[i]) throw_call_error(*this, "argument '" + parameters[i].name + "' is missing");
  }
}

namespace {

bool is_symbolic(PyObject* o) {
  return PyObject_HasAttrString(reinterpret_cast<PyObject*>(Py_TYPE(o)), "__fastdl_function__");
}

// The argument itself, or an element of a list, that wants to be asked first.
PyObject* find_symbolic(PyObject* o) {
  if (is_symbolic(o)) return o;
  if (PyList_Check(o) || PyTuple_Check(o))
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(o); ++i)
      if (is_symbolic(PySequence_Fast_GET_ITEM(o, i))) return PySequence_Fast_GET_ITEM(o, i);
  return nullptr;
}

}  // namespace

PyObject* call_symbolic(const Signature& s, PyObject* const* args, Py_ssize_t count,
                        PyObject* keywords) {
  if (!PyErr_ExceptionMatches(PyExc_TypeError)) return nullptr;
  const Py_ssize_t named = keywords ? PyTuple_GET_SIZE(keywords) : 0;
  PyObject* symbol = nullptr;
  {
    const pybind11::error_scope aside;  // looking for an attribute clears the exception that is set
    for (Py_ssize_t i = 0; i < count + named && !symbol; ++i) symbol = find_symbolic(args[i]);
  }
  if (!symbol) return nullptr;
  PyErr_Clear();
  const Owned module(PyImport_ImportModule("fastdl._core"));
  const Owned function(module ? PyObject_GetAttrString(module.get(), s.name.c_str()) : nullptr);
  const Owned positional(PyTuple_New(count)), rest(PyDict_New());
  if (!function || !positional || !rest) return nullptr;
  for (Py_ssize_t i = 0; i < count; ++i) PyTuple_SET_ITEM(positional.get(), i, Py_NewRef(args[i]));
  for (Py_ssize_t i = 0; i < named; ++i)
    if (PyDict_SetItem(rest.get(), PyTuple_GET_ITEM(keywords, i), args[count + i]) < 0)
      return nullptr;
  return PyObject_CallMethod(reinterpret_cast<PyObject*>(Py_TYPE(symbol)), "__fastdl_function__",
                             "OOOO", symbol, function.get(), positional.get(), rest.get());
}

std::deque<Signature>& all_signatures() {
  static auto* all = new std::deque<Signature>;  // a deque: rows keep their addresses
  return *all;
}

Signature& FunctionTable::append(const char* text, const char* asks, const char* doc,
                                 const char* kind) {
  Signature& s = all_signatures().emplace_back(parse_signature(text));
  s.asks = asks;
  s.policy = take_policy(s.asks);
  if (s.name.back() == '_') s.policy = CastPolicy::edit;
  std::vector<std::string> names;
  for (const Parameter& p : s.parameters) names.push_back(p.name);
  Door door(s.asks, std::move(names));
  if (door.asks()) s.door.emplace(std::move(door));
  s.doc = s.text + "\n\n" + doc;
  s.kind = kind;
  s.module = module_;
  return s;
}

}  // namespace fastdl::bindings
