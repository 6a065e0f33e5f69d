// Pooling of images in channels-last: lanes are the channels of a pixel. Gradients are gathered: every
// pixel adds up what the windows over it give it, so no two threads write to one place and nothing
// has to be zeroed first.
#pragma once

#include "ops/pool2d_window_cpu.h"

namespace fastdl::cpu {

// Calls f(first channel, lanes, registers) for up to four registers of channels at once.
template <class V, class F>
inline void for_channels_of_pixel(int64_t channels, F f) {
  constexpr std::integral_constant<int64_t, V::size> all;
  int64_t k = 0;
  for (; k + 4 * V::size <= channels; k += 4 * V::size) f(k, all, std::integral_constant<int, 4>());
  for_packs<V>(channels - k,
               [&](int64_t i, auto m) { f(k + i, m, std::integral_constant<int, 1>()); });
}

// Calls pixel(first element of the sample's x, window's row and column, its taps inside, the flat
// position of the output's pixel) for all windows.
template <class F>
inline void for_windows_last(const Context& context, const Pool2dShape& s, F pixel) {
  const int64_t rows = s.channels ? s.planes / s.channels * s.p : 0;
  context.parallel_for(rows, pool_grain(s), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t p = i % s.p, top = p * s.stride_h - s.pad_h;
      const Range inside = taps_inside(top, s.kernel_h, s.dilation_h, s.h);
      for (int64_t q = 0; q < s.q; ++q) {
        const int64_t left = q * s.stride_w - s.pad_w;
        const Range columns = taps_inside(left, s.kernel_w, s.dilation_w, s.w);
        pixel(i / s.p * s.h * s.w * s.channels, p, q, inside, columns, (i * s.q + q) * s.channels);
      }
    }
  });
}

// Calls f(tap, first element of its pixel) for the taps inside.
template <class F>
inline void for_taps_last(const Pool2dShape& s, int64_t p, int64_t q, Range rows, Range columns,
                          F f) {
  for (int64_t r = rows.first; r < rows.last; ++r)
    for (int64_t c = columns.first; c < columns.last; ++c)
      f(r * s.kernel_w + c, ((p * s.stride_h - s.pad_h + r * s.dilation_h) * s.w +
                             (q * s.stride_w - s.pad_w + c * s.dilation_w)) *
                                s.channels);
}

template <class S, class Index>
void max_forward_last(const Context& context, const Pool2dShape& s, const S* x, S* y,
                      Index* index) {
  using C = Compute<S>;
  using V = Vec<C>;
  using Lanes = std::conditional_t<std::is_same_v<Index, NoIndex>, int32_t, Index>;
  using L = typename V::Mask;
  for_windows_last(
      context, s, [&](int64_t sample, int64_t p, int64_t q, Range rows, Range columns, int64_t to) {
        const bool none = rows.empty() || columns.empty();
        const int64_t first = rows.first * s.kernel_w + columns.first;
        const L start =
            L{} + static_cast<std::decay_t<decltype(L{}[0])>>(none ? kNoTap<Lanes> : first);
        for_channels_of_pixel<V>(s.channels, [&](int64_t k, auto m, auto registers) {
          constexpr int count = registers;
          V best[count];
          L at[count];
          for (int j = 0; j < count; ++j)
            best[j] = V(-std::numeric_limits<C>::infinity()), at[j] = start;
          for_taps_last(s, p, q, rows, columns, [&](int64_t tap, int64_t from) {
            for (int j = 0; j < count; ++j)
              take_larger<Index>(best[j], at[j],
                                 load_pack(x + sample + from + k + j * V::size, m, C(0)), tap);
          });
          for (int j = 0; j < count; ++j) {
            store_pack(best[j], y + to + k + j * V::size, m);
            if constexpr (!std::is_same_v<Index, NoIndex>)
              TapLanes<C, Index>::store(at[j], index + to + k + j * V::size, m);
          }
        });
      });
}

template <class S>
void average_forward_last(const Context& context, const Pool2dShape& s, const S* x, S* y) {
  using C = Compute<S>;
  using V = Vec<C>;
  for_windows_last(
      context, s, [&](int64_t sample, int64_t p, int64_t q, Range rows, Range columns, int64_t to) {
        const V share(C(1) / static_cast<C>(counted_rows(s, p) * counted_columns(s, q)));
        for_channels_of_pixel<V>(s.channels, [&](int64_t k, auto m, auto registers) {
          constexpr int count = registers;
          V sum[count];
          for (int j = 0; j < count; ++j) sum[j] = V(C(0));
          for_taps_last(s, p, q, rows, columns, [&](int64_t, int64_t from) {
            for (int j = 0; j < count; ++j)
              sum[j] += load_pack(x + sample + from + k + j * V::size, m, C(0));
          });
          for (int j = 0; j < count; ++j) store_pack(sum[j] * share, y + to + k + j * V::size, m);
        });
      });
}

// dx of every pixel: the sum of share(tap, p, q, flat element of the output, lanes) over the windows
// that have it among their taps.
template <class S, class F>
void gather_last(const Context& context, const Pool2dShape& s, S* dx, F share) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t rows = s.channels ? s.planes / s.channels * s.h : 0, line = s.w * s.channels;
  const int64_t item = sizeof(S);
  const bool large = streams(dx, s.planes * s.h * s.w * item, s.channels * item);
  const auto run = [&](auto stream) {
    context.parallel_for(
        rows, std::max<int64_t>(1, kPoolWork / std::max<int64_t>(1, 2 * line)),
        [&](int64_t begin, int64_t end) {
          for (int64_t row = begin; row < end; ++row) {
            const int64_t i = row % s.h, sample = row / s.h * s.p * s.q * s.channels;
            const Range over = windows_over(i, s.kernel_h, s.stride_h, s.pad_h, s.dilation_h, s.p);
            for (int64_t j = 0; j < s.w; ++j) {
              const Range across =
                  windows_over(j, s.kernel_w, s.stride_w, s.pad_w, s.dilation_w, s.q);
              for_channels_of_pixel<V>(s.channels, [&](int64_t k, auto m, auto registers) {
                constexpr int count = registers;
                V sum[count];
                for (int n = 0; n < count; ++n) sum[n] = V(C(0));
                for (int64_t p = over.first; p < over.last; ++p) {
                  const int64_t down = i + s.pad_h - p * s.stride_h;
                  if (down % s.dilation_h != 0) continue;
                  for (int64_t q = across.first; q < across.last; ++q) {
                    const int64_t right = j + s.pad_w - q * s.stride_w;
                    if (right % s.dilation_w != 0) continue;
                    const int64_t tap = down / s.dilation_h * s.kernel_w + right / s.dilation_w;
                    const int64_t at = sample + (p * s.q + q) * s.channels + k;
                    for (int n = 0; n < count; ++n) sum[n] += share(tap, p, q, at + n * V::size, m);
                  }
                }
                for (int n = 0; n < count; ++n)
                  put_pack<stream>(sum[n], dx + row * line + j * s.channels + k + n * V::size, m);
              });
            }
          }
          stream_end();
        });
  };
  with_flag(large, run);
}

template <class S, class Index>
void max_backward_last(const Context& context, const Pool2dShape& s, const S* dy,
                       const Index* index, S* dx) {
  using C = Compute<S>;
  using V = Vec<C>;
  using Lanes = TapLanes<C, Index>;
  gather_last(context, s, dx, [&](int64_t tap, int64_t, int64_t, int64_t at, auto m) {
    using L = typename V::Mask;
    const L here = L{} + static_cast<std::decay_t<decltype(L{}[0])>>(tap);
    return select<C>(Lanes::load(index + at, m) == here, load_pack(dy + at, m, C(0)), V(C(0)));
  });
}

template <class S>
void average_backward_last(const Context& context, const Pool2dShape& s, const S* dy, S* dx) {
  using C = Compute<S>;
  Scratch scratch(context, static_cast<size_t>(s.q) * sizeof(C));
  C* const width = scratch.as<C>();
  for (int64_t q = 0; q < s.q; ++q) width[q] = static_cast<C>(counted_columns(s, q));
  gather_last(context, s, dx, [&](int64_t, int64_t p, int64_t q, int64_t at, auto m) {
    const C share = C(1) / (width[q] * static_cast<C>(counted_rows(s, p)));
    return load_pack(dy + at, m, C(0)) * Vec<C>(share);
  });
}

}  // namespace fastdl::cpu
