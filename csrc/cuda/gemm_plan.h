// Which kernel computes a matrix product: a pure function of shape, strides, alignment, dtype,
// precision and device, so that one call always gives the same bits.
#pragma once

#include <cstddef>
#include <cstdint>

#include "core/dtype.h"
#include "cuda/device.h"
#include "cuda/gemm.h"

namespace fastdl::cuda {

enum class GemmAlgorithm : int8_t {
  ffma,    // gemm.cuh: tiles in registers, any strides
  skinny,  // m or n of a few: bound by memory
  mma,     // sm_80's tensor cores
  wgmma,   // sm_90a's
};

struct GemmPlan {
  GemmAlgorithm algorithm;
  int tile_m, tile_n;
  int64_t parts, chunk;  // k is cut into `parts` of `chunk`, whose sums are added in order
  const char* why;
};

// `a`, `b` and `c` are looked at for their alignment only.
GemmPlan plan_gemm(const GemmArguments& arguments, DType dtype, const void* a, const void* b,
                   const void* c, const DeviceFacts& device);

// How copies of 16 bytes can read an operand: its neighbours lie along k, or along m (of a) or n
// (of b), and all else is aligned; or not at all.
enum class CopyLayout : int8_t { along_k, across, none };
CopyLayout copy_layout_a(const GemmArguments& arguments, size_t item, const void* a);
CopyLayout copy_layout_b(const GemmArguments& arguments, size_t item, const void* b);

// For tensor cores (`mma` and convolution): the square tile, and the parts of k, that should take the
// least time by count. `rate`: clock cycles of a multiprocessor for one k of a tile of 128 x 128.
struct TileChoice {
  int tile;
  int64_t parts, chunk;
};
TileChoice choose_tile(int64_t m, int64_t n, int64_t k, int64_t batch, double rate,
                       const DeviceFacts& device);
double mma_rate(DType dtype, Precision precision);

}  // namespace fastdl::cuda
