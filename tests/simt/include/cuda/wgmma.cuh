// The model of csrc/cuda/wgmma.cuh; the meaning is in wgmma.cc.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/matrix_descriptor.cuh"
#include "cuda/mbarrier.cuh"

namespace fastdl::cuda {

SIMT_WRAPPER void wgmma_fence(SIMT_SITE) { simt::wgmma_fence(site); }
SIMT_WRAPPER void wgmma_commit(SIMT_SITE) { simt::wgmma_commit(site); }
template <int pending>
SIMT_WRAPPER void wgmma_wait(SIMT_SITE) {
  simt::wgmma_wait(pending, site);
}
template <int pending, int N>
SIMT_WRAPPER void wgmma_wait(WgmmaAccumulator<N>&, SIMT_SITE) {
  simt::wgmma_wait(pending, site);
}

template <int registers>
SIMT_WRAPPER void increase_registers(SIMT_SITE) {
  simt::set_registers(registers, site);
}
template <int registers>
SIMT_WRAPPER void decrease_registers(SIMT_SITE) {
  simt::set_registers(registers, site);
}

template <class T, Major a_major = Major::k, Major b_major = Major::k, int N>
SIMT_WRAPPER void wgmma(WgmmaAccumulator<N>& d, MatrixDescriptor a, MatrixDescriptor b,
                        bool accumulate = true, SIMT_SITE) {
  static_assert(Mma<T>::m == 16, "Half, BFloat16 or Tf32");
  static_assert(N == 64 || N == 128 || N == 256);
  static_assert(sizeof(T) == 2 || (a_major == Major::k && b_major == Major::k));
  simt::wgmma({simt_element<T>(),
               N,
               false,
               a_major == Major::mn,
               b_major == Major::mn,
               a.bits,
               b.bits,
               {},
               accumulate},
              d.v, site);
}

template <class T, Major b_major = Major::k, int N>
SIMT_WRAPPER void wgmma(WgmmaAccumulator<N>& d, const FragmentA<T>& a, MatrixDescriptor b,
                        bool accumulate = true, SIMT_SITE) {
  static_assert(Mma<T>::m == 16, "Half, BFloat16 or Tf32");
  static_assert(N == 64 || N == 128 || N == 256);
  static_assert(sizeof(T) == 2 || b_major == Major::k);
  simt::wgmma({simt_element<T>(),
               N,
               true,
               false,
               b_major == Major::mn,
               0,
               b.bits,
               {a.r[0], a.r[1], a.r[2], a.r[3]},
               accumulate},
              d.v, site);
}

}  // namespace fastdl::cuda
