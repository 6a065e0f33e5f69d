// Layer normalisation: a row's mean, then the squares about it, then the result. The row is in the
// first-level cache from the first of these walks on, so memory is read once and written once. A row
// alone is one chain of dependent steps, so as many as a register has lanes take each step together
// where they are short.
//
// The gradients of weight and bias are sums over rows. Each chunk of rows has its own, made of
// blocks of a few rows so that rounding errors do not add up; chunks are merged in order, and how
// rows are cut depends on the shape alone.
#include "ops/layer_norm.h"

#include "core/dtype.h"
#include "cpu/prefetch.h"
#include "cpu/reduce.h"
#include "cpu/register.h"

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

template <bool stream, bool weighted, bool biased, class S>
void normal_row(int64_t n, double eps, const S* x, const Compute<S>* weight, const Compute<S>* bias,
                S* y, Compute<S>* mean_, Compute<S>* rstd_) {
  using C = Compute<S>;
  using V = Vec<C>;
  const C count = static_cast<C>(n);
  const C mean =
      sum_terms<S>(n, [&](int64_t i, auto m) { return load_pack(x + i, m, C(0)); }) / count;
  const C squares = sum_terms<S>(n, [&](int64_t i, auto m) {
    const V d = load_pack(x + i, m, mean) - mean;
    return d * d;
  });
  const C rstd = C(1) / std::sqrt(squares / count + static_cast<C>(eps));
  for_packs<V>(n, [&](int64_t i, auto m) {
    V v = (load_pack(x + i, m, C(0)) - mean) * rstd;
    if constexpr (weighted) v = v * load_pack(weight + i, m, C(0));
    if constexpr (biased) v += load_pack(bias + i, m, C(0));
    put_pack<stream>(v, y + i, m);
  });
  *mean_ = mean, *rstd_ = rstd;
}

// Up to a register's lanes of rows, with the bits of normal_row.
template <bool stream, bool weighted, bool biased, class S>
void normal_rows(int64_t rows, int64_t n, double eps, const S* x, const Compute<S>* weight,
                 const Compute<S>* bias, S* y, Compute<S>* mean, Compute<S>* rstd) {
  using C = Compute<S>;
  using V = Vec<C>;
  const V count(static_cast<C>(n));
  // Lane r is the sum of sum_row(r).
  const auto sums = [rows](auto sum_row) {
    V part[V::size];
    for (int64_t r = 0; r < V::size; ++r) part[r] = r < rows ? sum_row(r) : V(C(0));
    return fold_across(part, [](V a, V b) { return a + b; });
  };
  const V means = sums([=](int64_t r) {
    return sum_apart<S>(n, [=](int64_t i, auto m) { return load_pack(x + r * n + i, m, C(0)); });
  });
  store_pack(means / count, mean, rows);
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
    const V middle(mean[r]), scale(rstd[r]);
    for_packs<V>(n, [=](int64_t i, auto m) {
      V v = (load_pack(x + i, m, C(0)) - middle) * scale;
      if constexpr (weighted) v = v * load_pack(weight + i, m, C(0));
      if constexpr (biased) v += load_pack(bias + i, m, C(0));
      put_pack<stream>(v, y + i, m);
    });
  }
}

// One row of dx, and what it adds to the sums of the block, where these are not null.
template <bool stream, bool weighted, class S>
void gradient_row(int64_t n, const S* x, const S* dy, Compute<S> mean, Compute<S> rstd,
                  const Compute<S>* weight, S* dx, Compute<S>* dweight, Compute<S>* dbias) {
  using C = Compute<S>;
  using V = Vec<C>;
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
    sum = sum_terms<S>(n, scaled) / count;
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

template <class S>
void forward(const Context& context, const LayerNormShape& s, double eps, const void* x_,
             const void* weight_, const void* bias_, void* y_, void* mean_, void* rstd_) {
  using C = Compute<S>;
  const S* const x = static_cast<const S*>(x_);
  const C* const weight = static_cast<const C*>(weight_);
  const C* const bias = static_cast<const C*>(bias_);
  S* const y = static_cast<S*>(y_);
  C* const mean = static_cast<C*>(mean_);
  C* const rstd = static_cast<C*>(rstd_);
  const int64_t n = s.columns, row_bytes = n * static_cast<int64_t>(sizeof(S));
  const int64_t few = n * Vec<C>::size <= kGroup ? Vec<C>::size : 1;
  const int64_t grain = (std::max<int64_t>(1, kWork / (n + 8)) + few - 1) / few * few;
  const auto run = [&](auto stream, auto weighted, auto biased) {
    context.parallel_for(s.rows, grain, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i += few)
        if (few == 1)
          normal_row<stream, weighted, biased>(n, eps, x + i * n, weight, bias, y + i * n, mean + i,
                                               rstd + i);
        else
          normal_rows<stream, weighted, biased>(std::min(few, end - i), n, eps, x + i * n, weight,
                                                bias, y + i * n, mean + i, rstd + i);
      stream_end();
    });
  };
  with_flag(streams(y, s.rows * row_bytes, row_bytes), [&](auto stream) {
    with_flag(weight, [&](auto weighted) {
      with_flag(bias, [&](auto biased) { run(stream, weighted, biased); });
    });
  });
}

template <class S>
void backward(const Context& context, const LayerNormShape& s, const void* x_, const void* dy_,
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
  const int64_t n = s.columns, row_bytes = n * static_cast<int64_t>(sizeof(S));
  const int64_t rows =
      std::max({int64_t{1}, kWork / std::max<int64_t>(n, 1), (s.rows + kChunks - 1) / kChunks});
  const int64_t chunks = (s.rows + rows - 1) / rows;
  const bool sums = result[0] || result[1];
  // For each chunk: its sums and its block's, of both kinds.
  Scratch scratch(context, sums ? static_cast<size_t>(4 * chunks * n) * sizeof(C) : 0);
  const auto of_chunk = [&](int64_t chunk, int kind, int64_t level) -> C* {
    return result[kind] ? scratch.as<C>() + (4 * chunk + 2 * level + kind) * n : nullptr;
  };
  const auto run = [&](auto stream, auto weighted) {
    context.parallel_for(s.rows, rows, [&](int64_t begin, int64_t end) {
      const int64_t chunk = begin / rows;
      C* const block[2] = {of_chunk(chunk, 0, 1), of_chunk(chunk, 1, 1)};
      if (sums) std::fill_n(scratch.as<C>() + 4 * chunk * n, 4 * n, C(0));
      for (int64_t i = begin; i < end; i += kBlockRows) {
        for (int64_t r = i; r < std::min(end, i + kBlockRows); ++r)
          gradient_row<stream, weighted>(n, x + r * n, dy + r * n, mean[r], rstd[r], weight,
                                         dx ? dx + r * n : nullptr, block[0], block[1]);
        for (int kind = 0; kind < 2; ++kind)
          if (block[kind]) move_sums(n, block[kind], of_chunk(chunk, kind, 0));
      }
      stream_end();
    });
  };
  with_flag(streams(dx, dx ? s.rows * row_bytes : 0, row_bytes),
            [&](auto stream) { with_flag(weight, [&](auto weighted) { run(stream, weighted); }); });
  for (int kind = 0; kind < 2; ++kind) {
    if (!result[kind]) continue;
    std::fill_n(result[kind], n, C(0));
    for (int64_t chunk = 0; chunk < chunks; ++chunk)
      move_sums(n, of_chunk(chunk, kind, 0), result[kind]);
  }
}

}  // namespace

void register_layer_norm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<layer_norm_forward>(dtype_of<T>::value, forward<T>);
    registry.add<layer_norm_backward>(dtype_of<T>::value, backward<T>);
  });
}

}  // namespace fastdl::cpu
