// Recorded streams (CUDA graphs): what is recorded is not done until it is launched, again and again,
// with the arguments of the recording; and what a recording refuses.
#include "wrappers/check.h"

using namespace fastdl;
using namespace fastdl::cuda;
using namespace simt_test;

namespace {

constexpr int kCount = 100;

__global__ void __launch_bounds__(kBlock) add_kernel(float* y, const float* x, float factor) {
  const int i = static_cast<int>(threadIdx.x);
  if (i < kCount) y[i] += factor * x[i];
}

struct SideStream {
  SideStream() { cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking); }
  cudaStream_t stream = nullptr;
  void add(float* y, const float* x, float factor) const {
    Context c = context();
    c.stream = stream;
    launch(c, add_kernel, dim3(1), dim3(kBlock), y, x, factor);
  }
};

void begin(const SideStream& side) {
  require(cudaStreamBeginCapture(side.stream, cudaStreamCaptureModeThreadLocal) == cudaSuccess,
          "a recording begins");
}

// The recording is over, and is worth nothing.
void require_spoilt(const SideStream& side, const char* what) {
  cudaGraph_t graph = nullptr;
  require(cudaStreamEndCapture(side.stream, &graph) == cudaErrorStreamCaptureInvalidated, what);
  require(graph == nullptr, what);
  cudaGetLastError();
}

}  // namespace

PROGRAM(graphs_run_again) {
  const auto x = filled<float>(kCount, small_value);
  const DeviceArray<float> dx(x), dy(std::vector<float>(kCount, 0.f));
  void* host = nullptr;
  require(cudaMallocHost(&host, kCount * sizeof(float)) == cudaSuccess, "pinned memory");
  float* const seen = static_cast<float*>(host);
  seen[5] = -1;
  const SideStream side;
  begin(side);
  float factor = 2;
  side.add(dy.data(), dx.data(), factor);
  factor = 3;  // its value was taken
  side.add(dy.data(), dx.data(), 1);
  cudaMemcpyAsync(seen, dy.data(), kCount * sizeof(float), cudaMemcpyDeviceToHost, side.stream);
  cudaGraph_t graph = nullptr;
  require(cudaStreamEndCapture(side.stream, &graph) == cudaSuccess, "the recording ends");
  require_equal(dy.host(), std::vector<float>(kCount, 0.f), "nothing was done");

  cudaGraphExec_t made = nullptr;
  require(cudaGraphInstantiateWithFlags(&made, graph, 0) == cudaSuccess, "a graph is made");
  require(cudaGraphDestroy(graph) == cudaSuccess, "its plan goes");
  const SideStream other;
  for (int run = 1; run <= 3; ++run) {
    require(cudaGraphLaunch(made, other.stream) == cudaSuccess, "a launch");
    require(cudaStreamSynchronize(other.stream) == cudaSuccess, "its end");
    auto should = x;
    for (float& v : should) v *= 3.f * static_cast<float>(run);
    require_equal(dy.host(), should, "all of it was done");
    require(seen[5] == should[5], "the copy, too");
  }
  require(cudaGraphExecDestroy(made) == cudaSuccess, "the graph goes");
  require(cudaFreeHost(host) == cudaSuccess, "the memory goes");
}

PROGRAM(graphs_refuse) {
  const DeviceArray<float> x(std::vector<float>(kCount, 1.f)), y(std::vector<float>(kCount, 0.f));
  require(cudaStreamBeginCapture(nullptr, cudaStreamCaptureModeThreadLocal) ==
              cudaErrorStreamCaptureUnsupported,
          "the default stream cannot be recorded");
  cudaGetLastError();
  const SideStream side;
  cudaGraph_t graph = nullptr;

  begin(side);
  side.add(y.data(), x.data(), 1);
  require(cudaStreamSynchronize(side.stream) == cudaErrorStreamCaptureUnsupported, "no waiting");
  require_spoilt(side, "waiting spoils the recording");

  begin(side);
  void* p = nullptr;
  require(cudaMalloc(&p, 100) == cudaErrorStreamCaptureUnsupported, "no memory");
  require_spoilt(side, "asking for memory spoils the recording");

  begin(side);
  require(cudaStreamQuery(side.stream) == cudaErrorStreamCaptureUnsupported, "no questions");
  require_spoilt(side, "asking how far the stream is spoils the recording");

  cudaEvent_t event = nullptr;
  cudaEventCreateWithFlags(&event, cudaEventDisableTiming);
  cudaEventRecord(event, nullptr);
  begin(side);
  require(cudaStreamWaitEvent(side.stream, event, 0) == cudaErrorStreamCaptureIsolation,
          "no waiting for work outside");
  cudaGetLastError();
  cudaStreamEndCapture(side.stream, &graph);
  cudaGetLastError();

  // The stream is as before.
  side.add(y.data(), x.data(), 1);
  require(cudaStreamSynchronize(side.stream) == cudaSuccess, "the stream works on");
  require_equal(y.host(), std::vector<float>(kCount, 1.f), "once");
}
