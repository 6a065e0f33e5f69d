// Normalisation of rows: a row's mean, then the squares about it, then the result. The row is in the
// first-level cache from the first of these walks on, so memory is read once and written once. A row
// alone is one chain of dependent steps, so as many as a register has lanes take each step together
// where they are short.
//
// The gradients of weight and bias are sums over rows. Each chunk of rows has its own, made of
// blocks of a few rows so that rounding errors do not add up; chunks are merged in order, and how
// rows are cut depends on the shape alone.
#include "ops/layer_norm.h"

#include <utility>

#include "core/dtype.h"
#include "cpu/prefetch.h"
#include "cpu/reduce.h"
#include "cpu/register.h"
#include "ops/layer_norm_last_cpu.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 16384;    // elements worth a chunk of threads
constexpr int64_t kChunks = 64;     // at most, each with sums of its own
constexpr int64_t kBlockRows = 32;  // rows that are added up one by one

constexpr int64_t kGroup = 4096;  // elements of rows that are normalised together

// The sum over i of term(i, m), a register of which covers elements [i, i + m): pairwise, lanes kept
// apart.
template <class S, class F>
inline Vec<Compute<S>> sum_apart(int64_t n, F term) {
  using V = Vec<Compute<S>>;
  using C = Compute<S>;
  const auto leaf = [&](int64_t begin, int64_t end) {
    constexpr std::integral_constant<int64_t, V::size> all;
    V a(C(0)), b(C(0));
    int64_t i = begin;
    for (; i + 2 * V::size <= end; i += 2 * V::size) a += term(i, all), b += term(i + V::size, all);
    for_packs<V>(end - i, [&](int64_t k, auto m) { a += term(i + k, m); });
    return a + b;
  };
  if (n <= kLeaf<S>) return leaf(0, n);
  Pairwise<Sum, V> pairs;
  for (int64_t i = 0; i < n; i += kLeaf<S>) pairs.push(leaf(i, std::min(n, i + kLeaf<S>)));
  return pairs.result();
}
template <class S, class F>
inline Compute<S> sum_terms(int64_t n, F term) {
  return sum_lanes(sum_apart<S>(n, term));
}

// kernels

// The result of a row: with a weight and a bias for each element, or (`shared`) for each `inner`
// neighbours.
template <bool stream, bool weighted, bool biased, bool shared, class S>
inline void put_row(int64_t n, int64_t inner, const S* x, Compute<S> mean, Compute<S> rstd,
                    const Compute<S>* weight, const Compute<S>* bias, S* y) {
  using C = Compute<S>;
  using V = Vec<C>;
  const V middle(mean), scale(rstd);
  const auto run = [=](int64_t begin, int64_t count, const C* w, const C* b) {
    const auto of = [](const C* p, int64_t i, auto m) {
      return shared ? V(*p) : load_pack(p + i, m, C(0));
    };
    for_packs<V>(count, [=](int64_t i, auto m) {
      V v = (load_pack(x + begin + i, m, C(0)) - middle) * scale;
      if constexpr (weighted) v = v * of(w, i, m);
      if constexpr (biased) v += of(b, i, m);
      put_pack<stream>(v, y + begin + i, m);
    });
  };
  if constexpr (!shared) return run(0, n, weight, bias);
  for (int64_t i = 0, c = 0; i < n; i += inner, ++c)
    run(i, inner, weighted ? weight + c : nullptr, biased ? bias + c : nullptr);
}

template <bool stream, bool weighted, bool biased, bool shared, class S>
void normal_row(const RowNormShape& s, double eps, const S* x, const Compute<S>* weight,
                const Compute<S>* bias, S* y, Compute<S>* mean_, Compute<S>* rstd_) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t n = s.columns;
  const C count = static_cast<C>(n);
  C mean(0);
  if (s.centred)
    mean = sum_terms<S>(n, [&](int64_t i, auto m) { return load_pack(x + i, m, C(0)); }) / count;
  const C squares = sum_terms<S>(n, [&](int64_t i, auto m) {
    const V d = load_pack(x + i, m, mean) - mean;
    return d * d;
  });
  const C rstd = C(1) / std::sqrt(squares / count + static_cast<C>(eps));
  put_row<stream, weighted, biased, shared>(n, s.inner, x, mean, rstd, weight, bias, y);
  *mean_ = mean, *rstd_ = rstd;
}

// Up to a register's lanes of rows, with the bits of normal_row; affine(r) is where the weight and
// the bias of row r begin.
template <bool stream, bool weighted, bool biased, bool shared, class S, class F>
void normal_rows(const RowNormShape& s, int64_t rows, double eps, const S* x, F affine, S* y,
                 Compute<S>* mean, Compute<S>* rstd) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t n = s.columns;
  const V count(static_cast<C>(n));
  // Lane r is the sum of sum_row(r).
  const auto sums = [rows](auto sum_row) {
    V part[V::size];
    for (int64_t r = 0; r < V::size; ++r) part[r] = r < rows ? sum_row(r) : V(C(0));
    return fold_across(part, [](V a, V b) { return a + b; });
  };
  V means(C(0));
  if (s.centred)
    means = sums([=](int64_t r) {
              return sum_apart<S>(
                  n, [=](int64_t i, auto m) { return load_pack(x + r * n + i, m, C(0)); });
            }) /
            count;
  store_pack(means, mean, rows);
  const V squares = sums([=](int64_t r) {
    prefetch(x + (rows + r) * n, n * static_cast<int64_t>(sizeof(S)));  // those to come
    const C middle = mean[r];
    return sum_apart<S>(n, [=](int64_t i, auto m) {
      const V d = load_pack(x + r * n + i, m, middle) - middle;
      return d * d;
    });
  });
  store_pack(V(C(1)) / sqrt(squares / count + static_cast<C>(eps)), rstd, rows);
  for (int64_t r = 0; r < rows; ++r, x += n, y += n) {
    const auto [weight, bias] = affine(r);
    put_row<stream, weighted, biased, shared>(n, s.inner, x, mean[r], rstd[r], weight, bias, y);
  }
}

// One row of dx, and what it adds to the sums of the block, where these are not null. A weight for
// each element.
template <bool stream, bool weighted, class S>
void gradient_row(const RowNormShape& s, const S* x, const S* dy, Compute<S> mean, Compute<S> rstd,
                  const Compute<S>* weight, S* dx, Compute<S>* dweight, Compute<S>* dbias) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t n = s.columns;
  const auto scaled = [&](int64_t i, auto m) {
    const V g = load_pack(dy + i, m, C(0));
    if constexpr (weighted)
      return g * load_pack(weight + i, m, C(0));
    else
      return g;
  };
  const auto normal = [&](int64_t i, auto m) { return (load_pack(x + i, m, mean) - mean) * rstd; };
  C sum(0), dot(0);
  if (dx) {
    const C count = static_cast<C>(n);
    if (s.centred) sum = sum_terms<S>(n, scaled) / count;
    dot = sum_terms<S>(n, [&](int64_t i, auto m) { return scaled(i, m) * normal(i, m); }) / count;
  }
  for_packs<V>(n, [&](int64_t i, auto m) {
    const V v = normal(i, m);
    if (dx) put_pack<stream>((scaled(i, m) - sum - v * dot) * rstd, dx + i, m);
    const V g = load_pack(dy + i, m, C(0));
    if (dweight) store_pack(load_pack(dweight + i, m, C(0)) + g * v, dweight + i, m);
    if (dbias) store_pack(load_pack(dbias + i, m, C(0)) + g, dbias + i, m);
  });
}

// The same with a weight for each `inner` neighbours: their own two sums are what the gradients of
// weight and bias need, and the row's are made of them.
template <bool stream, bool weighted, class S>
void gradient_channels(const RowNormShape& s, const S* x, const S* dy, Compute<S> mean,
                       Compute<S> rstd, const Compute<S>* weight, S* dx, Compute<S>* dweight,
                       Compute<S>* dbias) {
  using C = Compute<S>;
  using V = Vec<C>;
  const int64_t n = s.columns, inner = s.inner;
  const auto normal = [&](int64_t i, auto m) { return (load_pack(x + i, m, mean) - mean) * rstd; };
  double sum = 0, dot = 0;
  for (int64_t i = 0, c = 0; i < n; i += inner, ++c) {
    const C g =
        sum_terms<S>(inner, [&](int64_t k, auto m) { return load_pack(dy + i + k, m, C(0)); });
    const C g_v = sum_terms<S>(inner, [&](int64_t k, auto m) {
      return load_pack(dy + i + k, m, C(0)) * normal(i + k, m);
    });
    if (dweight) dweight[c] += g_v;
    if (dbias) dbias[c] += g;
    const double w = weighted ? static_cast<double>(weight[c]) : 1.0;
    sum += w * static_cast<double>(g), dot += w * static_cast<double>(g_v);
  }
  if (!dx) return;
  const double count = static_cast<double>(n);
  const V shift(s.centred ? static_cast<C>(sum / count) : C(0)), slope(static_cast<C>(dot / count));
  for (int64_t i = 0, c = 0; i < n; i += inner, ++c) {
    const V w(weighted ? weight[c] : C(1));
    for_packs<V>(inner, [&](int64_t k, auto m) {
      const V g = load_pack(dy + i + k, m, C(0)) * w;
      put_pack<stream>((g - shift - normal(i + k, m) * slope) * rstd, dx + i + k, m);
    });
  }
}

// to += from, and from becomes 0.
template <class C>
void move_sums(int64_t n, C* from, C* to) {
  using V = Vec<C>;
  for_packs<V>(n, [&](int64_t i, auto m) {
    store_pack(load_pack(to + i, m, C(0)) + load_pack(from + i, m, C(0)), to + i, m);
  });
  std::fill_n(from, n, C(0));
}

// launchers

// Whether a result is streamed: rows, and runs of one weight, that start on lines of their own.
template <class S>
bool streams_rows(const RowNormShape& s, const S* y) {
  const int64_t item = sizeof(S);
  return streams(y, s.rows * s.columns * item, (s.inner > 1 ? s.inner : s.columns) * item);
}

template <class S>
void forward(const Context& context, const RowNormShape& shape, double eps, const void* x_,
             const void* weight_, const void* bias_, void* y_, void* mean_, void* rstd_) {
  using C = Compute<S>;
  const S* const x = static_cast<const S*>(x_);
  const C* const weight = static_cast<const C*>(weight_);
  const C* const bias = static_cast<const C*>(bias_);
  S* const y = static_cast<S*>(y_);
  C* const mean = static_cast<C*>(mean_);
  C* const rstd = static_cast<C*>(rstd_);
  RowNormShape s = shape;
  if (!weight && !bias) s.groups = s.inner = 1;
  const int64_t n = s.columns, own = s.weights_of_row();
  const int64_t few = n * Vec<C>::size <= kGroup ? Vec<C>::size : 1;
  const int64_t grain = (std::max<int64_t>(1, kWork / (n + 8)) + few - 1) / few * few;
  const auto affine = [=](int64_t row) {
    const int64_t at = s.groups > 1 ? row % s.groups * own : 0;
    return std::pair(weight ? weight + at : nullptr, bias ? bias + at : nullptr);
  };
  const auto run = [&](auto stream, auto weighted, auto biased, auto shared) {
    context.parallel_for(s.rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i += few) {
        if (few == 1) {
          const auto [w, b] = affine(i);
          normal_row<stream, weighted, biased, shared>(s, eps, x + i * n, w, b, y + i * n, mean + i,
                                                       rstd + i);
        } else {
          normal_rows<stream, weighted, biased, shared>(
              s, std::min(few, end - i), eps, x + i * n, [=](int64_t r) { return affine(i + r); },
              y + i * n, mean + i, rstd + i);
        }
      }
      stream_end();
    });
  };
  with_flag(streams_rows(s, y), [&](auto stream) {
    with_flag(weight, [&](auto weighted) {
      with_flag(bias, [&](auto biased) {
        with_flag(s.inner > 1, [&](auto shared) { run(stream, weighted, biased, shared); });
      });
    });
  });
}

template <class S>
void backward(const Context& context, const RowNormShape& s, const void* x_, const void* dy_,
              const void* mean_, const void* rstd_, const void* weight_, void* dx_, void* dweight_,
              void* dbias_) {
  using C = Compute<S>;
  const S* const x = static_cast<const S*>(x_);
  const S* const dy = static_cast<const S*>(dy_);
  const C* const mean = static_cast<const C*>(mean_);
  const C* const rstd = static_cast<const C*>(rstd_);
  const C* const weight = static_cast<const C*>(weight_);
  S* const dx = static_cast<S*>(dx_);
  C* const result[2] = {static_cast<C*>(dweight_), static_cast<C*>(dbias_)};
  const int64_t n = s.columns, own = s.weights_of_row(), all = s.weights();
  const int64_t together = kBlockRows * s.groups;
  const int64_t rows =
      std::max({int64_t{1}, kWork / std::max<int64_t>(n, 1), (s.rows + kChunks - 1) / kChunks});
  const int64_t chunks = (s.rows + rows - 1) / rows;
  const bool sums = result[0] || result[1];
  // For each chunk: its sums and its block's, of both kinds.
  Scratch scratch(context, sums ? static_cast<size_t>(4 * chunks * all) * sizeof(C) : 0);
  const auto of_chunk = [&](int64_t chunk, int kind, int64_t level) -> C* {
    return result[kind] ? scratch.as<C>() + (4 * chunk + 2 * level + kind) * all : nullptr;
  };
  const auto run = [&](auto stream, auto weighted, auto shared) {
    context.parallel_for(s.rows, rows, [&](int64_t begin, int64_t end) {
      const int64_t chunk = begin / rows;
      C* const block[2] = {of_chunk(chunk, 0, 1), of_chunk(chunk, 1, 1)};
      if (sums) std::fill_n(scratch.as<C>() + 4 * chunk * all, 4 * all, C(0));
      for (int64_t i = begin; i < end; i += together) {
        for (int64_t r = i; r < std::min(end, i + together); ++r) {
          const int64_t at = s.groups > 1 ? r % s.groups * own : 0;
          const auto from = [at](auto* p) { return p ? p + at : nullptr; };
          S* const out = dx ? dx + r * n : nullptr;
          if constexpr (shared)
            gradient_channels<stream, weighted>(s, x + r * n, dy + r * n, mean[r], rstd[r],
                                                from(weight), out, from(block[0]), from(block[1]));
          else
            gradient_row<stream, weighted>(s, x + r * n, dy + r * n, mean[r], rstd[r], from(weight),
                                           out, from(block[0]), from(block[1]));
        }
        for (int kind = 0; kind < 2; ++kind)
          if (block[kind]) move_sums(all, block[kind], of_chunk(chunk, kind, 0));
      }
      stream_end();
    });
  };
  with_flag(dx && streams_rows(s, dx), [&](auto stream) {
    with_flag(weight, [&](auto weighted) {
      with_flag(s.inner > 1, [&](auto shared) { run(stream, weighted, shared); });
    });
  });
  for (int kind = 0; kind < 2; ++kind) {
    if (!result[kind]) continue;
    std::fill_n(result[kind], all, C(0));
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      move_sums(all, of_chunk(chunk, kind, 0), result[kind]);
  }
}

}  // namespace

void register_layer_norm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<row_norm_forward>(dtype_of<T>::value, forward<T>);
    registry.add<row_norm_backward>(dtype_of<T>::value, backward<T>);
    registry.add<last_norm_forward>(dtype_of<T>::value, last_forward<T>);
    registry.add<last_norm_backward>(dtype_of<T>::value, last_backward<T>);
  });
}

}  // namespace fastdl::cpu
