#include "core/stream.h"

#include <mutex>
#include <vector>

#include "core/backend.h"
#include "core/error.h"

namespace fastdl {
namespace {

std::mutex mutex;

std::vector<Stream>& unused_streams() {
  static auto* all = new std::vector<Stream>;
  return *all;
}

}  // namespace

Stream borrow_stream(Device device) {
  require_cuda("Stream", device);
  std::lock_guard lock(mutex);
  auto& unused = unused_streams();
  for (auto at = unused.begin(); at != unused.end(); ++at)
    if (at->device == device.index) {
      const Stream found = *at;
      unused.erase(at);
      return found;
    }
  Stream fresh{device.index, nullptr};
  check_device("Stream", device_runtime().create_stream(device.index, &fresh.handle));
  return fresh;
}

void give_back_stream(Stream stream) {
  std::lock_guard lock(mutex);
  unused_streams().push_back(stream);
}

void synchronize(Stream stream) {
  check_device("synchronize", device_runtime().synchronize_stream(stream.device, stream.handle));
}

bool is_done(Stream stream) {
  bool done = false;
  check_device("query", device_runtime().query_stream(stream.device, stream.handle, &done));
  return done;
}

Event::~Event() {
  if (handle_) device_runtime().destroy_event(handle_);
}

void Event::record(Stream stream) {
  const DeviceRuntime& runtime = device_runtime();
  if (handle_ && device_ != stream.device)
    throw Error(ErrorKind::device, "Event.record",
                text("the event belongs to cuda:", device_, ", the stream to cuda:", stream.device))
        .remedy("use an event for each device");
  device_ = stream.device;
  if (!handle_) check_device("Event", runtime.create_event(device_, timing_, &handle_));
  check_device("Event.record", runtime.record_event(device_, handle_, stream.handle));
}

bool Event::is_done() const {
  bool done = true;
  if (handle_) check_device("Event.query", device_runtime().query_event(handle_, &done));
  return done;
}

void Event::synchronize() const {
  if (handle_) check_device("Event.synchronize", device_runtime().synchronize_event(handle_));
}

void Event::hold_back(Stream stream) const {
  if (handle_)
    check_device("wait_event", device_runtime().wait_event(stream.device, stream.handle, handle_));
}

float Event::milliseconds_until(const Event& later) const {
  constexpr const char* kOp = "Event.elapsed_time";
  if (!timing_ || !later.timing_)
    throw Error(ErrorKind::argument, kOp, "an event does not measure time")
        .remedy("make both with Event(timing=True)");
  if (!handle_ || !later.handle_)
    throw Error(ErrorKind::argument, kOp, "an event was not recorded")
        .remedy("call .record() on both first");
  if (!is_done() || !later.is_done())
    throw Error(ErrorKind::argument, kOp, "the device has not come to the event yet")
        .remedy("call .synchronize() on the later event first");
  float milliseconds = 0;
  check_device(kOp, device_runtime().elapsed(handle_, later.handle_, &milliseconds));
  return milliseconds;
}

}  // namespace fastdl
