// Algorithm: collect the nodes that can be reached from the outputs; visit them from the newest to
// the oldest. A node is older than every node that used its results, so by the time it is visited
// its gradients are complete. Gradients of leaves are gathered aside and delivered at the end.
#include "autograd/engine.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "autograd/anomaly.h"
#include "autograd/arithmetic.h"
#include "autograd/node.h"
#include "core/error.h"

namespace fastdl {
namespace {

void add_into(Tensor& sum, const Tensor& g) {
  sum = sum.defined() ? gradient_arithmetic.add(sum, g) : g;
}

Tensor call_hooks(const std::vector<Hook>& hooks, Tensor g) {
  const std::vector<Hook> now = hooks;  // a hook may remove itself
  for (const Hook& hook : now) {
    Tensor replaced = hook.call(g);
    if (!replaced.defined()) continue;
    if (replaced.shape() != g.shape() || replaced.dtype() != g.dtype())
      throw Error(ErrorKind::shape, "hook", "returned a gradient of another shape or dtype")
          .show("expected", g)
          .show("got", replaced)
          .remedy("return a gradient like the one passed in, or None");
    g = std::move(replaced);
  }
  return g;
}

struct LeafGrad {
  Tensor leaf, grad;
};

class Pass {
 public:
  Pass(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grad_outputs) {
    for (size_t i = 0; i < outputs.size(); ++i) {
      const Edge e = edge_of(outputs[i]);
      if (!e.wanted())
        throw Error(ErrorKind::autograd, "backward",
                    "the output does not depend on any tensor that requires a gradient")
            .show("output", outputs[i])
            .remedy("set requires_grad=True on a tensor that it is computed from");
      if (e.node) collect(e.node.get());
      deliver(e, start_gradient(outputs[i], i < grad_outputs.size() ? grad_outputs[i] : Tensor()));
    }
    std::sort(order_.begin(), order_.end(),
              [](const Node* a, const Node* b) { return a->sequence > b->sequence; });
  }

  // Restricts the pass to what leads to `inputs`.
  void aim_at(const std::vector<Tensor>& inputs) {
    aimed_ = true;
    for (const Tensor& t : inputs) {
      const Edge e = edge_of(t);
      if (e.node)
        targets_.insert(e.node.get());
      else if (e.leaf.defined())
        leaf_targets_.insert(e.leaf.impl());
    }
    for (auto it = order_.rbegin(); it != order_.rend(); ++it)  // the oldest first
      for (const Edge& e : (*it)->operands)
        if (leads_to_target(e)) on_the_way_.insert(*it);
  }

  void run(bool retain_graph) {
    for (Node* node : order_) {
      auto at = grads_.find(node);
      if (at == grads_.end()) continue;
      std::vector<Tensor>& grads = at->second;
      if (!node->hooks.empty())
        for (size_t i = 0; i < grads.size(); ++i)
          if (grads[i].defined()) grads[i] = call_hooks(node->hooks[i], grads[i]);
      if (!aimed_)
        for (Variable* v : node->retained)
          retained_.emplace_back(v, grads[static_cast<size_t>(v->output)]);
      const bool target = aimed_ && targets_.count(node);
      if (aimed_ && !on_the_way_.count(node)) {
        if (!target) grads_.erase(at);
        continue;
      }
      std::vector<bool> wanted;
      if (aimed_)
        for (const Edge& e : node->operands) wanted.push_back(leads_to_target(e));
      Backward pass(*node, grads, std::move(wanted));
      node->backward(pass);
      if (!retain_graph) node->forget();
      for (size_t i = 0; i < pass.results.size(); ++i) {
        if (!pass.results[i].defined() || !pass.needs(static_cast<int>(i))) continue;
        if (anomaly_detection()) check_no_nan(node->name, "gradient", pass.results[i]);
        deliver(node->operands[i], std::move(pass.results[i]));
      }
      if (!target) grads_.erase(node);  // `at` may be stale: deliver inserts
    }
    for (LeafGrad& l : leaves_) l.grad = call_hooks(make_variable(l.leaf).hooks, l.grad);
  }

  Tensor gradient_of(const Tensor& t) const {
    const Edge e = edge_of(t);
    if (e.node) {
      auto at = grads_.find(e.node.get());
      return at == grads_.end() ? Tensor() : at->second[static_cast<size_t>(e.output)];
    }
    auto at = leaf_index_.find(t.impl());
    return at == leaf_index_.end() ? Tensor() : leaves_[at->second].grad;
  }

  void accumulate() {
    for (LeafGrad& l : leaves_) store(*variable(l.leaf), std::move(l.grad));
    for (auto& [v, grad] : retained_)
      if (grad.defined()) store(*v, std::move(grad));
  }

 private:
  bool leads_to_target(const Edge& e) const {
    if (e.node) return on_the_way_.count(e.node.get()) || targets_.count(e.node.get());
    return e.leaf.defined() && leaf_targets_.count(e.leaf.impl());
  }

  static Tensor start_gradient(const Tensor& output, const Tensor& given) {
    if (given.defined()) {
      if (given.shape() != output.shape() || given.dtype() != output.dtype() ||
          given.device() != output.device())
        throw Error(ErrorKind::shape, "backward", "the gradient is not like its output")
            .show("output", output)
            .show("gradient", given)
            .remedy("pass a gradient of the output's shape, dtype and device");
      return given;
    }
    if (output.numel() != 1)
      throw Error(ErrorKind::shape, "backward", "only a single element has a gradient by default")
          .show("output", output)
          .remedy("reduce it with .sum() or .mean(), or pass gradient=");
    return gradient_arithmetic.ones_like(output);
  }

  // A .grad is the user's to edit: it shares its memory with nothing else.
  static void store(Variable& v, Tensor g) {
    const bool ours_alone = g.impl()->use_count() == 1 && g.storage().use_count() == 1;
    if (v.grad.defined())
      v.grad = gradient_arithmetic.add(v.grad, g);
    else
      v.grad = ours_alone && g.is_contiguous() ? std::move(g) : gradient_arithmetic.clone(g);
  }

  void collect(Node* root) {
    std::vector<Node*> stack{root};
    while (!stack.empty()) {
      Node* node = stack.back();
      stack.pop_back();
      if (!seen_.insert(node).second) continue;
      order_.push_back(node);
      for (const Edge& e : node->operands)
        if (e.node && !seen_.count(e.node.get())) stack.push_back(e.node.get());
    }
  }

  void deliver(const Edge& e, Tensor g) {
    if (e.node) {
      auto& grads = grads_[e.node.get()];
      if (grads.empty()) grads.resize(static_cast<size_t>(e.node->outputs));
      add_into(grads[static_cast<size_t>(e.output)], g);
      return;
    }
    auto [at, fresh] = leaf_index_.emplace(e.leaf.impl(), leaves_.size());
    if (fresh) leaves_.push_back({e.leaf, {}});
    add_into(leaves_[at->second].grad, g);
  }

  std::vector<Node*> order_;
  std::unordered_set<Node*> seen_;
  std::unordered_map<Node*, std::vector<Tensor>> grads_;  // of each node's results, so far
  std::vector<LeafGrad> leaves_;
  std::unordered_map<TensorImpl*, size_t> leaf_index_;
  std::vector<std::pair<Variable*, Tensor>> retained_;

  bool aimed_ = false;
  std::unordered_set<Node*> targets_, on_the_way_;  // to one
  std::unordered_set<TensorImpl*> leaf_targets_;
};

}  // namespace

void backward(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grad_outputs,
              bool retain_graph, bool create_graph) {
  GradMode mode(create_graph);
  Pass pass(outputs, grad_outputs);
  pass.run(retain_graph);
  pass.accumulate();
}

std::vector<Tensor> gradients(const std::vector<Tensor>& outputs,
                              const std::vector<Tensor>& grad_outputs,
                              const std::vector<Tensor>& inputs, bool retain_graph,
                              bool create_graph) {
  GradMode mode(create_graph);
  Pass pass(outputs, grad_outputs);
  pass.aim_at(inputs);
  pass.run(retain_graph);
  std::vector<Tensor> out;
  for (const Tensor& t : inputs) out.push_back(pass.gradient_of(t));
  return out;
}

}  // namespace fastdl
