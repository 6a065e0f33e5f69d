// Kernels by name, device and dtype. An op's header declares each kernel once:
//
//   FASTDL_KERNEL(softmax_forward, const void* x, void* y, int64_t rows, int64_t cols);
//
// a backend library defines it, and registers it with `registry.add<softmax_forward>(dtype, fn)`;
// the op fetches it with `kernel<softmax_forward>(device, dtype)` (core/dispatch.h).
// Kernels take raw pointers, sizes, strides and the context; they never see a Tensor.
#pragma once

#include <cstdint>

#include "core/context.h"
#include "core/dtype.h"

namespace fastdl {

#define FASTDL_KERNEL(kernel_name, ...)                         \
  struct kernel_name {                                          \
    static constexpr const char* name = #kernel_name;           \
    using Fn = void (*)(const ::fastdl::Context&, __VA_ARGS__); \
  }

// Changed whenever Context, Registry, DeviceRuntime or the meaning of a kernel's arguments change:
// a backend library of another version is refused, not called.
inline constexpr uint32_t kBackendVersion = 5;

struct DeviceRuntime;  // core/device_runtime.h

// The core's side of a backend library, passed to its one exported function
// `extern "C" int fastdl_backend(Registry*)`, which returns 0 when it is ready.
struct Registry {
  uint32_t version;
  void* self;
  void (*add_kernel)(void* self, const char* name, DType dtype, void (*fn)());
  void (*set_runtime)(void* self, const DeviceRuntime* runtime);

  template <class K>
  void add(DType dtype, typename K::Fn fn) {
    add_kernel(self, K::name, dtype, reinterpret_cast<void (*)()>(fn));
  }
};

}  // namespace fastdl
