#include "core/storage.h"

#include "core/allocator.h"

namespace fastdl {

Storage::Storage(Device device, size_t bytes)
    : device(device), bytes(bytes), data(allocator(device).allocate(bytes)), readonly(false) {}

Storage::~Storage() {
  if (drop_)
    drop_(owner_);
  else
    allocator(device).release(data, bytes);
}

}  // namespace fastdl
