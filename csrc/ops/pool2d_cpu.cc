// Two-dimensional pooling of planes (images in channels-last: ops/pool2d_last_cpu.h). Lanes are
// neighbouring outputs of a row. The rows of a window are folded into one first, between margins that
// add nothing, and then the taps of that row by (strided) loads: kernel_h + kernel_w steps in place
// of their product. Where a gradient will ask which tap was the maximum, the taps are walked in
// their order instead, and windows that hang over an edge one by one.
//
// Gradients of a plane are put together in the first caches and leave for memory once. A maximum's
// goes to the tap that forward noted, which is a byte. All rows under a window get the same of an
// average: what a row of dy spreads over its columns is added up once.
#include "core/dtype.h"
#include "cpu/prefetch.h"
#include "cpu/register.h"
#include "ops/pool2d_last_cpu.h"
#include "ops/pool2d_window_cpu.h"

namespace fastdl::cpu {
namespace {

// x[0], x[stride], ... : m elements, or a whole register if m is the constant.
template <class C, class Stride, class M>
inline Vec<C> load_strided(const C* x, Stride stride, M m) {
  using V = Vec<C>;
  if (stride == 1 || m == 1) return load_pack(x, m, C(0));
  if (stride == 2) {
    // Two registers that together end with the last element wanted, so that nothing is read
    // beyond it.
    typename V::Mask pick;
    for (int i = 0; i < V::size; ++i) pick[i] = i < V::size / 2 ? 2 * i : 2 * i + 1;
    V low, high;
    if constexpr (std::is_same_v<M, int64_t>) {
      low = V::load(x, std::min<int64_t>(2 * m - 1, V::size));
      high = V::load(x + V::size - 1, std::max<int64_t>(2 * m - V::size, 0));
    } else {
      low = V::load(x);
      high = V::load(x + V::size - 1);
    }
    return V(typename V::Native(__builtin_shuffle(low.v, high.v, pick)));
  }
  C buffer[V::size] = {};
  for (int64_t i = 0; i < m; ++i) buffer[i] = x[i * stride];
  return V::load(buffer);
}

// a[0], b[0], a[1], b[1], ... to y: 2 m elements.
template <class C, class M>
inline void store_interleaved(Vec<C> a, Vec<C> b, C* y, M m) {
  using V = Vec<C>;
  typename V::Mask low, high;
  for (int i = 0; i < V::size; ++i) {
    low[i] = i / 2 + (i % 2 ? V::size : 0);
    high[i] = low[i] + V::size / 2;
  }
  const V first(typename V::Native(__builtin_shuffle(a.v, b.v, low)));
  const V second(typename V::Native(__builtin_shuffle(a.v, b.v, high)));
  if constexpr (std::is_same_v<M, int64_t>) {
    first.store(y, std::min<int64_t>(2 * m, V::size));
    if (2 * m > V::size) second.store(y + V::size, 2 * m - V::size);
  } else {
    first.store(y);
    second.store(y + V::size);
  }
}

// Calls f with the width of the window and its stride, as constants where they are usual ones.
template <class F>
inline void with_window(const Pool2dShape& s, F f) {
  using std::integral_constant;
  if (s.stride_w == 1) return f(s.kernel_w, integral_constant<int64_t, 1>());
  if (s.stride_w != 2) return f(s.kernel_w, s.stride_w);
  if (s.kernel_w == 2) return f(integral_constant<int64_t, 2>(), integral_constant<int64_t, 2>());
  if (s.kernel_w == 3) return f(integral_constant<int64_t, 3>(), integral_constant<int64_t, 2>());
  f(s.kernel_w, integral_constant<int64_t, 2>());
}

// The windows of a row that lie inside from left to right.
Range whole_windows(const Pool2dShape& s) {
  const int64_t first = std::min((s.pad_w + s.stride_w - 1) / s.stride_w, s.q);
  const int64_t room = s.w - 1 - (s.kernel_w - 1) * s.dilation_w + s.pad_w;
  return {first, room < 0 ? first : std::clamp(room / s.stride_w + 1, first, s.q)};
}

// The rows of a window in the type of the arithmetic.
template <class S>
class WindowRows {
 public:
  using C = Compute<S>;
  static constexpr bool kCopies = !std::is_same_v<S, C>;

  WindowRows(const Context& context, const Pool2dShape& s)
      : s_(s), scratch_(context, kCopies ? static_cast<size_t>(s.kernel_h * s.w) * sizeof(C) : 0) {}

  void enter(const S* plane, int64_t top, Range taps) {
    if constexpr (kCopies) {
      base_ = scratch_.template as<C>();
      for (int64_t r = taps.first; r < taps.last; ++r)
        load_block(plane + (top + r * s_.dilation_h) * s_.w, 1, s_.w,
                   scratch_.template as<C>() + r * s_.w);
    } else {
      base_ = plane + top * s_.w;
    }
  }
  const C* row(int64_t r) const { return base_ + r * (kCopies ? s_.w : s_.dilation_h * s_.w); }

 private:
  const Pool2dShape& s_;
  Scratch scratch_;
  const C* base_ = nullptr;
};

// Calls body(item, rows, p, taps) for every row of the output, with its window's rows entered.
template <class S, class F>
void for_output_rows(const Context& context, const Pool2dShape& s, const S* x, F body) {
  if (s.q == 0) return;
  context.parallel_for(s.planes * s.p, pool_grain(s), [&](int64_t begin, int64_t end) {
    WindowRows<S> rows(context, s);
    int64_t p = begin % s.p;
    const S* plane = x + begin / s.p * s.h * s.w;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t top = p * s.stride_h - s.pad_h;
      const Range taps = taps_inside(top, s.kernel_h, s.dilation_h, s.h);
      rows.enter(plane, top, taps);
      body(i, rows, p, taps);
      if (++p == s.p) p = 0, plane += s.h * s.w;
    }
  });
}

constexpr int64_t kAhead = 20;  // rows of the output for which the input is asked for

// Calls body(item, p, columns) for every row of the output: `columns` is the fold of the rows of
// its windows, at tap 0 of output 0. Folds of other columns than the plane's are `margin`.
//
// Taps are read across the borders of the stores that made the fold, and such a load waits until
// they have left for the cache. So a row is folded before the taps of the last one are read.
template <class S, class F, class Body>
void for_folded_rows(const Context& context, const Pool2dShape& s, const S* x, Compute<S> margin,
                     F fold, Body body) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t reach = (s.q - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1;
  const int64_t room = std::max(reach, s.pad_w + s.w) + V::size;
  if (s.q == 0) return;
  context.parallel_for(s.planes * s.p, pool_grain(s), [&](int64_t begin, int64_t end) {
    Scratch scratch(context, static_cast<size_t>(2 * room) * sizeof(C));
    C* columns = scratch.as<C>();
    C* before = columns + room;
    std::fill_n(columns, 2 * room, margin);
    int64_t p = begin % s.p, p_before = 0;
    const S* plane = x + begin / s.p * s.h * s.w;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t top = p * s.stride_h - s.pad_h;
      const Range taps = taps_inside(top, s.kernel_h, s.dilation_h, s.h);
      const S* const first = plane + (top + taps.first * s.dilation_h) * s.w;
      const int64_t step = s.stride_h * s.w;  // the rows that are new with the next output
      prefetch(first + kAhead * step, step * static_cast<int64_t>(sizeof(S)));
      for_packs<V>(s.w, [&](int64_t j, auto m) {
        if (taps.empty()) return store_pack(V(margin), columns + s.pad_w + j, m);
        V v = load_pack(first + j, m, margin);
        for (int64_t r = 1; r < taps.last - taps.first; ++r)
          v = fold(v, load_pack(first + r * s.dilation_h * s.w + j, m, margin));
        store_pack(v, columns + s.pad_w + j, m);
      });
      if (i > begin) body(i - 1, p_before, before);
      std::swap(columns, before);
      p_before = p;
      if (++p == s.p) p = 0, plane += s.h * s.w;
    }
    body(end - 1, p_before, before);
  });
}

// The fold of the taps of outputs [q, q + m) in a folded row.
template <class C, class Width, class Stride, class M, class F>
inline Vec<C> fold_columns(const Pool2dShape& s, const C* columns, int64_t q, Width kernel_w,
                           Stride stride, M m, F fold) {
  using V = Vec<C>;
  const C* const at = columns + q * stride;
  // Windows of 2 or 3 that step by 2: all taps are in two registers, and one element after them.
  if constexpr (!std::is_same_v<Stride, int64_t> && !std::is_same_v<Width, int64_t> &&
                !std::is_same_v<M, int64_t>) {
    if (stride == 2 && s.dilation_w == 1) {
      typename V::Mask even, odd, next;
      for (int i = 0; i < V::size; ++i) even[i] = 2 * i, odd[i] = 2 * i + 1, next[i] = i + 1;
      const V low = V::load(at), high = V::load(at + V::size);
      const V first(typename V::Native(__builtin_shuffle(low.v, high.v, even)));
      const V second(typename V::Native(__builtin_shuffle(low.v, high.v, odd)));
      const V both = fold(first, second);
      if (kernel_w == 2) return both;
      const V after(at[2 * V::size]);
      return fold(both, V(typename V::Native(__builtin_shuffle(first.v, after.v, next))));
    }
  }
  V v = load_strided(at, stride, m);
  for (int64_t c = 1; c < kernel_w; ++c)
    v = fold(v, load_strided(at + c * s.dilation_w, stride, m));
  return v;
}

// ---- maximum ----

template <class S>
void max_forward(const Context& context, const Pool2dShape& s, const S* x, S* y, NoIndex*) {
  using C = Compute<S>;
  using V = Vec<C>;
  const auto fold = [](V a, V b) { return maximum(a, b); };
  with_window(s, [&](auto kernel_w, auto stride) {
    for_folded_rows(context, s, x, -std::numeric_limits<C>::infinity(), fold,
                    [&](int64_t item, int64_t, const C* columns) {
                      for_packs<V>(s.q, [&](int64_t q, auto m) {
                        store_pack(fold_columns(s, columns, q, kernel_w, stride, m, fold),
                                   y + item * s.q + q, m);
                      });
                    });
  });
}

// The window of output q alone.
template <class S, class Index>
void max_window(const Pool2dShape& s, const WindowRows<S>& rows, Range taps, int64_t q, S* y,
                Index* index) {
  using C = Compute<S>;
  const int64_t left = q * s.stride_w - s.pad_w;
  const Range columns = taps_inside(left, s.kernel_w, s.dilation_w, s.w);
  C best = -std::numeric_limits<C>::infinity();
  int64_t at = -1;
  for (int64_t r = taps.first; r < taps.last; ++r)
    for (int64_t c = columns.first; c < columns.last; ++c) {
      const C v = rows.row(r)[left + c * s.dilation_w];
      if (at >= 0 && !(v > best || (v != v && best == best))) continue;
      best = v, at = r * s.kernel_w + c;
    }
  y[q] = S(best);
  index[q] = at < 0 ? kNoTap<Index> : static_cast<Index>(at);
}

template <class S, class Index>
void max_forward(const Context& context, const Pool2dShape& s, const S* x, S* y, Index* index) {
  using C = Compute<S>;
  using V = Vec<C>;
  using L = typename V::Mask;
  const Range whole = whole_windows(s);
  with_window(s, [&](auto kernel_w, auto stride) {
    for_output_rows(
        context, s, x, [&](int64_t item, const WindowRows<S>& rows, int64_t, Range taps) {
          S* const to = y + item * s.q;
          Index* const noted = index + item * s.q;
          const Range inside = taps.empty() ? Range{0, 0} : whole;
          for (int64_t q = 0; q < inside.first; ++q) max_window(s, rows, taps, q, to, noted);
          for (int64_t q = inside.last; q < s.q; ++q) max_window(s, rows, taps, q, to, noted);
          for_packs<V>(inside.last - inside.first, [&](int64_t i, auto m) {
            const int64_t q = inside.first + i, left = q * s.stride_w - s.pad_w;
            V best(-std::numeric_limits<C>::infinity());
            L at = L{} + static_cast<std::decay_t<decltype(L{}[0])>>(taps.first * kernel_w);
            for (int64_t r = taps.first; r < taps.last; ++r) {
              const C* const row = rows.row(r) + left;
              for (int64_t c = 0; c < kernel_w; ++c)
                take_larger<Index>(best, at, load_strided(row + c * s.dilation_w, stride, m),
                                   r * kernel_w + c);
            }
            store_pack(best, to + q, m);
            TapLanes<C, Index>::store(at, noted + q, m);
          });
        });
  });
}

// Calls body(plane, sum) with each plane of dx, not initialised, in the type of the arithmetic:
// aside where that is another than dx's or where dx is streamed.
template <class S, class F>
void for_gradient_planes(const Context& context, const Pool2dShape& s, S* dx, F body) {
  using C = Compute<S>;
  const int64_t size = s.h * s.w;
  if (size == 0) return;
  const bool same = std::is_same_v<S, C>;
  const bool stream = same && streams(dx, s.planes * size * static_cast<int64_t>(sizeof(S)),
                                      size * static_cast<int64_t>(sizeof(S)));
  context.parallel_for(s.planes, std::max<int64_t>(1, kPoolWork / (size + 2 * s.p * s.q)),
                       [&](int64_t begin, int64_t end) {
                         Scratch scratch(
                             context, same && !stream ? 0 : static_cast<size_t>(size) * sizeof(C));
                         for (int64_t i = begin; i < end; ++i) {
                           C* sum = scratch.as<C>();
                           if constexpr (same) sum = stream ? sum : dx + i * size;
                           body(i, sum);
                           if constexpr (!same)
                             store_block(sum, size, dx + i * size, 1);
                           else if (stream)
                             stream_copy(dx + i * size, sum, static_cast<size_t>(size) * sizeof(S));
                         }
                         stream_end();
                       });
}

template <class S, class Index>
void max_backward(const Context& context, const Pool2dShape& s, const S* dy_, const Index* index,
                  S* dx) {
  using C = Compute<S>;
  const int64_t outputs = s.p * s.q;
  Scratch scratch(context, static_cast<size_t>(s.kernel_h * s.kernel_w) * sizeof(int64_t));
  int64_t* const place = scratch.as<int64_t>();  // of a tap, from the window's first one
  for (int64_t r = 0; r < s.kernel_h; ++r)
    for (int64_t c = 0; c < s.kernel_w; ++c)
      place[r * s.kernel_w + c] = r * s.dilation_h * s.w + c * s.dilation_w;
  for_gradient_planes(context, s, dx, [&](int64_t plane, C* sum) {
    std::fill_n(sum, s.h * s.w, C(0));
    const S* dy = dy_ + plane * outputs;
    const Index* tap = index + plane * outputs;
    for (int64_t p = 0; p < s.p; ++p, dy += s.q, tap += s.q) {
      const int64_t row = (p * s.stride_h - s.pad_h) * s.w - s.pad_w;
      for (int64_t q = 0; q < s.q; ++q)
        if (tap[q] != kNoTap<Index>)
          sum[row + q * s.stride_w + place[tap[q]]] += static_cast<C>(dy[q]);
    }
  });
}

template <class Index>
void max_positions(const Context& context, const Pool2dShape& s, const void* index_,
                   int64_t* positions) {
  const Index* const index = static_cast<const Index*>(index_);
  context.parallel_for(s.planes * s.p * s.q, kPoolWork, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t tap = index[i], q = i % s.q, p = i / s.q % s.p;
      const int64_t row = p * s.stride_h - s.pad_h + tap / s.kernel_w * s.dilation_h;
      const int64_t column = q * s.stride_w - s.pad_w + tap % s.kernel_w * s.dilation_w;
      positions[i] = index[i] == kNoTap<Index> ? -1 : row * s.w + column;
    }
  });
}

// ---- average ----

// Global pooling: each window is a plane, and that one contiguous sum.
template <class S>
void average_planes(const Context& context, const Pool2dShape& s, const S* x, S* y) {
  using C = Compute<S>;
  const int64_t size = s.h * s.w;
  context.parallel_for(s.planes, pool_grain(s), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      y[i] = S(fold_row<Sum>(x + i * size, size) / static_cast<C>(size));
  });
}

template <class S>
void average_forward(const Context& context, const Pool2dShape& s, const S* x, S* y) {
  using C = Compute<S>;
  using V = Vec<C>;
  if (s.kernel_h == s.h && s.kernel_w == s.w && s.pad_h == 0 && s.pad_w == 0 && s.p * s.q == 1)
    return average_planes(context, s, x, y);
  Scratch scratch(context, static_cast<size_t>(s.q) * sizeof(C));
  C* const share = scratch.as<C>();
  for (int64_t q = 0; q < s.q; ++q) share[q] = C(1) / static_cast<C>(counted_columns(s, q));
  const auto add = [](V a, V b) { return a + b; };
  with_window(s, [&](auto kernel_w, auto stride) {
    for_folded_rows(context, s, x, C(0), add, [&](int64_t item, int64_t p, const C* columns) {
      const V height(C(1) / static_cast<C>(counted_rows(s, p)));
      for_packs<V>(s.q, [&](int64_t q, auto m) {
        const V sum = fold_columns(s, columns, q, kernel_w, stride, m, add);
        store_pack(sum * (load_pack(share + q, m, C(0)) * height), y + item * s.q + q, m);
      });
    });
  });
}

// spread[j] = the sum of scaled[q] over the windows q that have column j. Columns j of one remainder
// by the stride have the same taps; scaled[-margin, q + margin) is readable, and 0 outside of [0, q).
template <class C>
void spread_row(const Pool2dShape& s, const C* scaled, C* spread) {
  using V = Vec<C>;
  const int64_t stride = s.stride_w;
  // The sum for columns stride * k + remainder, k in [i, i + m).
  const auto columns = [&](int64_t remainder, int64_t i, auto m) {
    const int64_t shift = remainder + s.pad_w;
    V sum(C(0));
    for (int64_t c = shift % stride; c < s.kernel_w; c += stride)
      sum += load_pack(scaled + i + (shift - c) / stride, m, C(0));
    return sum;
  };
  const int64_t steps = s.w / stride;
  for_packs<V>(steps, [&](int64_t i, auto m) {
    if (stride == 1) return store_pack(columns(0, i, m), spread + i, m);
    if (stride == 2)
      return store_interleaved(columns(0, i, m), columns(1, i, m), spread + 2 * i, m);
    C lanes[V::size];
    for (int64_t r = 0; r < stride; ++r) {
      columns(r, i, m).store(lanes);
      for (int64_t k = 0; k < m; ++k) spread[(i + k) * stride + r] = lanes[k];
    }
  });
  for (int64_t j = steps * stride; j < s.w; ++j)
    spread[j] = columns(j % stride, steps, int64_t{1}).v[0];
}

template <class S>
void average_backward(const Context& context, const Pool2dShape& s, const S* dy_, S* dx) {
  using C = Compute<S>;
  using V = Vec<C>;
  // Reads of spread_row reach (kernel_w - 1) / stride_w windows to the left of the first column's,
  // and as far as the last column's to the right.
  const int64_t margin = s.kernel_w / s.stride_w + 1;
  const int64_t room = margin + std::max(s.q, (s.w + s.pad_w) / s.stride_w + 1) + 1 + V::size;
  const size_t bytes = static_cast<size_t>(room + s.q + s.p * s.w) * sizeof(C);
  for_gradient_planes(context, s, dx, [&](int64_t plane, C* sum) {
    Scratch scratch(context, bytes);
    C* const scaled = scratch.as<C>() + margin;
    C* const share = scratch.as<C>() + room;
    C* const spread = share + s.q;
    std::fill_n(scaled - margin, room, C(0));
    for (int64_t q = 0; q < s.q; ++q) share[q] = C(1) / static_cast<C>(counted_columns(s, q));
    const S* const dy = dy_ + plane * s.p * s.q;
    for (int64_t p = 0; p < s.p; ++p) {
      const V height(C(1) / static_cast<C>(counted_rows(s, p)));
      for_packs<V>(s.q, [&](int64_t q, auto m) {
        store_pack(load_pack(dy + p * s.q + q, m, C(0)) * (load_pack(share + q, m, C(0)) * height),
                   scaled + q, m);
      });
      spread_row(s, scaled, spread + p * s.w);
    }
    for (int64_t i = 0; i < s.h; ++i) {
      const Range over = windows_over(i, s.kernel_h, s.stride_h, s.pad_h, 1, s.p);
      for_packs<V>(s.w, [&](int64_t j, auto m) {
        V total(C(0));
        for (int64_t p = over.first; p < over.last; ++p)
          total += load_pack(spread + p * s.w + j, m, C(0));
        store_pack(total, sum + i * s.w + j, m);
      });
    }
  });
}

// launchers

template <class S>
void max_forward_launch(const Context& context, const Pool2dShape& s, const void* x_, void* y_,
                        void* index) {
  const S* const x = static_cast<const S*>(x_);
  S* const y = static_cast<S*>(y_);
  with_index(s, index, [&](auto* taps) {
    s.layout == Layout::last ? max_forward_last(context, s, x, y, taps)
                             : max_forward(context, s, x, y, taps);
  });
}

template <class S>
void max_backward_launch(const Context& context, const Pool2dShape& s, const void* dy_,
                         const void* index_, void* dx_) {
  const S* const dy = static_cast<const S*>(dy_);
  S* const dx = static_cast<S*>(dx_);
  const auto go = [&](auto* taps) {
    s.layout == Layout::last ? max_backward_last(context, s, dy, taps, dx)
                             : max_backward(context, s, dy, taps, dx);
  };
  has_byte_taps(s) ? go(static_cast<const uint8_t*>(index_))
                   : go(static_cast<const int32_t*>(index_));
}

template <class S>
void average_forward_launch(const Context& context, const Pool2dShape& s, const void* x_,
                            void* y_) {
  const S* const x = static_cast<const S*>(x_);
  S* const y = static_cast<S*>(y_);
  s.layout == Layout::last ? average_forward_last(context, s, x, y)
                           : average_forward(context, s, x, y);
}

template <class S>
void average_backward_launch(const Context& context, const Pool2dShape& s, const void* dy_,
                             void* dx_) {
  const S* const dy = static_cast<const S*>(dy_);
  S* const dx = static_cast<S*>(dx_);
  s.layout == Layout::last ? average_backward_last(context, s, dy, dx)
                           : average_backward(context, s, dy, dx);
}

}  // namespace

void register_pool2d(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<max_pool2d_forward>(dtype_of<T>::value, max_forward_launch<T>);
    registry.add<max_pool2d_backward>(dtype_of<T>::value, max_backward_launch<T>);
    registry.add<avg_pool2d_forward>(dtype_of<T>::value, average_forward_launch<T>);
    registry.add<avg_pool2d_backward>(dtype_of<T>::value, average_backward_launch<T>);
  });
  registry.add<max_pool2d_positions>(DType::u8, max_positions<uint8_t>);
  registry.add<max_pool2d_positions>(DType::i32, max_positions<int32_t>);
}

}  // namespace fastdl::cpu
