// A strip of a source plane is copied into the first-level cache with its padding, its columns dealt
// out by their phase modulo the stride. Then each tap of 16 neighbouring results is one load at a
// constant offset, and eight such registers share a tap's weight: 9 loads for 8 multiply-adds.
//
// The gradient by x is the same on dy with the filter turned round, where for a stride zeros are put
// between dy's elements: four times the multiplications at stride 2, of which there is room for more
// in the time that dx takes to be written.
#include "cpu/conv2d_depthwise.h"

#include <algorithm>

#include "cpu/conv2d_depthwise_3x3.h"
#include "cpu/divide.h"
#include "cpu/slots.h"
#include "cpu/stream.h"

namespace fastdl::cpu {

// kernels

namespace {

// result[i, j] = sum over taps of weight * source at i * stride - pad + r * dilation, where the
// source's elements lie `spread` apart with zeros between. Pads may be negative.
struct PlaneShape {
  int64_t h, w, spread_h, spread_w;  // source
  int64_t p, q;                      // result
  int64_t r, s, stride_h, stride_w, pad_h, pad_w, dilation_h, dilation_w;

  bool is_3x3() const {
    return r == 3 && s == 3 && stride_h == stride_w && stride_w <= 2 && spread_h == 1 &&
           spread_w == 1 && dilation_h == 1 && dilation_w == 1 && pad_w == 1 && pad_h >= 0 &&
           pad_h <= 2;
  }
};

// A register of results: where it starts in the copy and in the result.
struct Place {
  int64_t copy, result, lanes;
};

template <class T>
class Strips {
 public:
  Strips(const Context& context, const PlaneShape& s)
      : s_(s),
        pitch_(divide_up(s.q, kSize) * kSize + (s.s - 1) * s.dilation_w / s.stride_w),
        row_(pitch_ * s.stride_w),
        extra_((s.r - 1) * s.dilation_h + 1),
        rows_(std::clamp<int64_t>((kCopy / row_ - extra_) / s.stride_h + 1, 1, s.p)),
        registers_(divide_up(s.q, kSize)),
        table_(context, static_cast<size_t>(rows_ * registers_) * sizeof(Place) +
                            static_cast<size_t>(taps()) * sizeof(int64_t)) {
    rows_ = divide_up(s.p, divide_up(s.p, rows_));
    Place* place = table_.as<Place>();
    for (int64_t y = 0; y < rows_; ++y)
      for (int64_t x = 0; x < s.q; x += kSize)
        *place++ = {y * s.stride_h * row_ + x, y * s.q + x, std::min(kSize, s.q - x)};
    int64_t* const offset = reinterpret_cast<int64_t*>(place);
    offset_ = offset;
    for (int64_t r = 0; r < s.r; ++r)
      for (int64_t c = 0; c < s.s; ++c) {
        const int64_t column = c * s.dilation_w;
        offset[r * s.s + c] =
            r * s.dilation_h * row_ + column % s.stride_w * pitch_ + column / s.stride_w;
      }
  }

  int64_t taps() const { return s_.r * s_.s; }
  const int64_t* offset() const { return offset_; }
  const Place* places() const { return table_.as<Place>(); }
  int64_t copy_elements() const { return ((rows_ - 1) * s_.stride_h + extra_) * row_ + 2 * kSize; }

  // body(first result row, registers in the strip), with the strip in `copy`.
  template <class F>
  void each(const T* source, T* copy, F&& body) const {
    for (int64_t first = 0; first < s_.p; first += rows_) {
      const int64_t rows = std::min(rows_, s_.p - first);
      T* out = copy;
      for (int64_t y = 0; y < (rows - 1) * s_.stride_h + extra_; ++y, out += row_) {
        const int64_t at = first * s_.stride_h - s_.pad_h + y;
        const bool inside = at >= 0 && at % s_.spread_h == 0 && at / s_.spread_h < s_.h;
        if (inside)
          fill_row(source + at / s_.spread_h * s_.w, out);
        else
          clear(out, row_);
      }
      clear(out, kSize);
      body(first, rows * registers_);
    }
  }

 private:
  static constexpr int64_t kSize = Vec<T>::size;
  static constexpr int64_t kCopy = 20480 / sizeof(T);  // elements: under half the first-level cache

  // Whole registers, the last of which may run into what is written next.
  static void clear(T* p, int64_t n) {
    for (int64_t i = 0; i < n; i += kSize) Vec<T>(T(0)).store(p + i);
  }

  void fill_row(const T* source, T* out) const {
    if (s_.spread_w > 1) return spread_row(source, out);
    if (s_.stride_w == 2) return deal_row(source, out);
    for (int64_t phase = 0; phase < s_.stride_w; ++phase, out += pitch_) {
      const int64_t step = s_.stride_w, at = phase - s_.pad_w;  // of out[0] in the source
      const int64_t begin = std::min(pitch_, at < 0 ? divide_up(-at, step) : 0);
      const int64_t end = std::clamp(divide_up(s_.w - at, step), begin, pitch_);
      clear(out, begin);
      int64_t x = begin;
      if (step == 1) {
        const T* const s = source + at;
        for (; x + kSize <= end; x += kSize) Vec<T>::load(s + x).store(out + x);
        if (x < end) {
          Vec<T>::load(s + x, end - x).store(out + x);
          x += kSize;
        }
      } else {
        for (; x < end; ++x) out[x] = source[at + x * step];
      }
      clear(out + x, pitch_ - x);
    }
  }

  // Even and odd columns of 2 * kSize at a time.
  void deal_row(const T* source, T* out) const {
    T* const odd = out + pitch_;
    const auto one = [&](int64_t column) {
      return column >= 0 && column < s_.w ? source[column] : T(0);
    };
    int64_t x = 0;
    for (; x < pitch_ && 2 * x < s_.pad_w; ++x) {
      out[x] = one(2 * x - s_.pad_w);
      odd[x] = one(2 * x + 1 - s_.pad_w);
    }
    constexpr auto lanes = std::make_integer_sequence<int, Vec<T>::size>();
    for (; x < pitch_; x += kSize) {
      const int64_t at = 2 * x - s_.pad_w, left = s_.w - at;
      const Vec<T> a = part(source + at, left), b = part(source + at + kSize, left - kSize);
      const int64_t n = std::min(kSize, pitch_ - x);
      take<0>(a, b, lanes).store(out + x, n);
      take<1>(a, b, lanes).store(odd + x, n);
    }
  }

  static Vec<T> part(const T* p, int64_t n) {
    if (n >= kSize) return Vec<T>::load(p);
    return n <= 0 ? Vec<T>(T(0)) : Vec<T>::load(p, n);
  }
  template <int Odd, int... L>
  static Vec<T> take(Vec<T> a, Vec<T> b, std::integer_sequence<int, L...>) {
    return __builtin_shufflevector(a.v, b.v, (2 * L + Odd)...);
  }
  template <int First, int... L>
  static Vec<T> apart(Vec<T> a, std::integer_sequence<int, L...>) {
    return __builtin_shufflevector(a.v, Vec<T>(T(0)).v,
                                   (L % 2 ? Vec<T>::size + L : First + L / 2)...);
  }

  void spread_row(const T* source, T* out) const {
    const int64_t step = s_.spread_w, pad = s_.pad_w;
    // Column x of the copy is source (x - pad) / step.
    const int64_t first = pad < 0 ? divide_up(-pad, step) : 0;
    if (step != 2 || pad < 0) {
      clear(out, pitch_);
      for (int64_t i = first; i < s_.w && i * step + pad < pitch_; ++i)
        out[i * step + pad] = source[i];
      return;
    }
    constexpr auto lanes = std::make_integer_sequence<int, Vec<T>::size>();
    clear(out, std::min(pad, pitch_));
    int64_t x = pad;
    for (int64_t i = 0; i < s_.w && x < pitch_; i += kSize, x += 2 * kSize) {
      const Vec<T> a = part(source + i, s_.w - i);
      const Vec<T> low = apart<0>(a, lanes), high = apart<Vec<T>::size / 2>(a, lanes);
      low.store(out + x, std::min(kSize, pitch_ - x));
      if (x + kSize < pitch_) high.store(out + x + kSize, std::min(kSize, pitch_ - x - kSize));
    }
    if (x < pitch_) clear(out + x, pitch_ - x);
  }

  PlaneShape s_;
  int64_t pitch_, row_, extra_;  // of a phase; of the copy's rows; rows that taps reach over
  int64_t rows_, registers_;     // result rows of a strip, and registers of a row
  Scratch table_;
  const int64_t* offset_ = nullptr;
};

template <class T>
struct Results {
  const T* copy;
  const Place* place;
  int64_t taps;
  const int64_t* offset;
  const T* weight;
  PlaneEnd<T> end;
  T* out;
};

template <int N, bool Plain, class T>
void results(const Results<T>& a) {
  const int64_t taps = a.taps;
  const int64_t* const offset = a.offset;
  const T* const weight = a.weight;
  const Place* const place = a.place;
  Vec<T> acc[N];
  const T* from[N];
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) {
    acc[i] = Vec<T>(a.end.bias);
    from[i] = a.copy + place[i].copy;
  }
  for (int64_t t = 0; t < taps; ++t) {
    const Vec<T> w(weight[t]);
    const int64_t at = offset[t];
#pragma GCC unroll 8
    for (int i = 0; i < N; ++i) acc[i] += w * Vec<T>::load(from[i] + at);
  }
#pragma GCC unroll 8
  for (int i = 0; i < N; ++i) {
    const int64_t at = place[i].result, lanes = place[i].lanes;
    if constexpr (!Plain) {
      if (a.end.residual) acc[i] += Vec<T>::load(a.end.residual + at, lanes);
      acc[i] = activate(acc[i], a.end.activation, a.end.slope);
    }
    if (!kMaskedAccess && lanes == Vec<T>::size)
      acc[i].store(a.out + at);
    else
      acc[i].store(a.out + at, lanes);
  }
}

// In groups of at most 8 registers, as equal as can be: short ones would wait for their own sums.
template <class T>
void all_results(Results<T> a, int64_t count) {
  const bool plain = a.end.plain();
  const auto pick = [plain](int64_t n) -> void (*)(const Results<T>&) {
    switch (n) {
      case 1: return plain ? results<1, true, T> : results<1, false, T>;
      case 2: return plain ? results<2, true, T> : results<2, false, T>;
      case 3: return plain ? results<3, true, T> : results<3, false, T>;
      case 4: return plain ? results<4, true, T> : results<4, false, T>;
      case 5: return plain ? results<5, true, T> : results<5, false, T>;
      case 6: return plain ? results<6, true, T> : results<6, false, T>;
      case 7: return plain ? results<7, true, T> : results<7, false, T>;
      default: return plain ? results<8, true, T> : results<8, false, T>;
    }
  };
  for (int64_t groups = divide_up(count, 8); groups > 0; --groups) {
    const int64_t n = divide_up(count, groups);
    pick(n)(a);
    a.place += n;
    count -= n;
  }
}

// sum[t] += dy * the strip at tap t, for N taps.
template <int N, class T>
[[gnu::always_inline]] inline void correlate(const T* copy, const Place* place, int64_t count,
                                             const int64_t* offset, const T* dy, Vec<T>* sum) {
  Vec<T> acc[N];
  int64_t at[N];
#pragma GCC unroll 9
  for (int t = 0; t < N; ++t) {
    acc[t] = sum[t];
    at[t] = offset[t];
  }
  for (int64_t i = 0; i < count; ++i) {
    const T* const from = copy + place[i].copy;
    const int64_t lanes = place[i].lanes;
    // Zeros times what lies beyond a row need not be zero.
    if (lanes == Vec<T>::size) {
      const Vec<T> g = Vec<T>::load(dy + place[i].result);
#pragma GCC unroll 9
      for (int t = 0; t < N; ++t) acc[t] += g * Vec<T>::load(from + at[t]);
    } else {
      const Vec<T> g = Vec<T>::load(dy + place[i].result, lanes);
#pragma GCC unroll 9
      for (int t = 0; t < N; ++t) acc[t] += g * Vec<T>::load(from + at[t], lanes);
    }
  }
#pragma GCC unroll 9
  for (int t = 0; t < N; ++t) sum[t] = acc[t];
}

template <class T>
T sum_of(const T* p, int64_t n) {
  constexpr int64_t kSize = Vec<T>::size;
  Vec<T> acc = {};
  for (int64_t i = 0; i < n; i += kSize) acc += Vec<T>::load(p + i, std::min(kSize, n - i));
  return sum_lanes(acc);
}

constexpr int64_t kPlaneGrain = 1 << 18;  // multiplications of a chunk, about 10 us

}  // namespace

// launchers

namespace {

// Result planes of all samples, in order, and what they are made of: result plane k of a sample
// reads `per` source planes from plane k * per on or, where results are more, shares plane k / wide.
template <class T>
struct Planes {
  const PlaneShape& shape;
  int64_t n, sources, planes;  // samples, and planes of each
  const T* source;
  const T* weight;
  const Epilogue& epilogue;
  T* result;
  int64_t per = std::max<int64_t>(1, sources / planes);
  int64_t wide = std::max<int64_t>(1, planes / sources);
  int64_t source_size = shape.h * shape.w, size = shape.p * shape.q, taps = shape.r * shape.s;
  const T* bias = static_cast<const T*>(epilogue.bias);
  const T* residual = static_cast<const T*>(epilogue.residual);
  T slope = static_cast<T>(epilogue.slope);

  struct Position {
    int64_t sample, k;
  };
  Position position(int64_t i) const { return {i / planes, i % planes}; }
  void next(Position& at) const {
    if (++at.k == planes) at = {at.sample + 1, 0};
  }

  // The j-th source of a result, which is added to those before.
  Plane3x3<T> operator()(Position at, int64_t j) const {
    const int64_t from = per > 1 ? at.k * per + j : wide > 1 ? at.k / wide : at.k;
    const int64_t out = (at.sample * planes + at.k) * size;
    PlaneEnd<T> end{bias && j == 0 ? bias[at.k] : T(0), nullptr, Activation::none, slope};
    if (j > 0)
      end.residual = result + out;
    else if (residual)
      end.residual = residual + out;
    if (j == per - 1) end.activation = epilogue.activation;
    return {source + (at.sample * sources + from) * source_size,
            weight + (per > 1 ? from : at.k) * taps, end, result + out};
  }

  int64_t grain() const { return std::max<int64_t>(1, kPlaneGrain / (size * taps * per + 1)); }
};

template <class T>
void planes_3x3(const Context& context, const Planes<T>& planes, bool turned) {
  const PlaneShape& s = planes.shape;
  const int64_t count = planes.n * planes.planes, row = s.q * static_cast<int64_t>(sizeof(T));
  // Results that are added to are read again.
  const bool streamed = planes.per == 1 && streams(planes.result, count * s.p * row, row);
  const Planes3x3<T> kernel(s.h, s.w, s.p, s.q, s.stride_w, s.pad_h, streamed);
  context.parallel_for(count, planes.grain(), [&](int64_t begin, int64_t end) {
    T filters[2][9];
    const auto plane = [&](auto at, int64_t j, T* filter) {
      Plane3x3<T> out = planes(at, j);
      if (turned) out.filter = std::reverse_copy(out.filter, out.filter + 9, filter) - 9;
      return out;
    };
    auto at = planes.position(begin);
    int64_t i = begin;
    if (planes.per == 1 && kernel.in_pairs())
      for (; i + 2 <= end; i += 2, planes.next(at)) {
        const Plane3x3<T> first = plane(at, 0, filters[0]);
        planes.next(at);
        kernel.results(first, plane(at, 0, filters[1]));
      }
    for (; i < end; ++i, planes.next(at))
      for (int64_t j = 0; j < planes.per; ++j) kernel.results(plane(at, j, filters[0]));
    if (streamed) stream_end();
  });
}

template <class T>
void planes_in_strips(const Context& context, const Planes<T>& planes, bool turned) {
  const PlaneShape& s = planes.shape;
  const Strips<T> strips(context, s);
  const int64_t taps = planes.taps, count = planes.n * planes.planes;
  Slots slots(context, divide_up(count, planes.grain()),
              static_cast<size_t>(strips.copy_elements() + taps) * sizeof(T));
  context.parallel_for(count, planes.grain(), [&](int64_t begin, int64_t end) {
    const Slots::Lease lease(slots);
    T* const filter = lease.as<T>();
    T* const copy = filter + taps;
    auto at = planes.position(begin);
    for (int64_t i = begin; i < end; ++i, planes.next(at))
      for (int64_t j = 0; j < planes.per; ++j) {
        const Plane3x3<T> plane = planes(at, j);
        for (int64_t t = 0; t < taps; ++t) filter[t] = plane.filter[turned ? taps - 1 - t : t];
        strips.each(plane.source, copy, [&](int64_t row, int64_t registers) {
          Results<T> a{copy,      strips.places(),      taps, strips.offset(), filter,
                       plane.end, plane.out + row * s.q};
          if (a.end.residual) a.end.residual += row * s.q;
          all_results(a, registers);
        });
      }
  });
}

template <class T>
void all_planes(const Context& context, const Planes<T>& planes, bool turned) {
  planes.shape.is_3x3() ? planes_3x3(context, planes, turned)
                        : planes_in_strips(context, planes, turned);
}

PlaneShape forward_shape(const Depthwise& d) {
  return {d.h, d.w,        1,          1,       d.p,     d.q,          d.r,
          d.s, d.stride_h, d.stride_w, d.pad_h, d.pad_w, d.dilation_h, d.dilation_w};
}

}  // namespace

template <class T>
void depthwise_forward(const Context& context, const Depthwise& d, const T* x, const T* weight,
                       const Epilogue& epilogue, T* y) {
  const PlaneShape s = forward_shape(d);
  all_planes(context, Planes<T>{s, d.n, d.c, d.c * d.multiplier, x, weight, epilogue, y}, false);
}

template <class T>
void depthwise_backward_data(const Context& context, const Depthwise& d, const T* dy,
                             const T* weight, const Epilogue& epilogue, T* dx) {
  const PlaneShape s{d.p,
                     d.q,
                     d.stride_h,
                     d.stride_w,
                     d.h,
                     d.w,
                     d.r,
                     d.s,
                     1,
                     1,
                     (d.r - 1) * d.dilation_h - d.pad_h,
                     (d.s - 1) * d.dilation_w - d.pad_w,
                     d.dilation_h,
                     d.dilation_w};
  all_planes(context, Planes<T>{s, d.n, d.c * d.multiplier, d.c, dy, weight, epilogue, dx}, true);
}

template <class T>
void depthwise_backward_weight(const Context& context, const Depthwise& d, const T* x, const T* dy,
                               T* dweight, T* dbias) {
  const PlaneShape s = forward_shape(d);
  const int64_t taps = s.r * s.s, plane = s.p * s.q, planes = d.c * d.multiplier;
  const int64_t grain = std::max<int64_t>(1, kPlaneGrain / (d.n * plane * taps + 1));
  // From a sample's plane to the next one's.
  const int64_t source_step = d.c * s.h * s.w, step = planes * plane;
  // add(plane of x, plane of dy, how many samples) for up to `most` samples at a time.
  const auto each_filter = [&](int64_t begin, int64_t end, int64_t most, Vec<T>* sum, auto&& add) {
    for (int64_t k = begin; k < end; ++k) {
      for (int64_t t = 0; t < taps; ++t) sum[t] = Vec<T>(T(0));
      T bias = 0;
      const T* from = x + k / d.multiplier * s.h * s.w;
      const T* g = dy + k * plane;
      for (int64_t left = d.n; left > 0; left -= most) {
        const int64_t count = std::min(most, left);
        add(from, g, count);
        for (int64_t i = 0; i < count; ++i, from += source_step, g += step)
          if (dbias) bias += sum_of(g, plane);
      }
      for (int64_t t = 0; t < taps; ++t) dweight[k * taps + t] = sum_lanes(sum[t]);
      if (dbias) dbias[k] = bias;
    }
  };
  if (s.is_3x3()) {
    const Planes3x3<T> kernel(s.h, s.w, s.p, s.q, s.stride_w, s.pad_h, false);
    context.parallel_for(planes, grain, [&](int64_t begin, int64_t end) {
      Vec<T> sum[9];
      each_filter(begin, end, kernel.in_pairs() ? 2 : 1, sum,
                  [&](const T* from, const T* g, int64_t count) {
                    if (count == 2)
                      kernel.correlate(from, g, source_step, step, sum);
                    else
                      kernel.correlate(from, g, sum);
                  });
    });
    return;
  }
  const Strips<T> strips(context, s);
  Slots slots(context, divide_up(planes, grain),
              static_cast<size_t>(taps) * sizeof(Vec<T>) +
                  static_cast<size_t>(strips.copy_elements()) * sizeof(T));
  context.parallel_for(planes, grain, [&](int64_t begin, int64_t end) {
    const Slots::Lease lease(slots);
    Vec<T>* const sum = lease.as<Vec<T>>();
    T* const copy = reinterpret_cast<T*>(sum + taps);
    each_filter(begin, end, 1, sum, [&](const T* from, const T* g, int64_t) {
      strips.each(from, copy, [&](int64_t row, int64_t count) {
        const T* const rows = g + row * s.q;
        int64_t t = 0;
        for (; t + 9 <= taps; t += 9)
          correlate<9>(copy, strips.places(), count, strips.offset() + t, rows, sum + t);
        for (; t < taps; ++t)
          correlate<1>(copy, strips.places(), count, strips.offset() + t, rows, sum + t);
      });
    });
  });
}

template void depthwise_forward(const Context&, const Depthwise&, const float*, const float*,
                                const Epilogue&, float*);
template void depthwise_forward(const Context&, const Depthwise&, const double*, const double*,
                                const Epilogue&, double*);
template void depthwise_backward_data(const Context&, const Depthwise&, const float*, const float*,
                                      const Epilogue&, float*);
template void depthwise_backward_data(const Context&, const Depthwise&, const double*,
                                      const double*, const Epilogue&, double*);
template void depthwise_backward_weight(const Context&, const Depthwise&, const float*,
                                        const float*, float*, float*);
template void depthwise_backward_weight(const Context&, const Depthwise&, const double*,
                                        const double*, double*, double*);

}  // namespace fastdl::cpu
