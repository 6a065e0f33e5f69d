// The product of channels-last convolution: R positions times V registers of output channels.
//
// What a position reads for tap t is at rows[r] + offset[t], the same offset for all positions: so a
// tile keeps one address a position in a register, whatever the filter. Taps that are neighbours in
// memory are one long run. (Dukhan, "The indirect convolution algorithm", 2019, keeps an address for
// each position and tap; the padded strips of conv2d_strip.h make one a position enough.)
#pragma once

#include <cstdint>

#include "core/epilogue.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

// Addresses live in general registers, of which x86 has 15: 12 and two more.
inline constexpr int kChannelRows = kVecBytes == 64 ? 12 : 6;
inline constexpr int kChannelVecs = 2;
template <class T>
inline constexpr int64_t kChannelCols = kChannelVecs * Vec<T>::size;

template <class T>
struct ChannelTile {
  const T* const* rows;   // [R]
  const int64_t* offset;  // [runs], each
  int64_t shift;          // and this from the address in `rows`
  int64_t runs, run;      // how many, and elements of each
  const T* b;             // packed [runs, run, cols rounded up to registers]
  const char* ahead;      // what this tile asks the memory for meanwhile, a bit each step
  int64_t ahead_step;     // in bytes
  int64_t cols;           // at most kChannelCols
  T* const* out;          // [R], each
  int64_t out_shift;      // and this further on
  bool accumulate;        // to what is there, else the bias is the start
  const T* bias;          // [cols] or null
  bool last;              // the epilogue follows
  const T* y;             // `residual` is to it as a result to `out`
  const T* residual;      // or null
  Activation activation;
  T slope;
};

template <class T>
using ChannelTileFn = void (*)(const ChannelTile<T>&);

// rows <= kChannelRows, cols <= kChannelCols. Instantiated for float and double.
template <class T>
ChannelTileFn<T> channel_tile(int64_t rows, int64_t cols);

// Rows of a tile where `positions` are to be shared out evenly.
inline int64_t channel_rows(int64_t positions) {
  const int64_t tiles = (positions + kChannelRows - 1) / kChannelRows;
  return tiles > 0 ? (positions + tiles - 1) / tiles : 1;
}

}  // namespace fastdl::cpu
