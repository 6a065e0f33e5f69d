// A caching allocator: freed blocks wait in a list per size class for the next request of their
// class. Fresh pages cost more than the arithmetic of most CPU ops, and cudaMalloc synchronises.
// Classes grow in steps of an eighth of a power of two, so at most 12.5 % of a block is unused.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <vector>

#include "core/device.h"

namespace fastdl {

struct MemoryStats {
  int64_t in_use = 0;          // bytes of blocks handed out now
  int64_t peak = 0;            // the most that in_use has been
  int64_t cached = 0;          // bytes of blocks that wait to be used again
  int64_t largest_cached = 0;  // the largest of them
  int64_t requests = 0;        // allocations answered
  int64_t raw_requests = 0;    // of these, by asking the system
};

// Where blocks come from: pages for the CPU, cudaMalloc for a GPU. Returns null when there are none.
struct RawMemory {
  void* (*take)(int device, size_t bytes);
  void (*give)(int device, void* p, size_t bytes);
  size_t (*available)(int device);  // for the error message
};

class CachingAllocator {
 public:
  // Keeps at most `cache_limit` bytes for later; what is freed beyond that goes back at once.
  CachingAllocator(Device device, RawMemory raw, int64_t cache_limit = INT64_MAX)
      : device_(device), raw_(raw), cache_limit_(cache_limit) {}

  void* allocate(size_t bytes);  // null for 0; 64-byte aligned; throws OutOfMemoryError
  void release(void* p, size_t bytes);
  void empty_cache();
  MemoryStats stats();
  void reset_after_fork() { new (&mutex_) std::mutex; }

 private:
  static constexpr int kClasses = 8 * 48;

  Device device_;
  RawMemory raw_;
  int64_t cache_limit_;
  std::mutex mutex_;
  std::array<std::vector<void*>, kClasses> free_;
  MemoryStats stats_;
};

CachingAllocator& allocator(Device device);

}  // namespace fastdl
