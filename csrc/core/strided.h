// A walk over several operands of one broadcast shape, already simplified: dimensions of size 1
// dropped, neighbours that are contiguous in every operand merged, the fastest first.
#pragma once

#include <cstdint>

namespace fastdl {

inline constexpr int kMaxDims = 8;

template <int N>
struct Strided {
  int ndim = 0;                      // 0: a single element
  int64_t numel = 1;                 // product of size
  int64_t size[kMaxDims] = {};       // size[0] is the innermost dimension
  int64_t stride[N][kMaxDims] = {};  // in elements; 0 where an operand broadcasts
};

}  // namespace fastdl
