// How a register of a 3x3 filter's results reads the rows of a plane: at stride 1 or 2, with one
// column of padding on either side. No copy is made: the shift at the left edge is one of lanes, at
// the right edge a partial load. Where half a register holds a row, two planes share it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <utility>

#include "cpu/vec.h"

namespace fastdl::cpu {

namespace detail {

template <class T>
inline constexpr auto kEachLane = std::make_integer_sequence<int, Vec<T>::size>();

// Lanes 0, 2, 4 ... of a and then of b (Odd = 0), or 1, 3, 5 ...
template <int Odd, class T, int... L>
Vec<T> every_other(Vec<T> a, Vec<T> b, std::integer_sequence<int, L...>) {
  return __builtin_shufflevector(a.v, b.v, (2 * L + Odd)...);
}
// The first half of a, then that of b.
template <class T, int... L>
Vec<T> first_halves(Vec<T> a, Vec<T> b, std::integer_sequence<int, L...>) {
  constexpr int half = Vec<T>::size / 2;
  return __builtin_shufflevector(a.v, b.v, (L < half ? L : L + half)...);
}
template <class T, int... L>
Vec<T> second_half(Vec<T> a, std::integer_sequence<int, L...>) {
  constexpr int half = Vec<T>::size / 2;
  return __builtin_shufflevector(a.v, a.v, (L % half + half)...);
}
// Each lane's neighbour in its group of `Group` lanes, or `beyond` for the group's first or last.
template <int Group, class T, int... L>
Vec<T> left_neighbour(Vec<T> a, Vec<T> beyond, std::integer_sequence<int, L...>) {
  return __builtin_shufflevector(a.v, beyond.v, (L % Group == 0 ? Vec<T>::size : L - 1)...);
}
template <int Group, class T, int... L>
Vec<T> right_neighbour(Vec<T> a, Vec<T> beyond, std::integer_sequence<int, L...>) {
  return __builtin_shufflevector(a.v, beyond.v, (L % Group == Group - 1 ? Vec<T>::size : L + 1)...);
}

// What was read, in a register: the compiler would read it again for each multiplication, and most
// of these reads cross two lines.
template <class T>
[[gnu::always_inline]] inline Vec<T> in_register(Vec<T> a) {
#if defined(__SSE2__)
  asm("" : "+v"(a.v));
#endif
  return a;
}

}  // namespace detail

// Which columns of a plane a register holds: some, at an edge or not, or all, of one plane or two.
enum class Columns { inner, left, right, all, two_planes };

template <class T, Columns At, int Stride>
class Lanes {
 public:
  static constexpr int kSize = Vec<T>::size;
  static constexpr bool kTwo = At == Columns::two_planes;

  // From result x on, of planes w wide whose results are q wide. The second plane's distance is
  // `source_step` in the source and `step` in the results.
  Lanes(int64_t x, int64_t w, int64_t q, int64_t source_step, int64_t step)
      : columns_(w - Stride * x),
        lanes_(std::min<int64_t>(kSize, q - x)),
        source_step_(source_step),
        step_(step) {}

  // What the filter's columns meet: left of p, p and right of p, for each lane's p.
  [[gnu::always_inline]] void load(const T* p, Vec<T> (&s)[3]) const {
    constexpr auto lanes = detail::kEachLane<T>;
    constexpr int group = kTwo ? kSize / 2 : kSize;
    const Vec<T> zero = T(0);
    if constexpr (Stride == 1) {
      s[1] = detail::in_register(part<0>(p));
      if constexpr (kTwo) s[1] = detail::first_halves(s[1], part<0>(p + source_step_), lanes);
      s[0] = kAtLeft ? detail::left_neighbour<group>(s[1], zero, lanes)
                     : detail::in_register(part<-1>(p));
      s[2] = kTwo ? detail::right_neighbour<group>(s[1], zero, lanes)
                  : detail::in_register(part<1>(p));
    } else {
      const Vec<T> a = part<0>(p), b = kTwo ? part<0>(p + source_step_) : part<kSize>(p);
      s[1] = detail::every_other<0>(a, b, lanes);
      s[2] = detail::every_other<1>(a, b, lanes);
      s[0] = detail::left_neighbour<group>(s[2], kAtLeft ? zero : Vec<T>(p[-1]), lanes);
    }
  }

  // Of what is laid out as the results. Lanes without a result are zero.
  [[gnu::always_inline]] Vec<T> read(const T* p) const {
    if constexpr (!kAtRight) return Vec<T>::load(p);
    const Vec<T> a = Vec<T>::load(p, lanes_);
    if constexpr (!kTwo) return a;
    return detail::first_halves(a, Vec<T>::load(p + step_, lanes_), detail::kEachLane<T>);
  }
  template <bool Streams>
  [[gnu::always_inline]] void store(Vec<T> y, T* p) const {
    if constexpr (Streams) {
      y.stream(p);
    } else if constexpr (kAtRight) {
      y.store(p, lanes_);
      if constexpr (kTwo) detail::second_half(y, detail::kEachLane<T>).store(p + step_, lanes_);
    } else {
      y.store(p);
    }
  }

  // Zeros in lanes without a result.
  [[gnu::always_inline]] Vec<T> only_results(Vec<T> a) const {
    if constexpr (!kAtRight) return a;
    typename Vec<T>::Mask lane;
    for (int i = 0; i < kSize; ++i) lane[i] = kTwo ? i % (kSize / 2) : i;
    return select(lane < static_cast<decltype(lane[0] + 0)>(lanes_), a, T(0));
  }

 private:
  static constexpr bool kAtLeft = At != Columns::inner && At != Columns::right;
  static constexpr bool kAtRight = At != Columns::inner && At != Columns::left;

  // A register of the source from p + First on, as far as it lies in p's row.
  template <int First>
  [[gnu::always_inline]] Vec<T> part(const T* p) const {
    if constexpr (!kAtRight) return Vec<T>::load(p + First);
    return Vec<T>::load(p + First, std::clamp<int64_t>(columns_ - First, 0, kSize));
  }

  int64_t columns_, lanes_, source_step_, step_;
};

}  // namespace fastdl::cpu
