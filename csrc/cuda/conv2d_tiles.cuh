// Convolution as an implicit matrix product: the loaders compute where the elements of the im2col
// matrix lie in x while they fetch panels of it, so that the matrix never exists (Chetlur et al.,
// "cuDNN: efficient primitives for deep learning", 2014). The arithmetic is gemm.cuh's.
#pragma once

#include "cuda/conv2d_form.cuh"
#include "cuda/gemm.cuh"

namespace fastdl::cuda {

// kernels

// How the threads share a panel whose neighbours in memory lie along k: a thread loads one k and
// every kApart-th row.
template <class T, int F>
struct AlongK {
  using S = Tile<T, F>;
  static constexpr int kApart = kBlock / S::kDepth;
  const int k = static_cast<int>(threadIdx.x) % S::kDepth;
  const int i = static_cast<int>(threadIdx.x) / S::kDepth;

  // Of this thread's rows, how many are among the `size` that are left.
  __device__ int count(int64_t size) const {
    return static_cast<int>(min((size - i + kApart - 1) / kApart, int64_t{S::kVector}));
  }
  __device__ void store(const T (&values)[S::kVector], typename S::Panel& panel) const {
#pragma unroll
    for (int v = 0; v < S::kVector; ++v) panel[k][i + v * kApart] = typename S::Acc(values[v]);
  }
};

// Panels of the operand with rows: filters, or y by position.
template <class T, int F, Over over>
class RowLoader {
 public:
  using S = Tile<T, F>;

  __device__ RowLoader(const ConvPlan& plan, const T* data, int64_t row, uint32_t k0)
      : plan_(plan),
        data_(data + (row + thread_.i) * given<over>(plan).row),
        k_(k0 + thread_.k),
        count_(thread_.count(plan.rows - row)) {}

  __device__ void fetch(int depth) {
    const T* from = data_ + offset_of(given<over>(plan_), summed<over>(plan_).digits(k_));
    const int count = thread_.k < depth ? count_ : 0;
#pragma unroll
    for (int v = 0; v < S::kVector; ++v) {
      values_[v] = v < count ? *from : T(0.f);
      from += AlongK<T, F>::kApart * given<over>(plan_).row;
    }
    k_ += S::kDepth;
  }
  __device__ void store(typename S::Panel& panel) const { thread_.store(values_, panel); }

 private:
  const AlongK<T, F> thread_;
  const ConvPlan& plan_;
  const T* data_;
  uint32_t k_;
  int count_;
  T values_[S::kVector];
};

// Panels of x. Columns that do not exist repeat the last one; nobody stores their sums.
template <class T, int F, Over over>
class ImageLoader;

// Positions are columns: a thread keeps to one of them, so that a warp reads along q, and loads
// kVector successive taps.
template <class T, int F>
class ImageLoader<T, F, Over::taps> {
 public:
  using S = Tile<T, F>;

  __device__ ImageLoader(const ConvPlan& plan, const T* x, int64_t column, uint32_t k0)
      : plan_(plan), x_(x), column_(static_cast<int>(threadIdx.x) % S::kSize) {
    k_ = static_cast<int>(threadIdx.x) / S::kSize * S::kVector;
    next_ = k0 + k_;
    const uint32_t j = min(static_cast<uint32_t>(column) + column_, plan.position.size - 1);
    position_ = plan.at_position(plan.position.digits(j));
  }

  __device__ void fetch(int depth) {
    const int count = depth - k_;
#pragma unroll
    for (int v = 0; v < S::kVector; ++v)
      values_[v] = v < count ? plan_.value(x_, position_, plan_.at_tap(plan_.tap.digits(next_ + v)))
                             : T(0.f);
    next_ += S::kDepth;
  }
  __device__ void store(typename S::Panel& panel) const {
#pragma unroll
    for (int v = 0; v < S::kVector; ++v) panel[k_ + v][column_] = typename S::Acc(values_[v]);
  }

 private:
  const ConvPlan& plan_;
  const T* x_;
  int column_, k_;
  uint32_t next_;
  Place position_;
  T values_[S::kVector];
};

// Positions are summed over: neighbouring threads take neighbouring ones, and keep to their taps.
template <class T, int F>
class ImageLoader<T, F, Over::positions> {
 public:
  using S = Tile<T, F>;

  __device__ ImageLoader(const ConvPlan& plan, const T* x, int64_t column, uint32_t k0)
      : plan_(plan), x_(x), k_(k0 + thread_.k) {
#pragma unroll
    for (int v = 0; v < S::kVector; ++v) {
      const uint32_t t = static_cast<uint32_t>(column) + thread_.i + v * AlongK<T, F>::kApart;
      taps_[v] = plan.at_tap(plan.tap.digits(min(t, plan.tap.size - 1)));
    }
  }

  __device__ void fetch(int depth) {
    const Place position = plan_.at_position(plan_.position.digits(k_));
    const bool exists = thread_.k < depth;
#pragma unroll
    for (int v = 0; v < S::kVector; ++v)
      values_[v] = exists ? plan_.value(x_, position, taps_[v]) : T(0.f);
    k_ += S::kDepth;
  }
  __device__ void store(typename S::Panel& panel) const { thread_.store(values_, panel); }

 private:
  const AlongK<T, F> thread_;
  const ConvPlan& plan_;
  const T* x_;
  uint32_t k_;
  Place taps_[S::kVector];
  T values_[S::kVector];
};

// Where four neighbouring columns of the output lie.
template <class T, Over over>
struct Columns {
  int64_t at[kFragment];
  int count;  // how many exist

  __device__ Columns(const ConvPlan& p, int64_t column) {
    const Radix& all = columns<over>(p);
    count = static_cast<int>(max(min(all.size - column, int64_t{kFragment}), int64_t{0}));
#pragma unroll
    for (int v = 0; v < kFragment; ++v)
      if (v < (p.vector ? 1 : count))
        at[v] = offset_of(output<over>(p), all.digits(static_cast<uint32_t>(column) + v));
  }

  // A fragment of the row that begins at `start`; `channel` is the row's bias.
  __device__ void store(const ConvPlan& p, Compute<T>* sums, Finish<T> finish, int64_t channel,
                        int64_t start, T* to) const {
    if (p.vector) {
      if (count <= 0) return;
      if (finish.bias) {
        const Compute<T> bias(finish.bias[channel]);
#pragma unroll
        for (int v = 0; v < kFragment; ++v) sums[v] += bias;
        finish.bias = nullptr;
      }
      store_fragment(sums, finish, 0, kFragment, true, start + at[0], to);
      return;
    }
#pragma unroll
    for (int v = 0; v < kFragment; ++v)
      if (v < count) to[start + at[v]] = T(finish.at(sums[v], channel, start + at[v]));
  }
};

// Grid: (tiles, parts of the sum, groups). `partials`, where there are several parts, is
// [part, group, row, column].
template <class T, int F, Over over>
__global__ void __launch_bounds__(kBlock, Tile<T, F>::kBlocks)
    conv_tiles_kernel(const __grid_constant__ ConvPlan p, const T* x, const T* a,
                      const __grid_constant__ Finish<T> finish, T* to, Compute<T>* partials) {
  using S = Tile<T, F>;
  alignas(16) __shared__ typename S::Panel panel_a[2];
  alignas(16) __shared__ typename S::Panel panel_b[2];

  const TileCorner corner(blockIdx.x, p.tiles_m, p.tiles_n, S::kSize);
  const int64_t z = blockIdx.z, all_columns = columns<over>(p).size;
  const uint32_t k0 = blockIdx.y * p.chunk;
  const int depth = static_cast<int>(min(summed<over>(p).size - k0, p.chunk));  // of this part
  RowLoader<T, F, over> loader_a(p, a + z * given<over>(p).group, corner.row, k0);
  ImageLoader<T, F, over> loader_b(p, x + z * p.x_group, corner.column, k0);
  typename S::Sums sums = {};
  multiply_panels<T, F, 2>(loader_a, loader_b, depth, panel_a, panel_b, sums);

  const TileThread<F> thread;
#pragma unroll
  for (int f = 0; f < F; ++f) {
    const int64_t column = corner.column + thread.column_of(f);
    const Columns<T, over> to_columns(p, column);
#pragma unroll
    for (int i = 0; i < F * kFragment; ++i) {
      const int64_t row = corner.row + thread.row_of(i), all_rows = p.groups * p.rows;
      if (row >= p.rows) continue;
      typename S::Acc* const from = &sums[i][f * kFragment];
      if (p.parts > 1) {
        const int64_t line = blockIdx.y * all_rows + z * p.rows + row;
        store_fragment(from, Finish<typename S::Acc>{}, 0, all_columns - column, false,
                       line * all_columns + column, partials);
        continue;
      }
      to_columns.store(p, from, finish, z * p.rows + row,
                       z * output<over>(p).group + row * output<over>(p).row, to);
    }
  }
}

template <class T, Over over>
__global__ void __launch_bounds__(kBlock)
    conv_add_parts_kernel(const __grid_constant__ ConvPlan p, const Compute<T>* partials,
                          const __grid_constant__ Finish<T> finish, T* to) {
  const int64_t all_columns = columns<over>(p).size, total = p.groups * p.rows * all_columns,
                threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < total;
       i += threads) {
    const int64_t column = i % all_columns, row = i / all_columns % p.rows,
                  z = i / all_columns / p.rows;
    Compute<T> sum(0);
    for (uint32_t part = 0; part < p.parts; ++part) sum += partials[part * total + i];
    const int64_t at =
        z * output<over>(p).group + row * output<over>(p).row +
        offset_of(output<over>(p), columns<over>(p).digits(static_cast<uint32_t>(column)));
    to[at] = T(finish.at(sum, z * p.rows + row, at));
  }
}

}  // namespace fastdl::cuda
