// Reading and reducing by index. Reducing is shared out by destination, never by source, so that every
// sum runs in the order of the source whatever the number of threads.
#include <algorithm>
#include <cstring>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"
#include "ops/index.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 32768;  // elements worth a chunk of threads

int64_t grain_for(int64_t elements_per_item) {
  return std::max<int64_t>(1, kWork / std::max<int64_t>(1, elements_per_item));
}

// kernels

void first_bad(const Context& context, int64_t n, const int64_t* index, int64_t low, int64_t limit,
               int64_t* position) {
  const uint64_t first = static_cast<uint64_t>(low), width = static_cast<uint64_t>(limit) - first;
  const auto bad = [&](int64_t i) { return static_cast<uint64_t>(index[i]) - first >= width; };
  const int64_t chunks = (n + kWork - 1) / kWork;
  const auto count_bad = [&](int64_t begin, int64_t end) {
    int64_t count = 0;
    for (int64_t i = begin; i < end; ++i) count += bad(i);
    return count;
  };
  *position = -1;
  int64_t from = 0;
  if (chunks > 1) {
    Scratch scratch(context, static_cast<size_t>(chunks) * sizeof(int64_t));
    int64_t* const found = scratch.as<int64_t>();
    context.parallel_for(n, kWork, [&](int64_t begin, int64_t end) {
      found[begin / kWork] = count_bad(begin, end);
    });
    while (from < chunks && found[from] == 0) ++from;
    if (from == chunks) return;
    from *= kWork;
  } else if (count_bad(0, n) == 0) {
    return;
  }
  while (!bad(from)) ++from;
  *position = from;
}

// Moves bytes: one instance for every dtype of a size.
template <class T>
void gather_rows_launch(const Context& context, int64_t count, int64_t width, const void* x_,
                        const int64_t* index, void* y_) {
  if (width == 0) return;
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  context.parallel_for(count, grain_for(width), [&](int64_t begin, int64_t end) {
    if (width == 1) {
      for (int64_t i = begin; i < end; ++i) y[i] = x[index[i]];
    } else {
      for (int64_t i = begin; i < end; ++i)
        memcpy(y + i * width, x + index[i] * width, static_cast<size_t>(width) * sizeof(T));
    }
  });
}

// y = op(y, x) in the arithmetic of T, integers wrapping around.
template <Reduce op, class T>
inline void reduce_to(T* y, T x) {
  using C = Compute<T>;
  const C a = static_cast<C>(*y), b = static_cast<C>(x);
  if constexpr (op == Reduce::amax || op == Reduce::amin) {
    if ((op == Reduce::amax ? b > a : b < a) || b != b) *y = x;
  } else if constexpr (std::is_integral_v<T>) {
    const uint64_t u = static_cast<uint64_t>(a), v = static_cast<uint64_t>(b);
    *y = static_cast<T>(op == Reduce::sum ? u + v : u * v);
  } else {
    *y = T(op == Reduce::sum ? a + b : a * b);
  }
}

template <class T>
void scatter_add_rows_launch(const Context& context, int64_t count, int64_t width, int64_t rows,
                             const void* x_, const int64_t* index, void* y_) {
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const auto add_row = [&](int64_t i, int64_t first, int64_t last) {
    T* const to = y + index[i] * width;
    const T* const from = x + i * width;
    for (int64_t j = first; j < last; ++j) reduce_to<Reduce::sum>(to + j, from[j]);
  };
  if (count * width <= kWork) {
    for (int64_t i = 0; i < count; ++i) add_row(i, 0, width);
    return;
  }
  // A counting sort lists the sources of every row of y in order; threads then own rows of y.
  Scratch scratch(context, static_cast<size_t>(rows + 1 + count) * sizeof(int64_t));
  int64_t* const start = scratch.as<int64_t>();
  int64_t* const source = start + rows + 1;
  std::fill_n(start, rows + 1, 0);
  for (int64_t i = 0; i < count; ++i) ++start[index[i] + 1];
  for (int64_t r = 0; r < rows; ++r) start[r + 1] += start[r];
  for (int64_t i = 0; i < count; ++i) source[start[index[i]]++] = i;  // start[r] is now row r's end
  // Sources in the order of their rows: a chunk owns the rows that end in it.
  context.parallel_for(rows, grain_for((count / std::max<int64_t>(rows, 1) + 1) * width),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t k = begin == 0 ? 0 : start[begin - 1]; k < start[end - 1];
                              ++k)
                           add_row(source[k], 0, width);
                       });
}

template <class T>
void gather_launch(const Context& context, int64_t outer, int64_t n, int64_t m, int64_t inner,
                   const void* x_, const int64_t* index, void* y_) {
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  context.parallel_for(outer * m, grain_for(inner), [&](int64_t begin, int64_t end) {
    for (int64_t line = begin, stop; line < end; line = stop) {
      const int64_t o = line / m;  // divided once for the lines of one outer index
      const T* const from = x + o * n * inner;
      stop = std::min(end, (o + 1) * m);
      if (inner == 1) {
        for (int64_t j = line; j < stop; ++j) y[j] = from[index[j]];
        continue;
      }
      for (int64_t j = line * inner; j < stop * inner; j += inner)
        for (int64_t i = 0; i < inner; ++i) y[j + i] = from[index[j + i] * inner + i];
    }
  });
}

template <Reduce op, class T>
void scatter_reduce(const Context& context, int64_t outer, int64_t n, int64_t m, int64_t inner,
                    const T* x, const int64_t* index, T* y) {
  // Columns are independent of each other: threads share out (outer, blocks of inner).
  const int64_t width = std::min<int64_t>(inner, 1024);
  const int64_t blocks = width == 0 ? 0 : (inner + width - 1) / width;
  context.parallel_for(outer * blocks, grain_for(m * width), [&](int64_t begin, int64_t end) {
    for (int64_t item = begin; item < end; ++item) {
      const int64_t o = item / blocks, first = item % blocks * width;
      const int64_t last = std::min(inner, first + width);
      T* const to = y + o * n * inner;
      if (inner == 1) {
        for (int64_t j = o * m; j < (o + 1) * m; ++j) reduce_to<op>(to + index[j], x[j]);
        continue;
      }
      for (int64_t j = 0; j < m; ++j) {
        const int64_t line = (o * m + j) * inner;
        for (int64_t i = first; i < last; ++i)
          reduce_to<op>(to + index[line + i] * inner + i, x[line + i]);
      }
    }
  });
}

template <class T>
void scatter_reduce_launch(const Context& context, Reduce op, int64_t outer, int64_t n, int64_t m,
                           int64_t inner, const void* x, const int64_t* index, void* y) {
  const auto run = op == Reduce::sum    ? scatter_reduce<Reduce::sum, T>
                   : op == Reduce::prod ? scatter_reduce<Reduce::prod, T>
                   : op == Reduce::amax ? scatter_reduce<Reduce::amax, T>
                                        : scatter_reduce<Reduce::amin, T>;
  run(context, outer, n, m, inner, static_cast<const T*>(x), index, static_cast<T*>(y));
}

}  // namespace

void register_index(Registry& registry) {
  registry.add<first_out_of_range>(DType::i64, first_bad);
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t, bool>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<gather_rows>(dtype_of<T>::value, gather_rows_launch<Bytes<T>>);
    registry.add<gather_forward>(dtype_of<T>::value, gather_launch<Bytes<T>>);
  });
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<scatter_add_rows>(dtype_of<T>::value, scatter_add_rows_launch<T>);
    registry.add<scatter_reduce_forward>(dtype_of<T>::value, scatter_reduce_launch<T>);
  });
}

}  // namespace fastdl::cpu
