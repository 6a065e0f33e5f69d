#include "core/allocator.h"

#include <pthread.h>
#include <sys/mman.h>

#include <cstdlib>
#include <memory>

#include "core/backend.h"
#include "core/error.h"
#include "core/system_memory.h"

namespace fastdl {
namespace {

constexpr size_t kSmallest = 64;
constexpr size_t kHugePage = size_t{2} << 20;

// Class c = 8 * octave + step holds blocks of (8 + step) * 8 << octave bytes: 64, 72, 80, ...
// 120, 128, 144, ... rounded up to whole cache lines.
int class_of(size_t bytes) {
  if (bytes < kSmallest) bytes = kSmallest;
  const int octave = 63 - __builtin_clzll(bytes) - 6;
  const size_t step_size = size_t{8} << octave;
  const size_t steps = (bytes - (kSmallest << octave) + step_size - 1) / step_size;
  return 8 * octave + static_cast<int>(steps);
}
size_t class_bytes(int c) {
  const size_t bytes = (static_cast<size_t>(8 + c % 8) * 8) << (c / 8);
  return (bytes + 63) / 64 * 64;
}

constexpr size_t kLarge = size_t{64} << 20;  // worth asking how much memory is left

void* take_pages(int, size_t bytes) {
  if (bytes >= kLarge && bytes > available_memory()) return nullptr;
  const bool huge = bytes >= kHugePage;
  const size_t rounded = huge ? (bytes + kHugePage - 1) / kHugePage * kHugePage : bytes;
  void* p = std::aligned_alloc(huge ? kHugePage : 64, rounded);
#ifdef MADV_HUGEPAGE
  if (p && huge) madvise(p, rounded, MADV_HUGEPAGE);
#endif
  return p;
}
void give_pages(int, void* p, size_t) { std::free(p); }
size_t available_pages(int) { return available_memory(); }

void* take_device(int device, size_t bytes) {
  void* p = nullptr;
  return device_runtime().allocate(device, bytes, &p) == 0 ? p : nullptr;
}
void give_device(int device, void* p, size_t) { device_runtime().release(device, p); }
size_t available_device(int device) {
  size_t free = 0, total = 0;
  device_runtime().memory_info(device, &free, &total);
  return free;
}

CachingAllocator& cpu_allocator() {
  // Never destroyed: storages may outlive every static object.
  static auto* a = [] {
    auto* fresh = new CachingAllocator({}, {take_pages, give_pages, available_pages},
                                       static_cast<int64_t>(total_memory() / 4));
    pthread_atfork(nullptr, nullptr, [] { cpu_allocator().reset_after_fork(); });
    return fresh;
  }();
  return *a;
}

std::string megabytes(int64_t bytes) {
  if (bytes < 10 << 20) return text(bytes, " bytes");
  return text(bytes >> 20, " MiB");
}

}  // namespace

void* CachingAllocator::allocate(size_t bytes) {
  if (bytes == 0) return nullptr;
  if (bytes > (size_t{1} << 52))
    throw Error(ErrorKind::out_of_memory, "allocate",
                text(megabytes(static_cast<int64_t>(bytes)), " asked on ", name_of(device_)))
        .remedy("use smaller sizes");
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
  void* p = raw_.take(device_.index, block);
  if (!p) {
    empty_cache();
    p = raw_.take(device_.index, block);
  }
  if (p) return p;
  const size_t available = raw_.available(device_.index);
  std::lock_guard lock(mutex_);
  stats_.in_use -= static_cast<int64_t>(block);
  throw Error(ErrorKind::out_of_memory, "allocate",
              text(megabytes(static_cast<int64_t>(bytes)), " do not fit on ", name_of(device_)))
      .show("free", megabytes(static_cast<int64_t>(available)))
      .show("in use", megabytes(stats_.in_use))
      .show("cached",
            text(megabytes(stats_.cached), ", largest block ", megabytes(stats_.largest_cached)))
      .remedy("use a smaller batch or smaller layers, or drop tensors that are no longer needed");
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
  raw_.give(device_.index, p, static_cast<size_t>(block));
}

void CachingAllocator::empty_cache() {
  std::lock_guard lock(mutex_);
  for (int c = 0; c < kClasses; ++c) {
    for (void* p : free_[c]) raw_.give(device_.index, p, class_bytes(c));
    free_[c].clear();
  }
  stats_.cached = 0;
}

MemoryStats CachingAllocator::stats() {
  std::lock_guard lock(mutex_);
  stats_.largest_cached = 0;
  for (int c = 0; c < kClasses; ++c)
    if (!free_[c].empty()) stats_.largest_cached = static_cast<int64_t>(class_bytes(c));
  return stats_;
}

CachingAllocator& allocator(Device device) {
  if (device.is_cpu()) return cpu_allocator();
  static std::vector<std::unique_ptr<CachingAllocator>> devices = [] {
    std::vector<std::unique_ptr<CachingAllocator>> all;
    for (int i = 0; i < device_runtime().device_count(); ++i)
      all.push_back(std::make_unique<CachingAllocator>(
          Device{DeviceType::cuda, static_cast<int8_t>(i)},
          RawMemory{take_device, give_device, available_device}));
    return all;
  }();
  return *devices.at(static_cast<size_t>(device.index));
}

}  // namespace fastdl
