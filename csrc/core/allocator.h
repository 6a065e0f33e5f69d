// Memory for tensors and for kernels' scratch, by device, from caches: freed blocks wait for the
// next request of their size class. Fresh pages cost more than the arithmetic of most CPU ops, and
// cudaMalloc synchronises.
#pragma once

#include <array>
#include <cstddef>
#include <mutex>
#include <vector>

#include "core/block_allocator.h"
#include "core/device.h"
#include "core/memory_stats.h"
#include "core/size_class.h"

namespace fastdl {

// The CPU's cache: a list of blocks per size class, the size kept by the caller.
class CachingAllocator {
 public:
  // Keeps at most `cache_limit` bytes for later; what is freed beyond that goes back at once.
  explicit CachingAllocator(int64_t cache_limit) : cache_limit_(cache_limit) {}

  void* allocate(size_t bytes);  // null for 0; 64-byte aligned; throws OutOfMemoryError
  void release(void* p, size_t bytes);
  void empty_cache();
  MemoryStats stats();
  void reset_peak();
  void reset_after_fork() { new (&mutex_) std::mutex; }

 private:
  int64_t cache_limit_;
  std::mutex mutex_;
  std::array<std::vector<void*>, kSizeClasses> free_;
  MemoryStats stats_;
};

CachingAllocator& cpu_allocator();
BlockAllocator& device_allocator(Device device);  // throws DeviceError where there is no such GPU
BlockAllocator& pinned_allocator();               // host memory that a GPU reads and writes itself

// On a GPU: in order with the calling thread's current stream.
void* allocate(Device device, size_t bytes);
void release(Device device, void* p, size_t bytes);
MemoryStats memory_stats(Device device);
void reset_peak(Device device);
void empty_cache(Device device);

}  // namespace fastdl
