// Register fragments of the warp-wide matrix instructions, and the row and column that each
// register element has (PTX ISA, "Matrix fragments for mma.m16n8k16", "... mma.m16n8k8", "...
// mma.m8n8k4").
//
// A and B are multiplicands of element type T: Half, BFloat16, Tf32 or double. A row of a tile is
// split over the four lanes of a quad; lane / 4 counts quads.
#pragma once

#include <cstdint>

#include "core/half.h"

namespace fastdl::cuda {

// A float32 of which the tensor cores read the upper 19 bits (see to_tf32 of mma.cuh).
struct Tf32 {
  uint32_t bits;
};

// The product of one instruction: m x n from k terms. Registers hold Register, a multiplicand's has
// kPerRegister elements (the one with the lower column of A, row of B, in the lower half).
template <class T>
struct Mma {
  static_assert(sizeof(T) == 2, "Half, BFloat16, Tf32 or double");
  using Register = uint32_t;
  using Sum = float;
  static constexpr int m = 16, n = 8, k = 16;
  static constexpr int kPerRegister = 2;
};
template <>
struct Mma<Tf32> {
  using Register = uint32_t;
  using Sum = float;
  static constexpr int m = 16, n = 8, k = 8;
  static constexpr int kPerRegister = 1;
};
template <>
struct Mma<double> {
  using Register = double;
  using Sum = double;
  static constexpr int m = 8, n = 8, k = 4;
  static constexpr int kPerRegister = 1;
};

template <class T>
struct FragmentA {
  static constexpr int kElements = Mma<T>::m * Mma<T>::k / 32;
  static constexpr int kRegisters = kElements / Mma<T>::kPerRegister;
  typename Mma<T>::Register r[kRegisters];
};
template <class T>
struct FragmentB {
  static constexpr int kElements = Mma<T>::k * Mma<T>::n / 32;
  static constexpr int kRegisters = kElements / Mma<T>::kPerRegister;
  typename Mma<T>::Register r[kRegisters];
};
template <class T>
struct Accumulator {
  static constexpr int kElements = Mma<T>::m * Mma<T>::n / 32;
  typename Mma<T>::Sum v[kElements];
};

struct Position {
  int row, column;
};

// Element i of a lane's FragmentA: (row of A, k).
template <class T>
FASTDL_HD constexpr Position position_a(int lane, int i) {
  if constexpr (sizeof(T) == 2)
    return {lane / 4 + i / 2 % 2 * 8, lane % 4 * 2 + i % 2 + i / 4 * 8};
  else
    return {lane / 4 + i % 2 * 8, lane % 4 + i / 2 * 4};  // of double there is one
}

// Element i of a lane's FragmentB: (k, column of B).
template <class T>
FASTDL_HD constexpr Position position_b(int lane, int i) {
  if constexpr (sizeof(T) == 2)
    return {lane % 4 * 2 + i % 2 + i / 2 * 8, lane / 4};
  else
    return {lane % 4 + i * 4, lane / 4};
}

// Element i of a lane's Accumulator, whatever its type.
FASTDL_HD constexpr Position position_c(int lane, int i) {
  return {lane / 4 + i / 2 * 8, lane % 4 * 2 + i % 2};
}

// Two 16-bit elements in one register.
template <class T>
FASTDL_HD inline uint32_t pack_pair(T low, T high) {
  static_assert(sizeof(T) == 2);
  return low.bits | static_cast<uint32_t>(high.bits) << 16;
}

// What a warpgroup (128 threads, four warps of 16 rows each) accumulates of a 64 x N product (PTX
// ISA, "Register fragments" of wgmma). Its multiplicand A, where it comes from registers, is one
// FragmentA a warp.
template <int N>
struct WgmmaAccumulator {
  static_assert(N % 8 == 0 && 8 <= N && N <= 256);
  static constexpr int kElements = N / 2;
  float v[kElements];
};

// Element i of the accumulator of a thread of the warpgroup, 0 <= thread < 128.
FASTDL_HD constexpr Position wgmma_position(int thread, int i) {
  const Position in_warp = position_c(thread % 32, i % 4);
  return {thread / 32 * 16 + in_warp.row, i / 4 * 8 + in_warp.column};
}

}  // namespace fastdl::cuda
