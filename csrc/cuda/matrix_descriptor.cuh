// The 64 bits by which wgmma knows a tile in shared memory.
#pragma once

#include <cstdint>

#include "cuda/mma.cuh"
#include "cuda/shared_layout.cuh"

namespace fastdl::cuda {

// The direction in which the elements of a wgmma operand are neighbours in shared memory.
enum class Major { k, mn };

// PTX ISA, "Matrix descriptor format" of wgmma: 18-bit addresses and strides without their lowest
// four bits. The base offset is 0: tiles are aligned to swizzle_period.
struct MatrixDescriptor {
  uint64_t bits;

  // The descriptor of what lies `bytes` (a multiple of 16) further: the next k of a tile that is
  // wider than one instruction reads.
  FASTDL_HD constexpr MatrixDescriptor operator+(uint32_t bytes) const {
    return {bits + (bytes >> 4)};
  }
};

FASTDL_HD constexpr MatrixDescriptor encode_descriptor(uint32_t address, Swizzle swizzle,
                                                       uint32_t leading, uint32_t stride) {
  constexpr uint64_t kModes[] = {0, 3, 2, 1};
  return {(address & 0x3ffffu) >> 4 | uint64_t{(leading & 0x3ffffu) >> 4} << 16 |
          uint64_t{(stride & 0x3ffffu) >> 4} << 32 | kModes[static_cast<int>(swizzle)] << 62};
}

// The operand lies as tile_load leaves it, in boxes of one swizzle_width times a number of rows,
// each a multiple of swizzle_period long, the first one aligned to it.
//
// Major::k: a row belongs to one m or n, and its width lies along k. An instruction reads 32 bytes
// of each row: half of a box, a quarter, or without a swizzle two boxes, `leading` bytes apart.
template <Swizzle swizzle>
__device__ inline MatrixDescriptor k_descriptor(const void* shared, uint32_t leading) {
  return encode_descriptor(shared_address(shared), swizzle, leading, swizzle_period(swizzle));
}
template <Swizzle swizzle>
__device__ inline MatrixDescriptor k_descriptor(const void* shared) {
  static_assert(swizzle != Swizzle::none, "then it takes `leading`");
  constexpr uint32_t kNotUsed = 16;
  return k_descriptor<swizzle>(shared, kNotUsed);
}

// Major::mn: a row belongs to one k, and its width lies along m or n; `leading` bytes from a box to
// the next. Without a swizzle the two strides change their roles ("Strides").
template <Swizzle swizzle>
__device__ inline MatrixDescriptor mn_descriptor(const void* shared, uint32_t leading) {
  constexpr uint32_t kEightRows = swizzle_period(swizzle);
  const uint32_t address = shared_address(shared);
  if constexpr (swizzle == Swizzle::none)
    return encode_descriptor(address, swizzle, kEightRows, leading);
  else
    return encode_descriptor(address, swizzle, leading, kEightRows);
}

}  // namespace fastdl::cuda
