// The two sums per channel that batch norm needs in each direction, over x[n, c, inner].
//
// Moments are taken block by block, a block being small enough for the first-level cache: its mean,
// then the squares about that mean, then both are merged into the total (Chan, Golub and LeVeque,
// "Updating formulae and a pairwise algorithm for computing sample variances", 1979). That has the
// accuracy of two passes and reads memory once. Where inner > 1, lanes are elements of a row and a
// block is some rows of one channel; where inner = 1 (vectors, and images in channels-last), lanes
// are channels. Long channels are cut into chunks of samples, whose partial results are merged in
// order.
#pragma once

#include "cpu/epilogue.h"
#include "cpu/reduce.h"

namespace fastdl::cpu {

struct Channels {
  int64_t n, c, inner;
};

inline constexpr int64_t kChannelChunk = 262144;  // elements of a channel per partial result
inline constexpr int64_t kChannelBlock = 4096;    // elements of a channel that are read twice
inline constexpr int64_t kChannelTile = 128;      // channels handled together where inner = 1
inline constexpr int64_t kTileRows = 64;          // samples of a block there

// How the samples of a channel are cut.
struct Cut {
  int64_t rows, chunks;
};
inline Cut cut_samples(const Channels& s) {
  const int64_t row = s.inner > 1 ? s.inner : std::min(s.c, kChannelTile);
  const int64_t rows = std::max(kTileRows, kChannelChunk / std::max<int64_t>(row, 1));
  if (s.n < 2 * rows) return {std::max<int64_t>(s.n, 1), 1};
  return {rows, (s.n + rows - 1) / rows};
}

// The mean of `count` numbers, and the sum of their squared distances from it.
struct Moments {
  double count = 0, mean = 0, squares = 0;
  void merge(double n, double m, double q) {
    if (n == 0) return;
    const double delta = m - mean, total = count + n;
    mean += delta * (n / total);
    squares += q + delta * delta * (count * n / total);
    count = total;
  }
};

struct Dots {
  double g = 0, g_x = 0;  // sums of the gradient g and of g * (x - mean)
};

// The gradient of activation(v) in v, from the gradient and value of its result.
template <class V>
[[gnu::always_inline]] inline V through(Activation activation, V g, V y, typename V::Scalar slope) {
  using T = typename V::Scalar;
  if (activation == Activation::relu) return select(y <= T(0), T(0), g);
  if (activation == Activation::leaky_relu) return select(y <= T(0), g * slope, g);
  return g;
}

// A gradient as a backward pass meets it: that of y = activation(v), to be turned into v's.
template <class S, Activation activation>
struct Incoming {
  const S *dy, *y;  // y: null without an activation
  Compute<S> slope;

  template <class M>
  Vec<Compute<S>> load(int64_t at, M m) const {
    using C = Compute<S>;
    const Vec<C> g = load_pack(dy + at, m, C(0));
    if constexpr (activation == Activation::none)
      return g;
    else
      return through(activation, g, load_pack(y + at, m, C(0)), slope);
  }
};

// Calls f(std::integral_constant<Activation, ...>).
template <class F>
inline void with_activation(Activation activation, F f) {
  switch (activation) {
    case Activation::none: return f(std::integral_constant<Activation, Activation::none>());
    case Activation::relu: return f(std::integral_constant<Activation, Activation::relu>());
    case Activation::leaky_relu:
      return f(std::integral_constant<Activation, Activation::leaky_relu>());
  }
}

// ---- lanes along a row ----

// Calls block(first row, rows, first column, columns) for cache-sized parts of rows [begin, end).
template <class F>
inline void for_blocks(int64_t inner, int64_t begin, int64_t end, F block) {
  const int64_t rows = std::max<int64_t>(1, kChannelBlock / inner);
  for (int64_t i = begin; i < end; i += rows)
    for (int64_t j = 0; j < inner; j += kChannelBlock)
      block(i, std::min(rows, end - i), j, std::min(kChannelBlock, inner - j));
}

// The sum of n <= kChannelBlock contiguous elements, lanes kept apart.
template <class S>
inline Vec<Compute<S>> fold_leaves(const S* x, int64_t n) {
  Vec<Compute<S>> sum = fold_leaf<Sum>(x, std::min(n, kLeaf<S>));
  for (int64_t i = kLeaf<S>; i < n; i += kLeaf<S>)
    sum += fold_leaf<Sum>(x + i, std::min(kLeaf<S>, n - i));
  return sum;
}

template <class S>
Moments row_moments(const Channels& s, const S* x, int64_t begin, int64_t end) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t stride = s.c * s.inner;
  Moments total;
  for_blocks(s.inner, begin, end, [&](int64_t i, int64_t rows, int64_t j, int64_t columns) {
    const S* const from = x + i * stride + j;
    const double count = static_cast<double>(rows * columns);
    V sum(C(0));
    for (int64_t r = 0; r < rows; ++r) sum += fold_leaves(from + r * stride, columns);
    const C mean = static_cast<C>(static_cast<double>(sum_lanes(sum)) / count);
    // What the distances add up to is the rounding error of the mean: the corrected two-pass
    // algorithm of the same authors.
    V rest(C(0)), squares(C(0)), rest2(C(0)), squares2(C(0));
    const auto add = [&](V d, V& a, V& b) { a += d, b += d * d; };
    for (int64_t r = 0; r < rows; ++r) {
      const S* const row = from + r * stride;
      int64_t k = 0;
      for (; k + 2 * V::size <= columns; k += 2 * V::size) {
        add(load_pack(row + k) - mean, rest, squares);
        add(load_pack(row + k + V::size) - mean, rest2, squares2);
      }
      for_packs<V>(columns - k, [&](int64_t i, auto m) {
        add(load_pack(row + k + i, m, mean) - mean, rest, squares);
      });
    }
    rest += rest2;
    squares += squares2;
    const double error = sum_lanes(rest);
    total.merge(count, mean + error / count, sum_lanes(squares) - error * error / count);
  });
  return total;
}

template <class S, class Gradient>
Dots row_dots(const Channels& s, const S* x, const Gradient& incoming, int64_t first,
              Compute<S> mean, int64_t begin, int64_t end) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t stride = s.c * s.inner;
  Dots total;
  for_blocks(s.inner, begin, end, [&](int64_t i, int64_t rows, int64_t j, int64_t columns) {
    V a(C(0)), b(C(0)), a2(C(0)), b2(C(0));
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = first + (i + r) * stride + j;
      const auto add = [&](int64_t k, auto m, V& sum, V& dot) {
        const V g = incoming.load(at + k, m);
        sum += g;
        dot += g * (load_pack(x + at + k, m, mean) - mean);
      };
      constexpr std::integral_constant<int64_t, V::size> all;
      int64_t k = 0;
      for (; k + 2 * V::size <= columns; k += 2 * V::size)
        add(k, all, a, b), add(k + V::size, all, a2, b2);
      for_packs<V>(columns - k, [&](int64_t i, auto m) { add(k + i, m, a, b); });
    }
    total.g += sum_lanes(a + a2);
    total.g_x += sum_lanes(b + b2);
  });
  return total;
}

// ---- lanes along channels ----

// Calls f(first channel, lanes of the last register, registers) for up to four registers of
// channels at once, so that a sample's channels are read in one go.
template <class V, class F>
inline void for_channel_groups(int64_t width, F f) {
  constexpr std::integral_constant<int64_t, V::size> all;
  int64_t k = 0;
  for (; k + 4 * V::size <= width; k += 4 * V::size) f(k, all, std::integral_constant<int, 4>());
  for_packs<V>(width - k,
               [&](int64_t i, auto m) { f(k + i, m, std::integral_constant<int, 1>()); });
}

// Results are merged in double: there may be thousands of blocks.
template <class S>
void column_moments(const Channels& s, const S* x, int64_t width, int64_t begin, int64_t end,
                    double* mean, double* squares) {
  using C = Compute<S>;
  using V = Vec<C>;
  alignas(64) C block_mean[kChannelTile], block_rest[kChannelTile], block_squares[kChannelTile];
  std::fill_n(mean, width, 0.0);
  std::fill_n(squares, width, 0.0);
  for (int64_t i = begin; i < end; i += kTileRows) {
    const int64_t rows = std::min(kTileRows, end - i);
    for_channel_groups<V>(width, [&](int64_t k, auto m, auto registers) {
      constexpr int count = registers;
      const S* const from = x + i * s.c + k;
      V sum[count], rest[count], square[count];
      for (int j = 0; j < count; ++j) sum[j] = rest[j] = square[j] = V(C(0));
      for (int64_t r = 0; r < rows; ++r)
        for (int j = 0; j < count; ++j) sum[j] += load_pack(from + r * s.c + j * V::size, m, C(0));
      for (int j = 0; j < count; ++j) sum[j] = sum[j] / V(static_cast<C>(rows));
      for (int64_t r = 0; r < rows; ++r)
        for (int j = 0; j < count; ++j) {
          const V d = load_pack(from + r * s.c + j * V::size, m, C(0)) - sum[j];
          rest[j] += d;
          square[j] += d * d;
        }
      for (int j = 0; j < count; ++j) {
        store_pack(sum[j], block_mean + k + j * V::size, m);
        store_pack(rest[j], block_rest + k + j * V::size, m);
        store_pack(square[j], block_squares + k + j * V::size, m);
      }
    });
    const double share = static_cast<double>(rows) / static_cast<double>(i - begin + rows);
    const double weight = share * static_cast<double>(i - begin);
    for (int64_t k = 0; k < width; ++k) {
      const double error = static_cast<double>(block_rest[k]);
      const double part = error / static_cast<double>(rows);
      const double delta = static_cast<double>(block_mean[k]) + part - mean[k];
      mean[k] += delta * share;
      squares[k] += static_cast<double>(block_squares[k]) - error * part + delta * delta * weight;
    }
  }
}

template <class S, class Gradient>
void column_dots(const Channels& s, const S* x, const Gradient& incoming, int64_t first,
                 const Compute<S>* mean, int64_t width, int64_t begin, int64_t end, double* sum,
                 double* dot) {
  using C = Compute<S>;
  using V = Vec<C>;
  alignas(64) C block_sum[kChannelTile], block_dot[kChannelTile];
  std::fill_n(sum, width, 0.0);
  std::fill_n(dot, width, 0.0);
  for (int64_t i = begin; i < end; i += kTileRows) {
    const int64_t last = std::min(end, i + kTileRows);
    for_channel_groups<V>(width, [&](int64_t k, auto m, auto registers) {
      constexpr int count = registers;
      V a[count], b[count], centre[count];
      for (int j = 0; j < count; ++j) {
        a[j] = b[j] = V(C(0));
        centre[j] = load_pack(mean + k + j * V::size, m, C(0));
      }
      for (int64_t r = i; r < last; ++r)
        for (int j = 0; j < count; ++j) {
          const int64_t at = first + r * s.c + k + j * V::size;
          const V g = incoming.load(at, m);
          a[j] += g;
          b[j] += g * (load_pack(x + at, m, C(0)) - centre[j]);
        }
      for (int j = 0; j < count; ++j) {
        store_pack(a[j], block_sum + k + j * V::size, m);
        store_pack(b[j], block_dot + k + j * V::size, m);
      }
    });
    for (int64_t k = 0; k < width; ++k) {
      sum[k] += static_cast<double>(block_sum[k]);
      dot[k] += static_cast<double>(block_dot[k]);
    }
  }
}

}  // namespace fastdl::cpu
