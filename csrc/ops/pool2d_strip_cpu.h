// Rows of windows in the first-level cache. Rows of the output are made a few at a time: what their
// windows read is laid out between margins, for each row a segment of a strip, so that every window is
// whole and registers need not stop at the end of a row. Where windows lie apart, the segments
// follow without a gap, and rows of the output that are narrower than a register are one long row.
#pragma once

#include "cpu/prefetch.h"
#include "ops/pool2d_window_cpu.h"

namespace fastdl::cpu {

inline constexpr int64_t kStripElements = 512;
inline constexpr int64_t kAhead = 8;

struct Strip {
  bool joined;    // the outputs of all its rows are one long row
  int64_t pitch;  // from one segment to the next
  int64_t rows;   // of the output, at most
  int64_t size;   // in elements, with what registers read beyond the last segment
};

template <class V>
inline Strip strip_of(const Pool2dShape& s) {
  const bool joined = windows_apart(s);
  const int64_t window = (s.kernel_w - 1) * s.dilation_w + 1;
  const int64_t wanted = std::max((s.q - 1) * s.stride_w + window, s.pad_w + s.w);
  const int64_t pitch = joined ? s.q * s.stride_w : (wanted + V::size - 1) / V::size * V::size;
  const int64_t rows = std::max<int64_t>(1, kStripElements / std::max<int64_t>(1, pitch));
  return {joined, pitch, rows, rows * pitch + V::size * s.stride_w + window};
}

// Calls fill(first row of the windows, taps inside, segment) for each row of a strip of outputs, then
// body(first output, its row of a plane, tap 0 of that output, outputs) for as many of
// its outputs at a time as are one row. `segment` is where column 0 of x belongs in the first of
// `levels` strips; a fill may write a register of margin behind the row.
template <class S, class Fill, class Body>
void for_strips(const Context& context, const Pool2dShape& shape, const S* x, int64_t levels,
                Compute<S> margin, Fill fill, Body body) {
  using C = Compute<S>;
  if (shape.p * shape.q == 0) return;
  context.parallel_for(shape.planes * shape.p, pool_grain(shape), [&](int64_t begin, int64_t end) {
    // Copies of what the loops use: a store of lanes may be one to anything behind a reference.
    const Pool2dShape s = shape;
    const Strip strip = strip_of<Vec<C>>(s);
    const auto fill_row = fill;
    const auto do_row = body;
    Scratch scratch(context, static_cast<size_t>(levels * strip.size) * sizeof(C));
    C* const columns = scratch.as<C>();
    std::fill_n(columns, levels * strip.size, margin);
    const S* plane = x + begin / s.p * s.h * s.w;
    const int64_t step = s.stride_h * s.w;  // the rows that are new with the next output
    const int64_t step_bytes = step * static_cast<int64_t>(sizeof(S));
    int64_t p = begin % s.p;
    for (int64_t i = begin; i < end; i += strip.rows) {
      const int64_t rows = std::min(strip.rows, end - i), first = p;
      if (strip.joined) {
        const Range whole{0, s.kernel_h};
        for (int64_t k = 0; k < rows; ++k) {
          prefetch(plane + (p + kAhead) * step, step_bytes);
          fill_row(plane + p * step, whole, columns + k * strip.pitch);
          if (++p == s.p) p = 0, plane += s.h * s.w;
        }
        do_row(i * s.q, first, columns, rows * s.q);
        continue;
      }
      for (int64_t k = 0; k < rows; ++k) {
        const Range taps = rows_inside(s, p);
        const int64_t top = p * s.stride_h - s.pad_h + taps.first * s.dilation_h;
        prefetch(plane + (p + kAhead) * step, step_bytes);
        fill_row(plane + top * s.w, taps, columns + k * strip.pitch + s.pad_w);
        if (++p == s.p) p = 0, plane += s.h * s.w;
      }
      for (int64_t k = 0, row = first; k < rows; ++k) {
        do_row((i + k) * s.q, row, columns + k * strip.pitch, s.q);
        if (++row == s.p) row = 0;
      }
    }
  });
}

// Calls body as above with the rows of a window folded into one.
template <class S, class F, class Body>
void for_folded_rows(const Context& context, const Pool2dShape& s, const S* x, Compute<S> margin,
                     F fold, Body body) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t width = std::min(s.w, strip_of<V>(s).pitch), step = s.dilation_h * s.w;
  const auto fold_rows = [=](const S* first, auto rows, C* to) {
    for_packs_back<V>(width, [=](int64_t j, auto m) {
      V v = load_pack(first + j, m, margin);
      for (int64_t r = 1; r < rows; ++r) v = fold(v, load_pack(first + r * step + j, m, margin));
      v.store(to + j);
    });
  };
  const auto fill = [=](const S* first, Range taps, C* to) {
    using std::integral_constant;
    const int64_t rows = taps.last - taps.first;
    if (rows == 2) return fold_rows(first, integral_constant<int64_t, 2>(), to);
    if (rows == 3) return fold_rows(first, integral_constant<int64_t, 3>(), to);
    if (rows > 0) return fold_rows(first, rows, to);
    std::fill_n(to, width, margin);
  };
  for_strips(context, s, x, 1, margin, fill, body);
}

// The same with each row of a window in a strip of its own: row r is r * Strip::size further on.
template <class S, class Body>
void for_copied_rows(const Context& context, const Pool2dShape& s, const S* x, Compute<S> margin,
                     Body body) {
  using C = Compute<S>;
  using V = Vec<C>;
  const Strip strip = strip_of<V>(s);
  const int64_t width = std::min(s.w, strip.pitch), step = s.dilation_h * s.w;
  const auto fill = [=](const S* first, Range taps, C* to) {
    for (int64_t r = taps.first; r < taps.last; ++r, first += step)
      for_packs_back<V>(width, [&](int64_t j, auto m) {
        load_pack(first + j, m, margin).store(to + r * strip.size + j);
      });
  };
  for_strips(context, s, x, s.kernel_h, margin, fill, body);
}

// ---- taps of a row ----

// x[0], x[stride], ...
template <class C, class Stride>
inline Vec<C> load_strided(const C* x, Stride stride) {
  using V = Vec<C>;
  if (stride == 1) return V::load(x);
  C buffer[V::size];
  for (int64_t i = 0; i < V::size; ++i) buffer[i] = x[i * stride];
  return V::load(buffer);
}

// Calls f with the width of the window and its stride, as constants where they are usual ones; both
// are where the taps of a register of outputs lie in two registers.
template <class F>
inline void with_window(const Pool2dShape& s, F f) {
  using std::integral_constant;
  if (s.stride_w == 1) return f(s.kernel_w, integral_constant<int64_t, 1>());
  if (s.stride_w != 2 || s.dilation_w != 1) return f(s.kernel_w, s.stride_w);
  if (s.kernel_w == 2) return f(integral_constant<int64_t, 2>(), integral_constant<int64_t, 2>());
  if (s.kernel_w == 3) return f(integral_constant<int64_t, 3>(), integral_constant<int64_t, 2>());
  f(s.kernel_w, s.stride_w);
}

// Calls f(c, tap c of a register of outputs) for the taps of a row, of which `at` is the first.
template <class C, class Width, class Stride, class F>
[[gnu::always_inline]] inline void for_taps(const C* at, Width kernel_w, Stride stride,
                                            int64_t dilation, F f) {
  using V = Vec<C>;
  if constexpr (std::is_same_v<Width, int64_t>) {
    for (int64_t c = 0; c < kernel_w; ++c) f(c, load_strided(at + c * dilation, stride));
  } else {  // windows of 2 or 3 that step by 2: a third tap is the first of the output that follows
    typename V::Mask even, odd, next;
    for (int i = 0; i < V::size; ++i) even[i] = 2 * i, odd[i] = 2 * i + 1, next[i] = i + 1;
    const V low = V::load(at), high = V::load(at + V::size);
    const V first(typename V::Native(__builtin_shuffle(low.v, high.v, even)));
    f(0, first);
    f(1, V(typename V::Native(__builtin_shuffle(low.v, high.v, odd))));
    if (kernel_w == 2) return;
    const V after(at[2 * V::size]);
    f(2, V(typename V::Native(__builtin_shuffle(first.v, after.v, next))));
  }
}

template <class C, class Width, class Stride, class F>
[[gnu::always_inline]] inline Vec<C> fold_taps(const C* at, Width kernel_w, Stride stride,
                                               int64_t dilation, F fold) {
  Vec<C> v(C(0));
  for_taps(at, kernel_w, stride, dilation,
           [&](int64_t c, Vec<C> tap) { v = c == 0 ? tap : fold(v, tap); });
  return v;
}

}  // namespace fastdl::cpu
