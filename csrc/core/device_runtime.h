// What a device library brings besides kernels (core/kernel.h): memory, streams, events, copies.
//
// Functions return 0, or an error that `message` explains; the core turns it into a typed
// exception. A null stream is the device's default stream. The CPU needs none of this.
#pragma once

#include <cstddef>

namespace fastdl {

enum CopyDirection : int { host_to_device = 0, device_to_host = 1, device_to_device = 2 };

struct DeviceRuntime {
  int (*device_count)();
  const char* (*device_name)(int device);

  int (*allocate)(int device, size_t bytes, void** out);
  int (*release)(int device, void* p);
  int (*allocate_pinned)(size_t bytes, void** out);
  int (*release_pinned)(void* p);
  int (*memory_info)(int device, size_t* free, size_t* total);
  int out_of_memory;  // what allocate returns when there is none left

  // In stream order. With `wait` the host may change the source or read the destination as soon as
  // this returns, whatever kind of memory they are.
  int (*copy)(int device, void* stream, void* to, const void* from, size_t bytes, int direction,
              bool wait);

  int (*synchronize_device)(int device);
  int (*create_stream)(int device,
                       void** out);  // in no order with the default stream
  int (*synchronize_stream)(int device, void* stream);
  int (*query_stream)(int device, void* stream, bool* done);
  int (*wait_event)(int device, void* stream, void* event);

  int (*create_event)(int device, bool timing, void** out);
  int (*destroy_event)(void* event);
  int (*record_event)(int device, void* event, void* stream);
  int (*synchronize_event)(void* event);
  int (*query_event)(void* event, bool* done);
  int (*elapsed)(void* from, void* to, float* milliseconds);

  // Between the two, what goes to the stream is recorded, and not done. end_capture gives a graph to
  // launch; with null it drops what was recorded. No other call on this thread may wait for the
  // device or ask for its memory meanwhile.
  int (*begin_capture)(int device, void* stream);
  int (*end_capture)(int device, void* stream, void** graph);
  int (*launch_graph)(int device, void* graph, void* stream);
  int (*destroy_graph)(void* graph);

  int (*last_error)();  // clears it
  const char* (*message)(int code);
};

}  // namespace fastdl
