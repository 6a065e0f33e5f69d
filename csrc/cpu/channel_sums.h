// The two sums per channel that batch norm needs in each direction, over x[n, c, inner].
//
// Moments are taken block by block as sums of distances from a shift near the mean, and of their
// squares; blocks are then merged (Chan, Golub and LeVeque, "Algorithms for computing the sample
// variance: analysis and recommendations", 1983). The shift is the mean of all blocks before, for
// the first one that of a few of its elements. If a block lies far from its shift, the digits that
// its sum of squares loses are few next to the variance between the blocks that this very distance
// makes: the error of the variance stays a few ulps times the number of blocks, whatever the data.
//
// Where inner > 1, lanes are elements of a row and a block is some rows of one channel; where inner =
// 1 (vectors, and images in channels-last), lanes are channels. Long channels are cut into chunks of
// samples, whose partial results are merged in order.
#pragma once

#include <utility>

#include "cpu/epilogue.h"
#include "cpu/reduce.h"

namespace fastdl::cpu {

struct Channels {
  int64_t n, c, inner;
};

inline constexpr int64_t kChannelChunk = 262144;  // elements of a channel per partial result
inline constexpr int64_t kChannelBlock = 8192;    // elements of a channel per block
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
  std::pair<double, double> sums() const { return {mean, squares}; }
};

struct Dots {
  double g = 0, g_x = 0;  // sums of the gradient g and of g * (x - mean)
  std::pair<double, double> sums() const { return {g, g_x}; }
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

// Adds samples [begin, end) of the channel that begins at x.
template <class S>
void add_row_moments(const Channels& s, const S* x, int64_t begin, int64_t end, Moments& total) {
  using C = Compute<S>;
  using V = Vec<C>;
  constexpr std::integral_constant<int64_t, V::size> all;
  const int64_t stride = s.c * s.inner;
  for_blocks(s.inner, begin, end, [&](int64_t i, int64_t rows, int64_t j, int64_t columns) {
    const S* const from = x + i * stride + j;
    C shift = static_cast<C>(total.mean);
    if (total.count == 0) {
      const int64_t few = std::min<int64_t>(columns, 64);
      shift = fold_row<Sum>(from, few) / static_cast<C>(few);
    }
    V sum[4], squares[4];
    for (int k = 0; k < 4; ++k) sum[k] = squares[k] = V(C(0));
    const auto add = [&](V d, int k) { sum[k] += d, squares[k] += d * d; };
    for (int64_t r = 0; r < rows; ++r) {
      const S* const row = from + r * stride;
      int64_t k = 0;
      for (; k + 4 * V::size <= columns; k += 4 * V::size)
        for (int l = 0; l < 4; ++l) add(load_pack(row + k + l * V::size, all, C(0)) - shift, l);
      for_packs<V>(columns - k,
                   [&](int64_t i, auto m) { add(load_pack(row + k + i, m, shift) - shift, 0); });
    }
    const double count = static_cast<double>(rows * columns);
    const double distance = sum_lanes((sum[0] + sum[1]) + (sum[2] + sum[3])) / count;
    const double square = sum_lanes((squares[0] + squares[1]) + (squares[2] + squares[3]));
    total.merge(count, shift + distance, std::max(square - distance * distance * count, 0.0));
  });
}

// The same of the dots; the channel begins at element `first`.
template <class S, class Gradient>
void add_row_dots(const Channels& s, const S* x, const Gradient& incoming, int64_t first,
                  Compute<S> mean, int64_t begin, int64_t end, Dots& total) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t stride = s.c * s.inner;
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
  alignas(64) C shift[kChannelTile], block_sum[kChannelTile], block_squares[kChannelTile];
  std::fill_n(mean, width, 0.0);
  std::fill_n(squares, width, 0.0);
  for (int64_t i = begin; i < end; i += kTileRows) {
    const int64_t rows = std::min(kTileRows, end - i);
    for (int64_t k = 0; k < width; ++k)
      shift[k] = i == begin ? static_cast<C>(x[i * s.c + k]) : static_cast<C>(mean[k]);
    for_channel_groups<V>(width, [&](int64_t k, auto m, auto registers) {
      constexpr int count = registers;
      const S* const from = x + i * s.c + k;
      V centre[count], sum[count], square[count];
      for (int j = 0; j < count; ++j) {
        centre[j] = load_pack(shift + k + j * V::size, m, C(0));
        sum[j] = square[j] = V(C(0));
      }
      for (int64_t r = 0; r < rows; ++r)
        for (int j = 0; j < count; ++j) {
          const V d = load_pack(from + r * s.c + j * V::size, m, C(0)) - centre[j];
          sum[j] += d;
          square[j] += d * d;
        }
      for (int j = 0; j < count; ++j) {
        store_pack(sum[j], block_sum + k + j * V::size, m);
        store_pack(square[j], block_squares + k + j * V::size, m);
      }
    });
    const double here = static_cast<double>(rows);
    const double share = here / static_cast<double>(i - begin + rows);
    const double weight = share * static_cast<double>(i - begin);
    for (int64_t k = 0; k < width; ++k) {
      const double distance = static_cast<double>(block_sum[k]) / here;
      const double square = static_cast<double>(block_squares[k]) - distance * distance * here;
      const double delta = static_cast<double>(shift[k]) + distance - mean[k];
      mean[k] += delta * share;
      squares[k] += std::max(square, 0.0) + delta * delta * weight;
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
