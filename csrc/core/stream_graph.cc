// The default stream cannot be recorded from, so a borrowed one is. Nothing runs on it: it needs no
// order with any other stream.
#include "core/stream_graph.h"

#include "core/backend.h"
#include "core/error.h"

namespace fastdl {

std::unique_ptr<StreamGraph> StreamGraph::record(int device,
                                                 const std::function<void(Stream)>& work) {
  const DeviceRuntime& runtime = device_runtime();
  struct Borrowed {
    explicit Borrowed(int device)
        : stream(borrow_stream({DeviceType::cuda, static_cast<int8_t>(device)})) {}
    ~Borrowed() { give_back_stream(stream); }
    const Stream stream;
  } const side(device);
  if (runtime.begin_capture(device, side.stream.handle) != 0) return nullptr;
  bool refused = false;
  try {
    work(side.stream);
    refused = runtime.last_error() != 0;
  } catch (const Error&) {  // no memory could be had, or a copy was refused
    refused = true;
  } catch (...) {
    runtime.end_capture(device, side.stream.handle, nullptr);
    throw;
  }
  void* handle = nullptr;
  const int code = runtime.end_capture(device, side.stream.handle, refused ? nullptr : &handle);
  if (code != 0 || !handle) return nullptr;
  return std::unique_ptr<StreamGraph>(new StreamGraph(handle));
}

StreamGraph::~StreamGraph() {
  const DeviceRuntime& runtime = device_runtime();
  if (last_.device >= 0) runtime.synchronize_stream(last_.device, last_.handle);
  runtime.destroy_graph(handle_);
}

void StreamGraph::launch(Stream stream) {
  last_ = stream;
  check_device("replay", device_runtime().launch_graph(stream.device, handle_, stream.handle));
}

}  // namespace fastdl
