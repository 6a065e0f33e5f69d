// One recorded op: where its operands came from, and how to turn the gradients of its results into
// gradients of its operands. An op records itself in one statement:
//
//   if (Recording r{"mul", {&a, &b}})
//     r.result(y, [a = Saved(a), b = Saved(b)](Backward& pass) {
//       if (pass.needs(0)) pass.give(0, mul(pass.grad(), b.get(pass)));
//       if (pass.needs(1)) pass.give(1, mul(pass.grad(), a.get(pass)));
//     });
//
// The backward function calls ordinary ops, so that under create_graph it is recorded in turn.
#pragma once

#include <initializer_list>
#include <memory>
#include <optional>
#include <vector>

#include "autograd/variable.h"
#include "core/small_vector.h"

namespace fastdl {

// The origin of an operand: a result of a node, or a leaf. Both null: no gradient is wanted.
struct Edge {
  Ref<Node> node;
  int output = 0;
  Tensor leaf;

  bool wanted() const { return node || leaf.defined(); }
};

using Edges = SmallVector<Edge, 3>;
using Grads = SmallVector<Tensor, 1>;  // of a node's results

class Backward;

class Node : public RefCounted {
 public:
  explicit Node(const char* name);
  ~Node() override;

  // Calls the op's backward function; throws AutogradError when it has been released.
  virtual void backward(Backward& pass) = 0;
  virtual void forget() = 0;  // drops what was saved

  const char* const name;   // of the op
  const uint64_t sequence;  // grows with creation, so operands come before results
  int outputs = 1;
  Edges operands;
  std::vector<std::vector<Hook>> hooks;  // per output; empty where there is none
  std::vector<Variable*> retained;       // living results that keep their gradient
};

// One call of a backward function.
class Backward {
 public:
  // `wanted`, one entry per operand, narrows the gradients asked for; empty: all that can be used.
  Backward(Node& node, const Grads& grads, std::vector<bool> wanted = {})
      : node(node), grads_(grads), wanted_(std::move(wanted)) {
    results.resize(node.operands.size());
  }
  const Tensor& grad(int output = 0) const { return grads_[static_cast<size_t>(output)]; }
  bool needs(int operand) const {
    const auto i = static_cast<size_t>(operand);
    return wanted_.empty() ? node.operands[i].wanted() : wanted_[i];
  }
  void give(int operand, Tensor gradient) {
    results[static_cast<size_t>(operand)] = std::move(gradient);
  }

  Node& node;
  SmallVector<Tensor, 3> results;

 private:
  const Grads& grads_;
  std::vector<bool> wanted_;
};

// A tensor kept for the backward pass. A result of the node that saves it is kept without its
// history (which would be a cycle) and given it back on `get`.
class Saved {
 public:
  Saved() = default;
  explicit Saved(const Tensor& operand) : Saved(operand, -1) {}
  static Saved result(const Tensor& t, int output = 0) { return Saved(t.alias(), output); }

  Tensor get(const Backward& pass) const;  // throws AutogradError after an in-place edit

 private:
  Saved(Tensor t, int output)
      : tensor_(std::move(t)),
        version_(tensor_.defined() ? tensor_.storage().version : 0),
        output_(output) {}

  Tensor tensor_;
  uint32_t version_ = 0;
  int output_ = -1;
};

Edge edge_of(const Tensor& t);
void set_history(const Tensor& t, Ref<Node> node, int output);
[[noreturn]] void throw_released(const char* name);

template <class F>
class FunctionNode final : public Node {
 public:
  FunctionNode(const char* name, F function) : Node(name), function_(std::move(function)) {}
  void backward(Backward& pass) override {
    if (!function_) throw_released(name);
    (*function_)(pass);
  }
  void forget() override { function_.reset(); }

 private:
  std::optional<F> function_;
};

// An op's intention to record itself; true when gradients are on and an operand wants one.
class Recording {
 public:
  Recording(const char* name, std::initializer_list<const Tensor*> operands);
  Recording(const char* name, const std::vector<Tensor>& operands);
  explicit operator bool() const { return on_; }

  // Once, with the op's results in order and its backward function.
  template <class F>
  void result(const Tensor& y, F function) {
    results({&y}, std::move(function));
  }
  template <class F>
  void results(std::initializer_list<const Tensor*> ys, F function) {
    finish(Ref<Node>(new FunctionNode<F>(name_, std::move(function))), ys.begin(), ys.size());
  }
  template <class F>
  void results(const std::vector<Tensor>& ys, F function) {
    std::vector<const Tensor*> each;
    for (const Tensor& y : ys) each.push_back(&y);
    finish(Ref<Node>(new FunctionNode<F>(name_, std::move(function))), each.data(), each.size());
  }

 private:
  void finish(Ref<Node> node, const Tensor* const* ys, size_t count);

  const char* name_;
  Edges edges_;
  bool on_ = false;
};

}  // namespace fastdl
