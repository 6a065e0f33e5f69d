// What softmax and cross entropy share: who works on a line, and a line's sum of exponentials.
//
// A line is shared by a team of threads, thread r of which takes the elements
// [(j * threads + r) * V, + V), j = 0, 1, ... Neighbouring threads take neighbouring memory: along
// the line where its elements are contiguous (RowTeam), across lines elsewhere (ColumnTeam).
#pragma once

#include <limits>

#include "cuda/channel_sums.cuh"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"

namespace fastdl::cuda {

// Blocks that an SM should hold, for __launch_bounds__. The compiler's own choice (0) is good, but
// for the exponentials of doubles it is more than registers suffice for.
template <class T>
inline constexpr int kResident = sizeof(T) == 8 ? 2 : 0;

// The lines of a contiguous x[outer, n, inner], along n.
struct Lines {
  int64_t count, n, inner;
};

// `threads` neighbours: a part of a warp, a warp, or the block. n is a multiple of V.
template <int threads, int V_>
struct RowTeam {
  static constexpr int V = V_, kStep = threads * V, kSlots = kBlock / kWarp;
  int64_t base, n, first;  // where the line begins; its length; our first element

  // n = 0 for those who have no line: they take part in all_reduce.
  __device__ explicit RowTeam(const Lines& lines) : RowTeam(lines, own_row()) {}
  __device__ RowTeam(const Lines& lines, int64_t line)
      : base(line * lines.n), n(line < lines.count ? lines.n : 0), first(threadIdx.x * V) {}
  static constexpr int kTeams = kBlock / threads;  // of a block
  __device__ static int64_t own_row() { return int64_t{blockIdx.x} * kTeams + threadIdx.y; }
  __device__ int64_t offset(int64_t i) const { return base + i; }
  __device__ static constexpr int64_t stride() { return 1; }
  __device__ static bool leads() { return threadIdx.x == 0; }

  template <class R>
  __device__ typename R::Acc all_reduce(const R& reducer, typename R::Acc acc,
                                        typename R::Acc (&shared)[kSlots]) const {
    if constexpr (threads <= kWarp)
      return warp_reduce<threads>(reducer, acc);
    else
      return block_all_reduce<threads>(reducer, acc, shared);
  }

  static LaunchShape shape(const Lines& lines) {
    return {dim3(static_cast<unsigned>(ceil_div(lines.count, kTeams))), dim3(threads, kTeams)};
  }
};

// Threads of `threads` different warps.
template <int threads>
struct ColumnTeam {
  static constexpr int V = 1, kStep = threads, kColumns = kBlock / threads, kSlots = kBlock;
  int64_t base, n, first, inner;

  __device__ explicit ColumnTeam(const Lines& lines) : inner(lines.inner) {
    const int64_t line = int64_t{blockIdx.x} * kColumns + threadIdx.x;
    base = line / inner * lines.n * inner + line % inner;
    n = line < lines.count ? lines.n : 0;
    first = threadIdx.y;
  }
  __device__ int64_t offset(int64_t i) const { return base + i * inner; }
  __device__ int64_t stride() const { return inner; }

  template <class R>
  __device__ typename R::Acc all_reduce(const R& reducer, typename R::Acc acc,
                                        typename R::Acc (&shared)[kSlots]) const {
    if constexpr (threads > 1) {
      shared[threadIdx.y * kColumns + threadIdx.x] = acc;
      __syncthreads();
      acc = shared[threadIdx.x];
#pragma unroll
      for (int t = 1; t < threads; ++t)
        acc = reducer.combine(acc, shared[t * kColumns + threadIdx.x]);
    }
    return acc;
  }

  static LaunchShape shape(const Lines& lines) {
    return {dim3(static_cast<unsigned>(ceil_div(lines.count, kColumns))), dim3(kColumns, threads)};
  }
};

// f(offset) for all packs of ours.
template <class Team, class F>
__device__ inline void for_packs(const Team& team, F f) {
  for (int64_t i = team.first; i < team.n; i += Team::kStep) f(team.offset(i));
}

// f(j, offset) for pack j of those `packs` that a thread can keep in registers.
template <int packs, class Team, class F>
__device__ inline void for_kept_packs(const Team& team, F f) {
  const int rest = static_cast<int>(team.n - team.first);
  const int64_t begin = team.offset(team.first), step = Team::kStep * team.stride();
#pragma unroll
  for (int j = 0; j < packs; ++j)
    if (j * Team::kStep < rest) f(j, begin + j * step);
}

template <class C>
struct Total {
  using Acc = C;
  __device__ C combine(C a, C b) const { return a + b; }
  static __device__ C shuffle(C acc, int mask) { return shuffle_xor(acc, mask); }
};

// NaN loses here; it comes back through the sum of exponentials.
template <class C>
struct Largest {
  using Acc = C;
  __device__ C combine(C a, C b) const { return b > a ? b : a; }
  static __device__ C shuffle(C acc, int mask) { return shuffle_xor(acc, mask); }
};

template <class C>
struct RowStatistics {
  C max;
  C sum;  // of exp(x - max)
};

// Maximum and sum in one pass: when a larger maximum is found, the sum so far is scaled (Milakov and
// Gimelshein, "Online normalizer calculation for softmax", 2018).
template <class C>
struct OnlineSum {
  using Acc = RowStatistics<C>;
  static constexpr C kLowest = -std::numeric_limits<C>::infinity();

  __device__ Acc init() const { return {kLowest, C(0)}; }

  template <class T, int V>
  __device__ Acc add(Acc acc, const Pack<T, V>& x) const {
    C max = acc.max;
#pragma unroll
    for (int v = 0; v < V; ++v) max = C(x.v[v]) > max ? C(x.v[v]) : max;
    const C origin = finite_origin(max);
    C sum = max > acc.max ? acc.sum * std::exp(acc.max - origin) : acc.sum;
#pragma unroll
    for (int v = 0; v < V; ++v) sum += std::exp(C(x.v[v]) - origin);
    return {max, sum};
  }
  __device__ Acc combine(Acc a, Acc b) const {
    const C max = a.max > b.max ? a.max : b.max, origin = finite_origin(max);
    return {max, a.sum * std::exp(a.max - origin) + b.sum * std::exp(b.max - origin)};
  }
  static __device__ Acc shuffle(Acc acc, int mask) {
    return {shuffle_xor(acc.max, mask), shuffle_xor(acc.sum, mask)};
  }

 private:
  // Elements of -inf are exp(-inf) = 0 as long as there may be others.
  static __device__ C finite_origin(C max) { return max == kLowest ? C(0) : max; }
};

// A line of nothing but -inf has no sum: -inf - -inf is NaN.
template <class C>
__device__ inline RowStatistics<C> checked(RowStatistics<C> acc) {
  if (acc.max == OnlineSum<C>::kLowest) acc.sum = std::numeric_limits<C>::quiet_NaN();
  return acc;
}

// The whole team reaches this.
template <class Team, class T>
__device__ inline RowStatistics<Compute<T>> row_statistics(
    const Team& team, const T* x, bool aligned, RowStatistics<Compute<T>> (&shared)[Team::kSlots]) {
  using C = Compute<T>;
  const OnlineSum<C> online;
  auto acc = online.init();
  for_packs(team,
            [&](int64_t at) { acc = online.add(acc, load_elements<Team::V>(x + at, aligned)); });
  return checked(team.all_reduce(online, acc, shared));
}

// Rows that are longer than registers hold, and too few for a block each: sums of theirs are those of
// several blocks (cuda/channel_sums.cuh), and their elements are shared out in stretches.
inline bool shares_rows(int64_t rows, int64_t n) { return rows < 512 && n > 8192; }

// Calls f with the width of a pack of such rows, a constant. Exponentials of doubles take so many
// registers that doubles are taken one by one.
template <class T, class F>
void with_shared_width(int64_t n, F f) {
  if constexpr (sizeof(T) < 8)
    if (n % kVector<T> == 0) return f(std::integral_constant<int, kVector<T>>{});
  f(std::integral_constant<int, 1>{});
}

// Of row_statistics, for cuda/channel_sums.cuh.
template <class T>
struct RowSum {
  using C = Compute<T>;
  using Part = RowStatistics<C>;
  using Acc = RowStatistics<C>;
  const T* x;

  __device__ Part begin(int64_t) const { return init(); }
  template <int V, int K>
  __device__ void add(Part& part, const int64_t (&at)[K], int taken, bool aligned) const {
    Pack<T, V> in[K];
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (k < taken) in[k] = load_elements<V>(x + at[k], aligned);
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (k < taken) part = OnlineSum<C>{}.add(part, in[k]);
  }
  __device__ Acc total(const Part& part) const { return part; }
  __device__ Acc init() const { return OnlineSum<C>{}.init(); }
  __device__ Acc combine(const Acc& a, const Acc& b) const { return OnlineSum<C>{}.combine(a, b); }
  static __device__ Acc shuffle(const Acc& a, int mask) { return OnlineSum<C>::shuffle(a, mask); }
};

// Blocks that share out the elements of long rows.
struct Stretches {
  int64_t columns;
  uint32_t of_row;
  static constexpr int kPacks = 4;  // of a thread, loaded together

  template <int V>
  static Stretches of(int64_t columns) {
    return {columns, static_cast<uint32_t>(ceil_div(columns, kBlock * kPacks * V))};
  }
  __device__ int64_t row() const { return blockIdx.x / of_row; }
  // f(j, column) for the packs of V columns of this thread.
  template <int V, class F>
  __device__ void for_packs(F f) const {
    const int64_t begin = (int64_t{blockIdx.x % of_row} * (kBlock * kPacks) + threadIdx.x) * V;
#pragma unroll
    for (int j = 0; j < kPacks; ++j)
      if (begin + j * kBlock * V < columns) f(j, begin + j * kBlock * V);
  }
  dim3 grid(int64_t rows) const { return dim3(static_cast<unsigned>(rows * of_row)); }
};

}  // namespace fastdl::cuda
