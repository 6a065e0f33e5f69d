// The runtime of the modelled device: errors, devices, memory, copies and launches.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <unordered_map>
#include <unordered_set>

#include "cuda_runtime.h"
#include "image.h"
#include "machine.h"
#include "streams.h"

namespace {

thread_local int current_device = 0;
thread_local cudaError_t last_error = cudaSuccess;
thread_local bool has_fault_text = false;

std::mutex mutex;
std::map<const char*, size_t> pinned;
std::unordered_map<const void*, int> allowed_shared;

// SIMT_PROCESSORS: for kernels that need a multiprocessor for each of their blocks.
const int multiprocessors = [] {
  const char* const text = std::getenv("SIMT_PROCESSORS");
  return text && *text ? std::atoi(text) : 4;
}();

cudaError_t note(cudaError_t code) { return simt::note_error(code); }

bool is_pinned(const void* p) {
  std::lock_guard lock(mutex);
  auto above = pinned.upper_bound(static_cast<const char*>(p));
  if (above == pinned.begin()) return false;
  const auto& [begin, size] = *std::prev(above);
  return static_cast<const char*>(p) < begin + size;
}

}  // namespace

// ---- errors

cudaError_t simt::note_error(cudaError_t code) {
  if (code != cudaSuccess) last_error = code;
  return code;
}

cudaError_t cudaGetLastError() { return std::exchange(last_error, cudaSuccess); }
cudaError_t cudaPeekAtLastError() { return last_error; }

const char* cudaGetErrorString(cudaError_t code) {
  switch (code) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return has_fault_text ? simt::last_fault() : "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidDevice: return "invalid device ordinal";
    case cudaErrorNotReady: return "device not ready";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient";
    case cudaErrorNotSupported: return "operation not supported";
    case cudaErrorStreamCaptureUnsupported:
      return "operation not permitted when stream is capturing";
    case cudaErrorStreamCaptureInvalidated:
      return "operation failed due to a previous error during capture";
    case cudaErrorStreamCaptureUnmatched: return "the stream is not capturing";
    case cudaErrorStreamCaptureIsolation:
      return "dependency created on uncaptured work in another stream";
    case cudaErrorStreamCaptureWrongThread:
      return "attempt to terminate a thread-local capture sequence from another thread";
    case cudaErrorInvalidConfiguration:
    case cudaErrorLaunchFailure: return simt::last_fault();
  }
  return "unrecognized error code";
}
const char* cudaGetErrorName(cudaError_t code) { return cudaGetErrorString(code); }

// ---- devices

cudaError_t cudaDriverGetVersion(int* version) {
  *version = 13000;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

cudaError_t cudaGetDeviceCount(int* count) {
  *count = simt::device_count();
  return note(*count ? cudaSuccess : cudaErrorNoDevice);
}
cudaError_t cudaGetDevice(int* device) {
  *device = current_device;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int device) {
  if (device < 0 || device >= simt::device_count()) return note(cudaErrorInvalidDevice);
  current_device = device;
  return cudaSuccess;
}

cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int device) {
  if (device < 0 || device >= simt::device_count()) return note(cudaErrorInvalidDevice);
  switch (attribute) {
    case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 227 << 10; break;
    case cudaDevAttrMultiProcessorCount: *value = multiprocessors; break;
    case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
    case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
    case cudaDevAttrL2CacheSize: *value = 1 << 20; break;
    case cudaDevAttrCooperativeLaunch: *value = 1; break;
  }
  return cudaSuccess;
}

cudaError_t cudaGetDeviceProperties(cudaDeviceProp* out, int device) {
  if (device < 0 || device >= simt::device_count()) return note(cudaErrorInvalidDevice);
  *out = {};
  snprintf(out->name, sizeof out->name, "host model of CUDA");
  size_t free = 0;
  simt::device_memory(device, &free, &out->totalGlobalMem);
  out->sharedMemPerBlockOptin = 227 << 10;
  out->major = 9;
  out->multiProcessorCount = multiprocessors;
  out->l2CacheSize = 1 << 20;
  return cudaSuccess;
}

// ---- memory

cudaError_t cudaMalloc(void** p, size_t bytes) {
  if (const cudaError_t code = simt::refuse_while_recording()) return code;
  std::lock_guard lock(mutex);
  return note(static_cast<cudaError_t>(simt::device_allocate(current_device, bytes, p)));
}
cudaError_t cudaFree(void* p) {
  if (const cudaError_t code = simt::refuse_while_recording()) return code;
  if (p && simt::device_of(p) >= 0) simt::finish_device(simt::device_of(p));
  std::lock_guard lock(mutex);
  return note(!p || simt::device_release(p) ? cudaSuccess : cudaErrorInvalidValue);
}
cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  std::lock_guard lock(mutex);
  simt::device_memory(current_device, free, total);
  return cudaSuccess;
}
cudaError_t cudaHostAlloc(void** p, size_t bytes, unsigned) {
  if (const cudaError_t code = simt::refuse_while_recording()) return code;
  std::lock_guard lock(mutex);
  *p = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
  if (!*p) return note(cudaErrorMemoryAllocation);
  pinned[static_cast<char*>(*p)] = bytes;
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** p, size_t bytes) { return cudaHostAlloc(p, bytes, 0); }
cudaError_t cudaFreeHost(void* p) {
  if (const cudaError_t code = simt::refuse_while_recording()) return code;
  for (int device = 0; device < simt::device_count(); ++device) simt::finish_device(device);
  std::lock_guard lock(mutex);
  if (p && !pinned.erase(static_cast<char*>(p))) return note(cudaErrorInvalidValue);
  std::free(p);
  return cudaSuccess;
}
cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* out, const void* p) {
  *out = {};
  const int device = simt::device_of(p);
  out->type = device >= 0    ? cudaMemoryTypeDevice
              : is_pinned(p) ? cudaMemoryTypeHost
                             : cudaMemoryTypeUnregistered;
  out->device = std::max(device, 0);
  return cudaSuccess;
}

namespace {

cudaError_t copy_now(void* to, const void* from, size_t bytes) {
  has_fault_text = true;
  if (!simt::is_device_range(from, bytes, true, "a copy") ||
      !simt::is_device_range(to, bytes, false, "a copy"))
    return note(cudaErrorInvalidValue);
  memmove(to, from, bytes);
  simt::written_by_host(to, bytes);
  return cudaSuccess;
}

cudaError_t set_now(void* to, int value, size_t bytes) {
  has_fault_text = true;
  if (!simt::is_device_range(to, bytes, false, "a memset")) return note(cudaErrorInvalidValue);
  memset(to, value, bytes);
  simt::written_by_host(to, bytes);
  return cudaSuccess;
}

}  // namespace

// Pageable memory is read before the call returns, and written before it returns; pinned memory is
// read and written when the stream comes to it.
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  has_fault_text = false;
  const bool to_device = simt::device_of(to) >= 0, from_device = simt::device_of(from) >= 0;
  const bool says_to = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
  const bool says_from = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
  if (kind != cudaMemcpyDefault && (says_to != to_device || says_from != from_device))
    return note(cudaErrorInvalidValue);
  // A graph keeps addresses, and reads all memory when it runs.
  const bool recorded = simt::is_recorded(stream);
  if (!from_device && !is_pinned(from) && !recorded) {
    const char* bytes_of = static_cast<const char*>(from);
    std::vector<char> staged(bytes_of, bytes_of + bytes);
    return simt::enqueue(stream, current_device, [to, staged = std::move(staged)] {
      return copy_now(to, staged.data(), staged.size());
    });
  }
  const cudaError_t code = simt::enqueue(stream, current_device,
                                         [to, from, bytes] { return copy_now(to, from, bytes); });
  const bool waits = !to_device && !is_pinned(to) && !recorded;
  return waits && code == cudaSuccess ? note(simt::finish(stream, current_device)) : code;
}
cudaError_t cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
  if (const cudaError_t code = simt::refuse_while_recording()) return code;
  const cudaError_t code = cudaMemcpyAsync(to, from, bytes, kind, nullptr);
  return code == cudaSuccess ? note(simt::finish(nullptr, current_device)) : code;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
  return simt::enqueue(stream, current_device,
                       [to, value, bytes] { return set_now(to, value, bytes); });
}
cudaError_t cudaMemset(void* to, int value, size_t bytes) {
  return cudaMemsetAsync(to, value, bytes, nullptr);
}

// ---- launches

cudaError_t simt::allow_shared(const void* kernel, int bytes) {
  if (bytes > 227 << 10) return note(cudaErrorInvalidValue);
  std::lock_guard lock(mutex);
  allowed_shared[kernel] = bytes;
  return cudaSuccess;
}

namespace {

// SIMT_COVERAGE names a file that gets the symbol of every kernel that was launched.
void note_launch(const void* kernel) {
  static const char* const path = std::getenv("SIMT_COVERAGE");
  static std::unordered_set<const void*> seen;
  if (!path || !seen.insert(kernel).second) return;
  if (FILE* file = fopen(path, "a")) {
    fprintf(file, "%s\n", simt::symbol_of(kernel).c_str());
    fclose(file);
  }
}

}  // namespace

cudaError_t simt::launch_kernel(const cudaLaunchConfig_t& config, const void* kernel,
                                void (*body)(void*), std::shared_ptr<void> argument) {
  Launch launch;
  launch.grid = {config.grid.x, config.grid.y, config.grid.z};
  launch.block = {config.block.x, config.block.y, config.block.z};
  launch.shared = config.dynamicSmemBytes;
  launch.device = current_device;
  launch.kernel = kernel;
  for (unsigned i = 0; i < config.numAttrs; ++i) {
    const cudaLaunchAttribute& a = config.attrs[i];
    if (a.id == cudaLaunchAttributeClusterDimension) launch.cluster = a.val.clusterDim.x;
    if (a.id == cudaLaunchAttributeCooperative) launch.cooperative = a.val.cooperative != 0;
  }
  {
    std::lock_guard lock(mutex);
    const auto allowed = allowed_shared.find(kernel);
    note_launch(kernel);
    const size_t most =
        allowed == allowed_shared.end() ? 48 << 10 : static_cast<size_t>(allowed->second);
    if (launch.shared > most) return note(cudaErrorInvalidValue);
  }
  return enqueue(config.stream, current_device, [launch, body, argument] {
    // After a fault nothing runs until somebody has asked: what it left behind would only bury it.
    if (last_error == cudaErrorLaunchFailure) return last_error;
    return note(static_cast<cudaError_t>(simt::launch(launch, body, argument.get())));
  });
}
