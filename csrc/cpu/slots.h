// One scratch buffer per chunk that runs at a time, for parallel bodies that need memory: taken at
// the start of a chunk, returned at its end.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>

#include "core/context.h"

namespace fastdl::cpu {

class Slots {
 public:
  Slots(const Context& context, int64_t chunks, size_t bytes)
      : count_(std::clamp<int64_t>(chunks, 1, std::max(context.threads, 1))),
        bytes_((bytes + 127) / 64 * 64),  // and never the same cache line twice
        scratch_(context, static_cast<size_t>(count_) * (bytes_ + 64)) {
    for (int64_t i = 0; i < count_; ++i) new (flag(i)) std::atomic<bool>(false);
  }

  class Lease {
   public:
    explicit Lease(Slots& slots) {
      for (int64_t i = 0;; i = i + 1 == slots.count_ ? 0 : i + 1) {
        if (slots.flag(i)->exchange(true, std::memory_order_acquire)) continue;
        flag_ = slots.flag(i);
        data_ = slots.scratch_.as<char>() + static_cast<size_t>(slots.count_) * 64 +
                static_cast<size_t>(i) * slots.bytes_;
        return;
      }
    }
    ~Lease() { flag_->store(false, std::memory_order_release); }
    Lease(const Lease&) = delete;
    Lease& operator=(const Lease&) = delete;
    template <class T>
    T* as() const {
      return static_cast<T*>(static_cast<void*>(data_));
    }

   private:
    std::atomic<bool>* flag_;
    char* data_;
  };

 private:
  std::atomic<bool>* flag(int64_t i) {
    return static_cast<std::atomic<bool>*>(
        static_cast<void*>(scratch_.as<char>() + static_cast<size_t>(i) * 64));
  }

  int64_t count_;
  size_t bytes_;
  Scratch scratch_;
};

}  // namespace fastdl::cpu
