// Tests of the wrappers: each runs kernels and compares with plain loops. The same sources compile
// with nvcc, so that the wrappers and their models keep one face.
#pragma once

#include <cstdint>
#include <cstdio>
#include <vector>

#include "faults/fault.h"

namespace simt_test {

inline void require(bool condition, const char* what, long where = -1) {
  if (condition) return;
  if (failures()++ < 10) printf("CHECK failed: %s (at %ld)\n", what, where);
}

// Small integers and halves: every product and sum of the tests is exact in all formats.
inline float small_value(int64_t i) { return static_cast<float>((i * 37 + i / 7) % 17 - 8) * 0.5f; }

template <class T>
class DeviceArray {
 public:
  explicit DeviceArray(size_t n) : n_(n) { cudaMalloc(&data_, n * sizeof(T)); }
  explicit DeviceArray(const std::vector<T>& host) : DeviceArray(host.size()) {
    cudaMemcpy(data_, host.data(), n_ * sizeof(T), cudaMemcpyHostToDevice);
  }
  ~DeviceArray() { cudaFree(data_); }
  DeviceArray(const DeviceArray&) = delete;
  DeviceArray& operator=(const DeviceArray&) = delete;

  T* data() const { return static_cast<T*>(data_); }
  std::vector<T> host() const {
    std::vector<T> out(n_);
    cudaDeviceSynchronize();
    cudaMemcpy(out.data(), data_, n_ * sizeof(T), cudaMemcpyDeviceToHost);
    return out;
  }

 private:
  size_t n_;
  void* data_ = nullptr;
};

template <class T, class F>
std::vector<T> filled(size_t n, F value) {
  std::vector<T> out(n);
  for (size_t i = 0; i < n; ++i) out[i] = T(value(static_cast<int64_t>(i)));
  return out;
}

template <class T>
void require_equal(const std::vector<T>& is, const std::vector<T>& should, const char* what) {
  require(is.size() == should.size(), what);
  for (size_t i = 0; i < is.size(); ++i) require(is[i] == should[i], what, static_cast<long>(i));
}

}  // namespace simt_test
