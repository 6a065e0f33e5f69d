// A convolution, or its gradient by the input, in the terms that all engines share.
#pragma once

#include "core/epilogue.h"
#include "core/layout.h"
#include "cpu/conv2d_window.h"

namespace fastdl::cpu {

// The results at rows first_row + i * step_h, i < rows, and columns likewise, with the taps that
// reach them. A convolution is one part; its gradient by the input one for each phase of the stride.
struct ConvPart {
  int64_t first_row, first_col, rows, cols;
  const Tap* taps;  // for result i, j of the part: source row i * stride_h + tap.row
  int64_t n_taps;
};

template <class T>
struct ConvProblem {
  int64_t samples, groups;
  int64_t channels, h, w;      // of a group's source
  int64_t filters, p, q;       // of a group's result
  int64_t stride_h, stride_w;  // of the source
  int64_t step_h, step_w;      // of the result
  const ConvPart* parts;
  int64_t n_parts;
  Layout layout;  // of source, result and residual
  const T* src;
  const T* weight;  // element (group, filter, channel, tap) at these strides and tap.weight:
  int64_t w_group, w_out, w_in;
  int64_t w_taps;   // taps of a filter in memory, neighbours
  const T* packed;  // the weight as the engine packs it, or null
  Epilogue epilogue;
  T* dst;
};

}  // namespace fastdl::cpu
