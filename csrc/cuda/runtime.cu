// The CUDA side of core/device_runtime.h. The caching allocator, the choice of stream and the typed
// exceptions are the core's; these functions only translate.
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

// Portable: pinned for every device.
int allocate_pinned(size_t bytes, void** out) {
  *out = nullptr;
  return bytes ? consume(cudaHostAlloc(out, bytes, cudaHostAllocPortable)) : 0;
}

int release_pinned(void* p) { return consume(cudaFreeHost(p)); }

// copies

// Copies from pageable host memory are staged by the driver before the call returns; pinned memory
// (ours, or a NumPy array over another library's pinned buffer) is read later, when the caller may
// have changed it.
bool is_pinned(const void* p) {
  cudaPointerAttributes attributes{};
  return consume(cudaPointerGetAttributes(&attributes, p)) == cudaSuccess &&
         attributes.type != cudaMemoryTypeUnregistered;
}

int copy(int device, void* stream, void* to, const void* from, size_t bytes, int direction,
         bool wait) {
  constexpr cudaMemcpyKind kKinds[] = {cudaMemcpyHostToDevice, cudaMemcpyDeviceToHost,
                                       cudaMemcpyDeviceToDevice};
  const DeviceGuard guard(device);
  const cudaStream_t s = static_cast<cudaStream_t>(stream);
  if (const int code = consume(cudaMemcpyAsync(to, from, bytes, kKinds[direction], s))) return code;
  const bool staged = direction == host_to_device && !is_pinned(from);
  return wait && !staged ? consume(cudaStreamSynchronize(s)) : 0;
}

// streams and events

int synchronize_device(int device) {
  const DeviceGuard guard(device);
  return consume(cudaDeviceSynchronize());
}

int create_stream(int device, void** out) {
  const DeviceGuard guard(device);
  cudaStream_t stream = nullptr;
  const int code = consume(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
  *out = stream;
  return code;
}

int synchronize_stream(int device, void* stream) {
  const DeviceGuard guard(device);
  return consume(cudaStreamSynchronize(static_cast<cudaStream_t>(stream)));
}

// "Not ready" is an answer, and no error of the next launch.
int answer(cudaError_t code, bool* done) {
  *done = code == cudaSuccess;
  const int consumed = consume(code);
  return code == cudaErrorNotReady ? 0 : consumed;
}

int query_stream(int device, void* stream, bool* done) {
  const DeviceGuard guard(device);
  return answer(cudaStreamQuery(static_cast<cudaStream_t>(stream)), done);
}

int wait_event(int device, void* stream, void* event) {
  const DeviceGuard guard(device);
  return consume(
      cudaStreamWaitEvent(static_cast<cudaStream_t>(stream), static_cast<cudaEvent_t>(event), 0));
}

int create_event(int device, bool timing, void** out) {
  const DeviceGuard guard(device);
  cudaEvent_t event = nullptr;
  const int code =
      consume(cudaEventCreateWithFlags(&event, timing ? cudaEventDefault : cudaEventDisableTiming));
  *out = event;
  return code;
}

int destroy_event(void* event) {
  return consume(cudaEventDestroy(static_cast<cudaEvent_t>(event)));
}

int record_event(int device, void* event, void* stream) {
  const DeviceGuard guard(device);
  return consume(
      cudaEventRecord(static_cast<cudaEvent_t>(event), static_cast<cudaStream_t>(stream)));
}

int synchronize_event(void* event) {
  return consume(cudaEventSynchronize(static_cast<cudaEvent_t>(event)));
}

int query_event(void* event, bool* done) {
  return answer(cudaEventQuery(static_cast<cudaEvent_t>(event)), done);
}

int elapsed(void* from, void* to, float* milliseconds) {
  return consume(cudaEventElapsedTime(milliseconds, static_cast<cudaEvent_t>(from),
                                      static_cast<cudaEvent_t>(to)));
}

// graphs

int begin_capture(int device, void* stream) {
  const DeviceGuard guard(device);
  return consume(
      cudaStreamBeginCapture(static_cast<cudaStream_t>(stream), cudaStreamCaptureModeThreadLocal));
}

// The recorded graph is only a plan; what is kept is what the device runs.
int end_capture(int device, void* stream, void** graph) {
  const DeviceGuard guard(device);
  cudaGraph_t recorded = nullptr;
  int code = consume(cudaStreamEndCapture(static_cast<cudaStream_t>(stream), &recorded));
  if (!recorded) return code;
  if (code == 0 && graph) {
    cudaGraphExec_t made = nullptr;
    code = consume(cudaGraphInstantiateWithFlags(&made, recorded, 0));
    *graph = made;
  }
  consume(cudaGraphDestroy(recorded));
  return code;
}

int launch_graph(int device, void* graph, void* stream) {
  const DeviceGuard guard(device);
  return consume(
      cudaGraphLaunch(static_cast<cudaGraphExec_t>(graph), static_cast<cudaStream_t>(stream)));
}

int destroy_graph(void* graph) {
  return consume(cudaGraphExecDestroy(static_cast<cudaGraphExec_t>(graph)));
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

// In the order of core/device_runtime.h.
const DeviceRuntime kRuntime = {device_count,
                                device_name,
                                allocate,
                                release,
                                allocate_pinned,
                                release_pinned,
                                memory_info,
                                cudaErrorMemoryAllocation,
                                copy,
                                synchronize_device,
                                create_stream,
                                synchronize_stream,
                                query_stream,
                                wait_event,
                                create_event,
                                destroy_event,
                                record_event,
                                synchronize_event,
                                query_event,
                                elapsed,
                                begin_capture,
                                end_capture,
                                launch_graph,
                                destroy_graph,
                                last_error,
                                message};

}  // namespace fastdl::cuda
