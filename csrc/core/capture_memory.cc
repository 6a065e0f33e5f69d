#include "core/capture_memory.h"

#include "core/allocator.h"
#include "core/backend.h"

namespace fastdl {
namespace {

int number_of(Device device) { return device.is_cpu() ? -1 : device.index; }

size_t block_bytes(Device device, size_t bytes) {
  if (!device.is_cpu()) return BlockAllocator::rounded(bytes);
  return bytes <= kLargestBlock ? class_bytes(class_of(bytes)) : bytes;
}

}  // namespace

CaptureMemory::~CaptureMemory() {
  for (const Block& b : blocks_) fastdl::release(b.device, b.p, b.bytes);
}

void* CaptureMemory::take(Device device, size_t bytes) {
  if (bytes == 0) return nullptr;
  const size_t block = block_bytes(device, bytes);
  std::lock_guard lock(mutex_);
  auto& free = free_[{number_of(device), block}];
  if (!free.empty()) {
    void* p = free.back();
    free.pop_back();
    return p;
  }
  blocks_.reserve(blocks_.size() + 1);
  void* p = allocate(device, block);  // throws
  blocks_.push_back({device, p, block});
  bytes_ += static_cast<int64_t>(block);
  return p;
}

void CaptureMemory::give_back(Device device, void* p, size_t bytes) {
  if (!p) return;
  std::lock_guard lock(mutex_);
  free_[{number_of(device), block_bytes(device, bytes)}].push_back(p);
}

void CaptureMemory::add(Storage* storage) {
  std::lock_guard lock(mutex_);
  storages_.insert(storage);
}

void CaptureMemory::remove(Storage* storage) {
  std::lock_guard lock(mutex_);
  storages_.erase(storage);
}

void CaptureMemory::bump_versions() {
  std::lock_guard lock(mutex_);
  for (Storage* s : storages_) ++s->version;
}

void CaptureMemory::use_on(Stream stream) {
  std::lock_guard lock(mutex_);
  for (const Block& b : blocks_)
    if (number_of(b.device) == stream.device) device_allocator(b.device).use_on(b.p, stream);
}

// scratch

PooledContext::PooledContext(Device device)
    : Context{nullptr,
              [](const Context& c, size_t bytes) {
                return const_cast<PooledContext&>(static_cast<const PooledContext&>(c)).take(bytes);
              },
              [](const Context& c, void* p) {
                const_cast<PooledContext&>(static_cast<const PooledContext&>(c)).give_back(p);
              },
              1,
              device.index,
              current_stream(device).handle},
      device_(device) {}

PooledContext::~PooledContext() {
  for (const auto& [p, bytes] : size_) fastdl::release(device_, p, bytes);
}

void* PooledContext::take(size_t bytes) {
  const size_t block = BlockAllocator::rounded(bytes);
  auto& free = free_[block];
  if (!free.empty()) {
    void* p = free.back();
    free.pop_back();
    return p;
  }
  void* p = fastdl::allocate(device_, block);  // throws
  size_.emplace(p, block);
  return p;
}

void PooledContext::give_back(void* p) { free_[size_.at(p)].push_back(p); }

void PooledContext::use_on(Stream stream) {
  for (const auto& [p, bytes] : size_) device_allocator(device_).use_on(p, stream);
}

}  // namespace fastdl
