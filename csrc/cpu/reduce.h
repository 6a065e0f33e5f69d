// What reductions are made of: packs of lanes of any element type, the three ways to combine them,
// and a fold whose rounding error grows with the logarithm of the length.
//
// Source: pairwise summation as in Higham, "The accuracy of floating point summation", SIAM J. Sci.
// Comput. 14 (1993), with vector accumulators at the leaves.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <limits>
#include <type_traits>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/math.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

namespace detail {
#define FASTDL_LANES(T)                                       \
  template <>                                                 \
  struct lanes<T> {                                           \
    typedef T Native __attribute__((vector_size(kVecBytes))); \
  };
FASTDL_LANES(uint8_t)
FASTDL_LANES(int32_t)
FASTDL_LANES(uint32_t)
FASTDL_LANES(int64_t)
FASTDL_LANES(uint64_t)
#undef FASTDL_LANES
}  // namespace detail

// One register of an integer type, with the part of Vec's face that reductions use.
template <class T>
struct Lanes {
  static constexpr int size = kVecBytes / sizeof(T);
  using Native = typename detail::lanes<T>::Native;
  Native v;

  Lanes() = default;
  Lanes(Native native) : v(native) {}
  Lanes(T scalar) : v(scalar - Native{}) {}
  static Lanes load(const T* p) {
    Lanes r;
    memcpy(&r.v, p, sizeof r.v);
    return r;
  }
  static Lanes load(const T* p, int64_t n, T fill) {
    Lanes r(fill);
    memcpy(&r.v, p, static_cast<size_t>(n) * sizeof(T));
    return r;
  }
  void store(T* p) const { memcpy(p, &v, sizeof v); }
  void store(T* p, int64_t n) const { memcpy(p, &v, static_cast<size_t>(n) * sizeof(T)); }
};

template <class C>
using Pack =
    typename std::conditional_t<std::is_floating_point_v<C>, Type<Vec<C>>, Type<Lanes<C>>>::type;

// Loads from storage type S, n <= size elements if given.
template <class S>
inline Pack<Compute<S>> load_pack(const S* p) {
  if constexpr (std::is_same_v<S, Compute<S>>)
    return Pack<S>::load(p);
  else
    return load_as_float(p);
}
template <class S>
inline Pack<Compute<S>> load_pack(const S* p, int64_t n, Compute<S> fill) {
  if constexpr (std::is_same_v<S, Compute<S>>) {
    return Pack<S>::load(p, n, fill);
  } else {
    S buffer[Vec<float>::size] = {};
    memcpy(buffer, p, static_cast<size_t>(n) * sizeof(S));
    float wide[Vec<float>::size];
    load_as_float(buffer).store(wide);
    return Vec<float>::load(wide, n, fill);  // S(fill) would round it
  }
}
template <class S>
inline void store_pack(Pack<Compute<S>> v, S* p) {
  if constexpr (std::is_same_v<S, Compute<S>>)
    v.store(p);
  else
    store_from_float(v, p);
}
template <class S>
inline void store_pack(Pack<Compute<S>> v, S* p, int64_t n) {
  if constexpr (std::is_same_v<S, Compute<S>>) {
    v.store(p, n);
  } else {
    S buffer[Vec<float>::size];
    store_from_float(v, buffer);
    memcpy(p, buffer, static_cast<size_t>(n) * sizeof(S));
  }
}

// The same, m lanes if m is a number and all of them if it is a constant.
template <class S, int64_t size>
inline Pack<Compute<S>> load_pack(const S* p, std::integral_constant<int64_t, size>, Compute<S>) {
  return load_pack(p);
}
template <class S, int64_t size>
inline void store_pack(Pack<Compute<S>> v, S* p, std::integral_constant<int64_t, size>) {
  store_pack(v, p);
}

// Stores m lanes; a whole register goes past the caches if `stream`, and p is then aligned.
template <bool stream, class S, class M>
inline void put_pack(Pack<Compute<S>> v, S* p, M m) {
  if constexpr (stream && std::is_same_v<S, Compute<S>> && !std::is_same_v<M, int64_t>)
    v.stream(p);
  else
    store_pack(v, p, m);
}

// Calls f(std::bool_constant): what a kernel's arithmetic depends on is a constant, so that the
// compiler contracts it to multiply-adds in the same way wherever it is inlined.
template <class F>
inline void with_flag(bool flag, F f) {
  flag ? f(std::true_type()) : f(std::false_type());
}

// Applies f(i, m) to [0, n) in steps of a register P: m is the constant size, then what is left.
template <class P, class F>
inline void for_packs(int64_t n, F f) {
  int64_t i = 0;
  for (; i + P::size <= n; i += P::size) f(i, std::integral_constant<int64_t, P::size>());
  if (i < n) f(i, n - i);
}

// The same for an f that may be applied to an element twice: the last register is a whole one that
// reaches back over the one before, if n is not less than a register.
template <class P, class F>
inline void for_packs_back(int64_t n, F f) {
  constexpr std::integral_constant<int64_t, P::size> all;
  if (n < P::size) return n > 0 ? f(int64_t{0}, n) : void();
  for (int64_t i = 0; i < n; i += P::size) f(std::min(i, n - P::size), all);
}

// ---- ways to combine ----

struct Sum {
  template <class C>
  static constexpr C identity = C(0);
  template <class C>
  static Vec<C> combine(Vec<C> a, Vec<C> b) {
    return a + b;
  }
  template <class C>
  static Lanes<C> combine(Lanes<C> a, Lanes<C> b) {
    return Lanes<C>(typename Lanes<C>::Native(a.v + b.v));
  }
};

struct Product {
  template <class C>
  static constexpr C identity = C(1);
  template <class C>
  static Vec<C> combine(Vec<C> a, Vec<C> b) {
    return a * b;
  }
  template <class C>
  static Lanes<C> combine(Lanes<C> a, Lanes<C> b) {
    return Lanes<C>(typename Lanes<C>::Native(a.v * b.v));
  }
};

struct Max {
  template <class C>
  static constexpr C identity =
      std::numeric_limits<C>::has_infinity ? -std::numeric_limits<C>::infinity()
                                           : std::numeric_limits<C>::lowest();
  template <class C>
  static Vec<C> combine(Vec<C> a, Vec<C> b) {
    return maximum(a, b);
  }
  template <class C>
  static Lanes<C> combine(Lanes<C> a, Lanes<C> b) {
    return Lanes<C>(typename Lanes<C>::Native(a.v > b.v ? a.v : b.v));
  }
};

struct Min {
  template <class C>
  static constexpr C identity =
      std::numeric_limits<C>::has_infinity ? std::numeric_limits<C>::infinity()
                                           : std::numeric_limits<C>::max();
  template <class C>
  static Vec<C> combine(Vec<C> a, Vec<C> b) {
    return minimum(a, b);
  }
  template <class C>
  static Lanes<C> combine(Lanes<C> a, Lanes<C> b) {
    return Lanes<C>(typename Lanes<C>::Native(a.v < b.v ? a.v : b.v));
  }
};

template <class Op, class C>
inline C fold(Vec<C> a) {
  return fold_lanes(a, [](Vec<C> x, Vec<C> y) { return Op::combine(x, y); });
}
template <class Op, class C>
inline C fold(Lanes<C> a) {
  C lane[Lanes<C>::size];
  a.store(lane);
  C r = lane[0];
  for (int i = 1; i < Lanes<C>::size; ++i) r = Op::combine(Lanes<C>(r), Lanes<C>(lane[i])).v[0];
  return r;
}

// ---- lanes of many registers ----

// Lane r of the result is the fold of the lanes of of[r], with the bits of fold_lanes: in each round
// two registers become one, in which their groups of lanes lie side by side, folded to half.
template <int group, class V, class F>
[[gnu::always_inline]] inline void fold_groups(V (&of)[V::size], F f) {
  typename V::Mask low;
  for (int l = 0; l < V::size; ++l) {
    const int from = l / group * group + l % (group / 2);
    low[l] = l % group < group / 2 ? from : from + V::size;
  }
  const typename V::Mask high = low + group / 2;
#pragma GCC unroll 8
  for (int i = 0; i < group / 2; ++i) {
    const V a = of[i], b = of[i + group / 2];
    of[i] = f(V(typename V::Native(__builtin_shuffle(a.v, b.v, low))),
              V(typename V::Native(__builtin_shuffle(a.v, b.v, high))));
  }
  if constexpr (group > 2) fold_groups<group / 2>(of, f);
}
template <class V, class F>
[[gnu::always_inline]] inline V fold_across(V (&of)[V::size], F f) {
  fold_groups<V::size>(of, f);
  return of[0];
}

// ---- the pairwise fold ----

// Combines leaves two by two, four by four and so on as they come: level i holds the fold of 2^i
// leaves where bit i of the count is set.
template <class Op, class P>
class Pairwise {
 public:
  void push(P leaf) {
    int i = 0;
    for (uint64_t c = count_++; c & 1; c >>= 1) leaf = Op::combine(level_[i++], leaf);
    level_[i] = leaf;
  }
  P result() const {  // of at least one leaf
    int i = __builtin_ctzll(count_);
    P r = level_[i++];
    for (uint64_t c = count_ >> i; c; c >>= 1, ++i)
      if (c & 1) r = Op::combine(level_[i], r);
    return r;
  }

 private:
  uint64_t count_ = 0;
  P level_[40];
};

template <class S>
inline constexpr int64_t kLeaf = 32 * Pack<Compute<S>>::size;  // elements

// The fold of 1 <= n <= kLeaf contiguous elements, lanes kept apart.
template <class Op, class S>
inline Pack<Compute<S>> fold_leaf(const S* x, int64_t n) {
  using C = Compute<S>;
  using P = Pack<C>;
  constexpr C identity = Op::template identity<C>;
  if (n <= P::size) return load_pack(x, n, identity);
  P a[4] = {P(identity), P(identity), P(identity), P(identity)};
  int64_t i = 0;
  for (; i + 4 * P::size <= n; i += 4 * P::size)
    for (int k = 0; k < 4; ++k) a[k] = Op::combine(a[k], load_pack(x + i + k * P::size));
  for (int k = 0; k < 3; ++k)
    if (i + P::size <= n) a[k] = Op::combine(a[k], load_pack(x + i)), i += P::size;
  if (i < n) a[3] = Op::combine(a[3], load_pack(x + i, n - i, identity));
  return Op::combine(Op::combine(a[0], a[1]), Op::combine(a[2], a[3]));
}

// The fold of n contiguous elements.
template <class Op, class S>
inline Compute<S> fold_row(const S* x, int64_t n) {
  if (n <= 0) return Op::template identity<Compute<S>>;
  if (n <= kLeaf<S>) return fold<Op>(fold_leaf<Op>(x, n));
  Pairwise<Op, Pack<Compute<S>>> pairs;
  for (int64_t i = 0; i < n; i += kLeaf<S>)
    pairs.push(fold_leaf<Op>(x + i, std::min(kLeaf<S>, n - i)));
  return fold<Op>(pairs.result());
}

}  // namespace fastdl::cpu
