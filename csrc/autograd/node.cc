#include "autograd/node.h"

#include <atomic>

#include "autograd/anomaly.h"
#include "core/error.h"

namespace fastdl {
namespace {

std::atomic<uint64_t> next_sequence{1};

// A chain of a million ops must not be torn down by a million nested destructors: dying nodes hand
// their operands to the outermost one, which drops them in a loop.
thread_local std::vector<Ref<Node>>* graveyard = nullptr;

}  // namespace

Node::Node(const char* name) : name(name), sequence(next_sequence.fetch_add(1)) {}

Node::~Node() {
  std::vector<Ref<Node>> mine;
  auto& grave = graveyard ? *graveyard : mine;
  const bool outermost = !graveyard;
  if (outermost) graveyard = &mine;
  for (Edge& e : operands)
    if (e.node) grave.push_back(std::move(e.node));
  if (!outermost) return;
  while (!mine.empty()) {
    Ref<Node> last = std::move(mine.back());
    mine.pop_back();
  }
  graveyard = nullptr;
}

Edge edge_of(const Tensor& t) {
  if (!t.defined()) return {};
  const Variable* v = variable(t);
  if (!v) return {};
  if (v->node) return {v->node, v->output, {}};
  if (v->requires_grad) return {nullptr, 0, t};
  return {};
}

void set_history(const Tensor& t, Ref<Node> node, int output) {
  Variable& v = make_variable(t);
  v.retain_grad(false);
  v.node = std::move(node);
  v.output = output;
}

void throw_released(const char* name) {
  throw Error(ErrorKind::autograd, name,
              "the graph was already used by a backward pass and released")
      .remedy("pass retain_graph=True to the first backward, or compute the forward pass again");
}

Tensor Saved::get(const Backward& pass) const {
  if (!tensor_.defined()) return tensor_;
  const uint32_t now = tensor_.storage().version;
  if (now != version_)
    throw Error(ErrorKind::autograd, pass.node.name,
                "a tensor needed for the backward pass was edited in place since")
        .show("tensor", tensor_)
        .show("version", text(now, ", expected ", version_))
        .remedy("edit a .clone() instead, or make the edit out of place");
  if (output_ < 0 || !grad_enabled()) return tensor_;
  Tensor with_history = tensor_.alias();
  set_history(with_history, Ref<Node>(&pass.node), output_);
  return with_history;
}

Recording::Recording(const char* name, std::initializer_list<const Tensor*> operands)
    : name_(name) {
  if (!grad_enabled()) return;
  for (const Tensor* t : operands) on_ = on_ || requires_grad(*t);
  if (!on_) return;
  edges_.reserve(operands.size());
  for (const Tensor* t : operands) edges_.push_back(edge_of(*t));
}

Recording::Recording(const char* name, const std::vector<Tensor>& operands) : name_(name) {
  if (!grad_enabled()) return;
  for (const Tensor& t : operands) on_ = on_ || requires_grad(t);
  if (!on_) return;
  for (const Tensor& t : operands) edges_.push_back(edge_of(t));
}

void Recording::finish(Ref<Node> node, const Tensor* const* ys, size_t count) {
  node->operands = std::move(edges_);
  node->outputs = static_cast<int>(count);
  for (int output = 0; output < node->outputs; ++output) {
    if (anomaly_detection()) check_no_nan(name_, "result", *ys[output]);
    set_history(*ys[output], node, output);
  }
}

}  // namespace fastdl
