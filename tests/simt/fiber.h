// Stackful fibers: one for each CUDA thread that waits somewhere. All stacks lie in one mapping, so
// that "is this address on a stack, and on whose" is a subtraction.
#pragma once

#include <cstddef>
#include <cstdint>

namespace simt {

class Fiber {
 public:
  static constexpr size_t kStack = 128 << 10;  // bytes
  static constexpr int kMost = 1 << 15;        // fibers that may exist at once

  // A fiber that waits for work, from a pool.
  static Fiber* take();
  static void give(Fiber* fiber);

  // Runs `work(argument)` on the fiber until it calls `leave` or returns. Called by the host only.
  void enter(void (*work)(void*), void* argument);
  void resume();
  // Back to the host, from inside of the fiber.
  void leave();
  // Forgets whatever the fiber was doing.
  void reset();

  char* stack() const { return stack_; }

  static bool on_any_stack(const void* p) {
    return static_cast<size_t>(static_cast<const char*>(p) - stacks_) < kStack * kMost;
  }

 private:
  static char* stacks_;

  static void main(Fiber* self);
  friend void fiber_main(void* self);
  explicit Fiber(char* stack) : stack_(stack) { reset(); }

  char* stack_;
  void* here_ = nullptr;  // where the fiber continues
  void* host_ = nullptr;  // where the host continues
  void (*work_)(void*) = nullptr;
  void* argument_ = nullptr;
};

}  // namespace simt
