// How tiles lie in shared memory for the tensor copy engine (TMA) and for wgmma, and what a tensor
// map says. Plain numbers; the instructions are in tma.cuh and wgmma.cuh.
#pragma once

#include <cstdint>

#include "core/half.h"

namespace fastdl::cuda {

// A swizzle exchanges the 16-byte chunks within each row of 32, 64 or 128 bytes, differently in
// each of up to eight consecutive 128-byte lines, so that a column of chunks falls into different
// banks (PTX ISA, "Swizzling modes" and "Shared memory matrix layout").
enum class Swizzle { none, b32, b64, b128 };

// The width of a row: 16 bytes without a swizzle.
FASTDL_HD constexpr uint32_t swizzle_width(Swizzle swizzle) {
  return 16u << static_cast<uint32_t>(swizzle);
}

// The pattern repeats after this many bytes, and a tile has to be aligned to as many.
FASTDL_HD constexpr uint32_t swizzle_period(Swizzle swizzle) { return swizzle_width(swizzle) * 8; }

// Where the byte goes that would lie at `offset` without a swizzle. Bits 4, 5 and 6 are the chunk,
// 7, 8 and 9 the line: b128 takes the exclusive or of all three, b64 of two, b32 of one.
FASTDL_HD constexpr uint32_t swizzled(Swizzle swizzle, uint32_t offset) {
  return offset ^ (offset >> 3 & (swizzle_width(swizzle) - 16));
}

// A tensor in global memory, and the box of it that one instruction copies. Dimension 0 is the one
// whose elements are neighbours. What lies outside the tensor is read as zero and not written.
struct TensorTile {
  static constexpr int kMostDims = 5;
  const void* data;            // aligned to 16 bytes
  int rank;                    // 1 to 5
  uint64_t size[kMostDims];    // elements, 1 to 2^32
  uint64_t stride[kMostDims];  // bytes, multiples of 16 below 2^40; stride[0] is not read
  uint32_t box[kMostDims];     // elements, 1 to 256; the innermost are a multiple of 16 bytes
  Swizzle swizzle;             // not none: box[0] is exactly swizzle_width long
};

}  // namespace fastdl::cuda
