// General matrix product, C = activation(A B (+ C) + bias per column + residual), for kernels to
// call.
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
#include "core/epilogue.h"
#include "cpu/gemm_tile.h"

namespace fastdl::cpu {

// k is cut into equal blocks of at most kBlockK, by its size alone.
template <class T>
inline constexpr int64_t kBlockK = 2048 / sizeof(T);
template <class T>
constexpr int64_t block_k(int64_t k) {
  const int64_t blocks = (k + kBlockK<T> - 1) / kBlockK<T>;
  return blocks > 1 ? ((k + blocks - 1) / blocks + 7) / 8 * 8 : kBlockK<T>;
}

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
  bool accumulate = false;  // adds to C
  const T* residual = nullptr;
  int64_t residual_row = 0;  // [m, n], its columns contiguous
  Activation activation = Activation::none;
  T slope = T(0);               // of leaky_relu
  const T* packed_b = nullptr;  // B as pack_panels leaves it; b, b_row and b_col are not read then
};

// On all threads. Instantiated for T = S = float and double, and T = float with 16-bit S.
template <class T, class S>
void gemm(const Context& context, const Gemm<T, S>& g);

// In the calling thread, without scratch memory: for use inside a parallel chunk.
template <class T, class S>
void gemm_serial(const Gemm<T, S>& g);

// B packed once for many products, as a recurrent layer or an inference wants: panels of kTileCols
// columns, each [k, kTileCols] and padded with zeros. The buffer holds packed_size(k, n) elements and
// begins at a multiple of 64 bytes.
template <class T>
constexpr int64_t packed_panels(int64_t n) {
  return (n + kTileCols<T> - 1) / kTileCols<T>;
}
template <class T>
constexpr int64_t packed_size(int64_t k, int64_t n) {
  return packed_panels<T>(n) * kTileCols<T> * k;
}
template <class T>
void pack_panels(const Context& context, int64_t k, int64_t n, const T* b, int64_t b_row,
                 int64_t b_col, T* packed);

}  // namespace fastdl::cpu
