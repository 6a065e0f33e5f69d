// Rows of the function table: parameter updates. With `group`, a dict of an optimiser's options, they
// are read from there, which costs less than arguments, and again before each replay of a captured
// step, so that a schedule of the learning rate works there too.
#include "autograd/variable.h"
#include "bindings/interop.h"
#include "bindings/signature.h"
#include "core/capture.h"
#include "ops/optimizer.h"

namespace fastdl::bindings {
namespace {

PyObject* interned(const char* name) { return check(PyUnicode_InternFromString(name)); }

PyObject* entry(PyObject* group, PyObject* key, const char* op) {
  PyObject* value = PyDict_GetItemWithError(group, key);
  if (!value && !PyErr_Occurred()) PyErr_Format(PyExc_KeyError, "%s: group has no %R", op, key);
  return check(value);
}

void read(SgdOptions& o, PyObject* group) {
  static PyObject* const lr = interned("lr");
  static PyObject* const momentum = interned("momentum");
  static PyObject* const dampening = interned("dampening");
  static PyObject* const weight_decay = interned("weight_decay");
  static PyObject* const nesterov = interned("nesterov");
  constexpr const char* op = "sgd_step";
  o.lr = from_python<double>(entry(group, lr, op), {op, "lr"});
  o.momentum = from_python<double>(entry(group, momentum, op), {op, "momentum"});
  o.dampening = from_python<double>(entry(group, dampening, op), {op, "dampening"});
  o.weight_decay = from_python<double>(entry(group, weight_decay, op), {op, "weight_decay"});
  o.nesterov = from_python<bool>(entry(group, nesterov, op), {op, "nesterov"});
}

void read(AdamOptions& o, PyObject* group) {
  static PyObject* const lr = interned("lr");
  static PyObject* const betas = interned("betas");
  static PyObject* const eps = interned("eps");
  static PyObject* const weight_decay = interned("weight_decay");
  constexpr const char* op = "adam_step";
  o.lr = from_python<double>(entry(group, lr, op), {op, "lr"});
  const Owned pair(check(PySequence_Tuple(entry(group, betas, op))));
  if (PyTuple_GET_SIZE(pair.get()) != 2)
    throw_type_error({op, "betas"}, "a pair of numbers", pair.get());
  o.beta1 = from_python<double>(PyTuple_GET_ITEM(pair.get(), 0), {op, "betas"});
  o.beta2 = from_python<double>(PyTuple_GET_ITEM(pair.get(), 1), {op, "betas"});
  o.eps = from_python<double>(entry(group, eps, op), {op, "eps"});
  o.weight_decay = from_python<double>(entry(group, weight_decay, op), {op, "weight_decay"});
}

template <class Options>
void read_group(const char* op, PyObject* group, Options& o) {
  if (group == Py_None) return;
  if (!PyDict_Check(group)) throw_type_error({op, "group"}, "a dict or None", group);
  read(o, group);
}

// The parameters that have a gradient, and these.
std::pair<std::vector<Tensor>, std::vector<Tensor>> with_gradients(
    const std::vector<Tensor>& params) {
  std::pair<std::vector<Tensor>, std::vector<Tensor>> out;
  out.first.reserve(params.size()), out.second.reserve(params.size());
  for (const Tensor& p : params)
    if (const Variable* v = variable(p); v && v->grad.defined()) {
      out.first.push_back(p);
      out.second.push_back(v->grad);
    }
  return out;
}

// What a captured step of SGD does to its options before each replay.
std::function<void(SgdOptions&)> next_sgd(PyObject* group) {
  if (!capturing()) return {};
  return [group = shared(group)](SgdOptions& o) {
    o.first_step = false;
    if (group.get() != Py_None) read(o, group.get());
  };
}

// Steps that a parameter has taken, as its state says.
int64_t steps_of(PyObject* state) {
  static PyObject* const step = interned("step");
  if (!PyDict_Check(state)) throw_type_error({"adam_step", "states"}, "a list of dicts", state);
  return from_python<int64_t>(entry(state, step, "adam_step"), {"adam_step", "step"});
}

// The same for Adam, which counts. A step that was not captured may have come between two replays,
// so the count is that of the states; if they have come to differ, one count does not do.
std::function<void(AdamOptions&)> next_adam(PyObject* group, PyObject* states) {
  Capture* const capture = capturing();
  if (!capture) return {};
  if (states == Py_None)
    return [group = shared(group)](AdamOptions& o) {
      ++o.step;
      if (group.get() != Py_None) read(o, group.get());
    };
  const std::shared_ptr<PyObject> list = shared(Owned(check(PySequence_Tuple(states))).get());
  const auto each = [list](auto f) {
    for (Py_ssize_t i = 0; i < PyTuple_GET_SIZE(list.get()); ++i)
      f(PyTuple_GET_ITEM(list.get(), i));
  };
  capture->guard([each, list] {
    bool same = true;
    each([&](PyObject* state) {
      same = same && steps_of(state) == steps_of(PyTuple_GET_ITEM(list.get(), 0));
    });
    return same;
  });
  capture->afterwards([each] {
    each([](PyObject* state) {
      static PyObject* const step = interned("step");
      const Owned count(check(PyLong_FromLongLong(steps_of(state) + 1)));
      if (PyDict_SetItem(state, step, count.get()) < 0) throw PythonError();
    });
  });
  return [group = shared(group), list](AdamOptions& o) {
    o.step = steps_of(PyTuple_GET_ITEM(list.get(), 0)) + 1;
    if (group.get() != Py_None) read(o, group.get());
  };
}

}  // namespace

void define_runtime_functions(FunctionTable& t) {
  t.function(
      "sgd_step(params: Sequence[Tensor], grads: Sequence[Tensor] | None, momentum_buffers: "
      "Sequence[Tensor], lr: float = 0.001, momentum: float = 0.0, dampening: float = 0.0, "
      "weight_decay: float = 0.0, nesterov: bool = False, first_step: bool = False, group: "
      "dict[str, Any] | None = None) -> None",
      "",
      "Stochastic gradient descent on all parameters, in place, in one call. The buffers may "
      "be\nan empty list where momentum is 0; at the first step they become the gradient. `group` "
      "\nholds the options from lr to nesterov instead. Without `grads`: those parameters that "
      "have one,"
      "\nby theirs; without momentum.",
      [](const std::vector<Tensor>& params, const std::optional<std::vector<Tensor>>& grads,
         const std::vector<Tensor>& buffers, double lr, double momentum, double dampening,
         double weight_decay, bool nesterov, bool first_step, PyObject* group) {
        SgdOptions o{lr, momentum, dampening, weight_decay, nesterov, first_step};
        read_group("sgd_step", group, o);
        if (grads) {
          sgd_step(params, *grads, buffers, o, next_sgd(group));
        } else {
          const auto [chosen, own] = with_gradients(params);
          sgd_step(chosen, own, buffers, o, next_sgd(group));
        }
        return Py_NewRef(Py_None);
      });
  t.function(
      "adam_step(params: Sequence[Tensor], grads: Sequence[Tensor], exp_avg: Sequence[Tensor], "
      "exp_avg_sq: Sequence[Tensor], step: int, lr: float = 0.001, beta1: float = 0.9, beta2: "
      "float = 0.999, eps: float = 1e-08, weight_decay: float = 0.0, decoupled: bool = False, "
      "group: dict[str, Any] | None = None, states: list[dict[str, Any]] | None = None) -> None",
      "",
      "Adam (Kingma and Ba, 2015), or with `decoupled` AdamW (Loshchilov and Hutter, 2019), "
      "on\nall parameters, in place, in one call. `step` counts from 1. `group` holds lr, "
      "betas,\neps and weight_decay instead. `states`, one of each parameter: a captured step "
      "counts "
      "in\ntheir 'step'.",
      [](const std::vector<Tensor>& params, const std::vector<Tensor>& grads,
         const std::vector<Tensor>& m, const std::vector<Tensor>& v, int64_t step, double lr,
         double beta1, double beta2, double eps, double weight_decay, bool decoupled,
         PyObject* group, PyObject* states) {
        AdamOptions o{lr, beta1, beta2, eps, weight_decay, step, decoupled};
        read_group("adam_step", group, o);
        adam_step(params, grads, m, v, o, next_adam(group, states));
        return Py_NewRef(Py_None);
      });
  t.function("unscale_grads(grads: Sequence[Tensor], scale: Tensor) -> Tensor", "",
             "Divides gradients of one dtype and device by the single number in `scale`, in place, "
             "in one\ncall. Returns a float32 tensor that is 1 where one of them became, or was, "
             "infinite or NaN, else 0.",
             [](const std::vector<Tensor>& grads, const Tensor& scale) {
               return unscale_grads(grads, scale);
             });
}

}  // namespace fastdl::bindings
