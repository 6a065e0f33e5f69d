#include "core/allocator.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdlib>

#include "core/backend.h"
#include "core/error.h"
#include "core/system_memory.h"

namespace fastdl {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
constexpr size_t kLarge = size_t{64} << 20;  // worth asking how much memory is left

void* take_pages(size_t bytes) {
  if (bytes >= kLarge && bytes > available_memory()) return nullptr;
  const bool huge = bytes >= kHugePage;
  const size_t rounded = huge ? (bytes + kHugePage - 1) / kHugePage * kHugePage : bytes;
  void* p = std::aligned_alloc(huge ? kHugePage : 64, rounded);
#ifdef MADV_HUGEPAGE
  if (p && huge) madvise(p, rounded, MADV_HUGEPAGE);
#endif
  return p;
}

std::string readable(int64_t bytes) {
  if (bytes < 10 << 20) return text(bytes, " bytes");
  return text(bytes >> 20, " MiB");
}

}  // namespace

Error out_of_memory(size_t bytes, const std::string& place, size_t free, size_t total,
                    const MemoryStats& stats) {
  return Error(ErrorKind::out_of_memory, "",
               text(readable(static_cast<int64_t>(bytes)), " do not fit ", place))
      .show("free", text(readable(static_cast<int64_t>(free)), " of ",
                         readable(static_cast<int64_t>(total))))
      .show("in use", readable(stats.in_use))
      .show("cached",
            text(readable(stats.cached), ", largest block ", readable(stats.largest_cached)))
      .remedy("use a smaller batch or smaller layers, or drop tensors that are no longer needed");
}

// the CPU

void* CachingAllocator::allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes > kLargestBlock)
    throw out_of_memory(bytes, "on cpu", available_memory(), total_memory(), stats());
  const int c = class_of(bytes);
  const size_t block = class_bytes(c);
  {
    std::lock_guard lock(mutex_);
    ++stats_.requests;
    stats_.in_use += static_cast<int64_t>(block);
    if (stats_.in_use > stats_.peak) stats_.peak = stats_.in_use;
    if (!free_[c].empty()) {
      void* p = free_[c].back();
      free_[c].pop_back();
      stats_.cached -= static_cast<int64_t>(block);
      return p;
    }
    ++stats_.raw_requests;
  }
  if (void* p = take_pages(block)) return p;
  const MemoryStats before = stats();
  empty_cache();
  if (void* p = take_pages(block)) return p;
  std::lock_guard lock(mutex_);
  stats_.in_use -= static_cast<int64_t>(block);
  throw out_of_memory(bytes, "on cpu", available_memory(), total_memory(), before);
}

void CachingAllocator::release(void* p, size_t bytes) {
  if (!p) return;
  const int c = class_of(bytes);
  const auto block = static_cast<int64_t>(class_bytes(c));
  {
    std::lock_guard lock(mutex_);
    stats_.in_use -= block;
    if (stats_.cached + block <= cache_limit_) {
      stats_.cached += block;
      free_[c].push_back(p);
      return;
    }
  }
  std::free(p);
}

void CachingAllocator::empty_cache() {
  std::lock_guard lock(mutex_);
  for (auto& list : free_) {
    for (void* p : list) std::free(p);
    list.clear();
  }
  stats_.cached = 0;
}

MemoryStats CachingAllocator::stats() {
  std::lock_guard lock(mutex_);
  stats_.largest_cached = 0;
  for (int c = 0; c < kSizeClasses; ++c)
    if (!free_[c].empty()) stats_.largest_cached = static_cast<int64_t>(class_bytes(c));
  return stats_;
}

void CachingAllocator::reset_peak() {
  std::lock_guard lock(mutex_);
  stats_.peak = stats_.in_use;
}

// No allocator is ever destroyed: storages may outlive every static object.

CachingAllocator& cpu_allocator() {
  static auto* a = [] {
    auto* fresh = new CachingAllocator(static_cast<int64_t>(total_memory() / 4));
    pthread_atfork(nullptr, nullptr, [] { cpu_allocator().reset_after_fork(); });
    return fresh;
  }();
  return *a;
}

// GPUs

namespace {

// A device that has failed refuses everything: that is no lack of memory.
void* taken(int code, void* p) {
  if (code != device_runtime().out_of_memory) check_device("", code);
  return code == 0 ? p : nullptr;
}

void* take_device(int device, size_t bytes) {
  void* p = nullptr;
  const int code = device_runtime().allocate(device, bytes, &p);
  return taken(code, p);
}
void give_device(int device, void* p) { device_runtime().release(device, p); }
void device_figures(int device, size_t* free, size_t* total) {
  device_runtime().memory_info(device, free, total);
}

void* take_pinned(int, size_t bytes) {
  if (bytes >= kLarge && bytes > available_memory()) return nullptr;
  void* p = nullptr;
  const int code = device_runtime().allocate_pinned(bytes, &p);
  return taken(code, p);
}
void give_pinned(int, void* p) { device_runtime().release_pinned(p); }
void host_figures(int, size_t* free, size_t* total) {
  *free = available_memory();
  *total = total_memory();
}

}  // namespace

BlockAllocator& device_allocator(Device device) {
  require_cuda("cuda", device);
  static auto* all = [] {
    auto* fresh = new std::vector<BlockAllocator*>;
    for (int i = 0; i < device_runtime().device_count(); ++i)
      fresh->push_back(new BlockAllocator("on cuda:" + std::to_string(i), i,
                                          {take_device, give_device, device_figures}));
    return fresh;
  }();
  return *(*all)[static_cast<size_t>(device.index)];
}

BlockAllocator& pinned_allocator() {
  static auto* a =
      new BlockAllocator("in pinned host memory", -1, {take_pinned, give_pinned, host_figures});
  return *a;
}

// by device

void* allocate(Device device, size_t bytes) {
  if (device.is_cpu()) return cpu_allocator().allocate(bytes);
  return device_allocator(device).allocate(bytes, current_stream(device).handle);
}

void release(Device device, void* p, size_t bytes) {
  if (device.is_cpu()) return cpu_allocator().release(p, bytes);
  device_allocator(device).release(p);
}

MemoryStats memory_stats(Device device) {
  return device.is_cpu() ? cpu_allocator().stats() : device_allocator(device).stats();
}

void reset_peak(Device device) {
  device.is_cpu() ? cpu_allocator().reset_peak() : device_allocator(device).reset_peak();
}

void empty_cache(Device device) {
  device.is_cpu() ? cpu_allocator().empty_cache() : device_allocator(device).empty_cache();
}

}  // namespace fastdl
