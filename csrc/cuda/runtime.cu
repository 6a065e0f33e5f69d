// The CUDA side of core/kernel.h's DeviceRuntime. The caching allocator, the choice of stream and
// the typed exceptions are the core's; these functions only translate.
#include "cuda/runtime.h"

#include <cuda_runtime.h>

#include <mutex>
#include <string>
#include <vector>

#include "cuda/launch.cuh"

namespace fastdl::cuda {
namespace {

// The code, and it is taken off the thread's record: an error that was returned is not an error of
// the next kernel launch as well.
int consume(cudaError_t code) {
  if (code != cudaSuccess) cudaGetLastError();
  return static_cast<int>(code);
}

int device_count() {
  int count = 0;
  return consume(cudaGetDeviceCount(&count)) == cudaSuccess ? count : 0;
}

int allocate(int device, size_t bytes, void** out) {
  const DeviceGuard guard(device);
  *out = nullptr;
  return bytes ? consume(cudaMalloc(out, bytes)) : 0;
}

int release(int device, void* p) {
  const DeviceGuard guard(device);
  return consume(cudaFree(p));
}

int memory_info(int device, size_t* free, size_t* total) {
  const DeviceGuard guard(device);
  return consume(cudaMemGetInfo(free, total));
}

int synchronize(int device, void* stream) {
  const DeviceGuard guard(device);
  return consume(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
}

// Copies from pageable host memory are staged by the driver before the call returns; pinned memory
// (a NumPy array over another library's pinned buffer) is read later, when the caller may have
// changed it.
bool is_pinned(const void* p) {
  cudaPointerAttributes attributes{};
  return consume(cudaPointerGetAttributes(&attributes, p)) == cudaSuccess &&
         attributes.type != cudaMemoryTypeUnregistered;
}

// In stream order. Copies that involve the host are complete as far as the host can see when this
// returns: a source may be overwritten, a destination read.
int copy(int device, void* stream, void* to, const void* from, size_t bytes, int direction) {
  if (bytes == 0) return 0;
  constexpr cudaMemcpyKind kKinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                                       cudaMemcpyDeviceToDevice};
  const DeviceGuard guard(device);
  const cudaStream_t s = static_cast<cudaStream_t>(stream);
  if (const int code = consume(cudaMemcpyAsync(to, from, bytes, kKinds[direction], s))) return code;
  const bool wait = direction == device_to_host || (direction == host_to_device && is_pinned(from));
  return wait ? consume(cudaStreamSynchronize(s)) : 0;
}

int last_error() { return static_cast<int>(cudaGetLastError()); }

const char* message(int code) { return cudaGetErrorString(static_cast<cudaError_t>(code)); }

// Valid for the life of the process.
const char* device_name(int device) {
  static std::mutex mutex;
  static std::vector<std::string>* names = new std::vector<std::string>;  // never destroyed
  const std::lock_guard<std::mutex> lock(mutex);
  if (names->empty()) {
    const int count = device_count();
    for (int d = 0; d < count; ++d) {
      cudaDeviceProp properties{};
      const bool known = consume(cudaGetDeviceProperties(&properties, d)) == cudaSuccess;
      names->push_back(known ? properties.name : "unknown CUDA device");
    }
  }
  const bool exists = device >= 0 && static_cast<size_t>(device) < names->size();
  return exists ? (*names)[static_cast<size_t>(device)].c_str() : "no such CUDA device";
}

}  // namespace

const DeviceRuntime kRuntime = {device_count, allocate,   release, memory_info, copy,
                                synchronize,  last_error, message, device_name};

}  // namespace fastdl::cuda
