// Reading and writing what index tensors select. Who writes last to a row is found by a stable sort
// before anybody writes, so that no two threads write to one element.
#include "core/dtype.h"
#include "cuda/elementwise.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "cuda/sort.cuh"
#include "ops/select.h"

namespace fastdl::cuda {
namespace {

// Moved in one access where rows allow it.
struct alignas(16) Wide {
  uint64_t half[2];
};

// kernels

struct AddIndex {
  int64_t size, step;
  __device__ int64_t operator()(int64_t index, int64_t row) const {
    return row + (index < 0 ? index + size : index) * step;
  }
};

template <class T>
__global__ void __launch_bounds__(kBlock)
    read_rows_kernel(const __grid_constant__ Index<3> walk, uint32_t numel, int64_t step,
                     const T* table, const int64_t* row, T* y) {
  for (uint32_t e = blockIdx.x * kBlock + threadIdx.x; e < numel; e += gridDim.x * kBlock) {
    int64_t at[3];
    walk.offsets(e, at);
    y[at[2]] = table[at[0] + row[at[1]] * step];
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    write_rows_kernel(const __grid_constant__ Index<3> walk, uint32_t numel, int64_t step,
                      const T* x, const int64_t* row, const bool* last, T* table) {
  for (uint32_t e = blockIdx.x * kBlock + threadIdx.x; e < numel; e += gridDim.x * kBlock) {
    int64_t at[3];
    walk.offsets(e, at);
    if (!last || last[at[1]]) table[at[0] + row[at[1]] * step] = x[at[2]];
  }
}

template <class Word>
__global__ void __launch_bounds__(kBlock) keys_kernel(int64_t n, const int64_t* row, Word* keys) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < n; i += threads)
    keys[i] = static_cast<Word>(row[i]);
}

template <class Word>
__global__ void __launch_bounds__(kBlock)
    last_of_runs_kernel(int64_t n, const Word* keys, const Word* positions, bool* last) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < n; i += threads)
    last[positions[i]] = i + 1 == n || keys[i + 1] != keys[i];
}

// before[c] = how many of chunk c are true. A block per chunk.
__global__ void __launch_bounds__(kBlock)
    count_true_kernel(int64_t n, const uint8_t* mask, int64_t* before) {
  __shared__ uint32_t warp_sums[detail::kSortWarps];
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kMaskChunk;
  uint32_t count = 0;
  for (int64_t k = threadIdx.x; k < kMaskChunk; k += kBlock)
    if (first + k < n) count += mask[first + k] != 0;
  uint32_t all;
  detail::block_exclusive_scan(count, warp_sums, &all);
  if (threadIdx.x == 0) before[blockIdx.x] = all;
}

// Counts become the sums of those before; the sum of all comes behind them. One block.
__global__ void __launch_bounds__(kBlock) sum_chunks_kernel(int64_t chunks, int64_t* before) {
  __shared__ int64_t warp_sums[detail::kSortWarps];
  int64_t done = 0;
  for (int64_t begin = 0; begin < chunks; begin += kBlock) {
    const int64_t c = begin + threadIdx.x;
    int64_t sum;
    const int64_t x =
        detail::block_exclusive_scan(c < chunks ? before[c] : int64_t{0}, warp_sums, &sum);
    if (c < chunks) before[c] = done + x;
    done += sum;
  }
  if (threadIdx.x == 0) before[chunks] = done;
}

// A block per chunk.
__global__ void __launch_bounds__(kBlock)
    list_true_kernel(int64_t n, const uint8_t* mask, const int64_t* before, int64_t* position) {
  __shared__ uint32_t warp_sums[detail::kSortWarps];
  const int64_t first = static_cast<int64_t>(blockIdx.x) * kMaskChunk;
  int64_t done = before[blockIdx.x];
  for (int64_t begin = first; begin < first + kMaskChunk; begin += kBlock) {
    const int64_t i = begin + threadIdx.x;
    const bool hit = i < n && mask[i] != 0;
    uint32_t all;
    const uint32_t at = detail::block_exclusive_scan(hit ? 1u : 0u, warp_sums, &all);
    if (hit) position[done + at] = i;
    done += all;
  }
}

// launchers

void add_index_launch(const Context& context, const Strided<2>& walk, int64_t size, int64_t step,
                      const int64_t* index, int64_t* row) {
  // `row` is operand and result.
  Strided<3> both;
  both.ndim = walk.ndim;
  both.numel = walk.numel;
  for (int d = 0; d < walk.ndim; ++d) {
    both.size[d] = walk.size[d];
    both.stride[0][d] = walk.stride[0][d];
    both.stride[1][d] = both.stride[2][d] = walk.stride[1][d];
  }
  elementwise(context, both, AddIndex{size, step}, row, index, static_cast<const int64_t*>(row));
}

// The same walk in words of v elements, if stretches of v lie side by side in both operands.
bool widen(Strided<3>& walk, int64_t v, int64_t& step, const void* table, const void* other) {
  if (walk.ndim == 0 || walk.stride[0][0] != 1 || walk.stride[1][0] != 0 ||
      walk.stride[2][0] != 1 || walk.size[0] % v != 0 || step % v != 0)
    return false;
  for (int d = 1; d < walk.ndim; ++d)
    if (walk.stride[0][d] % v != 0 || walk.stride[2][d] % v != 0) return false;
  if (!is_aligned(table, sizeof(Wide)) || !is_aligned(other, sizeof(Wide))) return false;
  for (int d = 1; d < walk.ndim; ++d) walk.stride[0][d] /= v, walk.stride[2][d] /= v;
  walk.size[0] /= v;
  walk.numel /= v;
  step /= v;
  return true;
}

template <class T>
void read_rows_launch(const Context& context, const Strided<3>& walk, int64_t step,
                      const void* table, const int64_t* row, void* y) {
  const auto go = [&](auto word, const Strided<3>& whole, int64_t words) {
    using Word = decltype(word);
    for_slices(whole, [&](const Strided<3>& s, const int64_t (&at)[3]) {
      launch(context, read_rows_kernel<Word>, loop_grid(s.numel), dim3(kBlock), Index<3>(s),
             static_cast<uint32_t>(s.numel), words, static_cast<const Word*>(table) + at[0],
             row + at[1], static_cast<Word*>(y) + at[2]);
    });
  };
  Strided<3> wide = walk;
  int64_t words = step;
  if (widen(wide, sizeof(Wide) / sizeof(T), words, table, y))
    go(Wide{}, wide, words);
  else
    go(T{}, walk, step);
}

template <class T>
void write_rows_launch(const Context& context, const Strided<3>& walk, int64_t step, const void* x,
                       const int64_t* row, const bool* last, void* table) {
  const auto go = [&](auto word, const Strided<3>& whole, int64_t words) {
    using Word = decltype(word);
    for_slices(whole, [&](const Strided<3>& s, const int64_t (&at)[3]) {
      launch(context, write_rows_kernel<Word>, loop_grid(s.numel), dim3(kBlock), Index<3>(s),
             static_cast<uint32_t>(s.numel), words, static_cast<const Word*>(x) + at[2],
             row + at[1], last ? last + at[1] : nullptr, static_cast<Word*>(table) + at[0]);
    });
  };
  Strided<3> wide = walk;
  int64_t words = step;
  if (widen(wide, sizeof(Wide) / sizeof(T), words, table, x))
    go(Wide{}, wide, words);
  else
    go(T{}, walk, step);
}

template <class Word>
void find_last(const Context& context, int64_t n, int64_t limit, const int64_t* row, bool* last) {
  KeySort<Word> sorted(context, n, static_cast<uint64_t>(limit));
  launch(context, keys_kernel<Word>, loop_grid(n), dim3(kBlock), n, row, sorted.keys());
  sorted.sort();
  launch(context, last_of_runs_kernel<Word>, loop_grid(n), dim3(kBlock), n,
         static_cast<const Word*>(sorted.keys()), sorted.positions(), last);
}

void last_of_each_launch(const Context& context, int64_t n, int64_t limit, const int64_t* row,
                         bool* last) {
  if (n == 0) return;
  if (std::max(n, limit) <= int64_t{UINT32_MAX})
    find_last<uint32_t>(context, n, limit, row, last);
  else
    find_last<uint64_t>(context, n, limit, row, last);
}

void count_true_launch(const Context& context, int64_t n, const bool* mask, int64_t* before) {
  const int64_t chunks = ceil_div(n, kMaskChunk);
  if (chunks > 0)
    launch(context, count_true_kernel, dim3(static_cast<unsigned>(chunks)), dim3(kBlock), n,
           reinterpret_cast<const uint8_t*>(mask), before);
  launch(context, sum_chunks_kernel, dim3(1), dim3(kBlock), chunks, before);
}

void list_true_launch(const Context& context, int64_t n, const bool* mask, const int64_t* before,
                      int64_t* position) {
  if (n == 0) return;
  launch(context, list_true_kernel, dim3(static_cast<unsigned>(ceil_div(n, kMaskChunk))),
         dim3(kBlock), n, reinterpret_cast<const uint8_t*>(mask), before, position);
}

}  // namespace

void register_select(Registry& registry) {
  registry.add<add_index>(DType::i64, add_index_launch);
  registry.add<last_of_each>(DType::i64, last_of_each_launch);
  registry.add<count_true>(DType::boolean, count_true_launch);
  registry.add<list_true>(DType::boolean, list_true_launch);
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t, bool>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<read_rows>(dtype_of<T>::value, read_rows_launch<Bytes<T>>);
    registry.add<write_rows>(dtype_of<T>::value, write_rows_launch<Bytes<T>>);
  });
}

}  // namespace fastdl::cuda
