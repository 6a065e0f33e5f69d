// General matrix product, C = A B (+ bias per column) (+ C), for kernels to call.
//
// The scheme of Goto and van de Geijn ("Anatomy of high-performance matrix multiplication", 2008)
// as BLIS restates it: k is cut into blocks of kBlockK, B into panels of kTileCols columns that
// stay in the first-level cache while rows of A stream past from the second. Large problems pack both
// operands once; small ones read A, and B where its rows are contiguous, in place.
//
// Every element is one chain of multiply-adds per block of k, blocks added in order: the result
// depends neither on threads nor on the path. The one exception are the inner products of
// cpu/gemm_skinny.h, which shapes and strides alone choose.
#pragma once

#include <cstdint>

#include "core/context.h"
#include "cpu/gemm_tile.h"

namespace fastdl::cpu {

inline constexpr int64_t kBlockK = 256;
inline constexpr int64_t kChunkMacs = int64_t{1} << 20;  // work of one parallel chunk: 10 to 40 us

template <class T, class S = T>
struct Gemm {
  int64_t m, n, k;
  const S* a;
  int64_t a_row, a_col;  // any strides
  const S* b;
  int64_t b_row, b_col;
  T* c;
  int64_t c_row;            // columns of C are contiguous
  const T* bias = nullptr;  // [n]
  bool accumulate = false;
};

// On all threads. Instantiated for T = S = float and double, and T = float with 16-bit S.
template <class T, class S>
void gemm(const Context& context, const Gemm<T, S>& g);

// In the calling thread, without scratch memory: for use inside a parallel chunk.
template <class T, class S>
void gemm_serial(const Gemm<T, S>& g);

// B packed once for many products, as a recurrent layer wants: panels of kTileCols columns, each
// [k, kTileCols] and padded with zeros. The buffer holds packed_panels(n) * k * kTileCols elements.
template <class T>
constexpr int64_t packed_panels(int64_t n) {
  return (n + kTileCols<T> - 1) / kTileCols<T>;
}
template <class T>
void pack_panels(const Context& context, int64_t k, int64_t n, const T* b, int64_t b_row,
                 int64_t b_col, T* packed);

// C[m, n] = A times one packed panel, n <= kTileCols, in the calling thread; g.b is the panel, and
// g.b_row and g.b_col are not read.
template <class T>
void gemm_panel(const Gemm<T>& g);

}  // namespace fastdl::cpu
