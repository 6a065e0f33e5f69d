// A block of memory that tensors view. The version counts in-place edits, so that autograd can tell
// when a tensor that it saved has changed since.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/device.h"
#include "core/intrusive.h"
#include "core/stream.h"

namespace fastdl {

class CaptureMemory;

// What a layer above keeps with memory (ops/packed.h); the core only owns it.
struct Attachment {
  virtual ~Attachment() = default;
};

class Storage final : public RefCounted {
 public:
  Storage(Device device, size_t bytes);  // from the device's cache, not initialised
  // Memory that another library owns; `drop(owner)` is called when the last view is gone.
  Storage(Device device, size_t bytes, void* data, void* owner, void (*drop)(void*), bool readonly)
      : device(device),
        bytes(bytes),
        data(data),
        readonly(readonly),
        shared(true),
        owner_(owner),
        drop_(drop) {}
  ~Storage() override;

  bool of_capture(const CaptureMemory* memory) const { return memory_ == memory; }

  const Device device;
  const size_t bytes;
  void* const data;
  const bool readonly;
  uint32_t version = 0;
  bool shared = false;  // another library sees the memory, whose edits change no version
  std::unique_ptr<Attachment> attachment;
  bool viewed = false;  // a differentiable view exists: in-place edits would make its history wrong

 private:
  Storage(Device device, size_t bytes, CaptureMemory* memory);

  CaptureMemory* const memory_ = nullptr;  // where the memory is a capture's: holds a reference
  void* owner_ = nullptr;
  void (*drop_)(void*) = nullptr;
};

// How many captures are being made, on all threads (core/capture.h), and what they want to know.
inline std::atomic<int> captures_active{0};
void note_use(Storage& storage);   // a pointer into it was asked for
void note_edit(Storage& storage);  // it was changed in place

// Page-locked host memory, which a GPU reads and writes while the host does other things. Throws
// DeviceError where there is no CUDA.
Ref<Storage> pinned_storage(size_t bytes);
bool is_pinned(const Storage& storage);

// Tells the allocator that work on `stream` uses the memory too.
void use_on(const Storage& storage, Stream stream);

}  // namespace fastdl
