#include "core/storage.h"

#include "core/allocator.h"
#include "core/backend.h"
#include "core/capture.h"

namespace fastdl {

Storage::Storage(Device device, size_t bytes)
    : Storage(device, bytes, capturing() ? capturing()->memory().get() : nullptr) {}

Storage::Storage(Device device, size_t bytes, CaptureMemory* memory)
    : device(device),
      bytes(bytes),
      data(memory ? memory->take(device, bytes) : allocate(device, bytes)),
      readonly(false),
      memory_(memory) {
  if (!memory_) return;
  memory_->retain();
  memory_->add(this);
}

Storage::~Storage() {
  if (memory_) {
    memory_->remove(this);
    memory_->give_back(device, data, bytes);
    Ref<CaptureMemory>::adopt(memory_);
  } else if (drop_)
    drop_(owner_);
  else
    fastdl::release(device, data, bytes);
}

Ref<Storage> pinned_storage(size_t bytes) {
  device_runtime();  // or the reason why there is none
  void* data = pinned_allocator().allocate(bytes, nullptr);
  const auto drop = [](void* p) { pinned_allocator().release(p); };
  return Ref(new Storage({}, bytes, data, data, drop, false));
}

bool is_pinned(const Storage& storage) {
  return storage.device.is_cpu() && backend_status().cuda && pinned_allocator().owns(storage.data);
}

void use_on(const Storage& storage, Stream stream) {
  if (!storage.device.is_cpu())
    device_allocator(storage.device).use_on(storage.data, stream);
  else if (backend_status().cuda)
    pinned_allocator().use_on(storage.data, stream);
}

}  // namespace fastdl
