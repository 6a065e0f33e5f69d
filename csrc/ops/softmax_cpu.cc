// Softmax and its logarithm: the maximum, the sum of exponentials, the result. Along contiguous
// rows (inner = 1) lanes are elements of a row (cpu/softmax_row.h);
// elsewhere lanes are neighbouring columns. Exponentials wait for their sum in the caches, so that each is
// computed once and memory is read once and written once.
#include "core/dtype.h"
#include "cpu/register.h"
#include "cpu/softmax_row.h"
#include "ops/softmax.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 16384;    // elements worth a chunk of threads
constexpr int64_t kTile = 128;      // columns that are handled together
constexpr int64_t kKept = 4096;     // elements of rows, or of a column, that are kept
constexpr int64_t kBlockRows = 64;  // that are added one by one

// kernels

// Rows of n <= kKept elements, `few` at a time. What was kept of the rows before leaves register by
// register as the next rows take its place: stores past the caches in one go would stall, while the
// arithmetic waits.
template <bool log_, bool stream, class T>
void softmax_rows(int64_t rows, int64_t n, int64_t few, const T* x, T* y) {
  using C = Compute<T>;
  using V = Vec<C>;
  alignas(64) C max[V::size], sum[V::size], scale[V::size], kept[kKept];
  T* before = nullptr;  // where the kept rows go
  const auto leave = [&](int64_t r, int64_t i, auto m) {
    const V v = load_pack(kept + r * n + i, m, C(0));
    put_pack<stream>(log_ ? v - scale[r] : v * scale[r], before + r * n + i, m);
  };
  const auto leave_rows = [&](int64_t first, int64_t last) {
    for (int64_t r = first; r < last; ++r)
      for_packs<V>(n, [&](int64_t i, auto m) { leave(r, i, m); });
  };
  for (; rows > 0; rows -= few, x += few * n, y += few * n) {
    const int64_t now = std::min(few, rows);
    row_statistics(now, n, x, max, sum, [&](int64_t r, int64_t i, auto m, V d, V e) {
      if (before) leave(r, i, m);
      store_pack(log_ ? d : e, kept + r * n + i, m);
    });
    if (before) leave_rows(now, few);
    const V total = load_pack(sum, now, C(1));
    store_pack(log_ ? log(total) : V(C(1)) / total, scale, now);
    before = y;
    if (rows <= few) leave_rows(0, now);
  }
}

// A longer row: its exponentials are computed twice.
template <bool log_, bool stream, class T>
void softmax_long_row(int64_t n, const T* x, T* y) {
  using C = Compute<T>;
  using V = Vec<C>;
  C max, sum;
  row_statistics(1, n, x, &max, &sum, [](int64_t, int64_t, auto, V, V) {});
  const C scale = log_ ? log(V(sum)).v[0] : C(1) / sum;
  for_packs<V>(n, [&](int64_t i, auto m) {
    const V d = load_pack(x + i, m, C(0)) - max;
    put_pack<stream>(log_ ? d - scale : exp_nonpositive(d) * scale, y + i, m);
  });
}

// Adds to `sum` in blocks of rows, so that rounding errors do not add up along a long column.
template <class V, class F>
V sum_rows(int64_t n, F term) {
  using C = typename V::Scalar;
  V total(C(0));
  for (int64_t j = 0; j < n; j += kBlockRows) {
    V block(C(0));
    for (int64_t k = j; k < std::min(n, j + kBlockRows); ++k) block += term(k);
    total += block;
  }
  return total;
}

// `kept` has room for n rows of kTile exponentials, or is null: then they are computed twice.
template <bool log_, bool stream, class T>
void softmax_columns(int64_t n, int64_t inner, int64_t width, const T* x, Compute<T>* kept, T* y) {
  using C = Compute<T>;
  using V = Vec<C>;
  alignas(64) C max[kTile], sum[kTile];
  std::fill_n(max, width, -std::numeric_limits<C>::infinity());
  for (int64_t j = 0; j < n; ++j)  // row by row, as memory likes it
    for_packs<V>(width, [&](int64_t i, auto m) {
      store_pack(maximum(load_pack(max + i, m, C(0)), load_pack(x + j * inner + i, m, C(0))),
                 max + i, m);
    });
  for_packs<V>(width, [&](int64_t i, auto m) {
    const V top = load_pack(max + i, m, C(0));
    const V total = sum_rows<V>(n, [&](int64_t j) {
      const V e = exp_nonpositive(load_pack(x + j * inner + i, m, C(0)) - top);
      if (kept) store_pack(e, kept + j * kTile + i, m);
      return e;
    });
    store_pack(log_ ? log(total) : V(C(1)) / total, sum + i, m);
  });
  for (int64_t j = 0; j < n; ++j)
    for_packs<V>(width, [&](int64_t i, auto m) {
      const V top = load_pack(max + i, m, C(0)), s = load_pack(sum + i, m, C(0));
      T* const to = y + j * inner + i;
      if (kept) return put_pack<stream>(load_pack(kept + j * kTile + i, m, C(0)) * s, to, m);
      const V v = load_pack(x + j * inner + i, m, C(0)) - top;
      put_pack<stream>(log_ ? v - s : exp_nonpositive(v) * s, to, m);
    });
}

template <bool log_, bool stream, class T>
void gradient_row(int64_t n, const T* dy, const T* y, T* dx) {
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
    put_pack<stream>(log_ ? g - exp(v) * dot : v * (g - dot), dx + i, m);
  });
}

template <bool log_, bool stream, class T>
void gradient_columns(int64_t n, int64_t inner, int64_t width, const T* dy, const T* y, T* dx) {
  using C = Compute<T>;
  using V = Vec<C>;
  alignas(64) C sum[kTile];
  for_packs<V>(width, [&](int64_t i, auto m) {
    const V total = sum_rows<V>(n, [&](int64_t j) {
      const V g = load_pack(dy + j * inner + i, m, C(0));
      return log_ ? g : g * load_pack(y + j * inner + i, m, C(0));
    });
    store_pack(total, sum + i, m);
  });
  for (int64_t j = 0; j < n; ++j)
    for_packs<V>(width, [&](int64_t i, auto m) {
      const int64_t at = j * inner + i;
      const V s = load_pack(sum + i, m, C(0));
      const V g = load_pack(dy + at, m, C(0)), v = load_pack(y + at, m, C(0));
      put_pack<stream>(log_ ? g - exp(v) * s : v * (g - s), dx + at, m);
    });
}

// launchers

// Calls row(offset, rows, few) for a chunk of rows, of which `few` fit what is kept, or column(offset, width, room) for every tile of columns; `room`
// is for kTile columns, if there are no more than kKept of their elements and `keeps`.
template <class C, class Row, class Column>
void for_lines(const Context& context, int64_t outer, int64_t n, int64_t inner, bool keeps, Row row,
               Column column) {
  if (n == 0 || inner == 0) return;
  if (inner == 1) {
    const int64_t few = std::clamp<int64_t>(kKept / n, 1, Vec<C>::size);
    const int64_t grain = std::max<int64_t>(1, kWork / (n + 8)) + few - 1;
    context.parallel_for(outer, grain / few * few, [&](int64_t begin, int64_t end) {
      row(begin * n, end - begin, few);
      stream_end();
    });
    return;
  }
  const int64_t tiles = (inner + kTile - 1) / kTile;
  keeps = keeps && n <= kKept;
  context.parallel_for(
      outer * tiles, std::max<int64_t>(1, kWork / (n * std::min(inner, kTile))),
      [&](int64_t begin, int64_t end) {
        Scratch scratch(context, keeps ? static_cast<size_t>(n * kTile) * sizeof(C) : 0);
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = i % tiles * kTile;
          column(i / tiles * n * inner + first, std::min(kTile, inner - first), scratch.as<C>());
        }
        stream_end();
      });
}

// Whether results like y[outer, n, inner] are streamed.
template <class T>
bool streams_lines(int64_t outer, int64_t n, int64_t inner, const T* y) {
  const int64_t item = sizeof(T), line = (inner == 1 ? n : inner) * item;
  return streams(y, outer * n * inner * item, line);
}

template <class T>
void forward(const Context& context, bool log_, int64_t outer, int64_t n, int64_t inner,
             const void* x_, void* y_) {
  using C = Compute<T>;
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const auto run = [&](auto is_log, auto stream) {
    for_lines<C>(
        context, outer, n, inner, !log_,
        [&](int64_t i, int64_t rows, int64_t few) {
          if (n <= kKept) return softmax_rows<is_log, stream>(rows, n, few, x + i, y + i);
          for (int64_t end = i + rows * n; i < end; i += n)
            softmax_long_row<is_log, stream>(n, x + i, y + i);
        },
        [&](int64_t i, int64_t width, C* kept) {
          softmax_columns<is_log, stream>(n, inner, width, x + i, kept, y + i);
        });
  };
  with_flag(log_, [&](auto is_log) {
    with_flag(streams_lines(outer, n, inner, y), [&](auto stream) { run(is_log, stream); });
  });
}

template <class T>
void backward(const Context& context, bool log_, int64_t outer, int64_t n, int64_t inner,
              const void* dy_, const void* y_, void* dx_) {
  using C = Compute<T>;
  const T* const dy = static_cast<const T*>(dy_);
  const T* const y = static_cast<const T*>(y_);
  T* const dx = static_cast<T*>(dx_);
  const auto run = [&](auto is_log, auto stream) {
    for_lines<C>(
        context, outer, n, inner, false,
        [&](int64_t i, int64_t rows, int64_t) {
          for (int64_t end = i + rows * n; i < end; i += n)
            gradient_row<is_log, stream>(n, dy + i, y + i, dx + i);
        },
        [&](int64_t i, int64_t width, C*) {
          gradient_columns<is_log, stream>(n, inner, width, dy + i, y + i, dx + i);
        });
  };
  with_flag(log_, [&](auto is_log) {
    with_flag(streams_lines(outer, n, inner, dx), [&](auto stream) { run(is_log, stream); });
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
