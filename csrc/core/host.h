// What the core needs from the program that it lives in. The bindings fill this in with Python's
// lock and signals; without them (plain C++) every hook is null.
#pragma once

#include <cstdint>

namespace fastdl {

struct HostHooks {
  bool (*interrupted)() = nullptr;       // a signal asked the program to stop; true once
  void* (*leave)() = nullptr;            // before long work: gives the interpreter lock away
  void (*enter)(void* state) = nullptr;  // after it
};
inline HostHooks host_hooks;

// Gives the interpreter lock away for the length of a scope where `work` (elements or
// multiply-adds) is worth it: below this, taking the lock back costs more than the work.
class LongWork {
 public:
  explicit LongWork(int64_t work)
      : state_(work > 200'000 && host_hooks.leave ? host_hooks.leave() : nullptr) {}
  ~LongWork() {
    if (state_) host_hooks.enter(state_);
  }
  LongWork(const LongWork&) = delete;
  LongWork& operator=(const LongWork&) = delete;

 private:
  void* state_;
};

}  // namespace fastdl
