// The door of libfastdl_cuda: one function that joins the registry, and one that says why it did
// not. Neither creates a CUDA context, so that loading the library costs little, and both work where
// there is no driver (cudart is linked statically and looks for the driver itself).
#include <cuda_runtime.h>

#include <cstdio>

#include "core/kernel.h"
#include "cuda/register.h"
#include "cuda/runtime.h"

namespace fastdl::cuda {
namespace {

char status_text[256] = "not loaded";

template <class... A>
int refuse(const char* format, A... arguments) {
  snprintf(status_text, sizeof status_text, format, arguments...);
  cudaGetLastError();
  return 1;
}

// Machine code for sm_80 runs on every 8.x device, that for sm_90a on 9.0 alone.
bool has_code_for(int major, int minor) { return major == 8 || (major == 9 && minor == 0); }

// 0 and a status that counts the devices, or 1 and a status that says what is missing.
int find_devices() {
  int driver = 0, runtime = 0, count = 0;
  cudaRuntimeGetVersion(&runtime);
  if (cudaDriverGetVersion(&driver) != cudaSuccess || driver == 0)
    return refuse("no NVIDIA driver found");
  const cudaError_t code = cudaGetDeviceCount(&count);
  if (code == cudaErrorInsufficientDriver)
    return refuse("the NVIDIA driver supports CUDA %d.%d, this build needs CUDA %d.x or newer",
                  driver / 1000, driver % 1000 / 10, runtime / 1000);
  if (code == cudaErrorNoDevice || (code == cudaSuccess && count == 0))
    return refuse("a driver for CUDA %d.%d, but no device (is CUDA_VISIBLE_DEVICES empty?)",
                  driver / 1000, driver % 1000 / 10);
  if (code != cudaSuccess) return refuse("CUDA does not start: %s", cudaGetErrorString(code));
  for (int device = 0; device < count; ++device) {
    int major = 0, minor = 0;
    cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
    if (!has_code_for(major, minor))
      return refuse(
          "device %d has compute capability %d.%d; this build has code for 8.x and 9.0 "
          "(CUDA_VISIBLE_DEVICES can hide the device)",
          device, major, minor);
  }
  snprintf(status_text, sizeof status_text, "%d device%s, driver for CUDA %d.%d", count,
           count == 1 ? "" : "s", driver / 1000, driver % 1000 / 10);
  return 0;
}

}  // namespace
}  // namespace fastdl::cuda

extern "C" __attribute__((visibility("default"))) int fastdl_backend(fastdl::Registry* registry) {
  using namespace fastdl::cuda;
  if (registry->version != fastdl::kBackendVersion)
    return refuse("libfastdl_cuda has interface version %u, fastdl has %u",
                  unsigned{fastdl::kBackendVersion}, unsigned{registry->version});
  if (const int code = find_devices()) return code;
  register_adaptive_pool(*registry);
  register_batch_norm(*registry);
  register_binary(*registry);
  register_bitwise(*registry);
  register_conv2d(*registry);
  register_conv3d(*registry);
  register_copy(*registry);
  register_count(*registry);
  register_fold(*registry);
  register_grid_sample(*registry);
  register_gru(*registry);
  register_index(*registry);
  register_layer_norm(*registry);
  register_layer_norm_grad(*registry);
  register_local_response_norm(*registry);
  register_loss(*registry);
  register_lstm(*registry);
  register_matmul(*registry);
  register_nms(*registry);
  register_optimizer(*registry);
  register_pool2d(*registry);
  register_random(*registry);
  register_reduce(*registry);
  register_resize(*registry);
  register_roi(*registry);
  register_sample(*registry);
  register_scan(*registry);
  register_select(*registry);
  register_softmax(*registry);
  register_sort(*registry);
  register_triangle(*registry);
  register_unary(*registry);
  register_unpool(*registry);
  registry->set_runtime(registry->self, &kRuntime);
  return 0;
}

// What fastdl_backend found, in words: the devices, or why CUDA is off.
extern "C" __attribute__((visibility("default"))) const char* fastdl_backend_status() {
  return fastdl::cuda::status_text;
}
