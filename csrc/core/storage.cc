#include "core/storage.h"

#include "core/allocator.h"
#include "core/backend.h"

namespace fastdl {

Storage::Storage(Device device, size_t bytes)
    : device(device), bytes(bytes), data(allocate(device, bytes)), readonly(false) {}

Storage::~Storage() {
  if (drop_)
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
