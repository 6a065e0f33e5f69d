// Pooling to a given size, over up to three dimensions. Of `size` elements in `count` windows, window
// i has those from floor(i * size / count) up to ceil((i + 1) * size / count): none is empty, and
// they overlap where count does not divide size. The windows that have element j are, by the same
// formula with the two exchanged, those of window j of `count` elements in `size` windows; so the
// gradient of a mean is this pooling the other way round.
//
// Source: K. He et al., Spatial pyramid pooling in deep convolutional networks for visual
// recognition, IEEE TPAMI 37 (2015), appendix A.
#pragma once

#include <array>

#include "core/fwd.h"
#include "core/half.h"
#include "core/kernel.h"

namespace fastdl {

struct AdaptiveWindow {
  int64_t first, last;  // [first, last)

  FASTDL_HD AdaptiveWindow(int64_t i, int64_t size, int64_t count)
      : first(divide(i * size, count)), last(divide((i + 1) * size + count - 1, count)) {}
  FASTDL_HD int64_t length() const { return last - first; }

 private:
  static FASTDL_HD int64_t divide(int64_t a, int64_t b) {
#ifdef __CUDA_ARCH__  // 64 bits are a call there, which the registers of a loop do not survive
    return static_cast<uint32_t>(a) / static_cast<uint32_t>(b);
#else
    return a / b;
#endif
  }
};
// What (count + 1) * (size + 1) of a dimension must stay below on CUDA, where windows are found in
// 32 bits.
inline constexpr int64_t kAdaptiveLimit = int64_t{1} << 32;

// x[planes, in...] -> y[planes, out...]; unused dimensions, the first ones, are 1.
struct AdaptiveShape {
  int64_t planes;
  int64_t in[3], out[3];
};

// y = the mean of each window. Where `turned`, the gradient of the pooling from `out` to `in`: the
// sum of the window's elements, each divided by the length of its own window over y.
FASTDL_KERNEL(adaptive_mean, const AdaptiveShape& shape, bool turned, const void* x, void* y);
// index, like y: where in its plane the maximum lies, the first of equals or the first NaN.
FASTDL_KERNEL(adaptive_max, const AdaptiveShape& shape, const void* x, void* y, int64_t* index);
// dx[planes, in...] = the sum of the elements of dy[planes, out...] whose maximum lay there.
FASTDL_KERNEL(adaptive_max_grad, const AdaptiveShape& shape, const void* dy, const int64_t* index,
              void* dx);

// x is [C, ...S] or [N, C, ...S], `out` the sizes that ...S becomes; a view where it has them.
Tensor adaptive_avg_pool(const char* op, const Tensor& x, const Dims& out);
// Values, and if `with_indices` the positions in the flattened ...S; else the second is undefined.
std::array<Tensor, 2> adaptive_max_pool(const char* op, const Tensor& x, const Dims& out,
                                        bool with_indices);

}  // namespace fastdl
