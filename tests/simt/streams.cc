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
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "machine.h"

// What a stream was given while it was recorded, to be done at every launch.
struct CUgraph_st {
  int device;
  std::vector<std::function<cudaError_t()>> work;
};
struct CUgraphExec_st {
  std::shared_ptr<const CUgraph_st> graph;
};
struct CUstream_st {
  int device;
  std::deque<std::function<cudaError_t()>> work;
  uint64_t enqueued = 0, done = 0;
  std::unique_ptr<CUgraph_st> recorded;  // while a capture is on
  bool invalid = false;                  // ... that has met something that it cannot hold
  std::thread::id recorder;
};
struct CUevent_st {
  bool timing;
  CUstream_st* stream = nullptr;  // where it was recorded last
  uint64_t position = 0;          // how much of the stream's work lies before it
  bool recorded = false;          // in a graph, where it stands for no time
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
  if (s.recorded) {
    if (s.invalid) return note_error(cudaErrorStreamCaptureInvalidated);
    s.recorded->work.push_back(std::move(work));
    return cudaSuccess;
  }
  s.work.push_back(std::move(work));
  ++s.enqueued;
  return late() ? cudaSuccess : run_all(s);
}

bool is_recorded(cudaStream_t stream) {
  std::lock_guard lock(mutex);
  return stream && stream->recorded;
}

cudaError_t refuse_while_recording() {
  std::lock_guard lock(mutex);
  bool any = false;
  for (CUstream_st* s : created)
    if (s->recorded && s->recorder == std::this_thread::get_id()) any = s->invalid = true;
  return any ? note_error(cudaErrorStreamCaptureUnsupported) : cudaSuccess;
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

namespace {

// Waiting for a stream that is recorded ends the recording.
cudaError_t refuse(cudaStream_t stream) {
  std::lock_guard lock(mutex);
  if (!stream || !stream->recorded) return cudaSuccess;
  stream->invalid = true;
  return note_error(cudaErrorStreamCaptureUnsupported);
}

}  // namespace

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
  if (const cudaError_t code = refuse(stream)) return code;
  int device = 0;
  cudaGetDevice(&device);
  return note_error(finish(stream, device));
}
cudaError_t cudaDeviceSynchronize() {
  if (const cudaError_t code = refuse_while_recording()) return code;
  int device = 0;
  cudaGetDevice(&device);
  return note_error(finish_device(device));
}

// Somebody who asks again and again sees progress.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
  std::lock_guard lock(mutex);
  int device = 0;
  cudaGetDevice(&device);
  if (const cudaError_t code = refuse(stream)) return code;
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
  if (event->recorded != is_recorded(stream)) return note_error(cudaErrorStreamCaptureIsolation);
  if (event->recorded)  // a second stream of one graph
    return other == stream ? cudaSuccess : note_error(cudaErrorNotSupported);
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
  event->recorded = s.recorded != nullptr;
  event->position = s.enqueued;
  event->time = std::chrono::steady_clock::now();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  std::lock_guard lock(mutex);
  if (const cudaError_t code = event->recorded ? refuse(event->stream) : cudaSuccess) return code;
  return event->stream ? note_error(run(*event->stream, event->position)) : cudaSuccess;
}
cudaError_t cudaEventQuery(cudaEvent_t event) {
  std::lock_guard lock(mutex);
  if (const cudaError_t code = event->recorded ? refuse(event->stream) : cudaSuccess) return code;
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

// Graphs: what a stream is given between cudaStreamBeginCapture and cudaStreamEndCapture, with its
// arguments by value, is done in order at each launch.

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  std::lock_guard lock(mutex);
  if (!stream || stream->recorded || mode != cudaStreamCaptureModeThreadLocal)
    return note_error(mode == cudaStreamCaptureModeThreadLocal ? cudaErrorStreamCaptureUnsupported
                                                               : cudaErrorNotSupported);
  stream->recorded.reset(new CUgraph_st{stream->device, {}});
  stream->invalid = false;
  stream->recorder = std::this_thread::get_id();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  std::lock_guard lock(mutex);
  *graph = nullptr;
  if (!stream || !stream->recorded) return note_error(cudaErrorStreamCaptureUnmatched);
  if (stream->recorder != std::this_thread::get_id())
    return note_error(cudaErrorStreamCaptureWrongThread);
  const std::unique_ptr<CUgraph_st> recorded = std::move(stream->recorded);
  if (stream->invalid) return note_error(cudaErrorStreamCaptureInvalidated);
  *graph = new CUgraph_st(*recorded);
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t* made, cudaGraph_t graph,
                                          unsigned long long) {
  *made = new CUgraphExec_st{std::make_shared<CUgraph_st>(*graph)};
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t graph, cudaStream_t stream) {
  int device = 0;
  cudaGetDevice(&device);
  if (device != graph->graph->device) return note_error(cudaErrorInvalidValue);
  return enqueue(stream, device, [graph = graph->graph] {
    for (const auto& work : graph->work)
      if (const cudaError_t code = work()) return note_error(code);
    return cudaSuccess;
  });
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t graph) {
  delete graph;
  return cudaSuccess;
}
