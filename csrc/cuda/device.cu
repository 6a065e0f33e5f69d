#include "cuda/device.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <cstdlib>
#include <vector>

namespace fastdl::cuda {
namespace {

int attribute(cudaDeviceAttr which, int device) {
  int value = 0;
  cudaDeviceGetAttribute(&value, which, device);
  return value;
}

std::vector<DeviceFacts> read_all() {
  int count = 0;
  cudaGetDeviceCount(&count);
  const char* const cap = std::getenv("FASTDL_CUDA_ARCH");
  const int most = cap && std::atoi(cap) > 0 ? std::atoi(cap) : 1000;
  std::vector<DeviceFacts> all;
  for (int d = 0; d < count; ++d)
    all.push_back({std::min(most, 10 * attribute(cudaDevAttrComputeCapabilityMajor, d) +
                                      attribute(cudaDevAttrComputeCapabilityMinor, d)),
                   attribute(cudaDevAttrMultiProcessorCount, d),
                   attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin, d)});
  return all;
}

}  // namespace

const DeviceFacts& device_facts(int device) {
  static const std::vector<DeviceFacts>* const all = new std::vector<DeviceFacts>(read_all());
  return (*all)[static_cast<size_t>(device)];
}

}  // namespace fastdl::cuda
