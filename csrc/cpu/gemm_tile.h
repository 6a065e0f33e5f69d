// The innermost loop of every matrix product: R rows by V registers of C stay in registers while k
// runs, each step being V loads of B, R broadcasts of A and R*V multiply-adds.
//
// The register file decides the shape: 32 registers hold 14x2 accumulators (28) and two of B; 16
// hold 6x2 (12). R*V must exceed latency times throughput of the FMA units (4 x 2 on Zen 5 and on
// Intel since Skylake), and R*V / (R + V) loads per FMA must stay under what the load ports give.
#pragma once

#include <cstdint>
#include <utility>

#include "cpu/epilogue.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

inline constexpr int kTileRows = kVecBytes == 64 ? 14 : 6;
inline constexpr int kTileVecs = 2;
template <class T>
inline constexpr int kTileCols = kTileVecs * Vec<T>::size;

// Few rows read B faster in wide tiles, whose pieces of B's rows are long.
inline constexpr int kWideRows = 4;
constexpr int wide_vecs(int rows) {
  const int fit = (kTileRows * kTileVecs - rows) / rows;
  return fit < 16 ? fit : 16;
}

// acc[r][v] += sum over p < k of a(p, r) * b(p, v), one multiply-add after another in order of p.
template <class T, int R, int V, class A, class B>
[[gnu::always_inline]] inline void multiply_add(int64_t k, A&& a, B&& b, Vec<T> (&acc)[R][V]) {
  for (int64_t p = 0; p < k; ++p) {
    Vec<T> bv[V];
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) bv[v] = b(p, v);
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const Vec<T> av(a(p, r));
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) acc[r][v] += av * bv[v];
    }
  }
}

// The same for a wide tile, which has no registers for all of a row of B; R is at most kWideRows.
template <class T, int R, int V, class A, class B>
[[gnu::always_inline]] inline void multiply_add_wide(int64_t k, A&& a, B&& b, Vec<T> (&acc)[R][V]) {
  static_assert(R <= kWideRows);
  for (int64_t p = 0; p < k; ++p) {
    Vec<T> av[R];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) av[r] = Vec<T>(a(p, r));
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      const Vec<T> bv = b(p, v);
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) acc[r][v] += av[r] * bv;
    }
  }
}

template <class T>
struct TileArgs {
  int64_t k;
  const T* a;
  int64_t a_row, a_col;  // a packed panel has a_row 1 and a_col R
  const T* b;
  int64_t b_row;
  T* c;
  int64_t c_row;
  int64_t cols;  // of C, at most V registers; only the last may be partial
  bool accumulate;
  // After the last block of k only:
  const T* bias;  // per column, or null
  const T* residual;
  int64_t residual_row;
  Activation activation;
  T slope;
};

template <class T>
using TileFn = void (*)(const TileArgs<T>&);

// The tile function for `rows` <= kTileRows. `packed_a`: A is a packed panel of that many rows.
// Columns are 1 or 2 registers, as args.cols asks, or up to wide_vecs(rows) where rows <= kWideRows
// and A is not packed.
template <class T>
TileFn<T> gemm_tile(int64_t rows, int64_t cols, bool packed_a);

}  // namespace fastdl::cpu
