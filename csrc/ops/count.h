// Counting: histograms.
#pragma once

#include <optional>
#include <vector>

#include "core/fwd.h"
#include "core/half.h"
#include "core/kernel.h"

namespace fastdl {

// `count` bins of equal width from low to high; what is at a border belongs to the bin above it, the
// last border to the last bin. Of integers each is its own bin, and the borders do not matter.
struct Bins {
  int64_t count;
  double low, high;

  // That of x, or -1 outside and for NaN.
  FASTDL_HD int64_t of(double x) const {
    if (!(x >= low && x <= high)) return -1;
    const int64_t bin = static_cast<int64_t>((x - low) * static_cast<double>(count) / (high - low));
    return bin < count ? bin : count - 1;
  }
  FASTDL_HD int64_t of(int64_t x) const { return x >= 0 && x < count ? x : -1; }
};

// counts[b] = how many of x[n] fall into bin b. All dtypes but bool.
FASTDL_KERNEL(count_forward, int64_t n, const Bins& bins, const void* x, int64_t* counts);

// `weights` may be undefined.
Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength);
Tensor histc(const Tensor& x, int64_t bins, double low, double high);
// Ascending borders of bins of equal width; without a range from the smallest to the largest of x.
Tensor bin_edges(const Tensor& x, int64_t bins, const std::optional<std::vector<double>>& range);
// Of x between the ascending `edges`, or the sums of the weights there; `weight` may be undefined. As a
// density its integral is 1.
Tensor histogram(const Tensor& x, const Tensor& edges, const Tensor& weight, bool density);

}  // namespace fastdl
