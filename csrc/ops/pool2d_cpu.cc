// Two-dimensional pooling. Lanes are neighbouring outputs of a row; the taps of the window are
// walked one by one, each a (strided) load. Columns whose window hangs over the left or right edge
// are done one at a time, rows outside are left out of the walk, so that the inner loops have no
// bounds to check and no positions to divide.
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
  const int64_t first = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
  const int64_t last = start >= size ? 0 : (size - start + dilation - 1) / dilation;
  return {std::min(first, kernel), std::min(last, kernel)};
}

// What a call knows about columns: outputs [begin, end) have all their taps inside.
struct Columns {
  int64_t begin, end;
  explicit Columns(const Pool2dShape& s) {
    const int64_t room = s.w + s.pad_w - (s.kernel_w - 1) * s.dilation_w;
    begin = std::min(s.q, (s.pad_w + s.stride_w - 1) / s.stride_w);
    end = room <= 0 ? begin : std::clamp((room - 1) / s.stride_w + 1, begin, s.q);
  }
};

// How many taps count as elements in an average, along one dimension.
inline int64_t counted(int64_t start, int64_t kernel, int64_t dilation, int64_t size, int64_t pad,
                       bool include_pad) {
  const int64_t p = include_pad ? pad : 0;
  const Taps t = taps_inside(start + p, kernel, dilation, size + 2 * p);
  return std::max<int64_t>(1, t.last - t.first);
}

// x[0], x[stride], ... : m elements, or a whole register if m is the constant.
template <class S, class M>
inline Vec<Compute<S>> load_strided(const S* x, int64_t stride, M m) {
  using C = Compute<S>;
  using V = Vec<C>;
  if (stride == 1) return load_pack(x, m, C(0));
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

// ---- maximum ----

// One output by itself.
template <class S>
void max_one(const Pool2dShape& s, const S* plane, Taps rows, int64_t top, int64_t q, S* y,
             int64_t* index) {
  using C = Compute<S>;
  const int64_t left = q * s.stride_w - s.pad_w;
  const Taps columns = taps_inside(left, s.kernel_w, s.dilation_w, s.w);
  C best = -std::numeric_limits<C>::infinity();
  int64_t at = -1;
  for (int64_t r = rows.first; r < rows.last; ++r)
    for (int64_t c = columns.first; c < columns.last; ++c) {
      const int64_t here = (top + r * s.dilation_h) * s.w + left + c * s.dilation_w;
      const C v = plane[here];
      if (at < 0 || v > best || (v != v && best == best)) best = v, at = here;
    }
  *y = S(best);
  *index = std::max<int64_t>(at, 0);  // a window of padding alone has no position
}

// m neighbouring outputs from q on, all taps inside.
template <class S, class M>
inline void max_pack(const Pool2dShape& s, const S* plane, Taps rows, int64_t top, int64_t q, M m,
                     S* y, int64_t* index) {
  using V = Vec<Compute<S>>;
  using Index = typename V::Mask;
  using Lane = std::remove_reference_t<decltype(Index()[0])>;
  const int64_t left = q * s.stride_w - s.pad_w;
  Index origin;
  for (int i = 0; i < V::size; ++i) origin[i] = static_cast<Lane>(i);
  origin = origin * static_cast<Lane>(s.stride_w) + static_cast<Lane>(left);
  const auto position = [&](int64_t row, int64_t c) {
    return Index(origin + static_cast<Lane>(row * s.w + c * s.dilation_w));
  };
  int64_t row = top + rows.first * s.dilation_h;
  V best = load_strided(plane + row * s.w + left, s.stride_w, m);
  Index at = position(row, 0);
  for (int64_t r = rows.first; r < rows.last; ++r, row += s.dilation_h)
    for (int64_t c = r == rows.first ? 1 : 0; c < s.kernel_w; ++c) {
      const V v = load_strided(plane + row * s.w + left + c * s.dilation_w, s.stride_w, m);
      const Index better = ~(v <= best) & (best == best);  // larger, or the first NaN
      best = select(better, v, best);
      at = better ? position(row, c) : at;
    }
  store_pack(best, y + q, m);
  for (int64_t i = 0; i < m; ++i) index[q + i] = at[i];
}

template <class S>
void max_forward(const Context& context, const Pool2dShape& s, const void* x_, void* y_,
                 int64_t* index) {
  using V = Vec<Compute<S>>;
  const S* const x = static_cast<const S*>(x_);
  S* const y = static_cast<S*>(y_);
  Columns inside(s);
  // Positions are kept in lanes as wide as the elements.
  if (sizeof(Compute<S>) == 4 && s.h * s.w > INT32_MAX) inside.begin = inside.end = s.q;
  const int64_t work = s.q * s.kernel_h * s.kernel_w;
  if (s.q == 0) return;
  context.parallel_for(s.planes * s.p, std::max<int64_t>(1, kWork / work),
                       [&](int64_t begin, int64_t end) {
    int64_t p = begin % s.p;
    const S* plane = x + begin / s.p * s.h * s.w;
    for (int64_t i = begin; i < end; ++i) {
      const int64_t top = p * s.stride_h - s.pad_h;
      const Taps rows = taps_inside(top, s.kernel_h, s.dilation_h, s.h);
      S* const to = y + i * s.q;
      int64_t* const at = index + i * s.q;
      const auto one_by_one = [&](int64_t from, int64_t until) {
        for (int64_t q = from; q < until; ++q) max_one(s, plane, rows, top, q, to + q, at + q);
      };
      if (rows.first >= rows.last) {
        one_by_one(0, s.q);
      } else {
        one_by_one(0, inside.begin);
        for_packs<V>(inside.end - inside.begin, [&](int64_t q, auto m) {
          max_pack(s, plane, rows, top, inside.begin + q, m, to, at);
        });
        one_by_one(inside.end, s.q);
      }
      if (++p == s.p) p = 0, plane += s.h * s.w;
    }
  });
}

// Calls body(dy plane, sum plane) with planes of dx, zeroed, in the type of the arithmetic.
template <class S, class F>
void for_gradient_planes(const Context& context, const Pool2dShape& s, S* dx, F body) {
  using C = Compute<S>;
  const int64_t size = s.h * s.w;
  const int64_t work = size + s.p * s.q * 2;
  if (size == 0) return;
  context.parallel_for(s.planes, std::max<int64_t>(1, kWork / work),
                       [&](int64_t begin, int64_t end) {
    Scratch scratch(context, std::is_same_v<S, C> ? 0 : static_cast<size_t>(size) * sizeof(C));
    for (int64_t i = begin; i < end; ++i) {
      C* sum = scratch.as<C>();
      if constexpr (std::is_same_v<S, C>) sum = dx + i * size;
      std::fill_n(sum, size, C(0));
      body(i, sum);
      if constexpr (!std::is_same_v<S, C>) store_block(sum, size, dx + i * size, 1);
    }
  });
}

template <class S>
void max_backward(const Context& context, const Pool2dShape& s, const void* dy_,
                  const int64_t* index, void* dx_) {
  const int64_t outputs = s.p * s.q;
  for_gradient_planes(context, s, static_cast<S*>(dx_), [&](int64_t plane, Compute<S>* sum) {
    const S* const dy = static_cast<const S*>(dy_) + plane * outputs;
    const int64_t* const at = index + plane * outputs;
    for (int64_t i = 0; i < outputs; ++i) sum[at[i]] += static_cast<Compute<S>>(dy[i]);
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
  const Columns inside(s);
  const int64_t work = s.q * s.kernel_h * s.kernel_w;
  context.parallel_for(s.planes * s.p, std::max<int64_t>(1, kWork / work),
                       [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const S* const plane = x + i / s.p * s.h * s.w;
      const int64_t top = i % s.p * s.stride_h - s.pad_h;
      const Taps rows = taps_inside(top, s.kernel_h, s.dilation_h, s.h);
      const int64_t height =
          counted(top, s.kernel_h, s.dilation_h, s.h, s.pad_h, s.count_include_pad);
      S* const to = y + i * s.q;
      const auto one_by_one = [&](int64_t from, int64_t until) {
        for (int64_t q = from; q < until; ++q) {
          const int64_t left = q * s.stride_w - s.pad_w;
          const Taps columns = taps_inside(left, s.kernel_w, s.dilation_w, s.w);
          const int64_t width =
              counted(left, s.kernel_w, s.dilation_w, s.w, s.pad_w, s.count_include_pad);
          const int64_t n = columns.last - columns.first;
          const S* const corner = plane + left + columns.first * s.dilation_w;
          C sum(0);
          if (n == s.w && s.dilation_h == 1 && rows.first < rows.last) {
            // Whole rows of the plane: one contiguous sum (global pooling).
            sum = fold_row<Sum>(plane + (top + rows.first) * s.w, (rows.last - rows.first) * n);
          } else {
            for (int64_t r = rows.first; r < rows.last; ++r) {
              const S* const row = corner + (top + r * s.dilation_h) * s.w;
              if (s.dilation_w == 1)
                sum += fold_row<Sum>(row, n);
              else
                for (int64_t c = 0; c < n; ++c) sum += static_cast<C>(row[c * s.dilation_w]);
            }
          }
          to[q] = S(sum / static_cast<C>(height * width));
        }
      };
      if (s.q == 1) {
        one_by_one(0, 1);
        continue;
      }
      one_by_one(0, inside.begin);
      for_packs<V>(inside.end - inside.begin, [&](int64_t k, auto m) {
        const int64_t q = inside.begin + k;
        const S* const corner = plane + q * s.stride_w - s.pad_w;
        V sum(C(0));
        for (int64_t r = rows.first; r < rows.last; ++r)
          for (int64_t c = 0; c < s.kernel_w; ++c)
            sum += load_strided(corner + (top + r * s.dilation_h) * s.w + c * s.dilation_w,
                                s.stride_w, m);
        store_pack(sum / V(static_cast<C>(height * s.kernel_w)), to + q, m);
      });
      one_by_one(inside.end, s.q);
    }
  });
}

template <class S>
void average_backward(const Context& context, const Pool2dShape& s, const void* dy_, void* dx_) {
  using C = Compute<S>;
  using V = Vec<C>;
  const Columns inside(s);
  for_gradient_planes(context, s, static_cast<S*>(dx_), [&](int64_t plane, C* sum) {
    const S* const dy = static_cast<const S*>(dy_) + plane * s.p * s.q;
    for (int64_t p = 0; p < s.p; ++p) {
      const int64_t top = p * s.stride_h - s.pad_h;
      const Taps rows = taps_inside(top, s.kernel_h, s.dilation_h, s.h);
      const int64_t height =
          counted(top, s.kernel_h, s.dilation_h, s.h, s.pad_h, s.count_include_pad);
      const S* const from = dy + p * s.q;
      const auto one_by_one = [&](int64_t begin, int64_t end) {
        for (int64_t q = begin; q < end; ++q) {
          const int64_t left = q * s.stride_w - s.pad_w;
          const Taps columns = taps_inside(left, s.kernel_w, s.dilation_w, s.w);
          const int64_t width =
              counted(left, s.kernel_w, s.dilation_w, s.w, s.pad_w, s.count_include_pad);
          const C g = static_cast<C>(from[q]) / static_cast<C>(height * width);
          for (int64_t r = rows.first; r < rows.last; ++r) {
            C* const row = sum + (top + r * s.dilation_h) * s.w + left;
            for (int64_t c = columns.first; c < columns.last; ++c) row[c * s.dilation_w] += g;
          }
        }
      };
      one_by_one(0, inside.begin);
      for_packs<V>(inside.end - inside.begin, [&](int64_t k, auto m) {
        const int64_t q = inside.begin + k;
        const V g = load_pack(from + q, m, C(0)) / V(static_cast<C>(height * s.kernel_w));
        C lane[V::size];
        g.store(lane);
        for (int64_t r = rows.first; r < rows.last; ++r) {
          C* const row = sum + (top + r * s.dilation_h) * s.w + q * s.stride_w - s.pad_w;
          for (int64_t c = 0; c < s.kernel_w; ++c) {
            C* const to = row + c * s.dilation_w;
            if (s.stride_w == 1)
              store_pack(load_pack(to, m, C(0)) + g, to, m);
            else
              for (int64_t j = 0; j < m; ++j) to[j * s.stride_w] += lane[j];
          }
        }
      });
      one_by_one(inside.end, s.q);
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
