// Sorting by the radix sort of cuda/sort.cuh: all rows together, by row and key in one word where both
// fit, else by key and then, stably, by row. The first few of a row are sorted out in the same way.
#include "ops/sort.h"

#include "core/dtype.h"
#include "core/sort_key.h"
#include "cuda/launch.cuh"
#include "cuda/register.h"
#include "cuda/sort.cuh"

namespace fastdl::cuda {
namespace {

// kernels

// keys[e] = the row of x[e], above `bits` bits of its key.
template <class T, class Word>
__global__ void __launch_bounds__(kBlock)
    sort_keys_kernel(int64_t numel, int64_t n, int row_shift, bool descending, const T* x,
                     Word* keys) {
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; e < numel;
       e += static_cast<int64_t>(gridDim.x) * kBlock) {
    const KeyWord<T> key = sort_key(x[e]);
    const Word word = static_cast<Word>(descending ? static_cast<KeyWord<T>>(~key) : key);
    keys[e] = row_shift ? static_cast<Word>(static_cast<Word>(e / n) << row_shift | word) : word;
  }
}

// rows[e] = the row of the element that was at positions[e].
template <class Word>
__global__ void __launch_bounds__(kBlock)
    sort_rows_kernel(int64_t numel, int64_t n, const Word* positions, Word* rows) {
  for (int64_t e = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; e < numel;
       e += static_cast<int64_t>(gridDim.x) * kBlock)
    rows[e] = static_cast<Word>(static_cast<int64_t>(positions[e]) / n);
}

// The first k of every row. The element e in order was at first[second[e]]; `second` may be null.
template <class T, class Word>
__global__ void __launch_bounds__(kBlock)
    sort_store_kernel(int64_t rows, int64_t n, int64_t k, const Word* first, const Word* second,
                      const T* x, T* y, int64_t* index) {
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < rows * k;
       i += static_cast<int64_t>(gridDim.x) * kBlock) {
    const int64_t row = i / k, e = row * n + (i - row * k);
    const int64_t from = static_cast<int64_t>(first[second ? static_cast<int64_t>(second[e]) : e]);
    y[i] = x[from];
    index[i] = from - row * n;
  }
}

// y[i] = how many of its row of bounds are below x[i], or not above it.
template <class T>
__global__ void __launch_bounds__(kBlock)
    search_kernel(int64_t numel, int64_t n, int64_t m, bool shared, bool right, const T* bounds,
                  const T* x, int64_t* y) {
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < numel;
       i += static_cast<int64_t>(gridDim.x) * kBlock) {
    const KeyWord<T> v = sort_key(x[i]);
    const T* const row = bounds + (shared ? 0 : i / m * n);
    int64_t first = 0;
    for (int64_t left = n; left > 0;) {
      const int64_t half = left / 2;
      const KeyWord<T> key = sort_key(row[first + half]);
      const bool after = right ? key <= v : key < v;
      first = after ? first + half + 1 : first;
      left = after ? left - half - 1 : half;
    }
    y[i] = first;
  }
}

// launchers

int bits_of(int64_t limit) {  // to tell [0, limit) apart
  int bits = 0;
  while (bits < 63 && (int64_t{1} << bits) < limit) ++bits;
  return bits;
}

// The word whose values are below 2^bits; of 64 bits that is 0, which KeySort takes for 2^64.
uint64_t limit_of(int bits) { return bits < 64 ? uint64_t{1} << bits : 0; }

// A word of 32 bits is only asked to hold what fits.
template <class T, class Word>
void sort_rows(const Context& context, const SortTask& t, const T* x, T* y, int64_t* index) {
  constexpr int kKeyBits = 8 * sizeof(T);
  const int64_t numel = t.rows * t.n;
  const dim3 grid = loop_grid(numel);
  const bool together = kKeyBits + bits_of(t.rows) <= static_cast<int>(8 * sizeof(Word));
  const int row_shift = together && t.rows > 1 ? kKeyBits : 0;
  KeySort<Word> sorted(context, numel, limit_of(kKeyBits + (together ? bits_of(t.rows) : 0)));
  launch(context, sort_keys_kernel<T, Word>, grid, dim3(kBlock), numel, t.n, row_shift,
         t.descending, x, sorted.keys());
  sorted.sort();
  const auto store = [&](const Word* second) {
    launch(context, sort_store_kernel<T, Word>, loop_grid(t.rows * t.k), dim3(kBlock), t.rows, t.n,
           t.k, sorted.positions(), second, x, y, index);
  };
  if (together) return store(nullptr);
  if constexpr (sizeof(Word) == 8) {
    KeySort<Word> by_row(context, numel, static_cast<uint64_t>(t.rows));
    launch(context, sort_rows_kernel<Word>, grid, dim3(kBlock), numel, t.n, sorted.positions(),
           by_row.keys());
    by_row.sort();
    store(by_row.positions());
  }
}

template <class T>
void sort_launch(const Context& context, const SortTask& t, const void* x_, void* y_,
                 int64_t* index) {
  if (t.rows * t.k == 0) return;
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  if constexpr (sizeof(T) <= 4)
    if (t.rows * t.n <= int64_t{UINT32_MAX} &&
        8 * static_cast<int>(sizeof(T)) + bits_of(t.rows) <= 32)
      return sort_rows<T, uint32_t>(context, t, x, y, index);
  sort_rows<T, uint64_t>(context, t, x, y, index);
}

template <class T>
void search_launch(const Context& context, int64_t rows, int64_t n, int64_t m, bool shared,
                   bool right, const void* bounds, const void* x, int64_t* y) {
  if (rows * m == 0) return;
  launch(context, search_kernel<T>, loop_grid(rows * m), dim3(kBlock), rows * m, n, m, shared,
         right, static_cast<const T*>(bounds), static_cast<const T*>(x), y);
}

}  // namespace

void register_sort(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<sort_forward>(dtype_of<T>::value, sort_launch<T>);
    registry.add<search_sorted>(dtype_of<T>::value, search_launch<T>);
  });
  registry.add<sort_forward>(DType::boolean, sort_launch<uint8_t>);
}

}  // namespace fastdl::cuda
