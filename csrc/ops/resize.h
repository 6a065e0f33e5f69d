// Resizing: every output is a weighted sum of a few inputs along one axis, then along the next.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/fwd.h"
#include "core/kernel.h"
#include "core/shape.h"

namespace fastdl {

struct Tap {
  int64_t source;
  double weight;
};

// x[outer, n, inner] and y[outer, m, inner], contiguous.
struct ResizeShape {
  int64_t outer, n, m, inner;
};

// y[o, j, i] = the sum of weight * x[o, source, i] over the taps from start[j] up to start[j + 1], in
// their order. start[m + 1] and the taps lie in the host's memory; sources are below n. 16-bit floats
// accumulate in float.
FASTDL_KERNEL(resize_axis, const ResizeShape& shape, const int64_t* start, const Tap* taps,
              const void* x, void* y);

struct InterpolateOptions {
  std::optional<Dims> size;  // one for all spatial dimensions, or one for each
  std::optional<std::vector<double>> scale_factor;
  std::string mode;
  std::optional<bool> align_corners, recompute_scale_factor;
  bool antialias;
};
Tensor interpolate(const Tensor& x, const InterpolateOptions& o);

}  // namespace fastdl
