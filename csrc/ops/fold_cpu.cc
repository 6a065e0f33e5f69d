// Sums of columns. A chunk of threads takes rows of y, a tile at a time: the tile gathers its terms
// from every place of the window, so each element is read once and added in registers or cache.
#include "ops/fold.h"

#include <algorithm>

#include "core/dtype.h"
#include "cpu/divide.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kTile = 512;    // columns that are summed together
constexpr int64_t kWork = 65536;  // additions worth a chunk of threads
constexpr int64_t kPhases = 16;   // the largest stride whose columns are kept apart

// Sums of a tile of columns. Those that are the same modulo the stride lie side by side, so that what
// a row of windows adds to is contiguous.
template <class C>
struct Tile {
  const int64_t phases, pitch;
  C total[kTile];

  Tile(int64_t stride, int64_t w)
      : phases(stride <= kPhases ? stride : 1),
        pitch(std::min(kTile / phases, divide_up(w, phases))) {}
  int64_t most() const { return phases * pitch; }
  int64_t place(int64_t column) const { return column % phases * pitch + column / phases; }
  template <class T>
  void store(int64_t width, T* y) const {
    for (int64_t k = 0; k < phases; ++k)
      for (int64_t i = k, j = k * pitch; i < width; i += phases) y[i] = T(total[j++]);
  }
};

// The windows of a row whose place j lies in a tile, and where: at sums of the tile.
struct Run {
  int64_t begin, count, to;
};
constexpr int64_t kRuns = 32;  // that are kept from row to row

template <class C>
Run run_of(const FoldShape& s, int64_t j, int64_t left, int64_t width, const Tile<C>& tile) {
  // Window q has this place at column q * stride_w + first.
  const int64_t first = j * s.dilation_w - s.pad_w - left;
  const int64_t begin = divide_up(std::max<int64_t>(-first, 0), s.stride_w);
  const int64_t room = std::max<int64_t>(width - first, 0);
  const int64_t end = std::min(s.q, divide_up(room, s.stride_w));
  if (begin >= end) return {0, 0, 0};
  return {begin, end - begin, tile.place(begin * s.stride_w + first)};
}

// Adds what one row of the windows' places gives.
template <class T, class C>
void add_run(const FoldShape& s, const Run& run, const T* x, Tile<C>& tile) {
  const T* const from = x + run.begin * s.x_q;
  C* const to = tile.total + run.to;
  const int64_t step = s.x_q, to_step = s.stride_w == tile.phases ? 1 : s.stride_w;
  if (to_step == 1 && step == 1)
    for (int64_t i = 0; i < run.count; ++i) to[i] += static_cast<C>(from[i]);
  else
    for (int64_t i = 0; i < run.count; ++i) to[i * to_step] += static_cast<C>(from[i * step]);
}

template <class T>
void fold_launch(const Context& context, const FoldShape& s, const void* x_, void* y_) {
  using C = Compute<T>;
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const int64_t terms = s.w + s.p * s.q * s.kernel_h * s.kernel_w / s.h;  // of a row
  context.parallel_for(
      s.batch * s.h, std::max<int64_t>(1, kWork / terms), [&](int64_t begin, int64_t end) {
        Tile<C> tile(s.stride_w, s.w);
        Run runs[kRuns];
        int64_t runs_left = -1;  // the tile that they are of
        for (int64_t item = begin; item < end; ++item) {
          const int64_t h = item % s.h;
          const T* const image = x + item / s.h * s.x_batch;
          for (int64_t left = 0; left < s.w; left += tile.most()) {
            const int64_t width = std::min(tile.most(), s.w - left);
            std::fill_n(tile.total, tile.most(), C(0));
            for (int64_t j = 0; j < std::min(s.kernel_w, kRuns) && runs_left != left; ++j)
              runs[j] = run_of(s, j, left, width, tile);
            runs_left = left;
            for (int64_t i = 0; i < s.kernel_h; ++i) {
              const int64_t at = h + s.pad_h - i * s.dilation_h, p = at / s.stride_h;
              if (at < 0 || p * s.stride_h != at || p >= s.p) continue;
              const T* const from = image + i * s.x_row + p * s.x_p;
              for (int64_t j = 0; j < s.kernel_w; ++j)
                add_run(s, j < kRuns ? runs[j] : run_of(s, j, left, width, tile),
                        from + j * s.x_column, tile);
            }
            tile.store(width, y + item * s.w + left);
          }
        }
      });
}

}  // namespace

void register_fold(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<fold_forward>(dtype_of<T>::value, fold_launch<T>);
  });
}

}  // namespace fastdl::cpu
