// Weights packed for channels-last tiles: [panel][block of channels][tap][channel][width], output
// channels innermost.
#pragma once

#include "core/context.h"
#include "cpu/conv2d_problem.h"
#include "cpu/conv2d_tile.h"
#include "cpu/gemm_pack.h"
#include "cpu/prefetch.h"

namespace fastdl::cpu {

// Panels are kChannelCols wide, the last as many registers as it needs.
template <class T>
int64_t padded_filters(int64_t filters) {
  return (filters + Vec<T>::size - 1) / Vec<T>::size * Vec<T>::size;
}
template <class T>
int64_t panels_of(int64_t filters) {
  return (filters + kChannelCols<T> - 1) / kChannelCols<T>;
}
template <class T>
int64_t panel_width(int64_t filters, int64_t panel) {  // padded
  return std::min(kChannelCols<T>, padded_filters<T>(filters) - panel * kChannelCols<T>);
}

// Channels of a block: what a chunk of a panel's depth, all its taps, holds.
inline constexpr int64_t kBlockDepth = 576;  // 64 channels of 3x3 filters
inline int64_t channel_block(int64_t channels, int64_t taps) {
  const int64_t most = std::max<int64_t>(16, kBlockDepth / std::max<int64_t>(taps, 1));
  const int64_t blocks = (channels + most - 1) / most;
  return blocks > 0 ? (channels + blocks - 1) / blocks : 1;
}

inline constexpr int64_t kPackAhead = 16;  // channels for which strided filters are asked for

// [tap][channel][width] of one panel of a group: the taps of `part` in its order, and the channels
// first to first + channels. `place` is scratch of w_taps numbers.
template <class T>
void pack_filters(const ConvProblem<T>& c, const ConvPart& part, int64_t group, int64_t panel,
                  int64_t first, int64_t channels, int64_t* place, T* out) {
  constexpr int64_t kSize = Vec<T>::size;
  const int64_t k0 = panel * kChannelCols<T>, width = panel_width<T>(c.filters, panel);
  std::fill_n(place, c.w_taps, int64_t{-1});
  for (int64_t t = 0; t < part.n_taps; ++t) place[part.taps[t].weight] = t * channels * width;
  if (c.w_taps == 1 &&
      c.w_out == 1) {  // the transposed filters of 1x1: a channel's lie side by side
    const T* s = c.weight + group * c.w_group + k0 + first * c.w_in;
    for (int64_t i = 0; i < channels * part.n_taps; ++i, s += c.w_in, out += width) {
      // The next channels are pages away, where no hardware looks ahead.
      prefetch(s + kPackAhead * c.w_in, width * static_cast<int64_t>(sizeof(T)));
      for (int64_t v0 = 0; v0 < width; v0 += kSize)
        Vec<T>::load(s + v0, std::clamp<int64_t>(c.filters - k0 - v0, 0, kSize)).store(out + v0);
    }
    return;
  }
  // A filter's channels and taps are one run in memory, or each channel's taps are.
  const bool flat = c.w_in == c.w_taps;
  const int64_t outer = flat ? 1 : channels;
  const int64_t columns = flat ? channels * c.w_taps : c.w_taps;
  for (int64_t v0 = 0; v0 < width; v0 += kSize) {
    const int64_t got = std::clamp<int64_t>(c.filters - k0 - v0, 0, kSize);
    for (int64_t o = 0; o < outer; ++o) {
      const T* const s = c.weight + group * c.w_group + (k0 + v0) * c.w_out + (first + o) * c.w_in;
      int64_t channel = o, tap = 0;
      for (int64_t m = 0; m < columns; m += kSize) {
        const int64_t n = std::min(kSize, columns - m);
        Vec<T> v[kSize];
#pragma GCC unroll 16
        for (int i = 0; i < kSize; ++i)
          v[i] = i >= got ? Vec<T>(T(0))
                          : (n == kSize ? Vec<T>::load(s + i * c.w_out + m)
                                        : Vec<T>::load(s + i * c.w_out + m, n));
        transpose<T>(v);
        if (c.w_taps == 1 && n == kSize) {
          T* const to = out + place[0] + channel * width + v0;
#pragma GCC unroll 16
          for (int i = 0; i < kSize; ++i) v[i].store(to + i * width);
          channel += kSize;
          continue;
        }
        alignas(64) T lanes[kSize][kSize];
#pragma GCC unroll 16
        for (int i = 0; i < kSize; ++i) v[i].store(lanes[i]);
        for (int64_t i = 0; i < n; ++i) {
          if (place[tap] >= 0)
            Vec<T>::load(lanes[i]).store(out + place[tap] + channel * width + v0);
          if (++tap == c.w_taps) tap = 0, ++channel;
        }
      }
    }
  }
}

}  // namespace fastdl::cpu
