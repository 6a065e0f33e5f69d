// The model of csrc/cuda/mma.cuh: same names, same rules; the meaning is in matrices.cc and
// async_copies.cc.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/fragment.cuh"
#include "wrappers.h"

namespace fastdl::cuda {

template <class T>
constexpr simt::Element simt_element() {
  if (std::is_same_v<T, Half>) return simt::Element::f16;
  if (std::is_same_v<T, BFloat16>) return simt::Element::bf16;
  if (std::is_same_v<T, Tf32>) return simt::Element::tf32;
  static_assert(sizeof(T) != 1, "Half, BFloat16, Tf32 or double");
  return simt::Element::f64;
}

SIMT_WRAPPER uint32_t shared_address(const void* shared) { return simt::shared_address(shared); }

SIMT_WRAPPER uint32_t to_tf32(float x) { return simt::to_tf32(x); }

template <class T>
SIMT_WRAPPER void mma(Accumulator<T>& c, const FragmentA<T>& a, const FragmentB<T>& b, SIMT_SITE) {
  simt::mma(simt_element<T>(), c.v, a.r, b.r, site);
}

template <bool transposed = false, int count>
SIMT_WRAPPER void load_matrix(uint32_t (&r)[count], const void* row, SIMT_SITE) {
  static_assert(count == 1 || count == 2 || count == 4);
  simt::load_matrix(r, count, transposed, row, site);
}

template <bool transposed = false, int count>
SIMT_WRAPPER void store_matrix(void* row, const uint32_t (&r)[count], SIMT_SITE) {
  static_assert(count == 1 || count == 2 || count == 4);
  simt::store_matrix(row, r, count, transposed, site);
}

template <int bytes>
SIMT_WRAPPER void copy_async(void* shared, const void* global, int existing = bytes) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  simt::copy_async(shared, global, bytes, existing);
}
SIMT_WRAPPER void copy_commit() { simt::copy_commit(); }
template <int pending>
SIMT_WRAPPER void copy_wait() {
  simt::copy_wait(pending);
}

}  // namespace fastdl::cuda
