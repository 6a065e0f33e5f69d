#include "bindings/autocast.h"

#include <pybind11/stl.h>

#include <unordered_map>

#include "autograd/node.h"
#include "autograd/variable.h"
#include "bindings/module.h"
#include "core/capture.h"
#include "core/error.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/shape.h"

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

// A parameter in the scope's precision. A cast that belongs to a capture is part of its steps.
struct CachedCast {
  Tensor source, result;
  uint32_t version;
  uint64_t capture;
  bool recorded;
};

struct Scope {
  AutocastState dtype;
  int depth = 0;
  std::unordered_map<TensorImpl*, CachedCast> casts;  // until the outermost scope ends
};
thread_local Scope scope;

bool is_narrow(DType t) { return t == DType::f16 || t == DType::bf16; }
bool takes_part(const Tensor& t) {
  return t.defined() && (is_narrow(t.dtype()) || t.dtype() == DType::f32) &&
         scope.dtype[static_cast<size_t>(t.device().type)];
}

// It saves nothing, so that several backward passes may come through one kept cast.
class CastNode final : public Node {
 public:
  CastNode(const Tensor& leaf, DType from) : Node("to"), from_(from) {
    operands.push_back(edge_of(leaf));
  }
  void backward(Backward& pass) override { pass.give(0, cast(pass.grad(), from_)); }
  void forget() override {}

 private:
  const DType from_;
};

Tensor cached_cast(const Tensor& x, DType dtype) {
  const bool is_parameter = x.dtype() == DType::f32 && is_leaf(x) && requires_grad(x);
  if (!is_parameter) return cast(x, dtype);
  const Capture* const c = capturing();
  const uint64_t capture = c ? c->id() : 0;
  const auto at = scope.casts.find(x.impl());
  if (at != scope.casts.end()) {
    const CachedCast& known = at->second;
    if (known.version == x.storage().version && known.capture == capture &&
        known.recorded == grad_enabled() && known.result.dtype() == dtype)
      return known.result;
  }
  const Tensor result = cast(detach(x), dtype);
  if (grad_enabled()) set_history(result, Ref<Node>(new CastNode(x, x.dtype())), 0);
  scope.casts[x.impl()] = {x, result, x.storage().version, capture, grad_enabled()};
  return result;
}

void update() {
  autocast_on = false;
  for (const auto& dtype : scope.dtype) autocast_on = autocast_on || dtype;
}

}  // namespace

const AutocastState& autocast_state() { return scope.dtype; }

CastPolicy take_policy(std::string& asks) {
  const std::string key = "autocast: ";
  const size_t begin = asks.find(key);
  if (begin == std::string::npos) return CastPolicy::promote;
  const size_t end = std::min(asks.find(';', begin), asks.size());
  const std::string word = asks.substr(begin + key.size(), end - begin - key.size());
  if (word != "low" && word != "full")
    throw Error(ErrorKind::argument, "import", "no such precision: " + word);
  asks.erase(begin, std::min(end + 1, asks.size()) - begin);
  const size_t first = asks.find_first_not_of(' ');
  asks.erase(0, std::min(first, asks.size()));
  while (!asks.empty() && (asks.back() == ' ' || asks.back() == ';')) asks.pop_back();
  return word == "low" ? CastPolicy::low : CastPolicy::full;
}

void recast(CastPolicy policy, Tensor* const* tensors, size_t count) {
  std::optional<DType> widest;
  for (size_t i = 0; i < count; ++i) {
    Tensor& t = *tensors[i];
    if (!takes_part(t)) continue;
    if (policy == CastPolicy::low)
      t = cached_cast(t, *scope.dtype[static_cast<size_t>(t.device().type)]);
    else if (policy == CastPolicy::full)
      t = cast(t, DType::f32);
    else if (policy == CastPolicy::edit && widest)
      t = cast(t, *widest);
    else if (!widest)
      widest = t.dtype();
    else if (*widest != t.dtype())
      widest = DType::f32;  // also of the two narrow ones
  }
  if (policy != CastPolicy::promote || !widest) return;
  for (size_t i = 0; i < count; ++i)
    if (takes_part(*tensors[i])) *tensors[i] = cast(*tensors[i], *widest);
}

void register_autocast(py::module_& m) {
  m.def(
      "_autocast_state",
      [] {
        py::list out;
        for (const auto& dtype : scope.dtype)
          out.append(dtype ? py::cast(std::string(name_of(*dtype))) : py::none());
        return py::tuple(out);
      },
      "The precision of autocast in this thread on (cpu, cuda), or None.");
  m.def(
      "_enter_autocast",
      [](const std::string& device, const std::optional<std::string>& dtype) {
        const auto index = static_cast<size_t>(parse_device(device).type);
        scope.dtype[index].reset();
        if (dtype) scope.dtype[index] = *dtype == "float16" ? DType::f16 : DType::bf16;
        ++scope.depth;
        update();
      },
      py::arg("device"), py::arg("dtype"), "Sets the precision of a device; see fastdl.autocast.");
  m.def(
      "_exit_autocast",
      [](const std::string& device, const std::optional<std::string>& before) {
        const auto index = static_cast<size_t>(parse_device(device).type);
        scope.dtype[index].reset();
        if (before) scope.dtype[index] = *before == "float16" ? DType::f16 : DType::bf16;
        if (--scope.depth == 0) scope.casts.clear();
        update();
      },
      py::arg("device"), py::arg("before"), "Puts back what was before; see fastdl.autocast.");
}

}  // namespace fastdl::bindings
