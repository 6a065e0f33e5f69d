#include "autograd/variable.h"

#include <algorithm>

#include "autograd/node.h"
#include "core/capture.h"
#include "core/error.h"

namespace fastdl {

Variable::~Variable() { retain_grad(false); }

void Variable::retain_grad(bool on) {
  if (!node || on == retains_grad) return;
  auto& all = node->retained;
  if (on)
    all.push_back(this);
  else
    all.erase(std::find(all.begin(), all.end(), this));
  retains_grad = on;
}

Variable& make_variable(const Tensor& t) {
  auto& state = t.impl()->autograd;
  if (!state) state = std::make_unique<Variable>();
  return static_cast<Variable&>(*state);
}

void clear_grad(const Tensor& t) {
  Variable* v = variable(t);
  if (!v) return;
  v->grad = {};
  if (const Capture* c = capturing()) v->cleared_in = c->id();
}

void set_requires_grad(const Tensor& t, bool value) {
  if (!is_leaf(t)) {
    if (value) return;  // it does already
    throw Error(ErrorKind::autograd, "requires_grad",
                "only a leaf's requires_grad can be turned off")
        .show("tensor", t)
        .remedy("use .detach() for a tensor outside the graph");
  }
  if (value && !is_floating(t.dtype()))
    throw Error(ErrorKind::dtype, "requires_grad", "only floating tensors have gradients")
        .show("tensor", t)
        .remedy("convert with .to(fastdl.float32) first");
  if (value || variable(t)) make_variable(t).requires_grad = value;
}

namespace {
std::vector<Hook>& hooks_of(const Tensor& t) {
  Variable& v = make_variable(t);
  if (!v.node) return v.hooks;
  auto& all = v.node->hooks;
  if (all.empty()) all.resize(static_cast<size_t>(v.node->outputs));
  return all[static_cast<size_t>(v.output)];
}
}  // namespace

int64_t add_hook(const Tensor& t, std::function<Tensor(const Tensor&)> call) {
  if (!requires_grad(t))
    throw Error(ErrorKind::autograd, "register_hook", "the tensor does not require a gradient")
        .show("tensor", t)
        .remedy("set requires_grad=True first");
  static int64_t next = 0;
  hooks_of(t).push_back({++next, std::move(call)});
  return next;
}

void remove_hook(const Tensor& t, int64_t id) {
  auto& hooks = hooks_of(t);
  hooks.erase(std::remove_if(hooks.begin(), hooks.end(), [&](const Hook& h) { return h.id == id; }),
              hooks.end());
}

namespace {
thread_local bool recording_on = true;
}
bool grad_enabled() { return recording_on; }
void set_grad_enabled(bool on) { recording_on = on; }

}  // namespace fastdl
