// What a kernel may use besides its arguments: threads or a stream, and scratch memory.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace fastdl {

struct Context {
  // Runs body(arg, begin, end) over disjoint chunks that cover [0, n). Chunks are `grain` long
  // (the last may be shorter) whatever the number of threads, so that a kernel which stores one
  // partial result per chunk gives the same bits on any machine. Throws on Ctrl-C.
  void (*parallel)(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t), void* arg);
  void* (*allocate)(const Context&, size_t bytes);  // 64-byte aligned; throws OutOfMemoryError
  void (*release)(const Context&, void* p);
  int threads;   // CPU: upper bound on how many chunks run at once
  int device;    // CUDA: device index
  void* stream;  // CUDA: cudaStream_t, the calling thread's current one

  template <class F>
  void parallel_for(int64_t n, int64_t grain, F&& body) const {
    if (n <= 0) return;
    if (n <= grain) return body(int64_t{0}, n);
    using Body = std::remove_reference_t<F>;
    parallel(
        n, grain < 1 ? 1 : grain,
        [](void* f, int64_t begin, int64_t end) { (*static_cast<Body*>(f))(begin, end); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }
};

// Scratch memory for the length of a scope, from the device's cache.
class Scratch {
 public:
  Scratch(const Context& context, size_t bytes)
      : context_(context), data_(bytes ? context.allocate(context, bytes) : nullptr) {}
  ~Scratch() {
    if (data_) context_.release(context_, data_);
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  template <class T>
  T* as() const {
    return static_cast<T*>(data_);
  }

 private:
  const Context& context_;
  void* data_;
};

}  // namespace fastdl
