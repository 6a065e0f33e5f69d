// Copies between layouts and dtypes, and fills. Elements that keep their dtype are moved as bytes:
// by memcpy where rows are contiguous, by tiles where the copy is a transposition.
#include <cmath>
#include <cstring>
#include <limits>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"
#include "cpu/transpose.h"
#include "ops/copy.h"

namespace fastdl::cpu {
namespace {

// kernels

// Float to integer truncates; beyond the integer's range it saturates, and NaN becomes 0, because
// C++ leaves both undefined. uint8 keeps the low byte of the int32.
template <class To, class From>
inline To convert_to(From x) {
  if constexpr (std::is_same_v<To, bool>) {
    return x != From(0);
  } else if constexpr (std::is_same_v<To, uint8_t> && std::is_floating_point_v<From>) {
    return static_cast<uint8_t>(convert_to<int32_t>(x));
  } else if constexpr (std::is_integral_v<To> && std::is_floating_point_v<From>) {
    constexpr From limit = -static_cast<From>(std::numeric_limits<To>::min());
    const To inside = static_cast<To>(x >= limit || x < -limit || x != x ? From(0) : x);
    return x >= limit ? std::numeric_limits<To>::max()
                      : (x < -limit ? std::numeric_limits<To>::min() : inside);
  } else {
    return static_cast<To>(x);
  }
}

template <class To, class From>
void convert_loop(int64_t n, To* y, const From* x) {
  for (int64_t i = 0; i < n; ++i) y[i] = convert_to<To>(x[i]);
}

// Whether y runs along the innermost dimension and x along another, which is returned; else 0.
inline int transposed_dim(const Strided<2>& walk) {
  if (walk.ndim < 2 || walk.stride[1][0] != 1 || walk.stride[0][0] == 1) return 0;
  for (int d = 1; d < walk.ndim; ++d)
    if (walk.stride[0][d] == 1 && walk.size[d] >= 4) return d;
  return 0;
}

template <class T>
void copy_transposed(const Context& context, const Strided<2>& walk, int dim, const T* x, T* y) {
  // Matrices of size[0] by size[dim], one for each position in the other dimensions; threads share
  // out bands of whole rows of y.
  Strided<2> rest;
  for (int d = 1; d < walk.ndim; ++d) {
    if (d == dim) continue;
    rest.size[rest.ndim] = walk.size[d];
    for (int k = 0; k < 2; ++k) rest.stride[k][rest.ndim] = walk.stride[k][d];
    rest.numel *= walk.size[d];
    ++rest.ndim;
  }
  const int64_t m = walk.size[0], n = walk.size[dim];
  if (m == 0 || n == 0) return;
  const int64_t x_row = walk.stride[0][0], y_row = walk.stride[1][dim];
  constexpr int64_t kBand = 64;
  const int64_t bands = (n + kBand - 1) / kBand;
  const int64_t grain = std::max<int64_t>(1, kCheapGrain / (m * std::min(n, kBand)));
  const int64_t item = sizeof(T);
  bool stream = streams(y, walk.numel * item, y_row * item);
  for (int d = 0; d < rest.ndim; ++d) stream &= is_line_aligned(y + rest.stride[1][d]);
  context.parallel_for(rest.numel * bands, grain, [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const RowWalk<2> at(rest, item / bands);
      const int64_t j = item % bands * kBand;
      transpose(m, std::min(kBand, n - j), x + at.offset(0) + j, x_row,
                y + at.offset(1) + j * y_row, y_row, stream);
    }
    if (stream) stream_end();
  });
}

template <class T>
inline void copy_row(const T* x, int64_t x_step, T* y, int64_t y_step, int64_t n) {
  if (y_step != 1)
    for (int64_t i = 0; i < n; ++i) y[i * y_step] = x[i * x_step];
  else if (x_step == 0)
    std::fill_n(y, n, *x);
  else
    load_block(x, x_step, n, y);
}

// Rows too short for what is done once for each row to be small: a run of them with one step each.
constexpr int64_t kShortRow = 32;

template <class T>
void copy_short_rows(const Context& context, const Strided<2>& walk, const T* x, T* y) {
  Strided<2> rows;
  rows.ndim = walk.ndim - 1;
  rows.numel = walk.numel / walk.size[0];
  for (int d = 0; d < rows.ndim; ++d) {
    rows.size[d] = walk.size[d + 1];
    for (int k = 0; k < 2; ++k) rows.stride[k][d] = walk.stride[k][d + 1];
  }
  const int64_t n = walk.size[0], x_step = walk.stride[0][0], y_step = walk.stride[1][0];
  context.parallel_for(rows.numel, kCheapGrain / n, [&](int64_t begin, int64_t end) {
    RowWalk<2> at(rows, begin);
    while (begin < end) {
      const int64_t run = std::min(rows.size[0] - at.column(), end - begin);
      const T* from = x + at.offset(0);
      T* to = y + at.offset(1);
      for (int64_t r = 0; r < run; ++r) {
        for (int64_t i = 0; i < n; ++i) to[i * y_step] = from[i * x_step];
        from += rows.stride[0][0], to += rows.stride[1][0];
      }
      begin += run;
      at.next();
    }
  });
}

template <class T>
void copy_rows(const Context& context, const Strided<2>& walk, const T* x, T* y) {
  if (walk.numel == 0) return;
  if (walk.ndim > 1 && walk.size[0] <= kShortRow) return copy_short_rows(context, walk, x, y);
  context.parallel_for(walk.numel, kCheapGrain, [&](int64_t begin, int64_t end) {
    RowWalk<2> at(walk, begin);
    const int64_t length = walk.ndim ? walk.size[0] : 1;
    while (begin < end) {
      const int64_t n = std::min(length - at.column(), end - begin);
      const T* const from = x + at.offset(0);
      T* const to = y + at.offset(1);
      if (walk.stride[0][0] == 1 && walk.stride[1][0] == 1)
        memcpy(to, from, static_cast<size_t>(n) * sizeof(T));
      else
        copy_row(from, walk.stride[0][0], to, walk.stride[1][0], n);
      begin += n;
      at.next();
    }
  });
}

// launchers

template <class T>
void copy(const Context& context, const Strided<2>& walk, const void* x, void* y) {
  const T* const from = static_cast<const T*>(x);
  T* const to = static_cast<T*>(y);
  if (const int dim = transposed_dim(walk)) return copy_transposed(context, walk, dim, from, to);
  if (walk.ndim == 1 && walk.stride[0][0] == 1 && walk.stride[1][0] == 1) {
    const bool stream = streams(to, walk.numel * static_cast<int64_t>(sizeof(T)));
    return context.parallel_for(walk.numel, kCheapGrain, [&](int64_t begin, int64_t end) {
      const size_t bytes = static_cast<size_t>(end - begin) * sizeof(T);
      if (!stream) return void(memcpy(to + begin, from + begin, bytes));
      stream_copy(to + begin, from + begin, bytes);
      stream_end();
    });
  }
  copy_rows(context, walk, from, to);
}

template <class To>
void convert_launch(const Context& context, DType from, const Strided<2>& walk, const void* x,
                    void* y) {
  if (from == dtype_of<To>::value) return copy<Bytes<To>>(context, walk, x, y);
  with_dtype(from, [&](auto tag) {
    using From = typename decltype(tag)::type;
    if constexpr (!std::is_same_v<To, From>)
      Elementwise<To, From>::run(context, walk, kCheapGrain,
                                 convert_loop<Compute<To>, Compute<From>>, static_cast<To*>(y),
                                 static_cast<const From*>(x));
  });
}

template <class T>
void fill_launch(const Context& context, const Strided<1>& walk, uint64_t bits, void* y_) {
  T* const y = static_cast<T*>(y_);
  const T value = static_cast<T>(bits);
  const int64_t length = walk.ndim ? walk.size[0] : 1, stride = walk.ndim ? walk.stride[0][0] : 1;
  context.parallel_for(walk.numel, kCheapGrain, [&](int64_t begin, int64_t end) {
    RowWalk<1> at(walk, begin);
    while (begin < end) {
      const int64_t n = std::min(length - at.column(), end - begin);
      T* const row = y + at.offset(0);
      if (stride == 1)
        std::fill_n(row, n, value);
      else
        for (int64_t i = 0; i < n; ++i) row[i * stride] = value;
      begin += n;
      at.next();
    }
  });
}

template <class T>
void arange_launch(const Context& context, int64_t n, double start, double step, void* y_) {
  T* const y = static_cast<T*>(y_);
  context.parallel_for(n, kCheapGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      y[i] = T(convert_to<Compute<T>>(start + static_cast<double>(i) * step));
  });
}

}  // namespace

void register_copy(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t, bool>([&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr DType dtype = dtype_of<T>::value;
    registry.add<convert>(dtype, convert_launch<T>);
    registry.add<fill>(dtype, fill_launch<Bytes<T>>);
    if constexpr (!std::is_same_v<T, bool>) registry.add<arange_fill>(dtype, arange_launch<T>);
  });
}

}  // namespace fastdl::cpu
