// Which inputs an output of a resized axis is made of, and with what weights.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "ops/resize.h"

namespace fastdl {

struct TapLists {
  std::vector<int64_t> start{0};
  std::vector<Tap> taps;

  int64_t outputs() const { return static_cast<int64_t>(start.size()) - 1; }
  void add(int64_t source, double weight) {
    if (weight != 0) taps.push_back({source, weight});  // so that an infinity spreads no further
  }
  void close() { start.push_back(static_cast<int64_t>(taps.size())); }
};

enum class ResizeMode { nearest, nearest_exact, linear, cubic, area };

// One axis from n inputs to m outputs.
struct ResizeAxis {
  int64_t n, m;
  ResizeMode mode;
  double factor;  // outputs per input where it is given, else 0: it is m / n
  bool align_corners, antialias;
};

TapLists taps_of(const ResizeAxis& axis);
// The lists by source: for every one of the n inputs the outputs that it goes into, ascending.
TapLists transposed(const TapLists& lists, int64_t n);

}  // namespace fastdl
