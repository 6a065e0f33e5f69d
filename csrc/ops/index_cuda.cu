// Reading and reducing by index.
//
// Sums and the like run in the order of the source, without atomics. Where there are columns enough, a thread
// owns a column of the table and walks down its sources. Else the destinations are sorted, stably
// (cuda/sort.cuh): the sources of a destination are then neighbours, in order, and a group of
// threads adds them up. A destination with very many sources is one long sum, in parallel along the
// row only; that is the price of its order.
#include <algorithm>

#include "core/dtype.h"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"
#include "cuda/register.h"
#include "cuda/sort.cuh"
#include "ops/index.h"

namespace fastdl::cuda {
namespace {

// What reductions of T are formed in: float for 16-bit floats, and for sums and products integers that
// wrap around.
template <Reduce op, class T>
using Total = std::conditional_t<op == Reduce::sum || op == Reduce::prod,
                                 typename wrapping_type<Compute<T>>::type, Compute<T>>;

template <Reduce op, class T>
__device__ inline Total<op, T> widen(T x) {
  return static_cast<Total<op, T>>(static_cast<Compute<T>>(x));
}
template <Reduce op, class T>
__device__ inline T narrow(Total<op, T> x) {
  return T(static_cast<Compute<T>>(x));
}
template <Reduce op, class C>
__device__ inline C combined(C a, C b) {
  if constexpr (op == Reduce::sum) return a + b;
  if constexpr (op == Reduce::prod) return a * b;
  return (op == Reduce::amax ? b > a : b < a) || b != b ? b : a;
}

// kernels

// A reducer of cuda/reduce.cuh.
struct FirstOutOfRange {
  using Acc = int64_t;
  static constexpr int64_t kNone = INT64_MAX;
  uint64_t low, width;
  __device__ Acc init() const { return kNone; }
  __device__ Acc add(Acc first, int64_t index, int64_t i) const {
    return static_cast<uint64_t>(index) - low < width ? first : min(first, i);
  }
  __device__ Acc combine(Acc a, Acc b) const { return min(a, b); }
  __device__ int64_t finish(Acc first) const { return first == kNone ? -1 : first; }
  static __device__ Acc shuffle(Acc first, int mask) { return shuffle_xor(first, mask); }
};

__global__ void __launch_bounds__(kBlock)
    guard_kernel(int64_t n, const int64_t* index, int64_t low, uint64_t width,
                 const int64_t* position, int64_t* safe, int64_t* report) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock, first = *position;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < n; i += threads) {
    const int64_t value = index[i];
    safe[i] = static_cast<uint64_t>(value) - static_cast<uint64_t>(low) < width ? value : low;
    if (i == first) report[0] = i, report[1] = value;
  }
}

// Rows of `groups` times V neighbours. Block of (threads along a row, rows).
template <int V, class T>
__global__ void __launch_bounds__(kBlock)
    gather_rows_kernel(int64_t count, int64_t groups, const T* x, const int64_t* index, T* y) {
  const int64_t rows = static_cast<int64_t>(gridDim.x) * blockDim.y;
  const int64_t threads = static_cast<int64_t>(gridDim.y) * blockDim.x;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; i < count;
       i += rows) {
    const T* const from = x + index[i] * groups * V;
    T* const to = y + i * groups * V;
    for (int64_t g = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x; g < groups;
         g += threads)
      store_pack<V>(to + g * V, load_pack<V>(from + g * V));
  }
}

// `walk` gives the offset of (o, j, i) in y and index, and that of (o, 0, i) in x.
template <class T>
__global__ void __launch_bounds__(kBlock)
    gather_kernel(const __grid_constant__ Index<2> walk, uint32_t numel, int64_t inner, const T* x,
                  const int64_t* index, T* y) {
  for (uint32_t e = blockIdx.x * kBlock + threadIdx.x; e < numel; e += gridDim.x * kBlock) {
    int64_t at[2];
    walk.offsets(e, at);
    y[at[0]] = x[at[1] + index[at[0]] * inner];
  }
}

// A thread per column (o, i): `walk` gives the offsets of (o, 0, i) in x and index, and in y.
template <Reduce op, class T>
__global__ void __launch_bounds__(kBlock)
    reduce_columns_kernel(const __grid_constant__ Index<2> walk, uint32_t columns, int64_t m,
                          int64_t inner, const T* x, const int64_t* index, T* y) {
  for (uint32_t e = blockIdx.x * kBlock + threadIdx.x; e < columns; e += gridDim.x * kBlock) {
    int64_t at[2];
    walk.offsets(e, at);
#pragma unroll 2
    for (int64_t j = 0; j < m; ++j) {
      const int64_t from = at[0] + j * inner;
      T* const to = y + at[1] + index[from] * inner;
      *to = narrow<op, T>(combined<op>(widen<op>(*to), widen<op>(x[from])));
    }
  }
}

// keys[o, j, i] = the destination of (o, j, i); `walk` as in gather_kernel.
template <class Word>
__global__ void __launch_bounds__(kBlock)
    destinations_kernel(const __grid_constant__ Index<2> walk, uint32_t numel, int64_t first,
                        int64_t inner, const int64_t* index, Word* keys) {
  for (uint32_t e = blockIdx.x * kBlock + threadIdx.x; e < numel; e += gridDim.x * kBlock) {
    int64_t at[2];
    walk.offsets(e, at);
    keys[at[0]] = static_cast<Word>(first + at[1] + index[at[0]] * inner);
  }
}

// y[keys[s], :] = op(that, x[positions[s], :]) for every run of equal keys, in order. Rows and blocks as in
// gather_rows_kernel. The threads of the run's first key see to it.
template <Reduce op, int V, class T, class Word>
__global__ void __launch_bounds__(kBlock, 2)
    reduce_runs_kernel(int64_t count, int64_t groups, const Word* keys, const Word* positions,
                       const T* x, T* y) {
  constexpr int kAhead = 8;  // sources whose loads are under way together
  const int64_t width = groups * V;
  const int64_t rows = static_cast<int64_t>(gridDim.x) * blockDim.y;
  const int64_t threads = static_cast<int64_t>(gridDim.y) * blockDim.x;
  for (int64_t first = static_cast<int64_t>(blockIdx.x) * blockDim.y + threadIdx.y; first < count;
       first += rows) {
    const Word key = keys[first];
    if (first > 0 && keys[first - 1] == key) continue;
    for (int64_t g = static_cast<int64_t>(blockIdx.y) * blockDim.x + threadIdx.x; g < groups;
         g += threads) {
      const T* const column = x + g * V;
      T* const to = y + static_cast<int64_t>(key) * width + g * V;
      Pack<T, V> out = load_pack<V>(to);
      Total<op, T> total[V];
#pragma unroll
      for (int v = 0; v < V; ++v) total[v] = widen<op>(out.v[v]);
      int found = kAhead;
      for (int64_t s = first; found == kAhead; s += kAhead) {
        found = 0;
#pragma unroll
        for (int a = 0; a < kAhead; ++a) found += s + a < count && keys[s + a] == key;
        Pack<T, V> from[kAhead];
#pragma unroll
        for (int a = 0; a < kAhead; ++a)
          if (a < found)
            from[a] = load_pack<V>(column + static_cast<int64_t>(positions[s + a]) * width);
#pragma unroll
        for (int a = 0; a < kAhead; ++a)
#pragma unroll
          for (int v = 0; v < V; ++v)
            if (a < found) total[v] = combined<op>(total[v], widen<op>(from[a].v[v]));
      }
#pragma unroll
      for (int v = 0; v < V; ++v) out.v[v] = narrow<op, T>(total[v]);
      store_pack<V>(to, out);
    }
  }
}

// launchers

// index[outer, m, inner] points into a table [outer, n, inner].
struct Lanes {
  int64_t outer, n, m, inner;

  // Over (o, j, i) with j < steps: offsets in index, and of (o, 0, i) in the table.
  Strided<2> walk(int64_t steps) const {
    const int64_t size[] = {inner, steps, outer};
    const int64_t stride[2][3] = {{1, inner, m * inner}, {1, 0, n * inner}};
    Strided<2> out;
    for (int d = 0; d < 3; ++d) {
      out.numel *= size[d];
      if (size[d] == 1) continue;
      out.size[out.ndim] = size[d];
      for (int k = 0; k < 2; ++k) out.stride[k][out.ndim] = stride[k][d];
      ++out.ndim;
    }
    return out;
  }
};

// Blocks of threads for rows of `groups`: narrow rows share one.
dim3 row_block(int64_t groups) {
  unsigned lanes = 1;
  while (lanes < kBlock && lanes < groups) lanes *= 2;
  return dim3(lanes, kBlock / lanes);
}
dim3 row_grid(int64_t rows, int64_t groups, dim3 block) {
  constexpr int64_t kMost = 65535;
  return dim3(static_cast<unsigned>(std::min(ceil_div(rows, block.y), kMost)),
              static_cast<unsigned>(std::min(ceil_div(groups, block.x), kMost)));
}

void first_out_of_range_launch(const Context& context, int64_t n, const int64_t* index, int64_t low,
                               int64_t limit, int64_t* position) {
  const FirstOutOfRange bad{static_cast<uint64_t>(low),
                            static_cast<uint64_t>(limit) - static_cast<uint64_t>(low)};
  Strided<2> kept;
  Strided<1> reduced;
  reduced.ndim = 1;
  reduced.numel = reduced.size[0] = n;
  reduced.stride[0][0] = 1;
  reduce(context, kept, reduced, bad, index, position);
}

void guard_indices_launch(const Context& context, int64_t n, const int64_t* index, int64_t low,
                          int64_t limit, const int64_t* position, int64_t* safe, int64_t* report) {
  launch(context, guard_kernel, loop_grid(n), dim3(kBlock), n, index, low,
         static_cast<uint64_t>(limit) - static_cast<uint64_t>(low), position, safe, report);
}

// Moves bytes: one instance for every dtype of a size, and one for rows of whole 16-byte groups.
template <class T>
void gather_rows_launch(const Context& context, int64_t count, int64_t width, const void* x,
                        const int64_t* index, void* y) {
  if (count == 0 || width == 0) return;
  const auto go = [&](auto v, auto word, int64_t groups) {
    using Word = decltype(word);
    const dim3 block = row_block(groups);
    launch(context, gather_rows_kernel<decltype(v)::value, Word>, row_grid(count, groups, block),
           block, count, groups, static_cast<const Word*>(x), index, static_cast<Word*>(y));
  };
  constexpr int64_t kPerGroup = 16 / sizeof(T);
  if (width % kPerGroup == 0 && is_aligned(x, 16) && is_aligned(y, 16))
    go(std::integral_constant<int, 2>{}, uint64_t{}, width / kPerGroup);
  else
    go(std::integral_constant<int, 1>{}, T{}, width);
}

template <class T>
void gather_launch(const Context& context, int64_t outer, int64_t n, int64_t m, int64_t inner,
                   const void* x, const int64_t* index, void* y) {
  for_slices(Lanes{outer, n, m, inner}.walk(m), [&](const Strided<2>& s, const int64_t (&at)[2]) {
    launch(context, gather_kernel<T>, loop_grid(s.numel), dim3(kBlock), Index<2>(s),
           static_cast<uint32_t>(s.numel), inner, static_cast<const T*>(x) + at[1], index + at[0],
           static_cast<T*>(y) + at[0]);
  });
}

// Rows of `width` of y, a table [outer * n * inner, width], by sorted destinations.
template <Reduce op, class T, class Word>
void reduce_sorted(const Context& context, const Lanes& lanes, int64_t width, const T* x,
                   const int64_t* index, T* y) {
  const Strided<2> walk = lanes.walk(lanes.m);
  KeySort<Word> sorted(context, walk.numel,
                       static_cast<uint64_t>(lanes.outer * lanes.n * lanes.inner));
  for_slices(walk, [&](const Strided<2>& s, const int64_t (&at)[2]) {
    launch(context, destinations_kernel<Word>, loop_grid(s.numel), dim3(kBlock), Index<2>(s),
           static_cast<uint32_t>(s.numel), at[1], lanes.inner, index + at[0],
           sorted.keys() + at[0]);
  });
  sorted.sort();
  const auto go = [&](auto v) {
    constexpr int V = decltype(v)::value;
    const int64_t groups = width / V;
    const dim3 block = row_block(groups);
    launch(context, reduce_runs_kernel<op, V, T, Word>, row_grid(walk.numel, groups, block), block,
           walk.numel, groups, sorted.keys(), sorted.positions(), x, y);
  };
  if constexpr (op == Reduce::sum) {  // the others come in rows of one element
    constexpr int kPerGroup = std::min(8, static_cast<int>(16 / sizeof(T)));  // registers
    if (width % kPerGroup == 0 && is_aligned(x, 16) && is_aligned(y, 16))
      return go(std::integral_constant<int, kPerGroup>{});
  }
  go(std::integral_constant<int, 1>{});
}

template <Reduce op, class T>
void reduce_by_destination(const Context& context, const Lanes& lanes, int64_t width,
                           const void* x_, const int64_t* index, void* y_) {
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const int64_t columns = lanes.outer * lanes.inner;
  if (std::max(lanes.n, lanes.m) * columns <= int64_t{UINT32_MAX})
    reduce_sorted<op, T, uint32_t>(context, lanes, width, x, index, y);
  else
    reduce_sorted<op, T, uint64_t>(context, lanes, width, x, index, y);
}

template <class T>
void scatter_add_rows_launch(const Context& context, int64_t count, int64_t width, int64_t rows,
                             const void* x, const int64_t* index, void* y) {
  if (count == 0 || width == 0) return;
  reduce_by_destination<Reduce::sum, T>(context, {1, rows, count, 1}, width, x, index, y);
}

template <Reduce op, class T>
void scatter_reduce(const Context& context, int64_t outer, int64_t n, int64_t m, int64_t inner,
                    const void* x, const int64_t* index, void* y) {
  const Lanes lanes{outer, n, m, inner};
  const int64_t columns = outer * inner;
  if (columns * m == 0) return;
  // Enough columns to keep a device busy, or so few steps that sorting takes longer. Sums of 16-bit
  // floats are to be rounded once, and a column's are kept in y.
  constexpr int64_t kEnoughColumns = 16384, kFewSteps = 128;
  const bool by_column = sizeof(T) == 2 ? m == 1 : columns >= kEnoughColumns || m <= kFewSteps;
  if (!by_column) return reduce_by_destination<op, T>(context, lanes, 1, x, index, y);
  for_slices(lanes.walk(1), [&](const Strided<2>& s, const int64_t (&at)[2]) {
    launch(context, reduce_columns_kernel<op, T>, loop_grid(s.numel), dim3(kBlock), Index<2>(s),
           static_cast<uint32_t>(s.numel), m, inner, static_cast<const T*>(x) + at[0],
           index + at[0], static_cast<T*>(y) + at[1]);
  });
}

template <class T>
void scatter_reduce_launch(const Context& context, Reduce op, int64_t outer, int64_t n, int64_t m,
                           int64_t inner, const void* x, const int64_t* index, void* y) {
  const auto run = op == Reduce::sum    ? scatter_reduce<Reduce::sum, T>
                   : op == Reduce::prod ? scatter_reduce<Reduce::prod, T>
                   : op == Reduce::amax ? scatter_reduce<Reduce::amax, T>
                                        : scatter_reduce<Reduce::amin, T>;
  run(context, outer, n, m, inner, x, index, y);
}

}  // namespace

void register_index(Registry& registry) {
  registry.add<first_out_of_range>(DType::i64, first_out_of_range_launch);
  registry.add<guard_indices>(DType::i64, guard_indices_launch);
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

}  // namespace fastdl::cuda
