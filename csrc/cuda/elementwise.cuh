// One function applied to every element of a Strided walk.
//
// Thread i takes the i-th group of V neighbours along the innermost dimension. V is 16 bytes' worth
// of the widest operand where the walk allows it (unit or zero innermost strides, everything
// aligned), else 1; both do the same arithmetic on each element, so the layout never changes a bit.
#pragma once

#include <algorithm>
#include <utility>

#include "cuda/index.cuh"
#include "cuda/launch.cuh"

namespace fastdl::cuda {

template <int N>
struct Walk {
  Index<N> index;
  uint32_t groups;     // of V elements
  uint32_t last_size;  // elements of the last group
  bool repeats[N];     // whether the operand has one element for the whole group
};

namespace detail {

template <int V, class T>
__device__ inline Pack<T, V> load_group(const T* p, bool repeats) {
  if constexpr (V > 1) {
    if (!repeats) return load_pack<V>(p);
  }
  Pack<T, V> pack;
#pragma unroll
  for (int v = 0; v < V; ++v) pack.v[v] = *p;
  return pack;
}

template <int V, class F, class Out, class... In>
__device__ inline void apply(const F& f, Out* out, const Pack<In, V>&... in) {
  Pack<Out, V> y;
#pragma unroll
  for (int v = 0; v < V; ++v) y.v[v] = f(in.v[v]...);
  store_pack<V>(out, y);
}

template <int V, int N, class F, class Out, class... In, size_t... I>
__device__ inline void visit(const Walk<N>& walk, const F& f, uint32_t i, std::index_sequence<I...>,
                             Out* out, const In*... in) {
  int64_t at[N];
  walk.index.offsets(i, at);
  if (V > 1 && i + 1 == walk.groups && walk.last_size < V) {
    for (uint32_t v = 0; v < walk.last_size; ++v)
      out[at[N - 1] + v] = f(in[at[I] + (walk.repeats[I] ? 0 : v)]...);
    return;
  }
  apply<V>(f, out + at[N - 1], load_group<V>(in + at[I], walk.repeats[I])...);
}

template <int V, class F, class Out, class... In>
__global__ void __launch_bounds__(kBlock)
    elementwise_kernel(const __grid_constant__ Walk<sizeof...(In) + 1> walk, F f, Out* out,
                       const In*... in) {
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < walk.groups; i += gridDim.x * kBlock)
    visit<V>(walk, f, i, std::index_sequence_for<In...>{}, out, in...);
}

// Whether groups of v can be loaded and stored whole, but for the last of a one-dimensional walk.
template <int N>
bool allows_groups(const Strided<N>& walk, int v, const void* const (&data)[N],
                   const size_t (&item)[N]) {
  if (walk.ndim == 0 || (walk.ndim > 1 && walk.size[0] % v != 0)) return false;
  for (int n = 0; n < N; ++n) {
    if (walk.stride[n][0] == 0 && n < N - 1) continue;
    if (walk.stride[n][0] != 1 || !is_aligned(data[n], item[n] * static_cast<size_t>(v)))
      return false;
    for (int d = 1; d < walk.ndim; ++d)
      if (walk.stride[n][d] % v != 0) return false;
  }
  return true;
}

template <int N>
Walk<N> grouped(Strided<N> walk, int v) {
  Walk<N> out;
  const int64_t inner = walk.ndim ? walk.size[0] : 1;
  out.last_size = static_cast<uint32_t>(inner % v ? inner % v : v);
  for (int n = 0; n < N; ++n) {
    out.repeats[n] = walk.stride[n][0] == 0;
    walk.stride[n][0] *= v;
  }
  walk.size[0] = ceil_div(inner, v);
  walk.numel = walk.numel / inner * walk.size[0];
  out.groups = static_cast<uint32_t>(walk.numel);
  out.index = Index<N>(walk);
  return out;
}

// One slice, small enough for Index.
template <class F, class Out, class... In>
void launch_slice(const Context& context, const Strided<sizeof...(In) + 1>& walk, const F& f,
                  Out* out, const In*... in) {
  constexpr size_t kWidest = std::max({sizeof(Out), sizeof(In)...});
  constexpr int V = static_cast<int>(std::min<size_t>(16 / kWidest, 8));
  const void* const data[] = {in..., out};
  const size_t item[] = {sizeof(In)..., sizeof(Out)};
  const bool groups = allows_groups(walk, V, data, item);
  const auto grouped_walk = grouped(walk, groups ? V : 1);
  launch(context,
         groups ? elementwise_kernel<V, F, Out, In...> : elementwise_kernel<1, F, Out, In...>,
         loop_grid(grouped_walk.groups), dim3(kBlock), grouped_walk, f, out, in...);
}

template <int N, class F, class Out, class... In, size_t... I>
void launch_slices(const Context& context, const Strided<N>& walk, const F& f,
                   std::index_sequence<I...>, Out* out, const In*... in) {
  for_slices(walk, [&](const Strided<N>& part, const int64_t (&offset)[N]) {
    launch_slice(context, part, f, out + offset[N - 1], (in + offset[I])...);
  });
}

}  // namespace detail

// out[i] = f(in[i]...); strides in the order (in..., out). Zero elements launch nothing.
template <class F, class Out, class... In>
void elementwise(const Context& context, const Strided<sizeof...(In) + 1>& walk, const F& f,
                 Out* out, const In*... in) {
  detail::launch_slices(context, walk, f, std::index_sequence_for<In...>{}, out, in...);
}

}  // namespace fastdl::cuda
