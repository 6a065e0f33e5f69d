// Softmax and its logarithm: the maximum, the sum of exponentials, the result. Along contiguous
// rows (inner = 1) lanes are elements of a row; elsewhere lanes are neighbouring columns.
#include "core/dtype.h"
#include "cpu/register.h"
#include "cpu/softmax_row.h"
#include "ops/softmax.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 16384;  // elements worth a chunk of threads
constexpr int64_t kTile = 128;    // columns that are handled together

// kernels

template <class T>
void softmax_row(bool log_, int64_t n, const T* x, T* y) {
  using C = Compute<T>;
  using V = Vec<C>;
  if (log_) {
    const auto s = row_statistics(x, n, [](int64_t, int64_t, V) {});
    const C log_sum = scalar_log(s.sum);
    for_packs<V>(n, [&](int64_t i, auto m) {
      store_pack(load_pack(x + i, m, C(0)) - s.max - log_sum, y + i, m);
    });
  } else if constexpr (std::is_same_v<T, C>) {
    const auto s = row_statistics(x, n, [&](int64_t i, int64_t m, V e) { e.store(y + i, m); });
    const C scale = C(1) / s.sum;
    for_packs<V>(
        n, [&](int64_t i, auto m) { store_pack(load_pack(y + i, m, C(0)) * scale, y + i, m); });
  } else {  // exponentials are computed twice, so that they are rounded once
    const auto s = row_statistics(x, n, [](int64_t, int64_t, V) {});
    const C scale = C(1) / s.sum;
    for_packs<V>(n, [&](int64_t i, auto m) {
      store_pack(exp(load_pack(x + i, m, C(0)) - s.max) * scale, y + i, m);
    });
  }
}

template <class T>
void softmax_columns(bool log_, int64_t n, int64_t inner, int64_t width, const T* x, T* y) {
  using C = Compute<T>;
  using V = Vec<C>;
  alignas(64) C max[kTile], sum[kTile];
  for_packs<V>(width, [&](int64_t i, auto m) {
    V top = load_pack(x + i, m, C(0));
    for (int64_t j = 1; j < n; ++j) top = maximum(top, load_pack(x + j * inner + i, m, C(0)));
    store_pack(top, max + i, m);
    V total(C(0));
    for (int64_t j = 0; j < n; ++j) {
      const V e = exp(load_pack(x + j * inner + i, m, C(0)) - top);
      if constexpr (std::is_same_v<T, C>)
        if (!log_) store_pack(e, y + j * inner + i, m);
      total += e;
    }
    store_pack(log_ ? log(total) : V(C(1)) / total, sum + i, m);
  });
  for (int64_t j = 0; j < n; ++j)
    for_packs<V>(width, [&](int64_t i, auto m) {
      const V top = load_pack(max + i, m, C(0)), s = load_pack(sum + i, m, C(0));
      T* const to = y + j * inner + i;
      if (!log_ && std::is_same_v<T, C>) return store_pack(load_pack(to, m, C(0)) * s, to, m);
      const V v = load_pack(x + j * inner + i, m, C(0)) - top;
      store_pack(log_ ? v - s : exp(v) * s, to, m);
    });
}

template <class T>
void gradient_row(bool log_, int64_t n, const T* dy, const T* y, T* dx) {
  using C = Compute<T>;
  using V = Vec<C>;
  C dot;
  if (log_) {
    dot = fold_row<Sum>(dy, n);
  } else {
    Pairwise<Sum, V> pairs;
    for (int64_t j = 0; j < n; j += kLeaf<T>) {
      V a(C(0));
      for_packs<V>(std::min(kLeaf<T>, n - j), [&](int64_t i, auto m) {
        a += load_pack(dy + j + i, m, C(0)) * load_pack(y + j + i, m, C(0));
      });
      pairs.push(a);
    }
    dot = sum_lanes(pairs.result());
  }
  for_packs<V>(n, [&](int64_t i, auto m) {
    const V g = load_pack(dy + i, m, C(0)), v = load_pack(y + i, m, C(0));
    store_pack(log_ ? g - exp(v) * dot : v * (g - dot), dx + i, m);
  });
}

template <class T>
void gradient_columns(bool log_, int64_t n, int64_t inner, int64_t width, const T* dy, const T* y,
                      T* dx) {
  using C = Compute<T>;
  using V = Vec<C>;
  alignas(64) C sum[kTile];
  for_packs<V>(width, [&](int64_t i, auto m) {
    V total(C(0));
    for (int64_t j = 0; j < n; ++j) {
      const V g = load_pack(dy + j * inner + i, m, C(0));
      total += log_ ? g : g * load_pack(y + j * inner + i, m, C(0));
    }
    store_pack(total, sum + i, m);
  });
  for (int64_t j = 0; j < n; ++j)
    for_packs<V>(width, [&](int64_t i, auto m) {
      const int64_t at = j * inner + i;
      const V s = load_pack(sum + i, m, C(0));
      const V g = load_pack(dy + at, m, C(0)), v = load_pack(y + at, m, C(0));
      store_pack(log_ ? g - exp(v) * s : v * (g - s), dx + at, m);
    });
}

// launchers

// Calls row(offset) for every row, or column(offset, width) for every tile of columns.
template <class Row, class Column>
void for_lines(const Context& context, int64_t outer, int64_t n, int64_t inner, Row row,
               Column column) {
  if (n == 0 || inner == 0) return;
  if (inner == 1) {
    context.parallel_for(outer, std::max<int64_t>(1, kWork / (n + 8)),
                         [&](int64_t begin, int64_t end) {
                           for (int64_t i = begin; i < end; ++i) row(i * n);
                         });
    return;
  }
  const int64_t tiles = (inner + kTile - 1) / kTile;
  context.parallel_for(outer * tiles, std::max<int64_t>(1, kWork / (n * std::min(inner, kTile))),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t i = begin; i < end; ++i) {
                           const int64_t first = i % tiles * kTile;
                           column(i / tiles * n * inner + first, std::min(kTile, inner - first));
                         }
                       });
}

template <class T>
void forward(const Context& context, bool log_, int64_t outer, int64_t n, int64_t inner,
             const void* x_, void* y_) {
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  for_lines(
      context, outer, n, inner, [&](int64_t i) { softmax_row(log_, n, x + i, y + i); },
      [&](int64_t i, int64_t width) { softmax_columns(log_, n, inner, width, x + i, y + i); });
}

template <class T>
void backward(const Context& context, bool log_, int64_t outer, int64_t n, int64_t inner,
              const void* dy_, const void* y_, void* dx_) {
  const T* const dy = static_cast<const T*>(dy_);
  const T* const y = static_cast<const T*>(y_);
  T* const dx = static_cast<T*>(dx_);
  for_lines(
      context, outer, n, inner, [&](int64_t i) { gradient_row(log_, n, dy + i, y + i, dx + i); },
      [&](int64_t i, int64_t width) {
        gradient_columns(log_, n, inner, width, dy + i, y + i, dx + i);
      });
}

}  // namespace

void register_softmax(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<softmax_forward>(dtype_of<T>::value, forward<T>);
    registry.add<softmax_backward>(dtype_of<T>::value, backward<T>);
  });
}

}  // namespace fastdl::cpu
