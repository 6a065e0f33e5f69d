// Which kernel computes a matrix product: a pure function of shape, strides, alignment, dtype,
// precision and device, so that one call always gives the same bits.
#pragma once

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

}  // namespace fastdl::cuda
