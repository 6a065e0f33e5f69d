// Reductions over a Strided set of dimensions: y[kept] = R over reduced of x.
//
// Three kernels, chosen by sizes and strides alone. `row` gives one output to a warp or a block,
// whose threads take neighbouring elements of the reduced dimensions; `column` gives each thread an
// output, so that neighbouring threads read neighbouring outputs' elements, and lets 8 threads share
// an output where there is much to reduce. A long reduction to few outputs is cut into parts, whose
// partial results the third kernel, `combine`, joins. There are no atomics: the order of the sum is
// a function of the sizes and strides.
//
// R is a reducer:
//   using Acc;                        what is accumulated, trivially copyable
//   Acc init() const;
//   Acc add(Acc, In x, int64_t r);    takes the r-th element of the reduced dimensions
//   Acc combine(Acc, Acc);            commutative
//   Out finish(Acc);
//   static Acc shuffle(Acc, int mask) the other lane's, by shuffle_xor
#pragma once

#include <algorithm>

#include "cuda/index.cuh"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"

namespace fastdl::cuda {

template <class T>
__device__ inline T shuffle_xor(T x, int mask) {
  return __shfl_xor_sync(0xffffffffu, x, mask);
}

// A sum; integers wrap around.
template <class T>
struct Sum {
  using Acc = typename wrapping_type<Compute<T>>::type;
  __device__ Acc init() const { return Acc(0); }
  __device__ Acc add(Acc acc, T x, int64_t) const {
    return static_cast<Acc>(acc + static_cast<Acc>(Compute<T>(x)));
  }
  __device__ Acc combine(Acc a, Acc b) const { return static_cast<Acc>(a + b); }
  __device__ T finish(Acc acc) const { return T(static_cast<Compute<T>>(acc)); }
  static __device__ Acc shuffle(Acc acc, int mask) {
    return static_cast<Acc>(shuffle_xor(acc, mask));
  }
};

template <class T>
struct Product {
  using Acc = typename wrapping_type<Compute<T>>::type;
  __device__ Acc init() const { return Acc(1); }
  __device__ Acc add(Acc acc, T x, int64_t) const {
    return static_cast<Acc>(acc * static_cast<Acc>(Compute<T>(x)));
  }
  __device__ Acc combine(Acc a, Acc b) const { return static_cast<Acc>(a * b); }
  __device__ T finish(Acc acc) const { return T(static_cast<Compute<T>>(acc)); }
  static __device__ Acc shuffle(Acc acc, int mask) {
    return static_cast<Acc>(shuffle_xor(acc, mask));
  }
};

// Over groups of `lanes` neighbours of a warp, which reaches this as a whole. All lanes get the
// result: the same bits, if `combine` gives the same bits whichever operand comes first.
template <int lanes = kWarp, class R>
__device__ inline typename R::Acc warp_reduce(const R& reducer, typename R::Acc acc) {
#pragma unroll
  for (int mask = lanes / 2; mask > 0; mask /= 2) acc = reducer.combine(acc, R::shuffle(acc, mask));
  return acc;
}

// Thread 0 gets the result; `shared` has room for one Acc per warp.
template <int threads, class R>
__device__ inline typename R::Acc block_reduce(const R& reducer, typename R::Acc acc,
                                               typename R::Acc* shared) {
  constexpr int kWarps = threads / kWarp;
  acc = warp_reduce(reducer, acc);
  if constexpr (kWarps > 1) {
    if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = acc;
    __syncthreads();
    if (threadIdx.x == 0)
      for (int w = 1; w < kWarps; ++w) acc = reducer.combine(acc, shared[w]);
    __syncthreads();  // `shared` may be used again
  }
  return acc;
}

// All of the `threads` threads of the block (counted along x) get the same bits. `shared` has room
// for one Acc per warp, and is not used again before the next barrier.
template <int threads, class R>
__device__ inline typename R::Acc block_all_reduce(const R& reducer, typename R::Acc acc,
                                                   typename R::Acc* shared) {
  acc = warp_reduce(reducer, acc);
  if (threadIdx.x % kWarp == 0) shared[threadIdx.x / kWarp] = acc;
  __syncthreads();
  acc = shared[0];
  for (int w = 1; w < threads / kWarp; ++w) acc = reducer.combine(acc, shared[w]);
  return acc;
}

// Elements of 16 bytes.
template <class T>
inline constexpr int kVector = static_cast<int>(16 / sizeof(T));

// V neighbouring elements, in one access if they are aligned to it.
template <int V, class T>
__device__ inline Pack<T, V> load_elements(const T* p, bool aligned) {
  if (V > 1 && aligned) return load_pack<V>(p);
  Pack<T, V> pack;
#pragma unroll
  for (int v = 0; v < V; ++v) pack.v[v] = p[v];
  return pack;
}
template <int V, class T>
__device__ inline void store_elements(T* p, const Pack<T, V>& pack, bool aligned) {
  if (V > 1 && aligned) return store_pack<V>(p, pack);
#pragma unroll
  for (int v = 0; v < V; ++v) p[v] = pack.v[v];
}

struct ReducePlan {
  Index<2> kept;         // strides of x, y
  Index<1> reduced;      // strides of x
  uint32_t outputs;      // of this slice
  uint32_t length;       // to reduce, in this slice
  uint32_t chunk;        // of them in one part (blockIdx.y); a multiple of the vector length
  int64_t first;         // linear index of the slice's first element among all that are reduced
  int64_t first_output;  // and of its first output among all
  int64_t all_outputs;
  int64_t first_part;
  bool vector;  // aligned groups of kReduceVector reduced elements are neighbours
};

template <class In>
inline constexpr int kReduceVector = static_cast<int>(sizeof(In) == 1 ? 8 : 16 / sizeof(In));

template <class R, class Out>
__device__ inline void store_result(const R& reducer, typename R::Acc acc, const ReducePlan& p,
                                    uint32_t o, int64_t y_offset, Out* y,
                                    typename R::Acc* partials) {
  if (partials)
    partials[(p.first_part + blockIdx.y) * p.all_outputs + p.first_output + o] = acc;
  else
    y[y_offset] = reducer.finish(acc);
}

// Block of (lanes, 256 / lanes) threads: a group of `lanes` threads per output. Lane t takes the
// elements [(j * lanes + t) * V, + V), j = 0, 1, ..., whether or not it can load them in one access.
template <int lanes, class R, class In, class Out>
__global__ void __launch_bounds__(kBlock)
    reduce_row_kernel(const __grid_constant__ ReducePlan p, R reducer, const In* x, Out* y,
                      typename R::Acc* partials) {
  using Acc = typename R::Acc;
  constexpr int V = kReduceVector<In>;
  const uint32_t o = blockIdx.x * (kBlock / lanes) + threadIdx.y;
  const bool active = o < p.outputs;
  int64_t at[2];
  p.kept.offsets(active ? o : 0, at);
  const uint32_t begin = blockIdx.y * p.chunk;
  const uint32_t end = active ? min(p.length, begin + p.chunk) : begin;
  Acc acc = reducer.init();
  for (uint32_t r = begin + threadIdx.x * V; r < end; r += lanes * V) {
    int64_t from[1];
    if (p.vector && r + V <= end) {
      p.reduced.offsets(r, from);
      const Pack<In, V> pack = load_pack<V>(x + at[0] + from[0]);
#pragma unroll
      for (int v = 0; v < V; ++v) acc = reducer.add(acc, pack.v[v], p.first + r + v);
    } else {
      for (uint32_t i = r; i < min(r + V, end); ++i) {
        p.reduced.offsets(i, from);
        acc = reducer.add(acc, x[at[0] + from[0]], p.first + i);
      }
    }
  }
  __shared__ Acc shared[kBlock / kWarp];
  acc = block_reduce<lanes>(reducer, acc, shared);
  if (active && threadIdx.x == 0) store_result(reducer, acc, p, o, at[1], y, partials);
}

// Block of (256 / lanes, lanes) threads: neighbouring threads take neighbouring outputs, `lanes`
// threads (of different warps) share one.
template <int lanes, class R, class In, class Out>
__global__ void __launch_bounds__(kBlock)
    reduce_column_kernel(const __grid_constant__ ReducePlan p, R reducer, const In* x, Out* y,
                         typename R::Acc* partials) {
  using Acc = typename R::Acc;
  constexpr int kColumns = kBlock / lanes;
  const uint32_t o = blockIdx.x * kColumns + threadIdx.x;
  const bool active = o < p.outputs;
  int64_t at[2];
  p.kept.offsets(active ? o : 0, at);
  const uint32_t begin = blockIdx.y * p.chunk;
  const uint32_t end = active ? min(p.length, begin + p.chunk) : begin;
  Acc acc = reducer.init();
#pragma unroll 8
  for (uint32_t r = begin + threadIdx.y; r < end; r += lanes) {
    int64_t from[1];
    p.reduced.offsets(r, from);
    acc = reducer.add(acc, x[at[0] + from[0]], p.first + r);
  }
  if constexpr (lanes > 1) {
    __shared__ Acc shared[lanes][kColumns];
    shared[threadIdx.y][threadIdx.x] = acc;
    __syncthreads();
    if (threadIdx.y > 0) return;
    for (int lane = 1; lane < lanes; ++lane) acc = reducer.combine(acc, shared[lane][threadIdx.x]);
  }
  if (active) store_result(reducer, acc, p, o, at[1], y, partials);
}

// y[o] = the parts of output o, in order. Block of (32, 8) threads.
template <class R, class Out>
__global__ void __launch_bounds__(kBlock)
    combine_kernel(const __grid_constant__ Index<2> kept, uint32_t outputs, int64_t first_output,
                   int64_t all_outputs, int64_t parts, R reducer, const typename R::Acc* partials,
                   Out* y) {
  using Acc = typename R::Acc;
  constexpr int kLanes = kBlock / kWarp;
  const uint32_t o = blockIdx.x * kWarp + threadIdx.x;
  Acc acc = reducer.init();
  if (o < outputs)
    for (int64_t part = threadIdx.y; part < parts; part += kLanes)
      acc = reducer.combine(acc, partials[part * all_outputs + first_output + o]);
  __shared__ Acc shared[kLanes][kWarp];
  shared[threadIdx.y][threadIdx.x] = acc;
  __syncthreads();
  if (threadIdx.y > 0 || o >= outputs) return;
  for (int lane = 1; lane < kLanes; ++lane) acc = reducer.combine(acc, shared[lane][threadIdx.x]);
  int64_t at[2];
  kept.offsets(o, at);
  y[at[1]] = reducer.finish(acc);
}

namespace detail {

// How a reduction is laid over the device.
struct ReduceLayout {
  bool rows;
  int lanes;
  int64_t chunk, parts;
};

// A function of sizes and strides alone, so that results are, too.
inline ReduceLayout reduce_layout(const Strided<2>& kept, const Strided<1>& reduced) {
  constexpr int64_t kEnoughBlocks = 1024;  // fills the largest device a few times
  ReduceLayout out{};
  const int64_t length = reduced.numel, outputs = kept.numel;
  const int64_t step = reduced.ndim ? std::abs(reduced.stride[0][0]) : 1;
  const int64_t across = kept.ndim ? std::abs(kept.stride[0][0]) : INT64_MAX;
  out.rows = length >= kWarp && step < across;
  if (out.rows)
    out.lanes = length >= 1024 || outputs == 1 ? kBlock : kWarp;
  else
    out.lanes = length >= 32 ? 8 : 1;
  const int64_t blocks = ceil_div(outputs, kBlock / out.lanes);
  const int64_t shortest = out.rows ? 8192 : 256;  // less is not worth a second pass
  out.parts = 1;
  if (out.lanes == 8 || out.lanes == kBlock)
    out.parts = std::clamp<int64_t>(kEnoughBlocks / blocks, 1, ceil_div(length, shortest));
  constexpr int64_t kMultiple = 64;  // of every kReduceVector
  out.chunk = ceil_div(ceil_div(length, out.parts), kMultiple) * kMultiple;
  out.chunk = std::clamp(out.chunk, kMultiple, kMostElements);
  out.parts = std::max<int64_t>(ceil_div(length, out.chunk), 1);
  return out;
}

template <class In>
bool reduces_vectors(const Strided<2>& kept, const Strided<1>& reduced, const In* x) {
  constexpr int64_t V = kReduceVector<In>;
  if (reduced.ndim == 0 || reduced.stride[0][0] != 1 || !is_aligned(x, V * sizeof(In)))
    return false;
  if (reduced.ndim > 1 && reduced.size[0] % V != 0) return false;
  for (int d = 1; d < reduced.ndim; ++d)
    if (reduced.stride[0][d] % V != 0) return false;
  for (int d = 0; d < kept.ndim; ++d)
    if (kept.stride[0][d] % V != 0) return false;
  return true;
}

}  // namespace detail

template <class R, class In, class Out>
void reduce(const Context& context, const Strided<2>& kept, const Strided<1>& reduced,
            const R& reducer, const In* x, Out* y) {
  using Acc = typename R::Acc;
  if (kept.numel == 0) return;
  const detail::ReduceLayout layout = detail::reduce_layout(kept, reduced);

  int64_t parts = 0;
  const auto parts_of = [&](const Strided<1>& slice) {
    return ceil_div(slice.numel, layout.chunk);
  };
  for_slices(reduced, [&](const Strided<1>& s, const int64_t (&)[1]) { parts += parts_of(s); });
  const Scratch scratch(context, parts > 1 ? sizeof(Acc) * parts * kept.numel : 0);
  Acc* const partials = scratch.as<Acc>();

  int64_t first_output = 0;
  const auto run_slice = [&](const Strided<2>& k, const int64_t (&k_offset)[2]) {
    ReducePlan plan{};
    plan.kept = Index<2>(k);
    plan.outputs = static_cast<uint32_t>(k.numel);
    plan.chunk = static_cast<uint32_t>(layout.chunk);
    plan.first_output = first_output;
    plan.all_outputs = kept.numel;
    const auto run = [&](const Strided<1>& r, int64_t offset) {
      const In* const from = x + k_offset[0] + offset;
      plan.reduced = Index<1>(r);
      plan.length = static_cast<uint32_t>(r.numel);
      plan.vector = layout.rows && detail::reduces_vectors(k, r, from);
      const unsigned lanes = static_cast<unsigned>(layout.lanes), others = kBlock / lanes;
      const dim3 grid(static_cast<unsigned>(ceil_div(k.numel, others)),
                      static_cast<unsigned>(std::max<int64_t>(parts_of(r), 1)));
      const auto go = [&](auto kernel) {
        launch(context, kernel, grid, layout.rows ? dim3(lanes, others) : dim3(others, lanes), plan,
               reducer, from, y + k_offset[1], partials);
      };
      if (layout.rows)
        go(lanes == kWarp ? reduce_row_kernel<kWarp, R, In, Out>
                          : reduce_row_kernel<kBlock, R, In, Out>);
      else
        go(lanes == 1 ? reduce_column_kernel<1, R, In, Out> : reduce_column_kernel<8, R, In, Out>);
      plan.first += r.numel;
      plan.first_part += parts_of(r);
    };
    if (reduced.numel == 0)
      run(reduced, 0);
    else
      for_slices(reduced, [&](const Strided<1>& r, const int64_t (&o)[1]) { run(r, o[0]); });
    if (parts > 1)
      launch(context, combine_kernel<R, Out>, dim3(static_cast<unsigned>(ceil_div(k.numel, kWarp))),
             dim3(kWarp, kBlock / kWarp), plan.kept, plan.outputs, first_output, kept.numel, parts,
             reducer, partials, y + k_offset[1]);
    first_output += k.numel;
  };
  for_slices(kept, run_slice);
}

}  // namespace fastdl::cuda
