// What launchers ask about a device before they choose a kernel.
#pragma once

namespace fastdl::cuda {

struct DeviceFacts {
  int capability;  // 80 for 8.0, 90 for 9.0
  int multiprocessors;
  int shared_bytes;  // that a block may have
};

// Read once for each device. FASTDL_CUDA_ARCH=80 in the environment caps the capability, so that
// the kernels of older devices can be had, and tested, on newer ones.
const DeviceFacts& device_facts(int device);

}  // namespace fastdl::cuda
