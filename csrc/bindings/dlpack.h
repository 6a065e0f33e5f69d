// The C structs of DLPack 1.0 (github.com/dmlc/dlpack, Apache-2.0): a public binary interface.
#pragma once

#include <cstdint>

namespace fastdl::dlpack {

struct Device {
  int32_t type;  // 1: CPU, 2: CUDA, 3: pinned host memory
  int32_t index;
};
struct DataType {
  uint8_t code;  // 0: int, 1: unsigned, 2: float, 4: bfloat, 6: bool
  uint8_t bits;
  uint16_t lanes;
};
struct View {
  void* data;
  Device device;
  int32_t ndim;
  DataType dtype;
  int64_t* shape;
  int64_t* strides;  // null: contiguous
  uint64_t byte_offset;
};
struct Managed {
  View view;
  void* context;
  void (*deleter)(Managed*);
};
struct ManagedVersioned {
  uint32_t major, minor;
  void* context;
  void (*deleter)(ManagedVersioned*);
  uint64_t flags;  // bit 0: read-only
  View view;
};

}  // namespace fastdl::dlpack
