// What autograd keeps with a tensor: whether it wants a gradient, the gradient, and the node that
// made it.
#pragma once

#include <functional>
#include <utility>
#include <vector>

#include "core/tensor.h"

namespace fastdl {

class Node;

// Sees a gradient on its way and may return another one (undefined: keep it).
struct Hook {
  int64_t id;
  std::function<Tensor(const Tensor&)> call;
};

struct Variable final : AutogradState {
  bool requires_grad = false;  // of a leaf
  bool retains_grad = false;   // a non-leaf that keeps .grad all the same; see retain_grad
  int output = 0;              // which result of `node` this is
  Ref<Node> node;              // null for a leaf
  Tensor grad;
  uint64_t cleared_in = 0, stored_in = 0;  // the captures that last cleared and stored `grad`
  std::vector<Hook> hooks;

  ~Variable() override;
  void retain_grad(bool on);  // of a non-leaf
};

inline Variable* variable(const Tensor& t) {
  return static_cast<Variable*>(t.impl()->autograd.get());
}
void clear_grad(const Tensor& t);
Variable& make_variable(const Tensor& t);  // adds the state where there is none

inline bool requires_grad(const Tensor& t) {
  if (!t.defined()) return false;
  const Variable* v = variable(t);
  return v && (v->requires_grad || v->node);
}
inline bool is_leaf(const Tensor& t) {
  const Variable* v = variable(t);
  return !v || !v->node;
}
void set_requires_grad(const Tensor& t, bool value);  // throws AutogradError
int64_t add_hook(const Tensor& t, std::function<Tensor(const Tensor&)> call);
void remove_hook(const Tensor& t, int64_t id);

// Whether ops record what they do; one flag per thread.
bool grad_enabled();
void set_grad_enabled(bool on);

class GradMode {
 public:
  explicit GradMode(bool on) : before_(grad_enabled()) { set_grad_enabled(on); }
  ~GradMode() { set_grad_enabled(before_); }
  GradMode(const GradMode&) = delete;
  GradMode& operator=(const GradMode&) = delete;

 private:
  bool before_;
};

}  // namespace fastdl
