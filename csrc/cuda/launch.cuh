// Launching kernels on the context's stream.
//
// Kernels are started through cudaLaunchKernelEx, an ordinary function template, and not with
// <<<...>>>: so every source here is plain C++ to a host compiler that brings its own
// cuda_runtime.h. A launch that fails is not reported here: the runtime remembers it, and the core
// asks for it through DeviceRuntime::last_error.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "core/context.h"

namespace fastdl::cuda {

inline constexpr int kWarp = 32;
inline constexpr int kBlock = 256;  // threads, wherever nothing speaks for another number

constexpr int64_t ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Makes `device` current for a scope. Switching costs nothing where it is current already, and the
// caller's own choice comes back (another library may share the thread).
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) : device_(device) {
    if (cudaGetDevice(&previous_) != cudaSuccess) previous_ = device_;
    if (previous_ != device_) cudaSetDevice(device_);
  }
  ~DeviceGuard() {
    if (previous_ != device_) cudaSetDevice(previous_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int device_;
  int previous_ = 0;
};

struct LaunchShape {
  dim3 grid, block;
  size_t shared = 0;         // bytes of dynamic shared memory (cuda/shared.cuh)
  unsigned cluster = 1;      // blocks of a cluster, along x (sm_90)
  bool cooperative = false;  // all blocks run at the same time, or none (cuda/grid_barrier.cuh)
};

template <class... P, class... A>
void launch(const Context& context, void (*kernel)(P...), const LaunchShape& shape,
            const A&... arguments) {
  constexpr size_t kWithoutAsking = 48 << 10;
  const DeviceGuard guard(context.device);
  cudaLaunchConfig_t config{};
  config.gridDim = shape.grid;
  config.blockDim = shape.block;
  config.dynamicSmemBytes = shape.shared;
  config.stream = static_cast<cudaStream_t>(context.stream);
  cudaLaunchAttribute attributes[2] = {};
  config.attrs = attributes;
  if (shape.cluster > 1) {
    cudaLaunchAttribute& cluster = attributes[config.numAttrs++];
    cluster.id = cudaLaunchAttributeClusterDimension;
    cluster.val.clusterDim = {shape.cluster, 1, 1};
  }
  if (shape.cooperative) {
    cudaLaunchAttribute& cooperative = attributes[config.numAttrs++];
    cooperative.id = cudaLaunchAttributeCooperative;
    cooperative.val.cooperative = 1;
  }
  if (shape.shared > kWithoutAsking)
    cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                         static_cast<int>(shape.shared));
  cudaLaunchKernelEx(&config, kernel, static_cast<std::decay_t<P>>(arguments)...);
}

template <class... P, class... A>
void launch(const Context& context, void (*kernel)(P...), dim3 grid, dim3 block,
            const A&... arguments) {
  launch(context, kernel, LaunchShape{grid, block}, arguments...);
}

// Blocks of a grid-stride loop over `work` items: enough to fill any device several times over, few
// enough that starting them is cheap.
inline dim3 loop_grid(int64_t work) {
  constexpr int64_t kMostBlocks = 8192;
  const int64_t blocks = ceil_div(work, kBlock);
  return dim3(static_cast<unsigned>(blocks < kMostBlocks ? blocks : kMostBlocks));
}

// V neighbouring elements, loaded and stored in one access.
template <class T, int V>
struct alignas(sizeof(T) * V) Pack {
  T v[V];
};

template <int V, class T>
__device__ inline Pack<T, V> load_pack(const T* p) {
  return *reinterpret_cast<const Pack<T, V>*>(p);
}
template <int V, class T>
__device__ inline void store_pack(T* p, const Pack<T, V>& pack) {
  *reinterpret_cast<Pack<T, V>*>(p) = pack;
}

inline bool is_aligned(const void* p, size_t bytes) {
  return reinterpret_cast<uintptr_t>(p) % bytes == 0;
}

}  // namespace fastdl::cuda
