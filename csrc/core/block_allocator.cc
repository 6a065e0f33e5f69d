#include "core/block_allocator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "core/backend.h"
#include "core/size_class.h"

namespace fastdl {
namespace {

bool cache_is_on() {
  static const bool on = [] {
    const char* text = std::getenv("FASTDL_CUDA_CACHE");
    return !text || std::strcmp(text, "0") != 0;
  }();
  return on;
}

int64_t signed_size(size_t bytes) { return static_cast<int64_t>(bytes); }

// In destructors an error of the device cannot be thrown; the next launch reports it.
void wait_quietly(int device, void* stream) { device_runtime().synchronize_stream(device, stream); }

}  // namespace

size_t BlockAllocator::rounded(size_t asked) {
  return cache_is_on() && asked <= kLargestBlock ? class_bytes(class_of(asked)) : asked;
}

void* BlockAllocator::allocate(size_t asked, void* stream) {
  if (asked == 0) return nullptr;
  const size_t bytes = rounded(asked);
  std::lock_guard lock(mutex_);
  ++stats_.requests;
  if (!waiting_.empty()) collect(false);
  void* p = take_cached(bytes, stream);
  if (!p) {
    ++stats_.raw_requests;
    p = take_raw(bytes);
  }
  if (!p) {
    const MemoryStats before = stats_now();
    ++stats_.retries;
    give_cache_back();
    p = take_raw(bytes);
    if (!p) throw_out_of_memory(asked, before);
  }
  in_use_.emplace(p, Block{bytes, stream, {}});
  stats_.in_use += signed_size(bytes);
  stats_.peak = std::max(stats_.peak, stats_.in_use);
  return p;
}

// `before`: the figures before the cache was given back in vain.
void BlockAllocator::throw_out_of_memory(size_t asked, const MemoryStats& before) {
  size_t free = 0, total = 0;
  raw_.free_and_total(device_, &free, &total);
  const int64_t room = std::max<int64_t>(limit_ - taken(), 0);
  throw out_of_memory(asked, place_, std::min(free, static_cast<size_t>(room)), total, before);
}

void BlockAllocator::release(void* p) noexcept {
  if (!p) return;
  std::lock_guard lock(mutex_);
  const auto at = in_use_.find(p);
  Block block = std::move(at->second);
  in_use_.erase(at);
  stats_.in_use -= signed_size(block.bytes);
  if (!cache_is_on()) {
    if (device_ >= 0) wait_quietly(device_, block.stream);
    for (Stream user : block.users) wait_quietly(user.device, user.handle);
    raw_.give(device_, p);
    return;
  }
  std::vector<Event> events;
  for (Stream user : block.users) {
    try {
      Event event(false);
      event.record(user);
      events.push_back(std::move(event));
    } catch (const Error&) {
      wait_quietly(user.device, user.handle);
    }
  }
  if (events.empty()) {
    stats_.cached += signed_size(block.bytes);
    free_[{block.stream, block.bytes}].push_back(p);
  } else {
    stats_.waiting += signed_size(block.bytes);
    waiting_.push_back({p, std::move(block), std::move(events)});
  }
}

bool BlockAllocator::owns(const void* p) {
  std::lock_guard lock(mutex_);
  return in_use_.count(p) != 0;
}

void BlockAllocator::use_on(void* p, Stream user) {
  std::lock_guard lock(mutex_);
  const auto at = in_use_.find(p);
  if (at == in_use_.end()) return;
  Block& block = at->second;
  const bool at_home = user.device == device_ && user.handle == block.stream;
  if (!at_home && std::find(block.users.begin(), block.users.end(), user) == block.users.end())
    block.users.push_back(user);
}

void* BlockAllocator::take_cached(size_t bytes, void* stream) {
  const auto list = free_.find({stream, bytes});
  if (list == free_.end() || list->second.empty()) return nullptr;
  void* p = list->second.back();
  list->second.pop_back();
  stats_.cached -= signed_size(bytes);
  return p;
}

void* BlockAllocator::take_raw(size_t bytes) {
  if (bytes > kLargestBlock || signed_size(bytes) > limit_ - taken()) return nullptr;
  return raw_.take(device_, bytes);
}

// Puts the waiting blocks whose events have passed into the cache; with `wait`, all of them.
void BlockAllocator::collect(bool wait) {
  const auto passed = [&](const Waiting& w) {
    try {
      for (const Event& event : w.events) {
        if (wait) event.synchronize();
        if (!event.is_done()) return false;
      }
    } catch (const Error&) {
      // The device has failed and does no more work; the next launch says so.
    }
    return true;
  };
  std::vector<Waiting> still;
  for (Waiting& w : waiting_) {
    if (!passed(w)) {
      still.push_back(std::move(w));
      continue;
    }
    stats_.waiting -= signed_size(w.block.bytes);
    stats_.cached += signed_size(w.block.bytes);
    free_[{w.block.stream, w.block.bytes}].push_back(w.p);
  }
  waiting_.swap(still);
}

// A cached block may still be read by work of its own stream, so that comes to an end first.
void BlockAllocator::give_cache_back() {
  collect(true);
  for (auto& [key, list] : free_) {
    if (list.empty()) continue;
    if (device_ >= 0) wait_quietly(device_, key.first);
    for (void* p : list) raw_.give(device_, p);
  }
  free_.clear();
  stats_.cached = 0;
}

void BlockAllocator::empty_cache() {
  std::lock_guard lock(mutex_);
  give_cache_back();
}

void BlockAllocator::set_limit(int64_t bytes) {
  std::lock_guard lock(mutex_);
  limit_ = bytes;
  if (taken() > limit_) give_cache_back();
}

void BlockAllocator::reset_peak() {
  std::lock_guard lock(mutex_);
  stats_.peak = stats_.in_use;
}

MemoryStats BlockAllocator::stats_now() const {
  MemoryStats now = stats_;
  now.largest_cached = 0;
  for (const auto& [key, list] : free_)
    if (!list.empty()) now.largest_cached = std::max(now.largest_cached, signed_size(key.second));
  return now;
}

MemoryStats BlockAllocator::stats() {
  std::lock_guard lock(mutex_);
  return stats_now();
}

}  // namespace fastdl
