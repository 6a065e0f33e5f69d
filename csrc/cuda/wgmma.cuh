// Matrix products by a warpgroup, asynchronous (PTX ISA, "wgmma"; sm_90a): 128 threads whose first
// one's index is a multiple of 128 execute every function here together.
//
//   wgmma_fence();                 after the registers of d or a were written
//   wgmma<T>(d, a, b); ...         any number into the same d
//   wgmma_commit();
//   wgmma_wait<0>(d);              now d may be read, and what a and b describe may be written
#pragma once

#include <cuda_runtime.h>

#include <cstdint>
#include <type_traits>

#include "cuda/matrix_descriptor.cuh"
#include "cuda/mbarrier.cuh"

namespace fastdl::cuda {

__device__ inline void wgmma_fence() { FASTDL_SM90_ASM("wgmma.fence.sync.aligned;" :: : "memory"); }
__device__ inline void wgmma_commit() {
  FASTDL_SM90_ASM("wgmma.commit_group.sync.aligned;" :: : "memory");
}

// Until all groups but the `pending` latest are complete. It takes the accumulators that the caller
// reads next, lest the compiler read them before; a second call, for others, costs nothing.
template <int pending>
__device__ inline void wgmma_wait() {
  FASTDL_SM90_ASM("wgmma.wait_group.sync.aligned %0;" ::"n"(pending) : "memory");
}
template <int pending, int N>
__device__ inline void wgmma_wait(WgmmaAccumulator<N>& d) {
  wgmma_wait<pending>();
#pragma unroll
  for (int i = 0; i < d.kElements; ++i) asm volatile("" : "+f"(d.v[i])::"memory");
}

// From a count of registers that the kernel was compiled for to another, a multiple of 8 between 24
// and 256 ("setmaxnreg"): those who copy give registers to those who multiply.
template <int registers>
__device__ inline void increase_registers() {
  static_assert(24 <= registers && registers <= 256 && registers % 8 == 0);
  FASTDL_SM90_ASM("setmaxnreg.inc.sync.aligned.u32 %0;" ::"n"(registers));
}
template <int registers>
__device__ inline void decrease_registers() {
  static_assert(24 <= registers && registers <= 256 && registers % 8 == 0);
  FASTDL_SM90_ASM("setmaxnreg.dec.sync.aligned.u32 %0;" ::"n"(registers));
}

// The text of an instruction numbers its operands: 0 to N / 2 - 1 are the accumulators, N / 2 and
// up the others. FASTDL_NAMES_x are the first x numbers, FASTDL_SUMS_x the accumulators
// themselves.
// clang-format off
#define FASTDL_TEN(t) \
  "%" #t "0,%" #t "1,%" #t "2,%" #t "3,%" #t "4,%" #t "5,%" #t "6,%" #t "7,%" #t "8,%" #t "9,"
#define FASTDL_NAMES_32 FASTDL_TEN() FASTDL_TEN(1) FASTDL_TEN(2) "%30,%31"
#define FASTDL_NAMES_64                                                \
  FASTDL_TEN() FASTDL_TEN(1) FASTDL_TEN(2) FASTDL_TEN(3) FASTDL_TEN(4) \
  FASTDL_TEN(5) "%60,%61,%62,%63"
#define FASTDL_NAMES_128                                                \
  FASTDL_TEN() FASTDL_TEN(1) FASTDL_TEN(2) FASTDL_TEN(3) FASTDL_TEN(4)  \
  FASTDL_TEN(5) FASTDL_TEN(6) FASTDL_TEN(7) FASTDL_TEN(8) FASTDL_TEN(9) \
  FASTDL_TEN(10) FASTDL_TEN(11) "%120,%121,%122,%123,%124,%125,%126,%127"
// clang-format on
#define FASTDL_SUMS_4(v, i) "+f"(v[i]), "+f"(v[(i) + 1]), "+f"(v[(i) + 2]), "+f"(v[(i) + 3])
#define FASTDL_SUMS_16(v, i) \
  FASTDL_SUMS_4(v, i), FASTDL_SUMS_4(v, i + 4), FASTDL_SUMS_4(v, i + 8), FASTDL_SUMS_4(v, i + 12)
#define FASTDL_SUMS_32(v, i) FASTDL_SUMS_16(v, i), FASTDL_SUMS_16(v, i + 16)
#define FASTDL_SUMS_64(v, i) FASTDL_SUMS_32(v, i), FASTDL_SUMS_32(v, i + 32)
#define FASTDL_SUMS_128(v, i) FASTDL_SUMS_64(v, i), FASTDL_SUMS_64(v, i + 64)

// The factors of a and b are 1, and `adds` is 0 where d is to be overwritten.
#define FASTDL_WGMMA(shape, names, operands, adds, transposed, ...)                     \
  FASTDL_SM90_ASM("{\n.reg .pred adds;\nsetp.ne.b32 adds, " adds                        \
                  ", 0;\nwgmma.mma_async.sync.aligned." shape " {" names "}, " operands \
                  ", adds, 1, 1" transposed ";\n}" : __VA_ARGS__)
#define FASTDL_WGMMA_TYPES(n, names, operands, adds, transposed, ...)                            \
  if constexpr (std::is_same_v<T, Half>)                                                         \
    FASTDL_WGMMA("m64n" #n "k16.f32.f16.f16", names, operands, adds, transposed, __VA_ARGS__);   \
  else if constexpr (std::is_same_v<T, BFloat16>)                                                \
    FASTDL_WGMMA("m64n" #n "k16.f32.bf16.bf16", names, operands, adds, transposed, __VA_ARGS__); \
  else                                                                                           \
    FASTDL_WGMMA("m64n" #n "k8.f32.tf32.tf32", names, operands, adds, "", __VA_ARGS__)

// d = a b, or d += a b: 64 x N from k terms, k as of mma. Operands of Tf32 are neighbours along k.
template <class T, Major a_major = Major::k, Major b_major = Major::k, int N>
__device__ inline void wgmma(WgmmaAccumulator<N>& d, MatrixDescriptor a, MatrixDescriptor b,
                             bool accumulate = true) {
  static_assert(Mma<T>::m == 16, "Half, BFloat16 or Tf32");
  static_assert(N == 64 || N == 128 || N == 256);
  static_assert(sizeof(T) == 2 || (a_major == Major::k && b_major == Major::k));
#define FASTDL_INPUTS                                                                          \
  "l"(a.bits), "l"(b.bits), "r"(static_cast<int>(accumulate)), "n"(static_cast<int>(a_major)), \
      "n"(static_cast<int>(b_major))
  if constexpr (N == 64) {
    FASTDL_WGMMA_TYPES(64, FASTDL_NAMES_32, "%32, %33", "%34", ", %35, %36",
                       FASTDL_SUMS_32(d.v, 0) : FASTDL_INPUTS);
  } else if constexpr (N == 128) {
    FASTDL_WGMMA_TYPES(128, FASTDL_NAMES_64, "%64, %65", "%66", ", %67, %68",
                       FASTDL_SUMS_64(d.v, 0) : FASTDL_INPUTS);
  } else {
    FASTDL_WGMMA_TYPES(256, FASTDL_NAMES_128, "%128, %129", "%130", ", %131, %132",
                       FASTDL_SUMS_128(d.v, 0) : FASTDL_INPUTS);
  }
#undef FASTDL_INPUTS
}

// The same with a from registers: rows 16 w to 16 w + 15 from warp w.
template <class T, Major b_major = Major::k, int N>
__device__ inline void wgmma(WgmmaAccumulator<N>& d, const FragmentA<T>& a, MatrixDescriptor b,
                             bool accumulate = true) {
  static_assert(Mma<T>::m == 16, "Half, BFloat16 or Tf32");
  static_assert(N == 64 || N == 128 || N == 256);
  static_assert(sizeof(T) == 2 || b_major == Major::k);
#define FASTDL_INPUTS                                              \
  "r"(a.r[0]), "r"(a.r[1]), "r"(a.r[2]), "r"(a.r[3]), "l"(b.bits), \
      "r"(static_cast<int>(accumulate)), "n"(static_cast<int>(b_major))
  if constexpr (N == 64) {
    FASTDL_WGMMA_TYPES(64, FASTDL_NAMES_32, "{%32,%33,%34,%35}, %36", "%37", ", %38",
                       FASTDL_SUMS_32(d.v, 0) : FASTDL_INPUTS);
  } else if constexpr (N == 128) {
    FASTDL_WGMMA_TYPES(128, FASTDL_NAMES_64, "{%64,%65,%66,%67}, %68", "%69", ", %70",
                       FASTDL_SUMS_64(d.v, 0) : FASTDL_INPUTS);
  } else {
    FASTDL_WGMMA_TYPES(256, FASTDL_NAMES_128, "{%128,%129,%130,%131}, %132", "%133", ", %134",
                       FASTDL_SUMS_128(d.v, 0) : FASTDL_INPUTS);
  }
#undef FASTDL_INPUTS
}

#undef FASTDL_WGMMA_TYPES
#undef FASTDL_WGMMA
#undef FASTDL_SUMS_128
#undef FASTDL_SUMS_64
#undef FASTDL_SUMS_32
#undef FASTDL_SUMS_16
#undef FASTDL_SUMS_4
#undef FASTDL_NAMES_128
#undef FASTDL_NAMES_64
#undef FASTDL_NAMES_32
#undef FASTDL_TEN

}  // namespace fastdl::cuda
