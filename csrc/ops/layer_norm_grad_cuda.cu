// The gradient of row normalisation, with g = dy * weight and v = (x - mean) * rstd:
//
//   dx = (g - mean(g) - v * mean(g * v)) * rstd,  dweight = sum of dy * v,  dbias = sum of dy
//
// Rows that a team can keep in registers, and whose columns have weights of their own (layer norm), are
// read once for all three: a team goes from row to row and keeps its columns' share of dweight and
// dbias, which a second kernel adds up. Otherwise x and dy are read for sums, and again for dx: sums of
// rows, or where pixels share a weight (group norm) sums of every channel of a row, of which both the
// row's sums and dweight are made. No atomics; the order is by shape.
#include "core/dtype.h"
#include "cuda/channel_sums.cuh"
#include "cuda/register.h"
#include "cuda/row_affine.cuh"
#include "cuda/softmax_row.cuh"
#include "ops/layer_norm.h"

namespace fastdl::cuda {
namespace {

// Sums of g, and of g * v.
template <class C>
struct Dots {
  C g, g_v;
};
template <class C>
struct AddDots {
  using Acc = Dots<C>;
  __device__ Acc init() const { return {C(0), C(0)}; }
  __device__ Acc combine(const Acc& a, const Acc& b) const { return {a.g + b.g, a.g_v + b.g_v}; }
  static __device__ Acc shuffle(const Acc& a, int mask) {
    return {shuffle_xor(a.g, mask), shuffle_xor(a.g_v, mask)};
  }
};

template <class T>
struct Operands {
  using C = Compute<T>;
  const T *x, *dy;
  const C *mean, *rstd, *weight;
  T* dx;
};

// kernels: rows in registers

// dx is null where nobody wants it, and so is `shares`: [teams][2][n], of dbias and of dweight.
template <class T, class Team, int packs>
__global__ void __launch_bounds__(kBlock)
    gradient_kernel(const Lines lines, const __grid_constant__ Affine affine, bool centred,
                    bool aligned, const __grid_constant__ Operands<T> p, Compute<T>* shares) {
  using C = Compute<T>;
  constexpr int V = Team::V;
  __shared__ Dots<C> shared[2][Team::kSlots];  // in turns: others may still read the last row's
  const C share = C(1) / static_cast<C>(lines.n);
  Dots<C> columns[packs][V] = {};
  int turn = 0;
  for (int64_t first = int64_t{blockIdx.x} * Team::kTeams; first < lines.count;
       first += int64_t{gridDim.x} * Team::kTeams, turn ^= 1) {
    const int64_t row = first + threadIdx.y;
    const Team team(lines, row);
    const C mean = team.n > 0 ? p.mean[row] : C(0), rstd = team.n > 0 ? p.rstd[row] : C(0);
    const int64_t number = affine.first(row);
    Pack<T, V> in[packs], dy[packs];
    for_kept_packs<packs>(team, [&](int j, int64_t at) {
      in[j] = load_elements<V>(p.x + at, aligned);
      dy[j] = load_elements<V>(p.dy + at, aligned);
    });
    Dots<C> row_dots{C(0), C(0)};
    for_kept_packs<packs>(team, [&](int j, int64_t at) {
      const Pack<C, V> w = affine.of<V>(p.weight, number, at - team.base, C(1));
#pragma unroll
      for (int k = 0; k < V; ++k) {
        const C v = (C(in[j].v[k]) - mean) * rstd, d = C(dy[j].v[k]), g = d * w.v[k];
        columns[j][k].g += d, columns[j][k].g_v += d * v;
        row_dots.g += g, row_dots.g_v += g * v;
      }
    });
    if (!p.dx) continue;  // of all threads, or of none
    const Dots<C> sums = team.all_reduce(AddDots<C>{}, row_dots, shared[turn]);
    const C level = centred ? sums.g * share : C(0), slope = sums.g_v * share;
    for_kept_packs<packs>(team, [&](int j, int64_t at) {
      const Pack<C, V> w = affine.of<V>(p.weight, number, at - team.base, C(1));
      Pack<T, V> out;
#pragma unroll
      for (int k = 0; k < V; ++k) {
        const C v = (C(in[j].v[k]) - mean) * rstd;
        out.v[k] = T((C(dy[j].v[k]) * w.v[k] - level - v * slope) * rstd);
      }
      store_elements<V>(p.dx + at, out, aligned);
    });
  }
  if (!shares) return;
  C* const mine = shares + Team::own_row() * 2 * lines.n;
#pragma unroll
  for (int j = 0; j < packs; ++j)
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const int64_t column = threadIdx.x * V + j * Team::kStep + k;
      if (column >= lines.n) continue;
      mine[column] = columns[j][k].g;
      mine[lines.n + column] = columns[j][k].g_v;
    }
}

// dbias and dweight from `count` shares of the teams, in order. Block of (32, 32) threads.
template <class C>
__global__ void __launch_bounds__(kWarp* kWarp)
    add_shares_kernel(int64_t n, int64_t count, const C* shares, C* dbias, C* dweight) {
  __shared__ C shared[kWarp][kWarp];
  const int64_t column = int64_t{blockIdx.x} * kWarp + threadIdx.x;
  C sum(0);
  if (column < 2 * n) {
#pragma unroll 8
    for (int64_t i = threadIdx.y; i < count; i += kWarp) sum += shares[i * 2 * n + column];
  }
  shared[threadIdx.y][threadIdx.x] = sum;
  __syncthreads();
  if (threadIdx.y > 0 || column >= 2 * n) return;
#pragma unroll 1
  for (int t = 1; t < kWarp; ++t) sum += shared[t][threadIdx.x];
  C* const to = column < n ? dbias : dweight;
  if (to) to[column < n ? column : column - n] = sum;
}

// The shares of columns too many for registers: a thread owns V columns of every gridDim.y-th row.
template <class T, int V>
__global__ void __launch_bounds__(kBlock)
    column_shares_kernel(int64_t rows, int64_t n, bool aligned,
                         const __grid_constant__ Operands<T> p, Compute<T>* shares) {
  using C = Compute<T>;
  const int64_t column = (int64_t{blockIdx.x} * kBlock + threadIdx.x) * V;
  if (column >= n) return;
  C sum[V] = {}, dot[V] = {};
#pragma unroll 4
  for (int64_t row = blockIdx.y; row < rows; row += gridDim.y) {
    const auto in = load_elements<V>(p.x + row * n + column, aligned);
    const auto dy = load_elements<V>(p.dy + row * n + column, aligned);
    const C mean = p.mean[row], rstd = p.rstd[row];
#pragma unroll
    for (int k = 0; k < V; ++k) {
      sum[k] += C(dy.v[k]);
      dot[k] += C(dy.v[k]) * ((C(in.v[k]) - mean) * rstd);
    }
  }
  C* const mine = shares + blockIdx.y * 2 * n + column;
#pragma unroll
  for (int k = 0; k < V; ++k) mine[k] = sum[k], mine[n + k] = dot[k];
}

// kernels: rows that are read twice

// Sums over rows (for cuda/channel_sums.cuh), or with `by_channel` over the elements of every row
// that share a weight, which is then left out.
template <class T, bool by_channel>
struct Sums {
  using C = Compute<T>;
  struct Part {
    Dots<C> dots;
    C mean, rstd;
    int64_t base, number;
  };
  using Acc = Dots<double>;
  Affine affine;
  Operands<T> p;
  int64_t columns;
  Acc* result;

  __device__ Part begin(int64_t line) const {
    const int64_t row = by_channel ? affine.own(line) : line;
    return {{C(0), C(0)}, p.mean[row], p.rstd[row], row * columns, affine.first(row)};
  }
  template <int V, int K>
  __device__ void add(Part& part, const int64_t (&at)[K], int taken, bool aligned) const {
    Pack<T, V> in[K], dy[K];
#pragma unroll
    for (int k = 0; k < K; ++k)
      if (k < taken) {
        in[k] = load_elements<V>(p.x + at[k], aligned);
        dy[k] = load_elements<V>(p.dy + at[k], aligned);
      }
    Dots<C> here{C(0), C(0)};
#pragma unroll
    for (int k = 0; k < K; ++k) {
      if (k >= taken) continue;
      Pack<C, V> w{};
      if (!by_channel) w = affine.of<V>(p.weight, part.number, at[k] - part.base, C(1));
#pragma unroll
      for (int v = 0; v < V; ++v) {
        const C g = by_channel ? C(dy[k].v[v]) : C(dy[k].v[v]) * w.v[v];
        here.g += g;
        here.g_v += g * ((C(in[k].v[v]) - part.mean) * part.rstd);
      }
    }
    part.dots.g += here.g;
    part.dots.g_v += here.g_v;
  }
  __device__ Acc total(const Part& part) const { return {part.dots.g, part.dots.g_v}; }
  __device__ Acc init() const { return {0, 0}; }
  __device__ Acc combine(const Acc& a, const Acc& b) const {
    return AddDots<double>{}.combine(a, b);
  }
  static __device__ Acc shuffle(const Acc& a, int mask) {
    return AddDots<double>::shuffle(a, mask);
  }
  __device__ void finish(int64_t line, const Acc& a) const { result[line] = a; }
};

// The sums of a row from those of its channels. A warp for a row: block (32, 8).
template <class C>
__global__ void __launch_bounds__(kBlock)
    row_dots_kernel(int64_t rows, const __grid_constant__ Affine affine, const C* weight,
                    const Dots<double>* channels, Dots<double>* out) {
  const int64_t row = int64_t{blockIdx.x} * (kBlock / kWarp) + threadIdx.y;
  const int64_t own = row < rows ? affine.own.divisor : 0, first = affine.first(row);
  Dots<double> sum{0, 0};
#pragma unroll 1
  for (int64_t c = threadIdx.x; c < own; c += kWarp) {
    const Dots<double> dots = channels[row * own + c];
    const double w = weight ? static_cast<double>(weight[first + c]) : 1.0;
    sum = {sum.g + w * dots.g, sum.g_v + w * dots.g_v};
  }
  sum = warp_reduce(AddDots<double>{}, sum);
  if (row < rows && threadIdx.x == 0) out[row] = sum;
}

// dweight and dbias [channels] from the sums of `samples` of them each.
template <class C>
__global__ void __launch_bounds__(kBlock)
    channel_weights_kernel(int64_t samples, int64_t channels, const Dots<double>* dots, C* dbias,
                           C* dweight) {
  const int64_t c = int64_t{blockIdx.x} * kBlock + threadIdx.x;
  if (c >= channels) return;
  Dots<double> sum{0, 0};
#pragma unroll 4
  for (int64_t n = 0; n < samples; ++n) {
    const Dots<double> one = dots[n * channels + c];
    sum = {sum.g + one.g, sum.g_v + one.g_v};
  }
  if (dbias) dbias[c] = static_cast<C>(sum.g);
  if (dweight) dweight[c] = static_cast<C>(sum.g_v);
}

template <class T, int V>
__global__ void __launch_bounds__(kBlock)
    apply_kernel(const Stretches stretches, const __grid_constant__ Affine affine, bool centred,
                 bool aligned, const __grid_constant__ Operands<T> p, const Dots<double>* dots) {
  using C = Compute<T>;
  const int64_t row = stretches.row(), first = affine.first(row), base = row * stretches.columns;
  const C mean = p.mean[row], rstd = p.rstd[row];
  const double count = static_cast<double>(stretches.columns);
  const C level = centred ? static_cast<C>(dots[row].g / count) : C(0);
  const C slope = static_cast<C>(dots[row].g_v / count);
  Pack<T, V> in[Stretches::kPacks], dy[Stretches::kPacks];
  stretches.for_packs<V>([&](int j, int64_t c) {
    in[j] = load_elements<V>(p.x + base + c, aligned);
    dy[j] = load_elements<V>(p.dy + base + c, aligned);
  });
  stretches.for_packs<V>([&](int j, int64_t c) {
    const Pack<C, V> w = affine.of<V>(p.weight, first, c, C(1));
    Pack<T, V> out;
#pragma unroll
    for (int k = 0; k < V; ++k) {
      const C v = (C(in[j].v[k]) - mean) * rstd;
      out.v[k] = T((C(dy[j].v[k]) * w.v[k] - level - v * slope) * rstd);
    }
    store_elements<V>(p.dx + base + c, out, aligned);
  });
}

// launchers

// How many elements of an operand a thread keeps: with its two sums a column the most registers go.
template <class C>
inline constexpr int kMostKept = sizeof(C) == 8 ? 4 : 16;

template <class C>
void add_shares(const Context& context, int64_t n, int64_t count, const C* shares, C* dbias,
                C* dweight) {
  launch(context, add_shares_kernel<C>, dim3(static_cast<unsigned>(ceil_div(2 * n, kWarp))),
         dim3(kWarp, kWarp), n, count, shares, dbias, dweight);
}

template <class T, int V>
class RowGradient {
 public:
  using C = Compute<T>;

  RowGradient(const Context& context, const RowNormShape& s, const Operands<T>& p, C* dweight,
              C* dbias)
      : context_(context),
        s_(s),
        p_(p),
        dweight_(dweight),
        dbias_(dbias),
        aligned_(is_aligned(p.x, 16) && is_aligned(p.dy, 16) && is_aligned(p.dx, 16)),
        affine_(s, is_aligned(p.weight, V * sizeof(C))) {}

  void run() const {
    const bool wanted = dweight_ || dbias_, columns = s_.inner == 1 && s_.groups == 1;
    if (columns && s_.columns <= kBlock * kMostKept<C>) return kept(wanted);
    if (wanted && columns) column_shares();
    if (!columns && (wanted || s_.inner > 1)) return by_channel(wanted);
    if (!p_.dx) return;
    const Scratch dots(context_, sizeof(Dots<double>) * static_cast<size_t>(s_.rows));
    sum_channels<V>(context_, 1, s_.rows, s_.columns, aligned_,
                    Sums<T, false>{affine_, p_, s_.columns, dots.as<Dots<double>>()});
    apply(dots.as<Dots<double>>());
  }

 private:
  void kept(bool wanted) const {
    constexpr int kMost = kMostKept<C>;
    constexpr int kFew = std::min(8, kMost);
    if (s_.columns <= kWarp * kFew) return kept<RowTeam<kWarp, V>, kFew / V>(wanted);
    if (s_.columns <= kBlock * kFew) return kept<RowTeam<kBlock, V>, kFew / V>(wanted);
    kept<RowTeam<kBlock, V>, kMost / V>(wanted);
  }

  // Blocks that go on from row to row, or where no shares are wanted as many as rows ask for.
  template <class Team, int packs>
  void kept(bool wanted) const {
    constexpr int64_t kBlocks = 528, kRows = 4;  // fills a device; rows that pay for a share
    const Lines lines{s_.rows, s_.columns, 1};
    LaunchShape shape = Team::shape(lines);
    if (wanted)
      shape.grid.x =
          static_cast<unsigned>(std::clamp<int64_t>(ceil_div(shape.grid.x, kRows), 1, kBlocks));
    const int64_t teams = int64_t{shape.grid.x} * Team::kTeams;
    const Scratch shares(context_,
                         wanted ? sizeof(C) * static_cast<size_t>(teams * 2 * s_.columns) : 0);
    launch(context_, gradient_kernel<T, Team, packs>, shape, lines, affine_, s_.centred, aligned_,
           p_, shares.as<C>());
    if (wanted) add_shares(context_, s_.columns, teams, shares.as<C>(), dbias_, dweight_);
  }

  void column_shares() const {
    constexpr int64_t kMostShares = 64;
    const int64_t count = std::min(s_.rows, kMostShares);
    const Scratch shares(context_, sizeof(C) * static_cast<size_t>(count * 2 * s_.columns));
    launch(
        context_, column_shares_kernel<T, V>,
        dim3(static_cast<unsigned>(ceil_div(s_.columns, kBlock * V)), static_cast<unsigned>(count)),
        dim3(kBlock), s_.rows, s_.columns, aligned_, p_, shares.as<C>());
    add_shares(context_, s_.columns, count, shares.as<C>(), dbias_, dweight_);
  }

  void by_channel(bool wanted) const {
    const int64_t channels = s_.weights();
    const int64_t samples = s_.rows / s_.groups;
    const size_t sums = static_cast<size_t>(samples * channels);
    const Scratch scratch(context_, sizeof(Dots<double>) * sums);
    Dots<double>* const dots = scratch.as<Dots<double>>();
    sum_channels<V>(context_, 1, samples * channels, s_.inner, aligned_,
                    Sums<T, true>{affine_, p_, s_.columns, dots});
    if (wanted)
      launch(context_, channel_weights_kernel<C>,
             dim3(static_cast<unsigned>(ceil_div(channels, kBlock))), dim3(kBlock), samples,
             channels, dots, dbias_, dweight_);
    if (!p_.dx) return;
    const Scratch rows(context_, sizeof(Dots<double>) * static_cast<size_t>(s_.rows));
    launch(context_, row_dots_kernel<C>,
           dim3(static_cast<unsigned>(ceil_div(s_.rows, kBlock / kWarp))),
           dim3(kWarp, kBlock / kWarp), s_.rows, affine_, p_.weight, dots, rows.as<Dots<double>>());
    apply(rows.as<Dots<double>>());
  }

  void apply(const Dots<double>* dots) const {
    const Stretches stretches = Stretches::of<V>(s_.columns);
    launch(context_, apply_kernel<T, V>, stretches.grid(s_.rows), dim3(kBlock), stretches, affine_,
           s_.centred, aligned_, p_, dots);
  }

  const Context& context_;
  const RowNormShape& s_;
  const Operands<T> p_;
  C *const dweight_, *const dbias_;
  const bool aligned_;
  const Affine affine_;
};

template <class T>
void backward_launch(const Context& context, const RowNormShape& s, const void* x, const void* dy,
                     const void* mean, const void* rstd, const void* weight, void* dx,
                     void* dweight_, void* dbias_) {
  using C = Compute<T>;
  C *const dweight = static_cast<C*>(dweight_), *const dbias = static_cast<C*>(dbias_);
  if (s.rows == 0) {
    const DeviceGuard guard(context.device);
    for (C* to : {dweight, dbias})
      if (to && s.weights() > 0)
        cudaMemsetAsync(to, 0, sizeof(C) * static_cast<size_t>(s.weights()),
                        static_cast<cudaStream_t>(context.stream));
    return;
  }
  const Operands<T> p{static_cast<const T*>(x),      static_cast<const T*>(dy),
                      static_cast<const C*>(mean),   static_cast<const C*>(rstd),
                      static_cast<const C*>(weight), static_cast<T*>(dx)};
  if (has_packs<T>(s))
    RowGradient<T, kVector<T>>(context, s, p, dweight, dbias).run();
  else
    RowGradient<T, 1>(context, s, p, dweight, dbias).run();
}

}  // namespace

void register_layer_norm_grad(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<row_norm_backward>(dtype_of<T>::value, backward_launch<T>);
  });
}

}  // namespace fastdl::cuda
