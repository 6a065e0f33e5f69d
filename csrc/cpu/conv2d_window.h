// The geometry that makes every convolution a matrix product without an im2col matrix.
//
// A block of source rows is copied once, padded with zeros and with its columns and rows dealt out
// by their phase modulo the stride. In that copy, output position j = row * pitch + column reads
// tap (channel, r, s) at `offset(channel, r, s) + j`: one constant offset per tap, so that each row
// of the im2col matrix is the copy itself, shifted. Columns q to pitch - 1 of each row are computed
// too and dropped. (Dukhan, "The indirect convolution algorithm", 2019, and Anderson, Vasudevan,
// Keane and Gregg, "Low-memory GEMM-based convolution algorithms", 2017, go half this way.)
//
// Where no padding and no stride ask for a copy, the source itself serves.
#pragma once

#include <algorithm>
#include <cstdint>

#include "cpu/vec.h"

namespace fastdl::cpu {

// Where a tap reads for output (0, 0); may lie outside of the source, where zeros are read.
struct Tap {
  int64_t row, col;
  int64_t weight;  // position in the filter
};

struct Window {
  int64_t channels, h, w;  // source planes, of one group
  int64_t p, q;            // output rows and columns
  int64_t stride_h, stride_w;
  const Tap* taps;
  int64_t n_taps;
};

class ShiftLayout {
 public:
  ShiftLayout(const Window& window, int64_t item_size) : w_(window) {
    int64_t max_row = 0, max_col = 0;
    min_row_ = min_col_ = 0;
    for (int64_t t = 0; t < w_.n_taps; ++t) {
      const Tap& tap = w_.taps[t];
      min_row_ = t ? std::min(min_row_, tap.row) : tap.row;
      min_col_ = t ? std::min(min_col_, tap.col) : tap.col;
      max_row = t ? std::max(max_row, tap.row) : tap.row;
      max_col = t ? std::max(max_col, tap.col) : tap.col;
    }
    extra_rows_ = (max_row - min_row_) / w_.stride_h;
    extra_cols_ = (max_col - min_col_) / w_.stride_w;
    // Many planes a large power of two apart would share a few sets of the cache.
    in_place_ = kMaskedAccess && w_.channels <= kInPlaceChannels && w_.stride_h == 1 &&
                w_.stride_w == 1 && min_row_ >= 0 && min_col_ >= 0 && max_row + w_.p <= w_.h &&
                max_col + w_.q <= w_.w;
    pitch_ = w_.q + extra_cols_;
    // The zeros right of a row may be the zeros left of the next.
    if (w_.stride_w == 1)
      pitch_ = std::min(pitch_, std::max({w_.q, w_.w - min_col_, pitch_ + min_col_}));
    phases_h_ = std::min(w_.stride_h, max_row - min_row_ + 1);
    phases_w_ = std::min(w_.stride_w, max_col - min_col_ + 1);
    if (in_place_) pitch_ = w_.w;
    // An odd number of cache lines per plane spreads the channels over the sets of the cache.
    line_ = 64 / item_size;
  }

  bool in_place() const { return in_place_; }
  int64_t pitch() const { return pitch_; }
  int64_t row_elements() const { return w_.channels * phases_h_ * phases_w_ * pitch_; }

  // Fixes the number of output rows that a copy serves.
  void set_block(int64_t rows) {
    plane_ = (rows + extra_rows_) * pitch_ + extra_cols_;
    plane_ = ((plane_ + line_ - 1) / line_ | 1) * line_;
  }
  int64_t positions(int64_t rows) const { return rows > 0 ? (rows - 1) * pitch_ + w_.q : 0; }
  // Of a copy of `channels`, with room for the registers that run past its end.
  int64_t copy_elements(int64_t channels) const {
    return in_place_ ? 0 : channels * phases_h_ * phases_w_ * plane_ + 64;
  }
  int64_t channel_stride() const {
    return in_place_ ? w_.h * w_.w : phases_h_ * phases_w_ * plane_;
  }
  int64_t tap_offset(const Tap& tap) const {
    if (in_place_) return tap.row * w_.w + tap.col;
    const int64_t row = tap.row - min_row_, col = tap.col - min_col_;
    return (row % w_.stride_h * phases_w_ + col % w_.stride_w) * plane_ +
           row / w_.stride_h * pitch_ + col / w_.stride_w;
  }

  // The address from which offsets count, for output rows first to first + rows: either in `src`
  // or in `copy`, which is filled. `src` and `channels` are those of the wanted channels.
  template <class T>
  const T* load(const T* src, int64_t channels, int64_t first, int64_t rows, T* copy) const {
    if (in_place_) return src + first * w_.w;
    T* out = copy;
    for (int64_t c = 0; c < channels; ++c, src += w_.h * w_.w)
      for (int64_t ph = 0; ph < phases_h_; ++ph)
        for (int64_t pw = 0; pw < phases_w_; ++pw, out += plane_)
          fill_plane(src, first * w_.stride_h + ph + min_row_, pw + min_col_, rows + extra_rows_,
                     out);
    clear(out, 48);  // finite numbers where the last tile reads past the end
    return copy;
  }

 private:
  static constexpr int64_t kInPlaceChannels = 32;

  // At least n zeros, in whole registers.
  template <class T>
  static void clear(T* p, int64_t n) {
    for (int64_t i = 0; i < n; i += Vec<T>::size) Vec<T>(T(0)).store(p + i);
  }

  // Writes whole registers and lets each row's last one run into the next row, which is written
  // later: `copy` has room for one more than it needs.
  template <class T>
  void fill_plane(const T* src, int64_t row, int64_t col, int64_t rows, T* out) const {
    constexpr int64_t kSize = Vec<T>::size;
    const int64_t step = w_.stride_w;
    // Columns of the copy that lie in the source: 0 <= col + x * step < w.
    const int64_t begin = std::min(pitch_, col < 0 ? (-col + step - 1) / step : 0);
    const int64_t end = std::clamp((w_.w - col + step - 1) / step, begin, pitch_);
    const int64_t whole = begin + (end - begin) / kSize * kSize;
    T* const last = out + plane_;
    for (int64_t y = 0; y < rows; ++y, row += w_.stride_h, out += pitch_) {
      if (row < 0 || row >= w_.h) {
        clear(out, pitch_);
        continue;
      }
      clear(out, begin);
      const T* const s = src + row * w_.w + col;
      int64_t x = begin;
      if (step == 1) {
        for (; x < whole; x += kSize) Vec<T>::load(s + x).store(out + x);
        if (x < end) {
          Vec<T>::load(s + x, end - x).store(out + x);
          x += kSize;
        }
      } else {
        for (; x < end; ++x) out[x] = s[x * step];
      }
      clear(out + x, pitch_ - x);
    }
    clear(out, last - out);
  }

  Window w_;
  int64_t min_row_, min_col_, extra_rows_, extra_cols_, phases_h_, phases_w_;
  int64_t pitch_, plane_ = 0, line_;
  bool in_place_;
};

}  // namespace fastdl::cpu
