// Which convolutions the tensor cores of Hopper compute, and how: a pure function of shape, dtype and
// device, without kernels.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "core/conv2d_shape.h"
#include "core/dtype.h"
#include "core/layout.h"
#include "cuda/conv2d_phase.h"
#include "cuda/gemm_wgmma_plan.h"

namespace fastdl::cuda {

// The pixels of images [n, h, w, c] that the taps of a window meet at p x q positions (Im2colTile).
// Pairs are of w and of h.
struct ConvWindows {
  int64_t images, channels, size[2];
  int64_t positions[2], taps[2];
  int64_t step[2], lower[2], dilation[2];

  int64_t count() const { return images * positions[0] * positions[1]; }
  int64_t all_taps() const { return taps[0] * taps[1]; }
  // Of the bounding box, from the end of the image: the walk has as many stops as there are positions.
  int64_t upper(int i) const { return lower[i] + (positions[i] - 1) * step[i] - (size[i] - 1); }
  int64_t channel_blocks(int64_t depth) const { return (channels + depth - 1) / depth; }

  // Whether a tensor map can say this.
  bool suits_map(int bytes) const {
    constexpr int64_t kMost = int64_t{1} << 30;
    if (images < 1 || channels < 1 || channels * bytes % 16 || all_taps() < 1) return false;
    for (int i = 0; i < 2; ++i) {
      const auto corner = [](int64_t v) { return -128 <= v && v <= 127; };
      if (size[i] < 1 || positions[i] < 1 || step[i] < 1 || step[i] > 8) return false;
      if (!corner(lower[i]) || !corner(upper(i))) return false;
      if ((taps[i] - 1) * dilation[i] > 255) return false;
    }
    return std::max({images, channels, size[0], size[1]}) <= kMost && size[0] * size[1] <= kMost &&
           positions[0] * positions[1] <= kMost && count() <= kMost &&
           size[0] * size[1] * channels * bytes < int64_t{1} << 40;
  }
};

inline ConvWindows forward_windows(const Conv2dShape& s) {
  return {s.n,
          s.c,
          {s.w, s.h},
          {s.q, s.p},
          {s.s, s.r},
          {s.stride_w, s.stride_h},
          {-s.pad_w, -s.pad_h},
          {s.dilation_w, s.dilation_h}};
}

// One phase of the gradient by the input. Taps are walked backwards, so that offsets grow.
inline ConvWindows phase_windows(const Conv2dShape& s, const Phase& row, const Phase& column) {
  return {
      s.n,
      s.k,
      {s.q, s.p},
      {column.count, row.count},
      {column.taps, row.taps},
      {1, 1},
      {column.origin + (column.taps - 1) * column.reach, row.origin + (row.taps - 1) * row.reach},
      {-column.reach, -row.reach}};
}

inline PhaseAxis phase_rows(const Conv2dShape& s) {
  return {s.h, s.r, s.stride_h, s.pad_h, s.dilation_h};
}
inline PhaseAxis phase_columns(const Conv2dShape& s) {
  return {s.w, s.s, s.stride_w, s.pad_w, s.dilation_w};
}

// The product that a pass over windows is: positions by filters, k in whole blocks for each tap.
inline GemmArguments windows_product(const ConvWindows& w, int64_t filters, int64_t depth,
                                     Precision precision) {
  GemmArguments g{};
  g.batch = 1;
  g.m = w.count();
  g.n = filters;
  g.k = w.all_taps() * w.channel_blocks(depth) * depth;
  g.precision = precision;
  return g;
}

struct ConvPlanCuda {
  bool wgmma;
  const char* why;
};

// Whether a pass over windows can be: `filters` columns of results.
inline ConvPlanCuda plan_windows(const ConvWindows& w, int64_t filters, DType dtype,
                                 Precision precision) {
  const bool half = dtype == DType::f16 || dtype == DType::bf16;
  const int bytes = half ? 2 : 4;
  if (!w.suits_map(bytes) || filters < 1 || filters * bytes % 16)
    return {false, "tiles: a tensor map cannot say this"};
  if (filters > int64_t{1} << 20 || w.all_taps() * w.channels > int64_t{1} << 29)
    return {false, "tiles: too large for 32-bit places"};
  const bool exact = !half && precision == Precision::highest;
  return {true, half ? "wgmma: implicit product" : exact ? "wgmma: 3xTF32" : "wgmma: TF32"};
}

// Which kernels compute this product of channels-last tensors.
inline ConvPlanCuda plan_conv2d_cuda(const Conv2dShape& s, Conv2dProduct product, DType dtype,
                                     const DeviceFacts& device) {
  const bool half = dtype == DType::f16 || dtype == DType::bf16;
  if (device.capability != 90) return {false, "tiles: wgmma is Hopper's"};
  if (!(half || dtype == DType::f32)) return {false, "tiles: float64"};
  if (s.groups != 1) return {false, "tiles: groups"};
  const bool exact = !half && s.precision == Precision::highest;
  const double work = double(s.n * s.p) * double(s.q * s.k) * double(s.c * s.r * s.s);
  if (work < double(int64_t{1} << (exact ? 21 : 18))) return {false, "tiles: little work"};
  if (product == Conv2dProduct::forward)
    return plan_windows(forward_windows(s), s.k, dtype, s.precision);
  if (product == Conv2dProduct::weight_grad) {
    if (!half) return {false, "tiles: wgmma reads float32 along k alone"};
    return plan_windows(forward_windows(s), s.k, dtype, s.precision);
  }
  const PhaseAxis rows = phase_rows(s), columns = phase_columns(s);
  ConvPlanCuda all{false, "tiles: no tap reaches x"};
  for (int64_t r = 0; r < rows.candidates(); ++r)
    for (int64_t c = 0; c < columns.candidates(); ++c) {
      const Phase row = rows.phase(r), column = columns.phase(c);
      if (row.first >= s.h || column.first >= s.w) continue;
      all = plan_windows(phase_windows(s, row, column), s.c, dtype, s.precision);
      if (!all.wgmma) return all;
    }
  return all;
}

// The layout in which kernels want the operands of a product, given how they lie. Two transposes of
// 16-bit numbers cost as much as some tens of multiplications for each number without tensor cores.
inline Layout conv2d_layout_cuda(const Conv2dShape& s, Conv2dProduct product, Layout given,
                                 DType dtype, const DeviceFacts& device) {
  constexpr double kWorthTransposing = 128;
  if (!plan_conv2d_cuda(s, product, dtype, device).wgmma) return Layout::first;
  if (given == Layout::last) return given;
  if (dtype == DType::f32) return Layout::first;
  const double x = double(s.n * s.c) * double(s.h * s.w), y = double(s.n * s.k) * double(s.p * s.q);
  return y * double(s.c * s.r * s.s) >= kWorthTransposing * (x + y) ? Layout::last : Layout::first;
}

// The gradient by the weight: filters by (tap, channel), summed over positions in `parts`.
struct WeightGradPlan {
  int tile_n;
  int64_t parts, blocks;  // blocks of 64 positions in each part
};
inline WeightGradPlan plan_weight_grad(const ConvWindows& w, int64_t filters,
                                       const DeviceFacts& device) {
  const auto up = [](int64_t x, int64_t y) { return (x + y - 1) / y; };
  constexpr int64_t kMostParts = 128, kFewest = 4, kTile = 1200;  // cycles of a tile besides blocks
  const int64_t columns = w.all_taps() * w.channel_blocks(64) * 64, blocks = up(w.count(), 64);
  const int64_t sms = device.multiprocessors;
  WeightGradPlan best{};
  int64_t least = std::numeric_limits<int64_t>::max();
  for (const int64_t tile_n : {256, 128}) {
    const int64_t tiles = up(filters, 128) * up(columns, tile_n);
    for (int64_t parts = 1; parts <= kMostParts && (parts == 1 || parts * kFewest <= blocks);
         ++parts) {
      const int64_t each = up(blocks, parts), rounds = up(tiles * parts, sms);
      // 4 cycles a column and block; partial sums are written and read at 16 bytes a cycle for each.
      const int64_t cost =
          rounds * (each * tile_n * 4 + kTile) + parts * filters * columns * 8 / (16 * sms);
      if (cost >= least) continue;
      least = cost;
      best = {static_cast<int>(tile_n), up(blocks, each), each};
    }
  }
  return best;
}

}  // namespace fastdl::cuda
