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

// Images [n, h, w, c] in global memory, and the pixels of them that one instruction copies: those
// that one tap of a convolution's window meets at consecutive positions (PTX ISA, "im2col mode";
// cuTensorMapEncodeIm2col). Arrays begin with c, or with w where there is no c.
//
// The window's corner walks through the bounding box, in each image from `lower` to
// size - 1 + `upper` inclusive, by `step`: along w first, then h, then n. A copy starts where the
// instruction says, which has to be on the walk, takes as many pixels as the map says whatever the
// steps, and adds the instruction's offset (the tap) to every one of them. Each pixel gives
// `channels` neighbours; what lies outside of the tensor, also beyond its last image, is zero.
struct Im2colTile {
  const void* data;        // aligned to 16 bytes
  uint64_t size[4];        // elements, 1 to 2^32
  uint64_t stride[4];      // bytes, multiples of 16 below 2^40; stride[0] is not read
  int lower[2], upper[2];  // -128 to 127; the box is not empty
  uint32_t step[2];        // 1 to 8
  uint32_t channels;       // 1 to 256, together a multiple of 16 bytes
  uint32_t pixels;         // 1 to 1024
  Swizzle swizzle;         // not none: `channels` are exactly swizzle_width long
  static constexpr int kMostOffset = 255;
};

}  // namespace fastdl::cuda
