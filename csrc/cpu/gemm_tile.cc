#include "cpu/gemm_tile.h"

namespace fastdl::cpu {

// kernels

namespace {

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
#pragma GCC unroll 8
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
#pragma GCC unroll 8
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
#pragma GCC unroll 8
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
  Vec<T> acc[R][V] = {};
  multiply_add<T, R, V>(
      t.k, [=](int64_t p, int r) { return a[p * a_col + r * a_row]; },
      [=](int64_t p, int v) {
        const T* const q = b + p * b_row + v * kSize;
        // Packed panels are padded with zeros; an unpacked B must not be read past its end.
        return !PackedA && kMaskedAccess && v == V - 1 ? Vec<T>::load(q, tail) : Vec<T>::load(q);
      },
      acc);
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

}  // namespace

template <class T>
TileFn<T> gemm_tile(int64_t rows, int64_t cols, bool packed_a) {
  constexpr auto all = std::make_integer_sequence<int, kTileRows>();
  if (cols <= Vec<T>::size)
    return packed_a ? pick<T, 1, true>(rows, all) : pick<T, 1, false>(rows, all);
  return packed_a ? pick<T, 2, true>(rows, all) : pick<T, 2, false>(rows, all);
}

template TileFn<float> gemm_tile<float>(int64_t, int64_t, bool);
template TileFn<double> gemm_tile<double>(int64_t, int64_t, bool);

}  // namespace fastdl::cpu
