#include "cpu/gemm_tile.h"

namespace fastdl::cpu {

// kernels

namespace {

// Of k: longer than memory takes for tiles of few rows. Rows of B that lie a power of two apart share
// the places of a first-level cache, which is why wide tiles look less far.
template <int V>
constexpr int64_t kStepsAhead = V > kTileVecs ? 8 : 48;

template <bool Whole, class T>
[[gnu::always_inline]] inline Vec<T> get(const T* p, int64_t tail) {
  return Whole ? Vec<T>::load(p) : Vec<T>::load(p, tail);
}

// Adds the matrix at `p`, whose rows are `row` apart; a vector for all rows where `row` is 0.
template <bool Partial, class T, int R, int V>
[[gnu::always_inline]] inline void add(const T* p, int64_t row, int64_t tail, Vec<T> (&acc)[R][V]) {
  constexpr int kSize = Vec<T>::size;
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      const T* const q = p + r * row + v * kSize;
      acc[r][v] += Partial && v == V - 1 ? get<false>(q, tail) : get<true>(q, tail);
    }
}

template <class T, int R, int V>
[[gnu::always_inline]] inline void activate_all(Activation activation, T slope,
                                                Vec<T> (&acc)[R][V]) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) acc[r][v] = activate(acc[r][v], activation, slope);
}

template <bool Partial, class T, int R, int V>
[[gnu::always_inline]] inline void finish(const TileArgs<T>& t, int64_t tail, Vec<T> (&acc)[R][V]) {
  constexpr int kSize = Vec<T>::size;
  T* const c = t.c;
  const int64_t c_row = t.c_row;
  if (t.accumulate) add<Partial>(c, c_row, tail, acc);
  if (t.bias) add<Partial>(t.bias, 0, tail, acc);
  if (t.residual) add<Partial>(t.residual, t.residual_row, tail, acc);
  if (t.activation == Activation::relu)
    activate_all(Activation::relu, T(0), acc);
  else if (t.activation != Activation::none)
    activate_all(t.activation, t.slope, acc);
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 16
    for (int v = 0; v < V; ++v) {
      T* const p = c + r * c_row + v * kSize;
      if (Partial && v == V - 1)
        acc[r][v].store(p, tail);
      else
        acc[r][v].store(p);
    }
}

template <class T, int R, int V, bool PackedA>
void tile(const TileArgs<T>& t) {
  constexpr int kSize = Vec<T>::size;
  const int64_t tail = t.cols - (V - 1) * kSize;  // columns in the last register, 1 to kSize
  const T* const a = t.a;
  const T* const b = t.b;
  const int64_t a_row = PackedA ? 1 : t.a_row, a_col = PackedA ? R : t.a_col, b_row = t.b_row;
  // No hardware follows a stride of pages, nor is it ahead far enough where rows are few.
  const int64_t ahead = b_row > V * kSize || t.k >= 4 * kStepsAhead<V> ? kStepsAhead<V> * b_row : 0;
  Vec<T> acc[R][V] = {};
  const auto row_of_a = [=](int64_t p, int r) { return a[p * a_col + r * a_row]; };
  const auto row_of_b = [=](int64_t p, int v) {
    const T* const q = b + p * b_row + v * kSize;
    if (!PackedA) __builtin_prefetch(q + ahead);
    // Packed panels are padded with zeros; an unpacked B must not be read past its end.
    return !PackedA && kMaskedAccess && v == V - 1 ? Vec<T>::load(q, tail) : Vec<T>::load(q);
  };
  if constexpr (V > kTileVecs)
    multiply_add_wide<T, R, V>(t.k, row_of_a, row_of_b, acc);
  else
    multiply_add<T, R, V>(t.k, row_of_a, row_of_b, acc);
  if (tail == kSize)
    finish<false>(t, tail, acc);
  else
    finish<true>(t, tail, acc);
}

template <class T, int V, bool PackedA, int... Rs>
constexpr TileFn<T> pick(int64_t rows, std::integer_sequence<int, Rs...>) {
  constexpr TileFn<T> table[] = {tile<T, Rs + 1, V, PackedA>...};
  return table[rows - 1];
}

template <class T, int R, int... Vs>
constexpr TileFn<T> pick_wide(int64_t vecs, std::integer_sequence<int, Vs...>) {
  constexpr TileFn<T> table[] = {tile<T, R, Vs + 1, false>...};
  return table[vecs - 1];
}

template <class T, int R>
constexpr TileFn<T> pick_wide(int64_t vecs) {
  return pick_wide<T, R>(vecs, std::make_integer_sequence<int, wide_vecs(R)>());
}

}  // namespace

template <class T>
TileFn<T> gemm_tile(int64_t rows, int64_t cols, bool packed_a) {
  if (const int64_t vecs = (cols + Vec<T>::size - 1) / Vec<T>::size; vecs > kTileVecs) {
    static_assert(kWideRows == 4);
    if (rows == 1) return pick_wide<T, 1>(vecs);
    if (rows == 2) return pick_wide<T, 2>(vecs);
    if (rows == 3) return pick_wide<T, 3>(vecs);
    return pick_wide<T, 4>(vecs);
  }
  constexpr auto all = std::make_integer_sequence<int, kTileRows>();
  if (cols <= Vec<T>::size)
    return packed_a ? pick<T, 1, true>(rows, all) : pick<T, 1, false>(rows, all);
  return packed_a ? pick<T, 2, true>(rows, all) : pick<T, 2, false>(rows, all);
}

template TileFn<float> gemm_tile<float>(int64_t, int64_t, bool);
template TileFn<double> gemm_tile<double>(int64_t, int64_t, bool);

}  // namespace fastdl::cpu
