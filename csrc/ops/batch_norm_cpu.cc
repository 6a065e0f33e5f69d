// Batch normalisation over x[n, c, inner].
//
// Statistics are taken block by block, a block being small enough for the first-level cache: its
// mean, then the squares about that mean, then both are merged into the total (Chan, Golub and
// LeVeque, "Updating formulae and a pairwise algorithm for computing sample variances", 1979).
// That has the accuracy of two passes and reads memory once. Where inner > 1, lanes are elements of
// a row and a block is some rows of one channel; where inner = 1, lanes are channels. Long channels
// are cut into chunks of samples, whose partial results are merged in order.
#include "ops/batch_norm.h"

#include "core/dtype.h"
#include "cpu/reduce.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 32768;    // elements worth a chunk of threads
constexpr int64_t kChunk = 262144;  // elements of a channel per partial result
constexpr int64_t kBlock = 4096;    // elements of a channel that are read twice
constexpr int64_t kTile = 128;      // channels that are handled together where inner = 1
constexpr int64_t kTileRows = 64;   // samples of a block there

// How the samples of a channel are cut.
struct Cut {
  int64_t rows, chunks;
};
Cut cut(const BatchNormShape& s, int64_t row) {
  const int64_t rows = std::max(kTileRows, kChunk / std::max<int64_t>(row, 1));
  if (s.n < 2 * rows) return {std::max<int64_t>(s.n, 1), 1};
  return {rows, (s.n + rows - 1) / rows};
}

int64_t grain(int64_t work) { return std::max<int64_t>(1, kWork / std::max<int64_t>(work, 1)); }

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

// kernels: lanes along a row

// Calls block(first row, rows, first column, columns) for cache-sized parts of rows [begin, end).
template <class F>
void for_blocks(int64_t inner, int64_t begin, int64_t end, F block) {
  const int64_t rows = std::max<int64_t>(1, kBlock / inner);
  for (int64_t i = begin; i < end; i += rows)
    for (int64_t j = 0; j < inner; j += kBlock)
      block(i, std::min(rows, end - i), j, std::min(kBlock, inner - j));
}

// The sum of n <= kBlock contiguous elements, lanes kept apart.
template <class S>
inline Vec<Compute<S>> fold_leaves(const S* x, int64_t n) {
  Vec<Compute<S>> sum = fold_leaf<Sum>(x, std::min(n, kLeaf<S>));
  for (int64_t i = kLeaf<S>; i < n; i += kLeaf<S>)
    sum += fold_leaf<Sum>(x + i, std::min(kLeaf<S>, n - i));
  return sum;
}

template <class S>
Moments row_moments(const BatchNormShape& s, const S* x, int64_t begin, int64_t end) {
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

struct Dots {
  double dy = 0, dy_x = 0;  // sums of dy and of dy * (x - mean)
};

template <class S>
Dots row_dots(const BatchNormShape& s, const S* x, const S* dy, Compute<S> mean, int64_t begin,
              int64_t end) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t stride = s.c * s.inner;
  Dots total;
  for_blocks(s.inner, begin, end, [&](int64_t i, int64_t rows, int64_t j, int64_t columns) {
    V a(C(0)), b(C(0));
    for (int64_t r = 0; r < rows; ++r) {
      const int64_t at = (i + r) * stride + j;
      for_packs<V>(columns, [&](int64_t k, auto m) {
        const V g = load_pack(dy + at + k, m, C(0));
        a += g;
        b += g * (load_pack(x + at + k, m, mean) - mean);
      });
    }
    total.dy += sum_lanes(a);
    total.dy_x += sum_lanes(b);
  });
  return total;
}

// kernels: lanes along channels

// Results are merged in double: there may be thousands of blocks.
template <class S>
void column_moments(const BatchNormShape& s, const S* x, int64_t width, int64_t begin, int64_t end,
                    double* mean, double* squares) {
  using C = Compute<S>;
  using V = Vec<C>;
  alignas(64) C block_mean[kTile], block_rest[kTile], block_squares[kTile];
  std::fill_n(mean, width, 0.0);
  std::fill_n(squares, width, 0.0);
  for (int64_t i = begin; i < end; i += kTileRows) {
    const int64_t rows = std::min(kTileRows, end - i);
    for_packs<V>(width, [&](int64_t k, auto m) {
      const S* const from = x + i * s.c + k;
      V sum(C(0));
      for (int64_t r = 0; r < rows; ++r) sum += load_pack(from + r * s.c, m, C(0));
      const V here = sum / V(static_cast<C>(rows));
      V rest(C(0)), square(C(0));
      for (int64_t r = 0; r < rows; ++r) {
        const V d = load_pack(from + r * s.c, m, C(0)) - here;
        rest += d;
        square += d * d;
      }
      store_pack(here, block_mean + k, m);
      store_pack(rest, block_rest + k, m);
      store_pack(square, block_squares + k, m);
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

template <class S>
void column_dots(const BatchNormShape& s, const S* x, const S* dy, const Compute<S>* mean,
                 int64_t width, int64_t begin, int64_t end, double* sum, double* dot) {
  using C = Compute<S>;
  using V = Vec<C>;
  alignas(64) C block_sum[kTile], block_dot[kTile];
  std::fill_n(sum, width, 0.0);
  std::fill_n(dot, width, 0.0);
  for (int64_t i = begin; i < end; i += kTileRows) {
    for_packs<V>(width, [&](int64_t k, auto m) {
      const V centre = load_pack(mean + k, m, C(0));
      V a(C(0)), b(C(0));
      for (int64_t r = i; r < std::min(end, i + kTileRows); ++r) {
        const V g = load_pack(dy + r * s.c + k, m, C(0));
        a += g;
        b += g * (load_pack(x + r * s.c + k, m, C(0)) - centre);
      }
      store_pack(a, block_sum + k, m);
      store_pack(b, block_dot + k, m);
    });
    for (int64_t k = 0; k < width; ++k) {
      sum[k] += static_cast<double>(block_sum[k]);
      dot[k] += static_cast<double>(block_dot[k]);
    }
  }
}

// launchers

// The two sums per channel that `rows(channel, begin, end)` or `columns(tile, begin, end, a, b)`
// make of chunks of samples, merged in order by merge(channel, samples, a, b).
template <class Rows, class Columns, class Merge>
void for_channels(const Context& context, const BatchNormShape& s, Rows rows, Columns columns,
                  Merge merge) {
  const int64_t width = std::min(s.c, kTile);
  const int64_t tiles = s.inner > 1 ? s.c : (s.c + kTile - 1) / kTile;
  const Cut part = cut(s, s.inner > 1 ? s.inner : width);
  Scratch scratch(context, static_cast<size_t>(2 * s.c * part.chunks) * sizeof(double));
  double* const first = scratch.as<double>();
  double* const second = first + s.c * part.chunks;
  context.parallel_for(
      tiles * part.chunks, grain(part.rows * (s.inner > 1 ? s.inner : width)),
      [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          const int64_t chunk = item % part.chunks, tile = item / part.chunks;
          const int64_t i = chunk * part.rows, j = std::min(s.n, i + part.rows);
          if (s.inner > 1) {
            rows(tile, i, j, &first[chunk * s.c + tile], &second[chunk * s.c + tile]);
            continue;
          }
          const int64_t channel = tile * kTile, at = chunk * s.c + channel;
          columns(channel, std::min(kTile, s.c - channel), i, j, &first[at], &second[at]);
        }
      });
  for (int64_t c = 0; c < s.c; ++c)
    for (int64_t k = 0; k < part.chunks; ++k)
      merge(c, k, std::min(part.rows, s.n - k * part.rows) * s.inner, first[k * s.c + c],
            second[k * s.c + c]);
}

template <class S>
void statistics(const Context& context, const BatchNormShape& s, const void* x_, void* mean_,
                void* variance_) {
  using C = Compute<S>;
  const S* const x = static_cast<const S*>(x_);
  C* const mean = static_cast<C*>(mean_);
  C* const variance = static_cast<C*>(variance_);
  Moments total;
  for_channels(
      context, s,
      [&](int64_t c, int64_t begin, int64_t end, double* m, double* q) {
        const Moments part = row_moments(s, x + c * s.inner, begin, end);
        *m = part.mean, *q = part.squares;
      },
      [&](int64_t c, int64_t width, int64_t begin, int64_t end, double* m, double* q) {
        column_moments(s, x + c, width, begin, end, m, q);
      },
      [&](int64_t c, int64_t chunk, int64_t count, double m, double q) {
        if (chunk == 0) total = Moments();
        total.merge(static_cast<double>(count), m, q);
        mean[c] = static_cast<C>(total.mean);
        variance[c] = static_cast<C>(total.count > 0 ? total.squares / total.count : 0.0);
      });
}

// Calls line(flat offset, first channel, elements) for runs whose elements have one channel each
// (inner = 1) or all the same one.
template <class F>
void for_lines(const Context& context, const BatchNormShape& s, F line) {
  const int64_t length = s.inner > 1 ? s.inner : s.c, lines = s.inner > 1 ? s.n * s.c : s.n;
  if (length == 0) return;
  context.parallel_for(lines, grain(length + 16), [&](int64_t begin, int64_t end) {
    int64_t channel = s.inner > 1 ? begin % s.c : 0;
    for (int64_t i = begin; i < end; ++i) {
      line(i * length, channel, length);
      if (s.inner > 1 && ++channel == s.c) channel = 0;
    }
  });
}

template <class S>
void apply(const Context& context, const BatchNormShape& s, const void* x_, const void* mean_,
           const void* rstd_, const void* weight_, const void* bias_, void* y_) {
  using C = Compute<S>;
  using V = Vec<C>;
  const S* const x = static_cast<const S*>(x_);
  const C* const mean = static_cast<const C*>(mean_);
  const C* const rstd = static_cast<const C*>(rstd_);
  const C* const weight = static_cast<const C*>(weight_);
  const C* const bias = static_cast<const C*>(bias_);
  S* const y = static_cast<S*>(y_);
  Scratch scratch(context, static_cast<size_t>(2 * s.c) * sizeof(C));
  C* const scale = scratch.as<C>();
  C* const shift = scale + s.c;
  for (int64_t c = 0; c < s.c; ++c) {
    scale[c] = weight ? rstd[c] * weight[c] : rstd[c];
    shift[c] = bias ? bias[c] : C(0);
  }
  for_lines(context, s, [&](int64_t at, int64_t c, int64_t n) {
    if (s.inner > 1) {
      const V m(mean[c]), k(scale[c]), b(shift[c]);
      for_packs<V>(n, [&](int64_t i, auto count) {
        store_pack((load_pack(x + at + i, count, C(0)) - m) * k + b, y + at + i, count);
      });
    } else {
      for_packs<V>(n, [&](int64_t i, auto count) {
        const V m = load_pack(mean + i, count, C(0)), k = load_pack(scale + i, count, C(0));
        const V b = load_pack(shift + i, count, C(0));
        store_pack((load_pack(x + at + i, count, C(0)) - m) * k + b, y + at + i, count);
      });
    }
  });
}

template <class S>
void backward(const Context& context, const BatchNormShape& s, bool training, const void* x_,
              const void* dy_, const void* mean_, const void* rstd_, const void* weight_, void* dx_,
              void* dweight_, void* dbias_) {
  using C = Compute<S>;
  using V = Vec<C>;
  const S* const x = static_cast<const S*>(x_);
  const S* const dy = static_cast<const S*>(dy_);
  const C* const mean = static_cast<const C*>(mean_);
  const C* const rstd = static_cast<const C*>(rstd_);
  const C* const weight = static_cast<const C*>(weight_);
  S* const dx = static_cast<S*>(dx_);
  C* const dweight = static_cast<C*>(dweight_);
  C* const dbias = static_cast<C*>(dbias_);

  // dx = a * dy + b * (x - mean) + d
  Scratch scratch(context, static_cast<size_t>(3 * s.c) * sizeof(C));
  C* const a = scratch.as<C>();
  C* const b = a + s.c;
  C* const d = b + s.c;
  for (int64_t c = 0; c < s.c; ++c) a[c] = weight ? rstd[c] * weight[c] : rstd[c], b[c] = d[c] = 0;
  if (training || dweight || dbias) {
    const double count = static_cast<double>(s.n * s.inner);
    Dots total;
    for_channels(
        context, s,
        [&](int64_t c, int64_t begin, int64_t end, double* sum, double* dot) {
          const Dots part = row_dots(s, x + c * s.inner, dy + c * s.inner, mean[c], begin, end);
          *sum = part.dy, *dot = part.dy_x;
        },
        [&](int64_t c, int64_t width, int64_t begin, int64_t end, double* sum, double* dot) {
          column_dots(s, x + c, dy + c, mean + c, width, begin, end, sum, dot);
        },
        [&](int64_t c, int64_t chunk, int64_t, double sum, double dot) {
          if (chunk == 0) total = Dots();
          total.dy += sum, total.dy_x += dot;
          if (dweight) dweight[c] = static_cast<C>(total.dy_x * rstd[c]);
          if (dbias) dbias[c] = static_cast<C>(total.dy);
          if (!training || count == 0) return;
          b[c] = static_cast<C>(-a[c] * total.dy_x * rstd[c] * rstd[c] / count);
          d[c] = static_cast<C>(-a[c] * total.dy / count);
        });
  }
  if (!dx) return;
  for_lines(context, s, [&](int64_t at, int64_t c, int64_t n) {
    if (s.inner > 1) {
      const V m(mean[c]), ka(a[c]), kb(b[c]), kd(d[c]);
      for_packs<V>(n, [&](int64_t i, auto count) {
        const V v = load_pack(x + at + i, count, C(0)) - m, g = load_pack(dy + at + i, count, C(0));
        store_pack(ka * g + (kb * v + kd), dx + at + i, count);
      });
    } else {
      for_packs<V>(n, [&](int64_t i, auto count) {
        const V v = load_pack(x + at + i, count, C(0)) - load_pack(mean + i, count, C(0));
        const V g = load_pack(dy + at + i, count, C(0));
        const V ka = load_pack(a + i, count, C(0)), kb = load_pack(b + i, count, C(0));
        store_pack(ka * g + (kb * v + load_pack(d + i, count, C(0))), dx + at + i, count);
      });
    }
  });
}

}  // namespace

void register_batch_norm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<batch_norm_statistics>(dtype_of<T>::value, statistics<T>);
    registry.add<batch_norm_apply>(dtype_of<T>::value, apply<T>);
    registry.add<batch_norm_backward>(dtype_of<T>::value, backward<T>);
  });
}

}  // namespace fastdl::cpu
