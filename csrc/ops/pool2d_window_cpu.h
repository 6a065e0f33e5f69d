// What the pooling kernels of both layouts share: which taps of a window fall into the plane.
#pragma once

#include "cpu/reduce.h"
#include "ops/pool2d.h"

namespace fastdl::cpu {

inline constexpr int64_t kPoolWork = 32768;  // taps worth a chunk of threads

// [first, last)
struct Range {
  int64_t first, last;
  bool empty() const { return first >= last; }
};

// The taps of a window at `start` that fall into [0, size).
inline Range taps_inside(int64_t start, int64_t kernel, int64_t dilation, int64_t size) {
  if (dilation == 1)  // spares the divisions
    return {std::min(std::max<int64_t>(-start, 0), kernel),
            std::clamp<int64_t>(size - start, 0, kernel)};
  const int64_t first = start >= 0 ? 0 : (-start + dilation - 1) / dilation;
  const int64_t last = start >= size ? 0 : (size - start + dilation - 1) / dilation;
  return {std::min(first, kernel), std::min(last, kernel)};
}

// The rows of the windows of outputs in row p that are inside.
inline Range rows_inside(const Pool2dShape& s, int64_t p) {
  return taps_inside(p * s.stride_h - s.pad_h, s.kernel_h, s.dilation_h, s.h);
}

// The windows of `count` that may have position i of a plane among their taps.
inline Range windows_over(int64_t i, int64_t kernel, int64_t stride, int64_t pad, int64_t dilation,
                          int64_t count) {
  const int64_t reach = i + pad - (kernel - 1) * dilation;
  return {reach > 0 ? (reach + stride - 1) / stride : 0, std::min((i + pad) / stride + 1, count)};
}

// Whether all windows lie inside the plane and those of a row have no column in common.
inline bool windows_apart(const Pool2dShape& s) {
  const int64_t below = (s.p - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h;
  const int64_t window = (s.kernel_w - 1) * s.dilation_w + 1;
  return s.pad_h == 0 && s.pad_w == 0 && window <= s.stride_w && below < s.h &&
         (s.q - 1) * s.stride_w + window <= s.w;
}

// How many taps count as elements in an average, along one dimension.
inline int64_t counted(int64_t start, int64_t kernel, int64_t size, int64_t pad, bool include_pad) {
  const int64_t p = include_pad ? pad : 0;
  const Range t = taps_inside(start + p, kernel, 1, size + 2 * p);
  return std::max<int64_t>(1, t.last - t.first);
}
// The divisor of a window is their product.
inline double counted_rows(const Pool2dShape& s, int64_t p) {
  if (s.divisor != 0) return s.divisor;
  return static_cast<double>(
      counted(p * s.stride_h - s.pad_h, s.kernel_h, s.h, s.pad_h, s.count_include_pad));
}
inline double counted_columns(const Pool2dShape& s, int64_t q) {
  if (s.divisor != 0) return 1;
  return static_cast<double>(
      counted(q * s.stride_w - s.pad_w, s.kernel_w, s.w, s.pad_w, s.count_include_pad));
}

inline int64_t pool_grain(const Pool2dShape& s) {
  const int64_t row = s.q * s.kernel_h * s.kernel_w;
  return std::max<int64_t>(
      1, kPoolWork / std::max<int64_t>(1, s.layout == Layout::last ? row * s.channels : row));
}

// ---- which tap had the maximum ----

// Tap numbers (row * kernel_w + column) as they are stored, the largest value being no tap: lanes as
// wide as the elements while they are compared.
template <class C, class Index>
struct TapLanes {
  using V = Vec<C>;
  using Wide = typename V::Mask;
  typedef Index Narrow __attribute__((vector_size(V::size * sizeof(Index))));

  template <class M>
  static void store(Wide at, Index* to, M m) {
    const Narrow narrow = __builtin_convertvector(at, Narrow);
    memcpy(to, &narrow, static_cast<size_t>(m) * sizeof(Index));
  }
  template <class M>
  static Wide load(const Index* from, M m) {
    Narrow narrow = {};
    memcpy(&narrow, from, static_cast<size_t>(m) * sizeof(Index));
    return widen<Index>(narrow);
  }

 private:
  // Twice as wide at a time: from bytes to 32 bits at once GCC moves lane by lane.
  template <class Lane, class N>
  static Wide widen(N narrow) {
    if constexpr (sizeof(N) == sizeof(Wide)) {
      return (Wide)narrow;
    } else {
      using Twice = std::conditional_t<sizeof(Lane) == 1, uint16_t,
                                       std::conditional_t<sizeof(Lane) == 2, uint32_t, uint64_t>>;
      typedef Twice Lanes __attribute__((vector_size(V::size * sizeof(Twice))));
      return widen<Twice>(__builtin_convertvector(narrow, Lanes));
    }
  }
};
struct NoIndex {};

template <class Index>
inline constexpr Index kNoTap = std::numeric_limits<Index>::max();

// Calls f with the indices in the type that their number asks for.
template <class F>
inline void with_index(const Pool2dShape& s, void* index, F f) {
  if (!index) return f(static_cast<NoIndex*>(nullptr));
  if (has_byte_taps(s)) return f(static_cast<uint8_t*>(index));
  f(static_cast<int32_t*>(index));
}

// One step of a maximum: of equals the first stays, as does the first NaN.
template <class Index, class C, class Wide>
[[gnu::always_inline]] inline void take_larger(Vec<C>& best, Wide& at, Vec<C> v, int64_t tap) {
  if constexpr (std::is_same_v<Index, NoIndex>) {
    best = maximum(best, v);
  } else {
    const Wide better = ~(v <= best) & (best == best);
    best = select(better, v, best);
    at = better ? Wide(Wide{} + static_cast<std::decay_t<decltype(at[0])>>(tap)) : at;
  }
}

}  // namespace fastdl::cpu
