// Backend libraries: the CPU kernels, one library per instruction set of which one is loaded, and
// libfastdl_cuda, loaded when it is there. Each registers its kernels by name (core/kernel.h).
#pragma once

#include <string>
#include <vector>

#include "core/capture.h"
#include "core/device.h"
#include "core/device_runtime.h"
#include "core/host.h"
#include "core/kernel.h"
#include "core/stream.h"

namespace fastdl {

struct BackendStatus {
  std::string isa;                     // the instruction set in use: "baseline", "avx2", ...
  std::vector<std::string> available;  // those that this machine could use
  std::string library_dir;
  bool cuda = false;
  std::string cuda_reason;  // why not, or the device's name
};

// Loads the libraries of the folder. FASTDL_ISA asks for an instruction set; FASTDL_CUDA_LIBRARY
// names another CUDA library. Throws Error where no CPU library can be loaded.
void load_backends(const std::string& library_dir);
const BackendStatus& backend_status();

// Throws DeviceError, with the reason and a remedy, where there is no CUDA.
const DeviceRuntime& device_runtime();
void require_device(Device device);
void require_cuda(const char* op, Device device);  // and one that exists
void check_device(const char* op, int code);       // throws DeviceError unless the code is 0
void synchronize(Device device);                   // all of its streams

// In order with the current stream of the GPU. The host waits for the copy unless `may_run_on` says
// that its side is memory of pinned_storage which nobody touches meanwhile.
void copy_bytes(Device to_device, void* to, Device from_device, const void* from, size_t bytes,
                bool may_run_on);

// One row of the dispatch table.
struct KernelSlot {
  const char* name;
  void (*fn[kDeviceTypes][kDTypes])() = {};
};
KernelSlot& kernel_slot(const char* name);
[[noreturn]] void throw_no_kernel(const KernelSlot& slot, const char* op, Device device,
                                  DType dtype);

// The kernel of an op for a device and dtype, or a typed error: a missing backend is this one case.
template <class K>
typename K::Fn kernel(const char* op, Device device, DType dtype) {
  static KernelSlot& slot = kernel_slot(K::name);
  auto fn = slot.fn[static_cast<int>(device.type)][static_cast<int>(dtype)];
  if (!fn) throw_no_kernel(slot, op, device, dtype);
  return reinterpret_cast<typename K::Fn>(fn);
}

// The context in which kernels of the calling thread run on a device now.
const Context& context(Device device);
void set_num_threads(int threads);
int get_num_threads();

// With it every launch on a GPU is waited for, so that a fault inside a kernel is raised by its op.
// FASTDL_CUDA_SYNC=1 sets it at the start.
void set_sync_debug(bool on);
bool sync_debug();

// Surfaces what a launch left behind on a GPU; nothing to do on the CPU.
void check_launch(const char* op, const char* kernel, Device device);

template <class Fn, class... Args>
bool capture_launch(const Origin& origin, int64_t work, Fn fn, const Args&... args) {
  Capture* const c = capturing();
  if (!c) return false;
  c->run(std::make_unique<LaunchStep<Fn, Args...>>(fn, c->context_on(origin.device), args...),
         origin, work, (renews<Args> || ...));
  return true;
}

// Runs kernel K of `op`. `work` (elements or multiply-adds) decides whether the interpreter's lock
// is given away meanwhile. While a capture is being made it keeps the call (core/capture.h).
template <class K, class... Args>
void launch(const char* op, Device device, DType dtype, int64_t work, const Args&... args) {
  const auto fn = kernel<K>(op, device, dtype);
  if (captures_active.load(std::memory_order_relaxed) &&
      capture_launch({op, K::name, device}, work, fn, args...))
    return;
  LongWork unlocked(work);
  fn(context(device), args...);
  if (!device.is_cpu()) check_launch(op, K::name, device);
}

}  // namespace fastdl
