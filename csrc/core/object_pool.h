// Memory for the small objects that come and go with every op (tensors, storages, nodes, variables):
// freed blocks wait, by size and by thread, for the next of their kind. The general allocator keeps
// but seven of a size at hand, and a training step frees dozens at once.
#pragma once

#include <cstddef>

namespace fastdl {

void* take_object(std::size_t bytes);
void give_object(void* p, std::size_t bytes) noexcept;

// A base class whose derived ones come from the pool.
struct Pooled {
  static void* operator new(std::size_t bytes) { return take_object(bytes); }
  static void operator delete(void* p, std::size_t bytes) noexcept { give_object(p, bytes); }
};

}  // namespace fastdl
