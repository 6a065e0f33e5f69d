// Two-dimensional pooling. Lanes are neighbouring outputs of a row; the taps of the window are
// walked one by one, each a (strided) load. Rows outside the plane are left out of the walk. Where
// windows hang over the left or right edge, the rows of a window are first copied between margins
// that never win (or add nothing), so that the inner loops have no bounds to check.
#include "ops/pool2d.h"

#include "core/dtype.h"
#include "cpu/reduce.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 32768;  // taps worth a chunk of threads

// The taps [first, last) of a window at `start` that fall into [0, size).
struct Taps {
  int64_t first, last;
};
inline Taps taps_inside(int64_t start, int64_t kernel, int64_t dilation, int64_t size) {
  if (dilation == 1)  // spares the divisions
    return {std::min(std::max<int64_t>(-start, 0), kernel),
            std::clamp<int64_t>(size - start, 0, kernel)};
  const int64_t first = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
  const int64_t last = start >= size ? 0 : (size - start + dilation - 1) / dilation;
  return {std::min(first, kernel), std::min(last, kernel)};
}

// How many taps count as elements in an average, along one dimension.
inline int64_t counted(int64_t start, int64_t kernel, int64_t dilation, int64_t size, int64_t pad,
                       bool include_pad) {
  const int64_t p = include_pad ? pad : 0;
  const Taps t = taps_inside(start + p, kernel, dilation, size + 2 * p);
  return std::max<int64_t>(1, t.last - t.first);
}

// x[0], x[stride], ... : m elements, or a whole register if m is the constant.
template <class S, class Stride, class M>
inline Vec<Compute<S>> load_strided(const S* x, Stride stride, M m) {
  using C = Compute<S>;
  using V = Vec<C>;
  if (stride == 1 || m == 1) return load_pack(x, m, C(0));
  if constexpr (std::is_same_v<S, C>) {
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
  }
  C buffer[V::size] = {};
  for (int64_t i = 0; i < m; ++i) buffer[i] = static_cast<C>(x[i * stride]);
  return V::load(buffer);
}

// Calls f with the stride, as a constant where it is one of the usual ones.
template <class F>
inline void with_stride(int64_t stride, F f) {
  if (stride == 1)
    f(std::integral_constant<int64_t, 1>());
  else if (stride == 2)
    f(std::integral_constant<int64_t, 2>());
  else
    f(stride);
}

// The rows of one window after the other, so that tap c of output q is element
// q * stride_w + c * dilation_w of a row.
template <class S>
class WindowRows {
 public:
  using C = Compute<S>;

  WindowRows(const Context& context, const Pool2dShape& s, C margin)
      : s_(s),
        width_((s.q - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w + 1),
        copied_(!std::is_same_v<S, C> || s.pad_w > 0 || width_ > s.w),
        count_(std::min(s.kernel_h, s.h)),
        room_(std::max(width_, s.pad_w + s.w)),
        scratch_(context, copied_ ? static_cast<size_t>(count_ * room_) * sizeof(C) : 0) {
    if (copied_) std::fill_n(scratch_.template as<C>(), count_ * room_, margin);
  }

  // The taps that are rows of the plane, for windows that start at row `top`.
  void enter(const S* plane, int64_t top, Taps taps) {
    first_ = taps.first;
    if (!copied_) {
      if constexpr (std::is_same_v<S, C>) base_ = plane + (top + first_ * s_.dilation_h) * s_.w;
      step_ = s_.dilation_h * s_.w;
      return;
    }
    C* const copy = scratch_.template as<C>();
    base_ = copy, step_ = room_;
    for (int64_t r = first_; r < taps.last; ++r)
      load_block(plane + (top + r * s_.dilation_h) * s_.w, 1, s_.w,
                 copy + (r - first_) * room_ + s_.pad_w);
  }

  const C* row(int64_t r) const { return base_ + (r - first_) * step_; }

 private:
  const Pool2dShape& s_;
  const int64_t width_;
  const bool copied_;
  const int64_t count_, room_;
  Scratch scratch_;
  int64_t first_ = 0, step_ = 0;
  const C* base_ = nullptr;
};

// Calls body(item, plane, top, taps) for every row of the output in [begin, end).
template <class S, class F>
void for_output_rows(const Pool2dShape& s, const S* x, int64_t begin, int64_t end, F body) {
  int64_t p = begin % s.p;
  const S* plane = x + begin / s.p * s.h * s.w;
  for (int64_t i = begin; i < end; ++i) {
    const int64_t top = p * s.stride_h - s.pad_h;
    body(i, plane, top, taps_inside(top, s.kernel_h, s.dilation_h, s.h));
    if (++p == s.p) p = 0, plane += s.h * s.w;
  }
}

int64_t grain(const Pool2dShape& s) {
  return std::max<int64_t>(1, kWork / std::max<int64_t>(1, s.q * s.kernel_h * s.kernel_w));
}

// ---- maximum ----

// Positions within a plane are kept in lanes as wide as the elements.
template <class S>
using Lane = std::conditional_t<sizeof(Compute<S>) == 4, int32_t, int64_t>;

// For planes whose positions do not fit.
template <class S>
void max_row_plain(const Pool2dShape& s, const WindowRows<S>& rows, int64_t top, Taps taps, S* y,
                   int64_t* index) {
  using C = Compute<S>;
  for (int64_t q = 0; q < s.q; ++q) {
    const int64_t left = q * s.stride_w - s.pad_w;
    const Taps columns = taps_inside(left, s.kernel_w, s.dilation_w, s.w);
    C best = -std::numeric_limits<C>::infinity();
    int64_t at = -1;
    for (int64_t r = taps.first; r < taps.last; ++r)
      for (int64_t c = columns.first; c < columns.last; ++c) {
        const C v = rows.row(r)[q * s.stride_w + c * s.dilation_w];
        if (at >= 0 && !(v > best || (v != v && best == best))) continue;
        best = v, at = (top + r * s.dilation_h) * s.w + left + c * s.dilation_w;
      }
    y[q] = S(best);
    index[q] = at;
  }
}

template <class S, class Stride>
void max_row(const Pool2dShape& s, Stride stride, const WindowRows<S>& rows, int64_t top, Taps taps,
             const Lane<S>* first_column, S* y, int64_t* index) {
  using C = Compute<S>;
  using V = Vec<C>;
  using Index = typename V::Mask;
  using L = Lane<S>;
  Index steps;
  for (int i = 0; i < V::size; ++i) steps[i] = static_cast<L>(i);
  steps = steps * static_cast<L>(s.stride_w);
  const int64_t first_row = (top + taps.first * s.dilation_h) * s.w;
  for_packs<V>(s.q, [&](int64_t q, auto m) {
    V best(-std::numeric_limits<C>::infinity());
    Index at;  // of the window's first element
    memcpy(&at, first_column + q, sizeof at);
    at += static_cast<L>(first_row);
    const Index origin = steps + static_cast<L>(q * s.stride_w - s.pad_w);
    for (int64_t r = taps.first; r < taps.last; ++r) {
      const C* const row = rows.row(r) + q * s.stride_w;
      Index here = origin + static_cast<L>((top + r * s.dilation_h) * s.w);
      for (int64_t c = 0; c < s.kernel_w; ++c) {
        const V v = load_strided(row + c * s.dilation_w, stride, m);
        const Index better = ~(v <= best) & (best == best);  // larger, or the first NaN
        best = select(better, v, best);
        at = better ? here : at;
        here += static_cast<L>(s.dilation_w);
      }
    }
    store_pack(best, y + q, m);
    L lane[V::size];
    memcpy(lane, &at, sizeof at);
    for (int64_t i = 0; i < m; ++i) index[q + i] = lane[i];
  });
}

template <class S>
void max_forward(const Context& context, const Pool2dShape& s, const void* x_, void* y_,
                 int64_t* index) {
  using C = Compute<S>;
  const S* const x = static_cast<const S*>(x_);
  S* const y = static_cast<S*>(y_);
  if (s.q == 0) return;
  const bool plain = sizeof(C) == 4 && s.h * s.w > INT32_MAX;
  // The column of each window's first tap inside the plane.
  Scratch scratch(context, static_cast<size_t>(s.q) * sizeof(Lane<S>) + kVecBytes);
  Lane<S>* const first_column = scratch.as<Lane<S>>();
  std::fill_n(first_column + s.q, kVecBytes / sizeof(Lane<S>), Lane<S>(0));  // read, never used
  bool padding_alone = false;  // whether some windows have no column inside (dilation can do that)
  for (int64_t q = 0; q < s.q; ++q) {
    const int64_t left = q * s.stride_w - s.pad_w;
    const Taps columns = taps_inside(left, s.kernel_w, s.dilation_w, s.w);
    const bool inside = columns.first < columns.last;
    first_column[q] = static_cast<Lane<S>>(inside ? left + columns.first * s.dilation_w : 0);
    padding_alone |= !inside;
  }
  context.parallel_for(s.planes * s.p, grain(s), [&](int64_t begin, int64_t end) {
    WindowRows<S> rows(context, s, -std::numeric_limits<C>::infinity());
    for_output_rows(s, x, begin, end, [&](int64_t i, const S* plane, int64_t top, Taps taps) {
      if (taps.first >= taps.last) {
        std::fill_n(y + i * s.q, s.q, S(-std::numeric_limits<C>::infinity()));
        std::fill_n(index + i * s.q, s.q, int64_t{-1});
        return;
      }
      rows.enter(plane, top, taps);
      if (plain || padding_alone)
        max_row_plain(s, rows, top, taps, y + i * s.q, index + i * s.q);
      else
        with_stride(s.stride_w, [&](auto stride) {
          max_row(s, stride, rows, top, taps, first_column, y + i * s.q, index + i * s.q);
        });
    });
  });
}

// Calls body(plane, sum, extra) with each plane of dx, zeroed, in the type of the arithmetic, and
// room for `extra` more elements.
template <class S, class F>
void for_gradient_planes(const Context& context, const Pool2dShape& s, S* dx, int64_t extra,
                         F body) {
  using C = Compute<S>;
  const int64_t size = s.h * s.w;
  const int64_t work = size + s.p * s.q * 2;
  if (size == 0) return;
  context.parallel_for(s.planes, std::max<int64_t>(1, kWork / work),
                       [&](int64_t begin, int64_t end) {
                         const int64_t plane = std::is_same_v<S, C> ? 0 : size;
                         Scratch scratch(context, static_cast<size_t>(plane + extra) * sizeof(C));
                         for (int64_t i = begin; i < end; ++i) {
                           C* sum = scratch.as<C>() + extra;
                           if constexpr (std::is_same_v<S, C>) sum = dx + i * size;
                           std::fill_n(sum, size, C(0));
                           body(i, sum, scratch.as<C>());
                           if constexpr (!std::is_same_v<S, C>)
                             store_block(sum, size, dx + i * size, 1);
                         }
                       });
}

template <class S>
void max_backward(const Context& context, const Pool2dShape& s, const void* dy_,
                  const int64_t* index, void* dx_) {
  const int64_t outputs = s.p * s.q;
  for_gradient_planes(context, s, static_cast<S*>(dx_), 0,
                      [&](int64_t plane, Compute<S>* sum, Compute<S>*) {
                        const S* const dy = static_cast<const S*>(dy_) + plane * outputs;
                        const int64_t* const at = index + plane * outputs;
                        for (int64_t i = 0; i < outputs; ++i)
                          if (at[i] >= 0) sum[at[i]] += static_cast<Compute<S>>(dy[i]);
                      });
}

// ---- average ----

template <class S>
void average_forward(const Context& context, const Pool2dShape& s, const void* x_, void* y_) {
  using C = Compute<S>;
  using V = Vec<C>;
  const S* const x = static_cast<const S*>(x_);
  S* const y = static_cast<S*>(y_);
  if (s.q == 0) return;
  Scratch scratch(context, static_cast<size_t>(s.q) * sizeof(C));
  C* const width = scratch.as<C>();
  for (int64_t q = 0; q < s.q; ++q)
    width[q] = static_cast<C>(counted(q * s.stride_w - s.pad_w, s.kernel_w, s.dilation_w, s.w,
                                      s.pad_w, s.count_include_pad));
  // Global pooling: a window of whole rows is one contiguous sum.
  const bool whole =
      s.q == 1 && s.pad_w == 0 && s.kernel_w == s.w && s.dilation_w == 1 && s.dilation_h == 1;
  context.parallel_for(s.planes * s.p, grain(s), [&](int64_t begin, int64_t end) {
    WindowRows<S> rows(context, s, C(0));
    for_output_rows(s, x, begin, end, [&](int64_t i, const S* plane, int64_t top, Taps taps) {
      S* const to = y + i * s.q;
      const C height =
          static_cast<C>(counted(top, s.kernel_h, s.dilation_h, s.h, s.pad_h, s.count_include_pad));
      if (whole) {
        const int64_t n = std::max<int64_t>(taps.last - taps.first, 0) * s.w;
        *to = S(fold_row<Sum>(plane + (top + taps.first) * s.w, n) / (height * width[0]));
        return;
      }
      rows.enter(plane, top, taps);
      with_stride(s.stride_w, [&](auto stride) {
        for_packs<V>(s.q, [&](int64_t q, auto m) {
          V sum(C(0));
          for (int64_t r = taps.first; r < taps.last; ++r) {
            const C* const row = rows.row(r) + q * s.stride_w;
            for (int64_t c = 0; c < s.kernel_w; ++c)
              sum += load_strided(row + c * s.dilation_w, stride, m);
          }
          store_pack(sum / (load_pack(width + q, m, C(1)) * height), to + q, m);
        });
      });
    });
  });
}

// All rows of a window get the same: what a row of dy spreads over its columns is added up once,
// in `spread`, and then to each of them.
template <class S>
void average_backward(const Context& context, const Pool2dShape& s, const void* dy_, void* dx_) {
  using C = Compute<S>;
  using V = Vec<C>;
  Scratch scratch(context, static_cast<size_t>(s.kernel_w) * sizeof(Taps) +
                               static_cast<size_t>(s.q) * sizeof(C));
  Taps* const outputs = scratch.as<Taps>();
  C* const share = reinterpret_cast<C*>(outputs + s.kernel_w);
  for (int64_t c = 0; c < s.kernel_w; ++c)  // in [0, q), and as columns in [0, w)
    outputs[c] = taps_inside(c * s.dilation_w - s.pad_w, s.q, s.stride_w, s.w);
  for (int64_t q = 0; q < s.q; ++q)
    share[q] = static_cast<C>(counted(q * s.stride_w - s.pad_w, s.kernel_w, s.dilation_w, s.w,
                                      s.pad_w, s.count_include_pad));
  const int64_t extra = s.w + s.q;
  for_gradient_planes(
      context, s, static_cast<S*>(dx_), extra, [&](int64_t plane, C* sum, C* spread) {
        C* const scaled = spread + s.w;
        const S* const dy = static_cast<const S*>(dy_) + plane * s.p * s.q;
        for (int64_t p = 0; p < s.p; ++p) {
          const int64_t top = p * s.stride_h - s.pad_h;
          const Taps rows = taps_inside(top, s.kernel_h, s.dilation_h, s.h);
          const C height = static_cast<C>(
              counted(top, s.kernel_h, s.dilation_h, s.h, s.pad_h, s.count_include_pad));
          std::fill_n(spread, s.w, C(0));
          for_packs<V>(s.q, [&](int64_t q, auto m) {
            store_pack(
                load_pack(dy + p * s.q + q, m, C(0)) / (load_pack(share + q, m, C(1)) * height),
                scaled + q, m);
          });
          for (int64_t c = 0; c < s.kernel_w; ++c) {  // outputs whose tap c is inside
            const Taps in = outputs[c];
            C* const to = spread + c * s.dilation_w - s.pad_w;
            with_stride(s.stride_w, [&](auto stride) {
              for (int64_t q = in.first; q < in.last; ++q) to[q * stride] += scaled[q];
            });
          }
          for (int64_t r = rows.first; r < rows.last; ++r) {
            C* const row = sum + (top + r * s.dilation_h) * s.w;
            for_packs<V>(s.w, [&](int64_t i, auto m) {
              store_pack(load_pack(row + i, m, C(0)) + load_pack(spread + i, m, C(0)), row + i, m);
            });
          }
        }
      });
}

}  // namespace

void register_pool2d(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<max_pool2d_forward>(dtype_of<T>::value, max_forward<T>);
    registry.add<max_pool2d_backward>(dtype_of<T>::value, max_backward<T>);
    registry.add<avg_pool2d_forward>(dtype_of<T>::value, average_forward<T>);
    registry.add<avg_pool2d_backward>(dtype_of<T>::value, average_backward<T>);
  });
}

}  // namespace fastdl::cpu
