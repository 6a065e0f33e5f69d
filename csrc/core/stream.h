// Streams and events of a GPU: queues of work, and marks in them.
//
// Each thread has a current stream per device, at first the default one; kernels, copies and
// allocations of the thread go there. Streams are never destroyed: blocks of memory remember theirs
// (core/block_allocator.h), so one that nobody uses any more waits to be borrowed again.
#pragma once

#include "core/device.h"

namespace fastdl {

struct Stream {
  int device = 0;
  void* handle = nullptr;  // cudaStream_t; null: the default stream

  friend bool operator==(Stream a, Stream b) {
    return a.device == b.device && a.handle == b.handle;
  }
};

Stream borrow_stream(Device device);
void give_back_stream(Stream stream);

Stream current_stream(Device device);
void set_current_stream(Stream stream);  // of the calling thread

void synchronize(Stream stream);
bool is_done(Stream stream);

// A mark in a stream. Made on the device where it is first recorded.
class Event {
 public:
  explicit Event(bool timing) : timing_(timing) {}
  Event(Event&& o) noexcept : timing_(o.timing_), device_(o.device_), handle_(o.handle_) {
    o.handle_ = nullptr;
  }
  Event& operator=(Event&& o) = delete;
  ~Event();

  void record(Stream stream);
  bool is_done() const;                 // true also where nothing was recorded
  void synchronize() const;             // the host waits
  void hold_back(Stream stream) const;  // what comes next in the stream waits, the host does not
  float milliseconds_until(const Event& later) const;

 private:
  bool timing_;
  int device_ = 0;
  void* handle_ = nullptr;
};

}  // namespace fastdl
