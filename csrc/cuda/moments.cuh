// Mean and variance in one read (Chan, Golub and LeVeque, "Updating formulae and a pairwise algorithm
// for computing sample variances", 1979).
//
// A thread takes the mean and the squared deviations of a few elements at a time, in registers, and
// merges them into what it has: the accuracy of two passes in one read, and one division for many
// elements. It counts from its first element, so that a large mean costs no digits. Threads are
// merged in double, by the same formula.
#pragma once

#include "cuda/channel_sums.cuh"
#include "cuda/math.cuh"

namespace fastdl::cuda {

// The mean of `count` numbers, and the sum of their squared distances from it.
template <class C>
struct Moments {
  C count, mean, squares;

  __device__ Moments merged(const Moments& b) const {
    const C total = count + b.count;
    if (total == C(0)) return *this;
    const C delta = b.mean - mean, share = b.count / total;
    return {total, mean + delta * share, squares + b.squares + delta * (count * share) * delta};
  }
};

// A sum of cuda/channel_sums.cuh, but for `finish`.
template <class T>
struct ChannelMoments {
  using C = Compute<T>;
  struct Part {
    Moments<C> moments;  // of x - pivot
    C pivot;
  };
  using Acc = Moments<double>;
  const T* x;

  __device__ Part begin(int64_t) const { return {{C(0), C(0), C(0)}, C(0)}; }

  // Takes the first `taken` of K packs.
  template <int V, int K>
  __device__ void add(Part& part, const int64_t (&at)[K], int taken, bool aligned) const {
    Pack<T, V> in[K];
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (k < taken) in[k] = load_elements<V>(x + at[k], aligned);
    if (part.moments.count == C(0)) part.pivot = C(in[0].v[0]);
    const C count = static_cast<C>(taken * V);
    C sum(0), squares(0);
#pragma unroll
    for (int k = 0; k < K; ++k)
      for (int v = 0; v < V; ++v)
        if (k < taken) sum += C(in[k].v[v]) - part.pivot;
    const C centre = sum / count;
#pragma unroll
    for (int k = 0; k < K; ++k)
      for (int v = 0; v < V; ++v)
        if (k < taken) {
          const C distance = C(in[k].v[v]) - part.pivot - centre;
          squares += distance * distance;
        }
    part.moments = part.moments.merged({count, centre, squares});
  }
  __device__ Acc total(const Part& p) const {
    const auto& [count, mean, squares] = p.moments;
    return {count, static_cast<double>(p.pivot) + mean, squares};
  }

  // The same of V neighbouring channels, whose counts are one.
  template <int V>
  struct Columns {
    C count, pivot[V], mean[V], squares[V];
  };
  template <int V>
  __device__ Columns<V> begin_columns(int64_t) const {
    return {};
  }
  template <int V, int K>
  __device__ void add_columns(Columns<V>& part, const int64_t (&at)[K], int taken,
                              bool aligned) const {
    Pack<T, V> in[K];
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (k < taken) in[k] = load_elements<V>(x + at[k], aligned);
    const C count = static_cast<C>(taken), total = part.count + count;
    const C each = C(1) / count, share = count / total, weight = part.count * share;
#pragma unroll
    for (int v = 0; v < V; ++v) {
      if (part.count == C(0)) part.pivot[v] = C(in[0].v[v]);
      C sum(0), squares(0);
#pragma unroll
      for (int k = 0; k < K; ++k)
        if (k < taken) sum += C(in[k].v[v]) - part.pivot[v];
      const C centre = sum * each;
#pragma unroll
      for (int k = 0; k < K; ++k)
        if (k < taken) {
          const C distance = C(in[k].v[v]) - part.pivot[v] - centre;
          squares += distance * distance;
        }
      const C delta = centre - part.mean[v];
      part.mean[v] += delta * share;
      part.squares[v] += squares + delta * weight * delta;
    }
    part.count = total;
  }
  template <int V>
  __device__ Acc total_column(const Columns<V>& p, int v) const {
    return {p.count, static_cast<double>(p.pivot[v]) + p.mean[v], p.squares[v]};
  }

  __device__ Acc init() const { return {0, 0, 0}; }
  __device__ Acc combine(const Acc& a, const Acc& b) const { return a.merged(b); }
  static __device__ Acc shuffle(const Acc& a, int mask) {
    return {shuffle_xor(a.count, mask), shuffle_xor(a.mean, mask), shuffle_xor(a.squares, mask)};
  }
};

}  // namespace fastdl::cuda
