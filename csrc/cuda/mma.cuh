// Instructions of sm_80 that C++ has no words for: matrix products by a warp (mma.sync), loads of
// their fragments from shared memory (ldmatrix), and copies from global to shared memory that do
// not pass through registers (cp.async). Names of sections are those of the PTX ISA manual.
//
// The whole warp executes mma, load_matrix and store_matrix together, from the same place.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/fragment.cuh"

// PTX that only sm_90a has. Machine code for an older device traps in its place: a launcher asks
// for the device's capability before it starts a kernel that contains any.
#ifdef __CUDA_ARCH_FEAT_SM90_ALL
#define FASTDL_SM90_ASM(...) asm volatile(__VA_ARGS__)
#else
#define FASTDL_SM90_ASM(...) __trap()
#endif

namespace fastdl::cuda {

// The address within the block's shared memory, as instructions want it.
__device__ inline uint32_t shared_address(const void* shared) {
  return static_cast<uint32_t>(__cvta_generic_to_shared(shared));
}

// To the nearest of 10 bits of mantissa, ties away from zero ("cvt").
__device__ inline uint32_t to_tf32(float x) {
  uint32_t bits;
  asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
  return bits;
}

// c += a b ("mma"). Volatile, lest the compiler move it to where only a part of the warp comes.
#define FASTDL_MMA(type)                                                                          \
  __device__ inline void mma(Accumulator<type>& c, const FragmentA<type>& a,                      \
                             const FragmentB<type>& b) {                                          \
    asm volatile(FASTDL_MMA_NAME                                                                  \
                 " {%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"               \
                 : "+f"(c.v[0]), "+f"(c.v[1]), "+f"(c.v[2]), "+f"(c.v[3])                         \
                 : "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "r"(b.r[0]), "r"(b.r[1])); \
  }
#define FASTDL_MMA_NAME "mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32"
FASTDL_MMA(Half)
#undef FASTDL_MMA_NAME
#define FASTDL_MMA_NAME "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32"
FASTDL_MMA(BFloat16)
#undef FASTDL_MMA_NAME
#define FASTDL_MMA_NAME "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32"
FASTDL_MMA(Tf32)
#undef FASTDL_MMA_NAME
#undef FASTDL_MMA

__device__ inline void mma(Accumulator<double>& c, const FragmentA<double>& a,
                           const FragmentB<double>& b) {
  asm volatile("mma.sync.aligned.m8n8k4.row.col.f64.f64.f64.f64 {%0, %1}, {%2}, {%3}, {%0, %1};"
               : "+d"(c.v[0]), "+d"(c.v[1])
               : "d"(a.r[0]), "d"(b.r[0]));
}

// `count` (1, 2 or 4) matrices of 8 x 8 16-bit elements ("ldmatrix"). Lane 8 j + i says where row i
// of matrix j lies, 16 bytes aligned to 16; lanes from 8 `count` on are not asked. Register j of a
// lane gets elements lane % 4 * 2 and the next of row lane / 4; `transposed`: of column lane / 4.
template <bool transposed = false, int count>
__device__ inline void load_matrix(uint32_t (&r)[count], const void* row) {
  static_assert(count == 1 || count == 2 || count == 4);
#define FASTDL_LDMATRIX(number, registers, ...)                                      \
  if constexpr (transposed)                                                          \
    asm volatile("ldmatrix.sync.aligned.m8n8." number ".trans.shared.b16 " registers \
                 : __VA_ARGS__                                                       \
                 : "r"(shared_address(row))                                          \
                 : "memory");                                                        \
  else                                                                               \
    asm volatile("ldmatrix.sync.aligned.m8n8." number ".shared.b16 " registers       \
                 : __VA_ARGS__                                                       \
                 : "r"(shared_address(row))                                          \
                 : "memory")
  if constexpr (count == 1)
    FASTDL_LDMATRIX("x1", "{%0}, [%1];", "=r"(r[0]));
  else if constexpr (count == 2)
    FASTDL_LDMATRIX("x2", "{%0, %1}, [%2];", "=r"(r[0]), "=r"(r[1]));
  else
    FASTDL_LDMATRIX("x4", "{%0, %1, %2, %3}, [%4];", "=r"(r[0]), "=r"(r[1]), "=r"(r[2]),
                    "=r"(r[3]));
#undef FASTDL_LDMATRIX
}

// The way back ("stmatrix", sm_90).
template <bool transposed = false, int count>
__device__ inline void store_matrix(void* row, const uint32_t (&r)[count]) {
  static_assert(count == 1 || count == 2 || count == 4);
#define FASTDL_STMATRIX(number, registers, ...)                                     \
  if constexpr (transposed)                                                         \
    FASTDL_SM90_ASM("stmatrix.sync.aligned.m8n8." number                            \
                    ".trans.shared.b16 [%0], " registers::"r"(shared_address(row)), \
                    __VA_ARGS__ : "memory");                                        \
  else                                                                              \
    FASTDL_SM90_ASM("stmatrix.sync.aligned.m8n8." number                            \
                    ".shared.b16 [%0], " registers::"r"(shared_address(row)),       \
                    __VA_ARGS__ : "memory")
  if constexpr (count == 1)
    FASTDL_STMATRIX("x1", "{%1};", "r"(r[0]));
  else if constexpr (count == 2)
    FASTDL_STMATRIX("x2", "{%1, %2};", "r"(r[0]), "r"(r[1]));
  else
    FASTDL_STMATRIX("x4", "{%1, %2, %3, %4};", "r"(r[0]), "r"(r[1]), "r"(r[2]), "r"(r[3]));
#undef FASTDL_STMATRIX
}

// Starts to copy `bytes` (4, 8 or 16, to which both addresses are aligned); of them the first
// `existing` are read, the others become zero ("cp.async"). 16 bytes at a time bypass L1.
template <int bytes>
__device__ inline void copy_async(void* shared, const void* global, int existing = bytes) {
  static_assert(bytes == 4 || bytes == 8 || bytes == 16);
  if constexpr (bytes == 16)
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "r"(existing)
                 : "memory");
  else
    asm volatile("cp.async.ca.shared.global [%0], [%1], %2, %3;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "n"(bytes), "r"(existing)
                 : "memory");
}

// The thread's copies since the last call become one group ("cp.async.commit_group").
__device__ inline void copy_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }

// Until all of the thread's groups but the `pending` latest are complete ("cp.async.wait_group").
// Other threads see the data after a barrier.
template <int pending>
__device__ inline void copy_wait() {
  asm volatile("cp.async.wait_group %0;" ::"n"(pending) : "memory");
}

}  // namespace fastdl::cuda
