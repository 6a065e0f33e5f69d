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
#include "core/capture.h"
#include "core/error.h"
#include "core/layout.h"

namespace fastdl {
namespace {

void add_into(Tensor& sum, const Tensor& g) {
  sum = sum.defined() ? gradient_arithmetic.add(sum, g) : g;
}

Tensor call_hooks(const std::vector<Hook>& hooks, Tensor g) {
  if (hooks.empty()) return g;
  if (Capture* c = capturing(); c && !c->strict()) c->set_broken("a gradient has hooks");
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

// A node to visit, with the gradients of its results so far.
struct Step {
  Node* node;
  Grads grads;          // empty: none has arrived
  bool target = false;  // gradients are asked of a result of it
  bool leads = false;   // ... or of what it was computed from
};

class Pass {
 public:
  Pass(const std::vector<Tensor>& outputs, const std::vector<Tensor>& grad_outputs) {
    SmallVector<Node*, 16> roots;
    for (const Tensor& output : outputs) {
      const Edge e = edge_of(output);
      if (!e.wanted())
        throw Error(ErrorKind::autograd, "backward",
                    "the output does not depend on any tensor that requires a gradient")
            .show("output", output)
            .remedy("set requires_grad=True on a tensor that it is computed from");
      if (e.node) roots.push_back(e.node.get());
    }
    collect(std::move(roots));
    for (size_t i = 0; i < outputs.size(); ++i)
      deliver(edge_of(outputs[i]),
              start_gradient(outputs[i], i < grad_outputs.size() ? grad_outputs[i] : Tensor()));
  }

  // Restricts the pass to what leads to `inputs`.
  void aim_at(const std::vector<Tensor>& inputs) {
    aimed_ = true;
    for (const Tensor& t : inputs) {
      const Edge e = edge_of(t);
      if (e.leaf.defined()) leaf_targets_.insert(e.leaf.impl());
      if (Step* step = find(e.node.get())) step->target = true;
    }
    for (Step* step = steps_.end(); step-- != steps_.begin();)  // the oldest first
      for (const Edge& e : step->node->operands) step->leads = step->leads || leads_to_target(e);
  }

  void run(bool retain_graph) {
    for (Step& step : steps_) {
      if (step.grads.empty()) continue;
      Node* const node = step.node;
      if (!node->hooks.empty())
        for (size_t i = 0; i < step.grads.size(); ++i)
          if (step.grads[i].defined()) step.grads[i] = call_hooks(node->hooks[i], step.grads[i]);
      if (!aimed_)
        for (Variable* v : node->retained)
          retained_.emplace_back(v, step.grads[static_cast<size_t>(v->output)]);
      if (!aimed_ || step.leads) visit(step, retain_graph);
      if (!step.target) step.grads.clear();
    }
    for (LeafGrad& l : leaves_) l.grad = call_hooks(make_variable(l.leaf).hooks, l.grad);
  }

  Tensor gradient_of(const Tensor& t) {
    const Edge e = edge_of(t);
    if (e.node) {
      const Step* step = find(e.node.get());
      return step && !step->grads.empty() ? step->grads[static_cast<size_t>(e.output)] : Tensor();
    }
    const LeafGrad* l = find_leaf(t.impl());
    return l ? l->grad : Tensor();
  }

  void accumulate() {
    for (LeafGrad& l : leaves_) {
      if (Capture* c = capturing()) note_store(*c, l.leaf);
      store(*variable(l.leaf), std::move(l.grad));
    }
    for (auto& [v, grad] : retained_)
      if (grad.defined()) store(*v, std::move(grad));
  }

 private:
  void visit(Step& step, bool retain_graph) {
    Node* const node = step.node;
    std::vector<bool> wanted;
    if (aimed_)
      for (const Edge& e : node->operands) wanted.push_back(leads_to_target(e));
    Backward pass(*node, step.grads, std::move(wanted));
    try {
      node->backward(pass);
    } catch (Error& e) {
      if (e.kind == ErrorKind::out_of_memory)
        e.by(node->name).show("pass", text("backward of ", node->name));
      throw;
    }
    if (!retain_graph) node->forget();
    for (size_t i = 0; i < pass.results.size(); ++i) {
      if (!pass.results[i].defined() || !pass.needs(static_cast<int>(i))) continue;
      if (anomaly_detection()) check_no_nan(node->name, "gradient", pass.results[i]);
      deliver(node->operands[i], std::move(pass.results[i]));
    }
  }

  bool leads_to_target(const Edge& e) {
    if (e.leaf.defined()) return leaf_targets_.count(e.leaf.impl()) != 0;
    const Step* step = find(e.node.get());
    return step && (step->target || step->leads);
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
    const bool dense = g.is_contiguous() || is_channels_last(g);
    if (v.grad.defined() && capturing())  // where a replay finds it
      gradient_arithmetic.add_(v.grad, g);
    else if (v.grad.defined())
      v.grad = gradient_arithmetic.add(v.grad, g);
    else
      v.grad = ours_alone && dense ? std::move(g) : gradient_arithmetic.clone(g);
  }

  // A replay writes to the same memory whatever .grad is by then. So .grad is put back after it,
  // and it is asked before it whether .grad is what it was, unless the step itself cleared it.
  static void note_store(Capture& capture, const Tensor& leaf) {
    Variable& v = *variable(leaf);
    if (v.stored_in == capture.id()) return;
    v.stored_in = capture.id();
    if (v.cleared_in != capture.id())
      capture.guard([leaf, before = v.grad] {
        const Tensor& now = variable(leaf)->grad;
        return now.defined() == before.defined() && (!now.defined() || now.impl() == before.impl());
      });
    capture.at_end([&capture, leaf] {
      capture.afterwards([leaf, grad = variable(leaf)->grad] { variable(leaf)->grad = grad; });
    });
  }

  // All nodes behind `heap`, the newest first. What a node was computed from is older than it, so a
  // node that is reached on several ways is in the heap as often before it is taken, in a row.
  void collect(SmallVector<Node*, 16> heap) {
    const auto older = [](const Node* a, const Node* b) { return a->sequence < b->sequence; };
    std::make_heap(heap.begin(), heap.end(), older);
    while (!heap.empty()) {
      std::pop_heap(heap.begin(), heap.end(), older);
      Node* const node = heap.back();
      heap.resize(heap.size() - 1);
      if (!steps_.empty() && steps_.back().node == node) continue;
      steps_.push_back({node});
      for (const Edge& e : node->operands)
        if (e.node) {
          heap.push_back(e.node.get());
          std::push_heap(heap.begin(), heap.end(), older);
        }
    }
  }

  // Null for a node that no output depends on.
  Step* find(const Node* node) {
    if (!node) return nullptr;
    const auto at = std::lower_bound(
        steps_.begin(), steps_.end(), node->sequence,
        [](const Step& step, uint64_t sequence) { return step.node->sequence > sequence; });
    return at != steps_.end() && at->node == node ? &*at : nullptr;
  }

  void deliver(const Edge& e, Tensor g) {
    if (e.node) {
      Grads& grads = find(e.node.get())->grads;
      grads.resize(static_cast<size_t>(e.node->outputs));
      add_into(grads[static_cast<size_t>(e.output)], g);
      return;
    }
    LeafGrad* known = find_leaf(e.leaf.impl());
    if (!known) {
      if (leaves_.size() >= kFewLeaves) {
        for (size_t i = leaf_index_.size(); i < leaves_.size(); ++i)
          leaf_index_.emplace(leaves_[i].leaf.impl(), i);
        leaf_index_.emplace(e.leaf.impl(), leaves_.size());
      }
      leaves_.push_back({e.leaf, {}});
      known = &leaves_.back();
    }
    add_into(known->grad, g);
  }

  // An index costs more than a look at each, where they are few.
  LeafGrad* find_leaf(const TensorImpl* leaf) {
    if (leaf_index_.empty()) {
      for (LeafGrad& l : leaves_)
        if (l.leaf.impl() == leaf) return &l;
      return nullptr;
    }
    const auto at = leaf_index_.find(leaf);
    return at == leaf_index_.end() ? nullptr : &leaves_[at->second];
  }

  SmallVector<Step, 16> steps_;  // the newest first
  SmallVector<LeafGrad, 16> leaves_;
  static constexpr size_t kFewLeaves = 16;
  std::unordered_map<const TensorImpl*, size_t> leaf_index_;  // empty where they are few
  std::vector<std::pair<Variable*, Tensor>> retained_;

  bool aimed_ = false;
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
