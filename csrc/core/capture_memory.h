// The memory of captures (core/capture.h): blocks that a replay finds where the recording left them.
#pragma once

#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/context.h"
#include "core/device.h"
#include "core/intrusive.h"
#include "core/storage.h"

namespace fastdl {

// Blocks for the storages made during a capture. They live until the capture and the last of these
// storages are gone; a freed one is given out again only while the capture is being made.
class CaptureMemory final : public RefCounted {
 public:
  ~CaptureMemory() override;
  void* take(Device device, size_t bytes);
  void give_back(Device device, void* p, size_t bytes);
  void add(Storage* storage);
  void remove(Storage* storage);
  void bump_versions();        // of the storages that are still there: a replay writes to them
  void use_on(Stream stream);  // work on this stream uses the blocks of its GPU
  int64_t bytes() const { return bytes_; }

 private:
  struct Block {
    Device device;
    void* p;
    size_t bytes;
  };
  using Key = std::pair<int, size_t>;  // the device's number, -1 for the CPU; bytes

  std::mutex mutex_;
  std::map<Key, std::vector<void*>> free_;
  std::vector<Block> blocks_;
  std::unordered_set<Storage*> storages_;
  int64_t bytes_ = 0;
};

// A GPU's context whose scratch memory comes from blocks of its own, the same in every run of the
// same kernels. While a graph is recorded (core/stream_graph.h) nothing may be asked of the driver:
// the run before it has filled the pool.
class PooledContext final : public Context {
 public:
  explicit PooledContext(Device device);
  ~PooledContext();
  PooledContext(const PooledContext&) = delete;
  PooledContext& operator=(const PooledContext&) = delete;
  void use_on(Stream stream);

 private:
  void* take(size_t bytes);
  void give_back(void* p);

  const Device device_;
  std::map<size_t, std::vector<void*>> free_;
  std::unordered_map<void*, size_t> size_;  // of every block
};

}  // namespace fastdl
