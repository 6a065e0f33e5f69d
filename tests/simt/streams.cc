// Streams and events. Every stream does its own work in order, and streams know nothing of each other
// but what events say. With SIMT_STREAMS=late work is done at the last moment, when the host or an
// event waits for it, so that a missing wait shows as a wrong result or as a fault: freed memory that
// is reused too early, a pinned buffer that is changed too early.
#include "streams.h"

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>

#include "machine.h"

struct CUstream_st {
  int device;
  std::deque<std::function<cudaError_t()>> work;
  uint64_t enqueued = 0, done = 0;
};
struct CUevent_st {
  bool timing;
  CUstream_st* stream = nullptr;  // where it was recorded last
  uint64_t position = 0;          // how much of the stream's work lies before it
  std::chrono::steady_clock::time_point time;
};

namespace simt {
namespace {

std::recursive_mutex mutex;
std::map<int, CUstream_st>
    default_streams;  // by device; streams that are not non-blocking share it
std::vector<CUstream_st*> created;

CUstream_st& of(cudaStream_t stream, int device) {
  if (stream) return *stream;
  return default_streams.try_emplace(device, CUstream_st{device, {}, 0, 0}).first->second;
}

cudaError_t run(CUstream_st& stream, uint64_t until) {
  cudaError_t first = cudaSuccess;
  while (stream.done < until && !stream.work.empty()) {
    const auto work = std::move(stream.work.front());
    stream.work.pop_front();
    ++stream.done;
    const cudaError_t code = work();
    if (first == cudaSuccess) first = code;
  }
  return first;
}

cudaError_t run_all(CUstream_st& stream) { return run(stream, stream.enqueued); }

bool is_over(const CUevent_st& event) {
  return !event.stream || event.stream->done >= event.position;
}

}  // namespace

bool late() {
  static const bool on = [] {
    const char* text = std::getenv("SIMT_STREAMS");
    return text && !strcmp(text, "late");
  }();
  return on;
}

cudaError_t enqueue(cudaStream_t stream, int device, std::function<cudaError_t()> work) {
  std::lock_guard lock(mutex);
  CUstream_st& s = of(stream, device);
  s.work.push_back(std::move(work));
  ++s.enqueued;
  return late() ? cudaSuccess : run_all(s);
}

cudaError_t finish(cudaStream_t stream, int device) {
  std::lock_guard lock(mutex);
  return run_all(of(stream, device));
}

cudaError_t finish_device(int device) {
  std::lock_guard lock(mutex);
  cudaError_t first = cudaSuccess;
  // The newest first: no order among streams may be counted on.
  for (size_t i = created.size(); i-- > 0;)
    if (created[i]->device == device)
      if (const cudaError_t code = run_all(*created[i]); first == cudaSuccess) first = code;
  const cudaError_t code = finish(nullptr, device);
  return first == cudaSuccess ? code : first;
}

}  // namespace simt

using namespace simt;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
  std::lock_guard lock(mutex);
  int device = 0;
  cudaGetDevice(&device);
  // A blocking stream is in order with the default stream: here they are one.
  if (!(flags & cudaStreamNonBlocking)) {
    *stream = &of(nullptr, device);
    return cudaSuccess;
  }
  *stream = new CUstream_st{device, {}, 0, 0};
  created.push_back(*stream);
  return cudaSuccess;
}
cudaError_t cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithFlags(stream, 0); }
cudaError_t cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned flags, int) {
  return cudaStreamCreateWithFlags(stream, flags);
}

// Events may still refer to it, so the small object stays.
cudaError_t cudaStreamDestroy(cudaStream_t stream) { return finish(stream, 0); }

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  int device = 0;
  cudaGetDevice(&device);
  return note_error(finish(stream, device));
}
cudaError_t cudaDeviceSynchronize() {
  int device = 0;
  cudaGetDevice(&device);
  return note_error(finish_device(device));
}

// Somebody who asks again and again sees progress.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  std::lock_guard lock(mutex);
  int device = 0;
  cudaGetDevice(&device);
  CUstream_st& s = of(stream, device);
  if (s.done == s.enqueued) return cudaSuccess;
  const cudaError_t code = run(s, s.done + 1);
  return code == cudaSuccess ? cudaErrorNotReady : note_error(code);
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  int device = 0;
  cudaGetDevice(&device);
  CUstream_st* const other = event->stream;
  if (!other) return cudaSuccess;  // never recorded
  const uint64_t position = event->position;
  return enqueue(stream, device, [other, position] { return run(*other, position); });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned flags) {
  *event = new CUevent_st{!(flags & cudaEventDisableTiming)};
  return cudaSuccess;
}
cudaError_t cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }
cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  std::lock_guard lock(mutex);
  int device = 0;
  cudaGetDevice(&device);
  CUstream_st& s = of(stream, device);
  event->stream = &s;
  event->position = s.enqueued;
  event->time = std::chrono::steady_clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  std::lock_guard lock(mutex);
  return event->stream ? note_error(run(*event->stream, event->position)) : cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  std::lock_guard lock(mutex);
  if (is_over(*event)) return cudaSuccess;
  const cudaError_t code = run(*event->stream, event->stream->done + 1);
  return code == cudaSuccess ? cudaErrorNotReady : note_error(code);
}
cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
  if (!from->timing || !to->timing || !from->stream || !to->stream)
    return note_error(cudaErrorInvalidValue);
  if (!is_over(*from) || !is_over(*to)) return note_error(cudaErrorNotReady);
  *milliseconds = std::chrono::duration<float, std::milli>(to->time - from->time).count();
  return cudaSuccess;
}
