// The filter that nearly every depthwise layer has: 3x3, stride 1 or 2, one column of padding on
// either side. Down a column of registers each row of the source is loaded once, at three shifts
// (conv2d_depthwise_lanes.h), and meets the rows of results or of dy that see it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "cpu/conv2d_depthwise_lanes.h"
#include "cpu/epilogue.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

// What follows the sum at its store.
template <class T>
struct PlaneEnd {
  T bias;
  const T* residual;  // laid out as the result, or null
  Activation activation;
  T slope;

  bool plain() const { return !residual && activation == Activation::none; }
};

template <class T>
struct Plane3x3 {
  const T* source;
  const T* filter;
  PlaneEnd<T> end;
  T* out;
};

// Planes of one size.
template <class T>
class Planes3x3 {
 public:
  // Results [p, q] of planes [h, w], with at most two rows of padding above. `streams`:
  // whole lines of results go past the caches.
  Planes3x3(int64_t h, int64_t w, int64_t p, int64_t q, int64_t stride, int64_t pad_h, bool streams)
      : h_(h),
        w_(w),
        p_(p),
        q_(q),
        stride_(stride),
        pad_h_(pad_h),
        streams_(streams && sizeof(Vec<T>) == 64) {
    // Rows of which source and results stay in the first-level cache beside those asked for.
    constexpr int64_t kBand = 16384 / sizeof(T);
    const int64_t most = std::max<int64_t>(8, kBand / std::max<int64_t>(1, w * stride));
    const int64_t bands = std::max<int64_t>(1, (p + most - 1) / most);
    band_ = std::max<int64_t>(1, (p + bands - 1) / bands);
  }

  bool in_pairs() const { return q_ <= Vec<T>::size / 2; }

  void results(const Plane3x3<T>& a) const { results(a, a, false); }
  // In pairs. The ends differ in bias and addresses alone.
  void results(const Plane3x3<T>& a, const Plane3x3<T>& b) const { results(a, b, true); }

  // sum[tap] += dy * source, lane by lane.
  void correlate(const T* source, const T* dy, Vec<T>* sum) const {
    correlate(source, dy, 0, 0, false, sum);
  }
  // In pairs: of two planes, so far apart.
  void correlate(const T* source, const T* dy, int64_t source_step, int64_t step,
                 Vec<T>* sum) const {
    correlate(source, dy, source_step, step, true, sum);
  }

 private:
  static constexpr int64_t kSize = Vec<T>::size;

  // body(which columns, the first of them, rows [begin, end)) of results.
  template <int Stride, class F>
  void each_column(bool two, F&& body) const {
    for (int64_t begin = 0; begin < p_; begin += band_) {
      const int64_t end = std::min(p_, begin + band_);
      if (two || q_ <= kSize) {
        two ? body(At<Columns::two_planes>(), 0, begin, end)
            : body(At<Columns::all>(), 0, begin, end);
        continue;
      }
      body(At<Columns::left>(), 0, begin, end);
      for (int64_t x = kSize; x < q_; x += kSize)
        // Reads up to the right neighbour of column x + kSize - 1 of the results.
        Stride*(x + kSize - 1) + 1 < w_ ? body(At<Columns::inner>(), x, begin, end)
                                        : body(At<Columns::right>(), x, begin, end);
    }
  }
  template <Columns C>
  using At = std::integral_constant<Columns, C>;

  void results(const Plane3x3<T>& a, const Plane3x3<T>& b, bool two) const {
    const bool plain = a.end.plain();
    if (stride_ == 2)
      plain ? results<2, true, false>(a, b, two) : results<2, false, false>(a, b, two);
    else if (streams_ && !two)
      plain ? results<1, true, true>(a, b, two) : results<1, false, true>(a, b, two);
    else
      plain ? results<1, true, false>(a, b, two) : results<1, false, false>(a, b, two);
  }
  template <int Stride, bool Plain, bool Streams>
  void results(const Plane3x3<T>& a, const Plane3x3<T>& b, bool two) const {
    each_column<Stride>(two, [&](auto at, int64_t x, int64_t begin, int64_t end) {
      if constexpr (Stride == 1)
        result_column<at(), Plain, Streams>(a, b, x, begin, end);
      else
        strided_column<at(), Plain>(a, b, x, begin, end);
    });
  }

  // Not inlined, and members copied: so that the loop finds everything in registers.
  template <Columns Which, bool Plain, bool Streams>
  [[gnu::noinline]] void result_column(const Plane3x3<T>& a, const Plane3x3<T>& b, int64_t x,
                                       int64_t begin, int64_t end) const {
    const int64_t w = w_, ahead = band_ * w, pad_h = pad_h_;
    const Lanes<T, Which, 1> lanes(x, w, w, b.source - a.source, b.out - a.out);
    Vec<T> f[9];
    load_filter<lanes.kTwo>(a.filter, b.filter, f);
    const Vec<T> bias = join<lanes.kTwo>(a.end.bias, b.end.bias);
    const PlaneEnd<T> last = a.end;
    T* const out = a.out;
    const auto finish = [&](Vec<T> y, int64_t at) __attribute__((always_inline)) {
      finish_at<Plain, Streams>(y, lanes, last, at, out);
    };
    Vec<T> one = bias, two = bias;  // results that have seen one and two of their rows
    const int64_t inside = std::min(end + 2, h_ + pad_h);
    int64_t v = std::max(begin, pad_h);  // row of the padded source
    const T* p = a.source + (v - pad_h) * w + x;
    int64_t at = (v - 2) * w + x;
    for (; v < inside; ++v, p += w, at += w) {
      Vec<T> s[3];
      lanes.load(p, s);
      __builtin_prefetch(p + ahead);
      if (!Streams) __builtin_prefetch(out + at + ahead, 1);
      const Vec<T> y = add_row(two, f + 6, s);
      two = add_row(one, f + 3, s);
      one = add_row(bias, f, s);
      if (v >= begin + 2) finish(y, at);
    }
    for (; v < end + 2; ++v, at += w) {
      if (v >= begin + 2) finish(two, at);
      two = one;
      one = bias;
    }
  }

  // At stride 2 each other row is seen by one row of results alone.
  template <Columns Which, bool Plain>
  [[gnu::noinline]] void strided_column(const Plane3x3<T>& a, const Plane3x3<T>& b, int64_t x,
                                        int64_t begin, int64_t end) const {
    const int64_t h = h_, w = w_, q = q_, ahead = 2 * band_ * w;
    const Lanes<T, Which, 2> lanes(x, w, q, b.source - a.source, b.out - a.out);
    Vec<T> f[9];
    load_filter<lanes.kTwo>(a.filter, b.filter, f);
    const Vec<T> bias = join<lanes.kTwo>(a.end.bias, b.end.bias);
    const PlaneEnd<T> last = a.end;
    T* const out = a.out;
    const T* const source = a.source + 2 * x;
    const auto load = [&](int64_t row, Vec<T>(&s)[3]) __attribute__((always_inline)) {
      if (row < 0 || row >= h) {
        s[0] = s[1] = s[2] = Vec<T>(T(0));
        return;
      }
      const T* const p = source + row * w;
      lanes.load(p, s);
      __builtin_prefetch(p + ahead);
      __builtin_prefetch(p + ahead + kSize);
    };
    Vec<T> s[3];
    int64_t row = 2 * begin - pad_h_;
    load(row, s);
    Vec<T> top = add_row(bias, f, s);
    for (int64_t y = begin, at = begin * q + x; y < end; ++y, row += 2, at += q) {
      load(row + 1, s);
      const Vec<T> middle = add_row(top, f + 3, s);
      load(row + 2, s);
      finish_at<Plain, false>(add_row(middle, f + 6, s), lanes, last, at, out);
      top = add_row(bias, f, s);
    }
  }

  // From a sum on, so that which product is rounded before it is added is never the compiler's
  // choice: a result has the same bits whatever column it lies in.
  [[gnu::always_inline]] static Vec<T> add_row(Vec<T> sum, const Vec<T>* f, const Vec<T>* s) {
    return sum + f[0] * s[0] + f[1] * s[1] + f[2] * s[2];
  }

  // Of the planes a and b in the halves of a register, or of a alone.
  template <bool Two>
  [[gnu::always_inline]] static Vec<T> join(T a, T b) {
    if constexpr (!Two) return Vec<T>(a);
    return detail::first_halves(Vec<T>(a), Vec<T>(b), detail::kEachLane<T>);
  }
  template <bool Two>
  [[gnu::always_inline]] static void load_filter(const T* a, const T* b, Vec<T> (&f)[9]) {
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) f[t] = join<Two>(a[t], b[t]);
  }

  template <bool Plain, bool Streams, class L>
  [[gnu::always_inline]] static void finish_at(Vec<T> y, const L& lanes, const PlaneEnd<T>& end,
                                               int64_t at, T* out) {
    if constexpr (!Plain) {
      if (end.residual) y += lanes.read(end.residual + at);
      y = activate(y, end.activation, end.slope);
    }
    lanes.template store<Streams>(y, out + at);
  }

  void correlate(const T* source, const T* dy, int64_t source_step, int64_t step, bool two,
                 Vec<T>* sum) const {
    const auto body = [&](auto stride, auto at, int64_t x, int64_t begin, int64_t end) {
      const Lanes<T, at(), stride()> lanes(x, w_, q_, source_step, step);
      correlate_column(lanes, source, dy, x, begin, end, sum);
    };
    if (stride_ == 1)
      each_column<1>(two, [&](auto... to) { body(Stride<1>(), to...); });
    else
      each_column<2>(two, [&](auto... to) { body(Stride<2>(), to...); });
  }
  template <int S>
  using Stride = std::integral_constant<int, S>;

  // A row of the source meets the rows of dy that saw it: at stride 1 three.
  template <Columns Which>
  [[gnu::noinline]] void correlate_column(const Lanes<T, Which, 1>& from, const T* source,
                                          const T* dy, int64_t x, int64_t begin, int64_t end,
                                          Vec<T>* sum) const {
    const auto lanes = from;
    Vec<T> acc[9];
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) acc[t] = sum[t];
    const int64_t w = w_, ahead = band_ * w, pad_h = pad_h_;
    const int64_t first = std::max(begin, pad_h), last = std::min(end + 2, h_ + pad_h);
    const auto row_of_dy = [&](int64_t v) __attribute__((always_inline)) {
      return v < begin || v >= end ? Vec<T>(T(0)) : lanes.read(dy + v * w + x);
    };
    Vec<T> above = row_of_dy(first - 2), before = row_of_dy(first - 1);
    for (int64_t v = first; v < last; ++v) {
      const Vec<T> here = row_of_dy(v);
      const T* const p = source + (v - pad_h) * w + x;
      Vec<T> s[3];
      lanes.load(p, s);
      s[0] = lanes.only_results(s[0]);  // zero times infinity is no zero
      __builtin_prefetch(p + ahead);
      __builtin_prefetch(dy + v * w + x + ahead);
#pragma GCC unroll 3
      for (int c = 0; c < 3; ++c) {
        acc[c] += here * s[c];
        acc[3 + c] += before * s[c];
        acc[6 + c] += above * s[c];
      }
      above = before;
      before = here;
    }
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) sum[t] = acc[t];
  }

  // At stride 2 two and one in turn.
  template <Columns Which>
  [[gnu::noinline]] void correlate_column(const Lanes<T, Which, 2>& from, const T* source,
                                          const T* dy, int64_t x, int64_t begin, int64_t end,
                                          Vec<T>* sum) const {
    const auto lanes = from;
    Vec<T> acc[9];
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) acc[t] = sum[t];
    const int64_t h = h_, w = w_, q = q_, pad_h = pad_h_;
    const auto add = [&](int64_t row, Vec<T> g, Vec<T>* to) __attribute__((always_inline)) {
      if (row < 0 || row >= h) return;
      Vec<T> s[3];
      lanes.load(source + row * w + 2 * x, s);
      s[0] = lanes.only_results(s[0]);
#pragma GCC unroll 3
      for (int c = 0; c < 3; ++c) to[c] += g * s[c];
    };
    for (int64_t y = begin, row = 2 * begin - pad_h; y < end; ++y, row += 2) {
      const Vec<T> g = lanes.read(dy + y * q + x);
#pragma GCC unroll 3
      for (int r = 0; r < 3; ++r) add(row + r, g, acc + 3 * r);
    }
#pragma GCC unroll 9
    for (int t = 0; t < 9; ++t) sum[t] = acc[t];
  }

  int64_t h_, w_, p_, q_, stride_, pad_h_, band_;
  bool streams_;
};

}  // namespace fastdl::cpu
