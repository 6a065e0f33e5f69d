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

// Adds to total, columns [left, left + width) of row h, what one row of the window's places gives.
template <class T, class C>
void add_row(const FoldShape& s, const T* x, int64_t left, int64_t width, C* total) {
  for (int64_t j = 0; j < s.kernel_w; ++j) {
    // Window q has this place at column q * stride_w + first.
    const int64_t first = j * s.dilation_w - s.pad_w - left;
    const int64_t begin = divide_up(std::max<int64_t>(-first, 0), s.stride_w);
    const int64_t room = std::max<int64_t>(width - first, 0);
    const int64_t end = std::min(s.q, divide_up(room, s.stride_w));
    if (begin >= end) continue;
    const T* const from = x + j * s.x_column + begin * s.x_q;
    C* const to = total + begin * s.stride_w + first;
    const int64_t count = end - begin, step = s.x_q;
    if (s.stride_w == 1 && step == 1)
      for (int64_t i = 0; i < count; ++i) to[i] += static_cast<C>(from[i]);
    else
      for (int64_t i = 0; i < count; ++i) to[i * s.stride_w] += static_cast<C>(from[i * step]);
  }
}

template <class T>
void fold_launch(const Context& context, const FoldShape& s, const void* x_, void* y_) {
  using C = Compute<T>;
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const int64_t terms = s.w + s.p * s.q * s.kernel_h * s.kernel_w / s.h;  // of a row
  context.parallel_for(
      s.batch * s.h, std::max<int64_t>(1, kWork / terms), [&](int64_t begin, int64_t end) {
        C total[kTile];
        for (int64_t item = begin; item < end; ++item) {
          const int64_t h = item % s.h;
          const T* const image = x + item / s.h * s.x_batch;
          for (int64_t left = 0; left < s.w; left += kTile) {
            const int64_t width = std::min(kTile, s.w - left);
            std::fill_n(total, width, C(0));
            for (int64_t i = 0; i < s.kernel_h; ++i) {
              const int64_t at = h + s.pad_h - i * s.dilation_h, p = at / s.stride_h;
              if (at < 0 || at % s.stride_h != 0 || p >= s.p) continue;
              add_row(s, image + i * s.x_row + p * s.x_p, left, width, total);
            }
            T* const row = y + item * s.w + left;
            for (int64_t k = 0; k < width; ++k) row[k] = T(total[k]);
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
