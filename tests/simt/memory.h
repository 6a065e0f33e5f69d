// Where memory of each kind lies, and the cells that shadow it.
#pragma once

#include <cstddef>
#include <string>

#include "image.h"
#include "machine.h"

namespace simt {

struct Region {
  char* base = nullptr;
  size_t size = 0;
  Cell* cells = nullptr;

  bool contains(const void* p) const {
    return static_cast<size_t>(static_cast<const char*>(p) - base) < size;
  }
  Cell* cell(const void* p) const { return cells + (static_cast<const char*>(p) - base); }
  void reserve_cells();
};

const Region& device_region(int device);
std::string near_allocation(const void* p);  // where an address is, in words

// Dynamic shared memory: a part for each block that runs at the same time.
constexpr size_t kSharedStride = 256 << 10;
const Region& dynamic_region();

// `__shared__` is `static thread_local` (include/simt_device.h): what the kernels declare lies in
// this library's block of the host thread's thread-local storage.
const Region& static_region();
void find_static_shared();  // of the calling thread
const Image& image();       // as of the last launch

}  // namespace simt
