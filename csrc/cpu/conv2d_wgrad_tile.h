// The innermost loop of the gradient of a convolution by its weight: R broadcast operands by V
// registers of neighbouring lanes, summed over runs of positions. Nothing but addresses tells it
// from the tile of a matrix product (cpu/gemm_tile.h): positions lie in runs that may start
// anywhere, and each of the R rows has an offset of its own, so that a row may be a channel of dy as
// well as a tap of x.
#pragma once

#include <cstdint>

#include "cpu/gemm_tile.h"

namespace fastdl::cpu {

// Consecutive output positions whose operands lie at constant distances.
struct Run {
  int64_t lanes, rows;  // where the run starts in either operand
  int64_t length;
};

template <class T>
struct WgradTile {
  const Run* runs;
  int64_t n_runs;
  const T* lanes;  // a position's V registers
  int64_t lanes_step;
  const T* rows;  // row r of a position is at rows[offset[r]]
  int64_t rows_step;
  const int64_t* offset;
  T* sum;  // [R, kTileCols]
  bool accumulate;
};

template <class T>
using WgradTileFn = void (*)(const WgradTile<T>&);

// rows <= kTileRows; lanes <= kTileCols, of which the last register may be padding.
template <class T>
WgradTileFn<T> wgrad_tile(int64_t rows, int64_t lanes);

}  // namespace fastdl::cpu
