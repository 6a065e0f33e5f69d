// The table of hot functions. One row is a signature as Python shows it, a docstring and a C++
// function; from it come the module function, the Tensor method, the keywords and defaults, the
// text that `help` prints and the stub file. Nothing is bound by hand twice.
//
//   table.function("softmax(input: Tensor, dim: int) -> Tensor",
//                  "input: floating; dim: dim of input", R"(...)", softmax);
//
// The second text is the row's door (door.h): what is asked of the arguments. The call itself is
// METH_FASTCALL: arguments are matched against the parsed signature, converted by the C++ types
// (convert.h), checked by the door, and passed on.
#pragma once

#include <Python.h>

#include <deque>
#include <optional>
#include <string>
#include <tuple>
#include <type_traits>
#include <vector>

#include "bindings/autocast.h"
#include "bindings/convert.h"
#include "bindings/door.h"

namespace fastdl::bindings {

struct Parameter {
  std::string name;
  PyObject* interned = nullptr;       // the name as Python's string
  PyObject* default_value = nullptr;  // null: required
  bool variadic = false;              // `shape: Shape`: also takes its ints one by one
};

struct Signature {
  std::string text, name, asks, doc, kind, module;
  std::vector<Parameter> parameters;
  std::optional<Door> door;
  CastPolicy policy = CastPolicy::promote;  // under autocast
  PyMethodDef function_def{}, method_def{};

  // Fills `out`, one borrowed reference per parameter, or throws TypeError. `packed` keeps a tuple
  // that had to be made.
  void bind(PyObject* self, PyObject* const* args, Py_ssize_t count, PyObject* keywords,
            PyObject** out, Owned& packed) const;
  Place place(size_t i) const { return {name.c_str(), parameters[i].name.c_str()}; }
};

Signature parse_signature(const std::string& text);

// After a TypeError: if an argument's type defines __fastdl_function__ (a symbolic tensor of the
// functional API), its answer takes the place of the error. Costs nothing where all went well.
PyObject* call_symbolic(const Signature& s, PyObject* const* args, Py_ssize_t count,
                        PyObject* keywords);

template <class T>
struct Argument {
  static T get(PyObject* o, const Place& at) { return from_python<T>(o, at); }
};
template <class T>
struct Argument<std::optional<T>> : OptionalArgument<T> {};

template <class F>
struct Binding {
  static inline Signature* signature;
  static inline std::optional<F> function;

  template <class R, class... Args>
  static PyObject* invoke(PyObject* self, PyObject* const* args, Py_ssize_t count,
                          PyObject* keywords, R (*)(Args...)) {
    return invoke_at<R, Args...>(self, args, count, keywords, std::index_sequence_for<Args...>{});
  }
  template <class R, class... Args, size_t... I>
  static PyObject* invoke_at(PyObject* self, PyObject* const* args, Py_ssize_t count,
                             PyObject* keywords, std::index_sequence<I...>) {
    PyObject* slots[sizeof...(Args) + 1];
    Owned packed;
    signature->bind(self, args, count, keywords, slots, packed);
    std::tuple<std::decay_t<Args>...> values{
        Argument<std::decay_t<Args>>::get(slots[I], signature->place(I))...};
    if (autocast_on) recast_arguments(signature->policy, std::get<I>(values)...);
    if (signature->door) {
      const Value seen[] = {Value::of(std::get<I>(values))..., Value{}};
      signature->door->check(signature->name.c_str(), seen);
    }
    return to_python((*function)(std::get<I>(values)...));
  }

  static PyObject* call(PyObject* self, PyObject* const* args, Py_ssize_t count,
                        PyObject* keywords) {
    return guarded([&] { return invoke(self, args, count, keywords, pointer(*function)); },
                   signature->name.c_str());
  }
  static PyObject* call_function(PyObject*, PyObject* const* args, Py_ssize_t count,
                                 PyObject* keywords) {
    PyObject* result = call(nullptr, args, count, keywords);
    return result ? result : call_symbolic(*signature, args, count, keywords);
  }
  static PyObject* call_method(PyObject* self, PyObject* const* args, Py_ssize_t count,
                               PyObject* keywords) {
    return call(self, args, count, keywords);
  }

  template <class R, class... Args>
  static auto pointer(R (*)(Args...)) -> R (*)(Args...) {
    return nullptr;
  }
  template <class G>
  static auto pointer(const G&) -> decltype(+std::declval<G>()) {
    return nullptr;
  }
};

class FunctionTable {
 public:
  explicit FunctionTable(std::string module) : module_(std::move(module)) {}

  // A module function; a Tensor method; both. The C++ function's type keys the row, so each row
  // takes a lambda of its own.
  template <class F>
  void function(const char* text, const char* asks, const char* doc, F f) {
    add(text, asks, doc, f, "function");
  }
  template <class F>
  void method(const char* text, const char* asks, const char* doc, F f) {
    add(text, asks, doc, f, "method");
  }
  template <class F>
  void both(const char* text, const char* asks, const char* doc, F f) {
    add(text, asks, doc, f, "both");
  }

 private:
  template <class F>
  void add(const char* text, const char* asks, const char* doc, F f, const char* kind) {
    static_assert(std::is_class_v<F>, "wrap the function in a lambda");
    Signature& s = append(text, asks, doc, kind);
    Binding<F>::signature = &s;
    Binding<F>::function.emplace(f);
    const auto flags = METH_FASTCALL | METH_KEYWORDS;
    using Plain = void (*)();
    s.function_def = {
        s.name.c_str(),
        reinterpret_cast<PyCFunction>(reinterpret_cast<Plain>(Binding<F>::call_function)), flags,
        s.doc.c_str()};
    s.method_def = {s.name.c_str(),
                    reinterpret_cast<PyCFunction>(reinterpret_cast<Plain>(Binding<F>::call_method)),
                    flags, s.doc.c_str()};
  }
  Signature& append(const char* text, const char* asks, const char* doc, const char* kind);

  std::string module_;
};

std::deque<Signature>& all_signatures();

// The families' rows.
void define_math_functions(FunctionTable& table);
void define_shape_functions(FunctionTable& table);
void define_sort_functions(FunctionTable& table);
void define_move_functions(FunctionTable& table);
void define_move_methods(FunctionTable& table);
void define_product_functions(FunctionTable& table);
void define_index_functions(FunctionTable& table);
void define_network_functions(FunctionTable& table);
void define_conv_functions(FunctionTable& table);
void define_pool_functions(FunctionTable& table);
void define_image_functions(FunctionTable& table);
void define_norm_functions(FunctionTable& table);
void define_recurrent_functions(FunctionTable& table);
void define_loss_functions(FunctionTable& table);
void define_creation_functions(FunctionTable& table);
void define_random_functions(FunctionTable& table);
void define_random_edits(FunctionTable& table);
void define_tensor_methods(FunctionTable& table);
void define_index_edits(FunctionTable& table);
void define_runtime_functions(FunctionTable& table);
void define_fused_functions(FunctionTable& table);

}  // namespace fastdl::bindings
