// Sampling at the points of a grid. The taps of a block of points are worked out once, for all channels;
// then lanes are neighbouring points, whose pixels are gathered. The gradient of the input is put
// together plane by plane, by one thread each, in the order of the points.
#include <algorithm>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"
#include "ops/grid_sample_taps.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kPoints = 64;         // of a block
constexpr int64_t kPlanesTogether = 8;  // that share the work on the taps

template <class C, int K, int D>
struct Block {
  using Taps = PointTaps<C, K, D>;
  using Flag = std::conditional_t<sizeof(C) == 4, int32_t, int64_t>;  // lanes as wide as those of C
  int64_t count;
  int32_t pixel[Taps::count][kPoints];  // 0 where nothing is read
  Flag inside[Taps::count][kPoints];
  C weight[Taps::count][kPoints];

  // Points [first, first + count) of a sample's grid.
  Block(const GridShape& s, const C* grid, int64_t first)
      : count(std::min(kPoints, s.points - first)) {
    int32_t at[D][K][kPoints];
    C share[D][K][kPoints];
    // With the padding a constant, and no fmod, the loop is one over vectors.
    const auto along_axes = [&](auto padding) {
      GridShape shape = s;
      shape.padding = padding;
      for (int d = 0; d < D; ++d) {
        C place[kPoints];
        for (int64_t i = 0; i < count; ++i) place[i] = grid[(first + i) * D + d];
        const int64_t size = shape.size[d];
        for (int64_t i = 0; i < count; ++i) {
          const AxisTaps<C, K> taps = axis_taps<K>(place[i], size, shape);
#pragma GCC unroll 4
          for (int k = 0; k < K; ++k) at[d][k][i] = taps.at[k], share[d][k][i] = taps.weight[k];
        }
      }
    };
    using P = GridPadding;
    switch (s.padding) {
      case P::zeros: along_axes(std::integral_constant<P, P::zeros>()); break;
      case P::border: along_axes(std::integral_constant<P, P::border>()); break;
      case P::reflection: along_axes(std::integral_constant<P, P::reflection>()); break;
    }
    for (int t = 0; t < Taps::count; ++t)
      for (int64_t i = 0; i < count; ++i) {
        int32_t place = 0;
        bool reads = true;
        for (int d = D - 1; d >= 0; --d) {
          const int32_t p = at[d][Taps::along(t, d)][i];
          reads &= p >= 0;
          place = place * static_cast<int32_t>(s.size[d]) + p;
        }
        C product = share[0][Taps::along(t, 0)][i];
        for (int d = 1; d < D; ++d) product *= share[d][Taps::along(t, d)][i];
        inside[t][i] = reads;
        pixel[t][i] = reads ? place : 0;
        weight[t][i] = reads ? product : C(0);
      }
  }

  // What is not read is loaded all the same, from pixel 0: a gather without a mask is faster.
  void sample(const C* plane, C* y) const {
    C sums[kPoints];  // nothing else can be written to by it
    for (int64_t i = 0; i < count; ++i) {
      C sum(0);
#pragma GCC unroll 16
      for (int t = 0; t < Taps::count; ++t) {
        const C v = plane[pixel[t][i]];
        sum += weight[t][i] * (inside[t][i] ? v : C(0));
      }
      sums[i] = sum;
    }
    std::copy_n(sums, count, y);
  }
  void scatter(const C* dy, C* plane) const {
    for (int64_t i = 0; i < count; ++i)
      for (int t = 0; t < Taps::count; ++t)
        if (inside[t][i]) plane[pixel[t][i]] += weight[t][i] * dy[i];
  }
};

int64_t blocks_of(const GridShape& s) { return (s.points + kPoints - 1) / kPoints; }

// Calls body(sample, first point) for every block of points of every sample.
template <class F>
void for_blocks(const Context& context, const GridShape& s, int64_t taps, F body) {
  const int64_t blocks = blocks_of(s), work = kPoints * taps * (s.channels + 4);
  context.parallel_for(s.samples * blocks, std::max<int64_t>(1, kCostlyGrain / work),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t b = begin; b < end; ++b)
                           body(b / blocks, b % blocks * kPoints);
                       });
}

template <class C>
void forward(const Context& context, const GridShape& s, const void* x_, const void* grid_,
             void* y_) {
  const C *const x = static_cast<const C*>(x_), *const grid = static_cast<const C*>(grid_);
  C* const y = static_cast<C*>(y_);
  with_taps(s, [&](auto k, auto d) {
    constexpr int K = decltype(k)::value, D = decltype(d)::value;
    for_blocks(context, s, PointTaps<C, K, D>::count, [&](int64_t n, int64_t first) {
      const Block<C, K, D> block(s, grid + n * s.points * D, first);
      for (int64_t c = n * s.channels; c < (n + 1) * s.channels; ++c)
        block.sample(x + c * s.pixels, y + c * s.points + first);
    });
  });
}

template <class C>
void backward_input(const Context& context, const GridShape& s, const void* dy_, const void* grid_,
                    void* dx_) {
  const C *const dy = static_cast<const C*>(dy_), *const grid = static_cast<const C*>(grid_);
  C* const dx = static_cast<C*>(dx_);
  const int64_t groups = (s.channels + kPlanesTogether - 1) / kPlanesTogether;
  with_taps(s, [&](auto k, auto d) {
    constexpr int K = decltype(k)::value, D = decltype(d)::value;
    context.parallel_for(s.samples * groups, 1, [&](int64_t begin, int64_t end) {
      for (int64_t g = begin; g < end; ++g) {
        const int64_t n = g / groups, from = g % groups * kPlanesTogether;
        const int64_t to = std::min(from + kPlanesTogether, s.channels);
        const int64_t first = n * s.channels + from, last = n * s.channels + to;
        std::fill(dx + first * s.pixels, dx + last * s.pixels, C(0));
        for (int64_t at = 0; at < s.points; at += kPoints) {
          const Block<C, K, D> block(s, grid + n * s.points * D, at);
          for (int64_t c = first; c < last; ++c)
            block.scatter(dy + c * s.points + at, dx + c * s.pixels);
        }
      }
    });
  });
}

// One block of dgrid, [count, D]: sums over channels and taps.
template <class C, int K, int D>
void grid_block(const GridShape& s, const C* dy, const C* x, const C* grid, int64_t first,
                C* dgrid) {
  using Taps = PointTaps<C, K, D>;
  const Block<C, K, D> block(s, grid, first);
  C slope[Taps::count][D][kPoints];
  for (int64_t i = 0; i < block.count; ++i) {
    const auto taps = point_taps<C, K, D>(grid + (first + i) * D, s);
    for (int t = 0; t < Taps::count; ++t)
      for (int d = 0; d < D; ++d) slope[t][d][i] = taps.slope(t, d);
  }
  C sum[D][kPoints] = {};
  for (int64_t c = 0; c < s.channels; ++c) {
    const C *const plane = x + c * s.pixels, *const g = dy + c * s.points + first;
    for (int t = 0; t < Taps::count; ++t)
      for (int64_t i = 0; i < block.count; ++i) {
        const C v = g[i] * (block.inside[t][i] ? plane[block.pixel[t][i]] : C(0));
        for (int d = 0; d < D; ++d) sum[d][i] += v * slope[t][d][i];
      }
  }
  for (int64_t i = 0; i < block.count; ++i)
    for (int d = 0; d < D; ++d) dgrid[(first + i) * D + d] = sum[d][i];
}

template <class C>
void backward_grid(const Context& context, const GridShape& s, const void* dy_, const void* x_,
                   const void* grid_, void* dgrid_) {
  const C *const dy = static_cast<const C*>(dy_), *const x = static_cast<const C*>(x_);
  const C* const grid = static_cast<const C*>(grid_);
  C* const dgrid = static_cast<C*>(dgrid_);
  with_taps(s, [&](auto k, auto d) {
    constexpr int K = decltype(k)::value, D = decltype(d)::value;
    if constexpr (K > 1)
      for_blocks(context, s, D * PointTaps<C, K, D>::count, [&](int64_t n, int64_t first) {
        grid_block<C, K, D>(s, dy + n * s.channels * s.points, x + n * s.channels * s.pixels,
                            grid + n * s.points * D, first, dgrid + n * s.points * D);
      });
  });
}

}  // namespace

void register_grid_sample(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<grid_sample_forward>(dtype_of<T>::value, forward<T>);
    registry.add<grid_sample_backward_input>(dtype_of<T>::value, backward_input<T>);
    registry.add<grid_sample_backward_grid>(dtype_of<T>::value, backward_grid<T>);
  });
}

}  // namespace fastdl::cpu
