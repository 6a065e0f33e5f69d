// Two-dimensional pooling of planes (images in channels-last: ops/pool2d_last_cpu.h). Lanes are
// neighbouring outputs of a row. The rows of a window are folded into one first, and then the taps of
// that row: kernel_h + kernel_w steps in place of their product. Where a gradient will ask which tap
// was the maximum, the taps are walked in their order instead. Either way the rows come from a strip
// with margins (ops/pool2d_strip_cpu.h).
//
// Gradients of a plane are put together in the first caches and leave for memory once. A maximum's
// goes to the tap that forward noted, which is a byte; where windows of two columns lie apart, all
// elements ask instead whether they are that tap. All rows under a window get the same of an
// average: what a row of dy spreads over its columns is added up once.
#include "core/dtype.h"
#include "cpu/register.h"
#include "ops/pool2d_last_cpu.h"
#include "ops/pool2d_strip_cpu.h"
#include "ops/pool2d_window_cpu.h"

namespace fastdl::cpu {
namespace {

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

// ---- maximum ----

template <class S>
void max_forward(const Context& context, const Pool2dShape& s, const S* x, S* y, NoIndex*) {
  using C = Compute<S>;
  using V = Vec<C>;
  const auto fold = [](V a, V b) { return maximum(a, b); };
  with_window(s, [&](auto kernel_w, auto stride) {
    for_folded_rows(context, s, x, -std::numeric_limits<C>::infinity(), fold,
                    [=](int64_t to, int64_t, const C* columns, int64_t count) {
                      for_packs_back<V>(count, [&](int64_t q, auto m) {
                        const C* const at = columns + q * stride;
                        store_pack(fold_taps(at, kernel_w, stride, s.dilation_w, fold), y + to + q,
                                   m);
                      });
                    });
  });
}

// The maxima of a register of windows whose rows lie `level` apart. `at` has the first tap inside of
// each on the way in, which a margin's -infinity before it leaves as it is, and that of the maximum
// on the way out.
template <class Index, class C, class Width, class Stride>
[[gnu::always_inline]] inline Vec<C> max_taps(const C* columns, int64_t level, Range rows,
                                              Width kernel_w, Stride stride, int64_t dilation,
                                              typename Vec<C>::Mask& at) {
  Vec<C> best(C(0));
  for_taps(columns + rows.first * level, kernel_w, stride, dilation, [&](int64_t c, Vec<C> v) {
    c == 0 ? void(best = v) : take_larger<Index>(best, at, v, rows.first * kernel_w + c);
  });
  for (int64_t r = rows.first + 1; r < rows.last; ++r)
    for_taps(columns + r * level, kernel_w, stride, dilation,
             [&](int64_t c, Vec<C> v) { take_larger<Index>(best, at, v, r * kernel_w + c); });
  return best;
}

template <class S, class Index>
void max_forward(const Context& context, const Pool2dShape& s, const S* x, S* y, Index* index) {
  using C = Compute<S>;
  using V = Vec<C>;
  using L = typename V::Mask;
  using Lane = std::decay_t<decltype(L{}[0])>;
  constexpr C lowest = -std::numeric_limits<C>::infinity();
  constexpr Lane none = kNoTap<Index>;
  const Strip strip = strip_of<V>(s);
  const int64_t outputs = strip.joined ? strip.rows * s.q : s.q;
  // The column of the first tap inside of each window.
  Scratch scratch(context, static_cast<size_t>(outputs + V::size) * sizeof(Lane));
  Lane* const start = scratch.as<Lane>();
  std::fill_n(start, outputs + V::size, Lane(0));
  for (int64_t q = 0; q < s.q; ++q) {
    const Range inside = taps_inside(q * s.stride_w - s.pad_w, s.kernel_w, s.dilation_w, s.w);
    start[q] = inside.empty() ? none : static_cast<Lane>(inside.first);
  }
  with_window(s, [&](auto kernel_w, auto stride) {
    const auto row = [=](int64_t to, int64_t p, const C* columns, int64_t count) {
      const Range rows = rows_inside(s, p);
      if (rows.empty()) {
        std::fill_n(y + to, count, S(lowest));
        std::fill_n(index + to, count, kNoTap<Index>);
        return;
      }
      const L above = L{} + static_cast<Lane>(rows.first * kernel_w), nowhere = L{} + none;
      for_packs_back<V>(count, [&](int64_t q, auto m) {
        L at;
        memcpy(&at, start + q, sizeof at);
        at = at == nowhere ? nowhere : at + above;
        const V best = max_taps<Index>(columns + q * stride, strip.size, rows, kernel_w, stride,
                                       s.dilation_w, at);
        store_pack(best, y + to + q, m);
        TapLanes<C, Index>::store(at, index + to + q, m);
      });
    };
    for_copied_rows(context, s, x, lowest, row);
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

// Gradients of windows of two columns that lie apart in both directions: each element of dx has one
// window at most, which gives it dy or nothing.
template <class S, class Index>
void max_backward_apart(const Context& context, const Pool2dShape& s, const S* dy_,
                        const Index* index, S* dx) {
  using C = Compute<S>;
  using V = Vec<C>;
  using L = typename V::Mask;
  using Lane = std::decay_t<decltype(L{}[0])>;
  constexpr std::integral_constant<int64_t, V::size> all;
  const int64_t size = s.h * s.w, outputs = s.planes * s.p * s.q;
  const bool covered = s.p * s.kernel_h * s.q * 2 == size;
  for_gradient_planes(context, s, dx, [=](int64_t plane, C* sum) {
    if (!covered) std::fill_n(sum, size, C(0));
    for (int64_t p = 0; p < s.p; ++p) {
      const int64_t from = (plane * s.p + p) * s.q;
      for_packs_back<V>(s.q, [&](int64_t q, auto m) {
        const S* const dy = dy_ + from + q;
        const Index* const tap = index + from + q;
        // Narrow rows are read and written by whole registers where more of them follow.
        const bool more = from + V::size <= outputs;
        const V g = more ? load_pack(dy, all, C(0)) : load_pack(dy, m, C(0));
        const L at = more ? TapLanes<C, Index>::load(tap, all) : TapLanes<C, Index>::load(tap, m);
        for (int64_t r = 0; r < s.kernel_h; ++r) {
          const int64_t to = (p * s.stride_h + r * s.dilation_h) * s.w + 2 * q;
          const L left = L{} + static_cast<Lane>(2 * r);
          const V even = select(at == left, g, V(C(0))), odd = select(at == left + 1, g, V(C(0)));
          if (covered && to + 2 * V::size <= size)
            store_interleaved(even, odd, sum + to, all);
          else
            store_interleaved(even, odd, sum + to, m);
        }
      });
    }
  });
}

template <class S, class Index>
void max_backward(const Context& context, const Pool2dShape& s, const S* dy_, const Index* index,
                  S* dx) {
  using C = Compute<S>;
  const bool apart = windows_apart(s) && (s.kernel_h - 1) * s.dilation_h < s.stride_h;
  if (apart && s.kernel_w == 2 && s.stride_w == 2)
    return max_backward_apart(context, s, dy_, index, dx);
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
  const C divisor = static_cast<C>(counted_rows(s, 0) * counted_columns(s, 0));
  context.parallel_for(s.planes, pool_grain(s), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) y[i] = S(fold_row<Sum>(x + i * size, size) / divisor);
  });
}

template <class S>
void average_forward(const Context& context, const Pool2dShape& s, const S* x, S* y) {
  using C = Compute<S>;
  using V = Vec<C>;
  if (s.kernel_h == s.h && s.kernel_w == s.w && s.pad_h == 0 && s.pad_w == 0 && s.p * s.q == 1)
    return average_planes(context, s, x, y);
  const Strip strip = strip_of<V>(s);
  const int64_t outputs = strip.joined ? strip.rows * s.q : s.q;  // of a row's one share, if joined
  Scratch scratch(context, static_cast<size_t>(outputs + V::size) * sizeof(C));
  C* const share = scratch.as<C>();
  std::fill_n(share, outputs + V::size, C(1) / static_cast<C>(counted_columns(s, 0)));
  if (!strip.joined)
    for (int64_t q = 0; q < s.q; ++q) share[q] = C(1) / static_cast<C>(counted_columns(s, q));
  const auto add = [](V a, V b) { return a + b; };
  with_window(s, [&](auto kernel_w, auto stride) {
    for_folded_rows(context, s, x, C(0), add,
                    [=](int64_t to, int64_t p, const C* columns, int64_t count) {
                      const V height(C(1) / static_cast<C>(counted_rows(s, p)));
                      for_packs_back<V>(count, [&](int64_t q, auto m) {
                        const V sum = fold_taps(columns + q * stride, kernel_w, stride, 1, add);
                        store_pack(sum * (V::load(share + q) * height), y + to + q, m);
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
