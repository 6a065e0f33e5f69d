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

template <class... P, class... A>
void launch(const Context& context, void (*kernel)(P...), dim3 grid, dim3 block,
            const A&... arguments) {
  const DeviceGuard guard(context.device);
  cudaLaunchConfig_t config{};
  config.gridDim = grid;
  config.blockDim = block;
  config.stream = static_cast<cudaStream_t>(context.stream);
  cudaLaunchKernelEx(&config, kernel, static_cast<std::decay_t<P>>(arguments)...);
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
