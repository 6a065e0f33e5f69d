// Running sums, products and extremes. Along contiguous elements a row is one chain, and rows are dealt out to
// threads; elsewhere columns advance together, a register of them at a time.
#include "ops/scan.h"

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/math.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 32768;  // elements worth a chunk of threads
constexpr int64_t kTile = 256;    // columns that advance together

// Integers wrap around.
template <class T>
struct Total {
  using type = Compute<T>;
};
template <>
struct Total<int32_t> {
  using type = uint32_t;
};
template <>
struct Total<int64_t> {
  using type = uint64_t;
};

template <Scan op, class C>
C combine(C a, C b) {
  return op == Scan::sum ? a + b : a * b;
}

// kernels

template <Scan op, class T>
void scan_row(int64_t n, int64_t step, const T* x, T* y) {
  using C = typename Total<T>::type;
  C total = op == Scan::sum ? 0 : 1;
  for (int64_t i = 0; i < n; ++i, x += step, y += step)
    *y = T(total = combine<op>(total, static_cast<C>(*x)));
}

template <Scan op, class T>
void scan_columns(int64_t n, int64_t row, int64_t width, const T* x, T* y) {
  using C = typename Total<T>::type;
  C total[kTile];
  std::fill_n(total, width, C(op == Scan::sum ? 0 : 1));
  for (int64_t i = 0; i < n; ++i, x += row, y += row)
    for (int64_t k = 0; k < width; ++k)
      y[k] = T(total[k] = combine<op>(total[k], static_cast<C>(x[k])));
}

// Whether `next` takes the place of the extreme so far: also where it equals it, or is NaN.
template <bool largest, class C>
bool wins(C next, C best) {
  return (largest ? next >= best : next <= best) || next != next;
}

template <bool largest, class T>
void extreme_row(int64_t n, const T* x, T* y, int64_t* index) {
  using C = Compute<T>;
  int64_t best = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (wins<largest>(static_cast<C>(x[i]), static_cast<C>(x[best]))) best = i;
    y[i] = x[best];
    index[i] = best;
  }
}

// Each row of y and of index goes on from the one above it.
template <bool largest, class T>
void extreme_columns(int64_t n, int64_t row, int64_t width, const T* x, T* y, int64_t* index) {
  using C = Compute<T>;
  std::copy_n(x, width, y);
  std::fill_n(index, width, 0);
  for (int64_t i = 1; i < n; ++i) {
    x += row, y += row, index += row;
    for (int64_t k = 0; k < width; ++k) {
      const bool won = wins<largest>(static_cast<C>(x[k]), static_cast<C>(y[k - row]));
      y[k] = won ? x[k] : y[k - row];
      index[k] = won ? i : index[k - row];
    }
  }
}

// launchers

// Calls lane(first element, columns) for every lane, or block of lanes side by side.
template <class F>
void for_lanes(const Context& context, int64_t outer, int64_t n, int64_t inner, F lane) {
  const int64_t tiles = (inner + kTile - 1) / kTile;
  const int64_t work = std::max<int64_t>(1, n * std::min(inner, kTile));
  context.parallel_for(outer * tiles, std::max<int64_t>(1, kWork / work),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t item = begin; item < end; ++item) {
                           const int64_t column = item % tiles * kTile;
                           lane(item / tiles * n * inner + column, std::min(kTile, inner - column));
                         }
                       });
}

template <Scan op, class T>
void scan(const Context& context, bool reverse, int64_t outer, int64_t n, int64_t inner, const T* x,
          T* y) {
  const int64_t step = reverse ? -inner : inner, start = reverse ? (n - 1) * inner : 0;
  for_lanes(context, outer, n, inner, [&](int64_t first, int64_t width) {
    const int64_t at = first + start;
    if (inner == 1)
      scan_row<op>(n, step, x + at, y + at);
    else
      scan_columns<op>(n, step, width, x + at, y + at);
  });
}

template <bool largest, class T>
void scan_extremes(const Context& context, int64_t outer, int64_t n, int64_t inner, const T* x,
                   T* y, int64_t* index) {
  for_lanes(context, outer, n, inner, [&](int64_t at, int64_t width) {
    if (inner == 1)
      extreme_row<largest>(n, x + at, y + at, index + at);
    else
      extreme_columns<largest>(n, inner, width, x + at, y + at, index + at);
  });
}

template <class T>
void scan_extreme_launch(const Context& context, bool largest, int64_t outer, int64_t n,
                         int64_t inner, const void* x, void* y, int64_t* index) {
  if (outer * n * inner == 0) return;
  const auto run = largest ? scan_extremes<true, T> : scan_extremes<false, T>;
  run(context, outer, n, inner, static_cast<const T*>(x), static_cast<T*>(y), index);
}

template <class T>
void scan_launch(const Context& context, Scan op, bool reverse, int64_t outer, int64_t n,
                 int64_t inner, const void* x, void* y) {
  if (outer * n * inner == 0) return;
  const auto run = op == Scan::sum ? scan<Scan::sum, T> : scan<Scan::prod, T>;
  run(context, reverse, outer, n, inner, static_cast<const T*>(x), static_cast<T*>(y));
}

}  // namespace

void register_scan(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<scan_forward>(dtype_of<T>::value, scan_launch<T>);
  });
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<scan_extreme>(dtype_of<T>::value, scan_extreme_launch<T>);
  });
}

}  // namespace fastdl::cpu
