// The caching allocator of GPU memory and of pinned host memory, in stream order.
//
// A block belongs to the stream that was current when it was allocated. Work on that stream is in
// order, so a freed block may be handed out again at once, to the same stream. A block that another
// stream used as well (`use_on`) waits after its release until that stream has come past an event.
// Nothing here asks the driver for memory while the cache can answer.
//
// FASTDL_CUDA_CACHE=0 turns the cache off: each block is an allocation of exactly the bytes asked,
// so that tools which watch the driver's allocations see a tensor's true bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/memory_stats.h"
#include "core/stream.h"

namespace fastdl {

// Where blocks come from.
struct RawMemory {
  void* (*take)(int device, size_t bytes);  // null where there is no more
  void (*give)(int device, void* p);
  void (*free_and_total)(int device, size_t* free, size_t* total);
};

class BlockAllocator {
 public:
  // `place` names the memory in errors.
  BlockAllocator(std::string place, int device, RawMemory raw)
      : place_(std::move(place)), device_(device), raw_(raw) {}

  // The size of the block that answers a request.
  static size_t rounded(size_t bytes);

  void* allocate(size_t bytes,
                 void* stream);  // null for 0; throws OutOfMemoryError
  void release(void* p) noexcept;
  bool owns(const void* p);           // whether p is the begin of a block in use
  void use_on(void* p, Stream user);  // no effect on memory of another library
  void empty_cache();

  // At most `bytes` are taken from the driver, cache included.
  void set_limit(int64_t bytes);
  void reset_peak();
  MemoryStats stats();

 private:
  struct Block {
    size_t bytes;
    void* stream;
    std::vector<Stream> users;  // other streams
  };
  struct Waiting {
    void* p;
    Block block;
    std::vector<Event> events;
  };

  void* take_cached(size_t bytes, void* stream);
  void* take_raw(size_t bytes);
  void collect(bool wait);
  void give_cache_back();
  int64_t taken() const { return stats_.in_use + stats_.cached + stats_.waiting; }
  MemoryStats stats_now() const;
  [[noreturn]] void throw_out_of_memory(size_t asked, const MemoryStats& before);

  const std::string place_;
  const int device_;  // -1: host memory
  const RawMemory raw_;
  std::mutex mutex_;
  std::unordered_map<const void*, Block> in_use_;
  std::map<std::pair<void*, size_t>, std::vector<void*>> free_;  // by stream and size
  std::vector<Waiting> waiting_;
  int64_t limit_ = INT64_MAX;
  MemoryStats stats_;
};

}  // namespace fastdl
