// What a stretch of kernel launches does, as one launch: a CUDA graph.
#pragma once

#include <functional>
#include <memory>

#include "core/stream.h"

namespace fastdl {

class StreamGraph {
 public:
  // Runs `work` with a stream on which what is launched is not done but recorded; null where the
  // driver refuses to record some of it.
  static std::unique_ptr<StreamGraph> record(int device, const std::function<void(Stream)>& work);
  ~StreamGraph();  // waits for the last launch
  StreamGraph(const StreamGraph&) = delete;
  StreamGraph& operator=(const StreamGraph&) = delete;

  void launch(Stream stream);

 private:
  explicit StreamGraph(void* handle) : handle_(handle) {}

  void* handle_;
  Stream last_{-1, nullptr};  // where it was launched
};

}  // namespace fastdl
