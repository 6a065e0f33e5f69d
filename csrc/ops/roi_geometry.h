// Where the bins of a box lie and what they read, along rows or columns; for both devices. In double
// whatever the dtype, for a rounding error would move a border by a pixel.
#pragma once

#include <cmath>

#include "core/half.h"
#include "ops/adaptive_pool.h"
#include "ops/roi.h"

namespace fastdl {

inline constexpr double kMostPixels = 1 << 24;

FASTDL_HD inline bool is_good_box(const RoiShape& s, const double* box) {
  if (!(box[0] >= 0 && box[0] < static_cast<double>(s.images))) return false;
  if (box[0] != std::floor(box[0])) return false;
  for (int i = 1; i < 5; ++i)
    if (!(std::fabs(box[i] * s.scale) <= kMostPixels)) return false;  // of NaN too
  return true;
}

// ---- align: the mean of bilinear samples ----

// A sample's two elements and their weights, which are 0 outside of the image.
struct Tap {
  int64_t low = 0, high = 0;
  double low_weight = 0, high_weight = 0;

  FASTDL_HD Tap(double at, int64_t size) {
    if (size == 0 || !(at >= -1 && at <= static_cast<double>(size))) return;
    at = at < 0 ? 0 : at;
    low = static_cast<int64_t>(at);
    high = low + 1;
    if (high >= size) low = high = size - 1, at = static_cast<double>(low);
    high_weight = at - static_cast<double>(low);
    low_weight = 1 - high_weight;
  }
  FASTDL_HD double weight_of(int64_t i) const {
    return (low == i ? low_weight : 0) + (high == i ? high_weight : 0);
  }
};

struct Samples {
  int64_t first, last;  // [first, last)
};

struct AlignAxis {
  double start, bin, step;  // of a bin, and from sample to sample
  int64_t bins, count;      // of the box, and of a bin's samples
  int64_t size;             // of the image

  FASTDL_HD AlignAxis(const RoiShape& s, double low, double high, int64_t bins, int64_t size)
      : bins(bins), size(size) {
    const double shift = s.aligned ? 0.5 : 0;
    start = low * s.scale - shift;
    double length = high * s.scale - shift - start;
    if (!s.aligned && length < 1) length = 1;
    bin = length / static_cast<double>(bins);
    count = s.sampling > 0 ? s.sampling : static_cast<int64_t>(std::ceil(bin));
    if (count < 0) count = 0;
    step = count > 0 ? bin / static_cast<double>(count) : 0;
  }

  FASTDL_HD double position(int64_t b, int64_t sample) const {
    return start + static_cast<double>(b) * bin + (static_cast<double>(sample) + 0.5) * step;
  }
  // The samples of a bin that may lie in [low, high]; it has others too where it is huge.
  FASTDL_HD Samples samples(int64_t b, double low, double high) const {
    return range(low, high, start + static_cast<double>(b) * bin, step, count);
  }
  // The bins that may have samples there.
  FASTDL_HD Samples bins_in(double low, double high) const {
    return range(low, high, start, bin, bins);
  }

 private:
  static FASTDL_HD Samples range(double low, double high, double origin, double step,
                                 int64_t count) {
    if (!(step > 0)) return {0, count};  // an inverted box
    const double most = static_cast<double>(count);
    const double first = std::floor((low - origin) / step) - 1;
    const double last = std::ceil((high - origin) / step) + 1;
    return {static_cast<int64_t>(std::fmin(std::fmax(first, 0), most)),
            static_cast<int64_t>(std::fmin(std::fmax(last, 0), most))};
  }
};

struct AlignBox {
  int64_t image;
  AlignAxis rows, columns;

  FASTDL_HD AlignBox(const RoiShape& s, const double* box)
      : image(static_cast<int64_t>(box[0])),
        rows(s, box[2], box[4], s.p, s.h),
        columns(s, box[1], box[3], s.q, s.w) {}
  FASTDL_HD double samples_of_bin() const {
    const double n = static_cast<double>(rows.count) * static_cast<double>(columns.count);
    return n > 1 ? n : 1;
  }
};

// ---- pool: the maximum of whole elements ----

struct PoolAxis {
  int64_t start, length;  // in whole elements
  int64_t bins, size;

  FASTDL_HD PoolAxis(const RoiShape& s, double low, double high, int64_t bins, int64_t size)
      : start(static_cast<int64_t>(std::round(low * s.scale))),
        length(static_cast<int64_t>(std::round(high * s.scale)) - start + 1),
        bins(bins),
        size(size) {
    if (length < 1) length = 1;
  }
  FASTDL_HD AdaptiveWindow window(int64_t b) const {
    AdaptiveWindow w(b, length, bins);
    w.first = inside(w.first + start);
    w.last = inside(w.last + start);
    return w;
  }
  // The bins that have element i of the image.
  FASTDL_HD AdaptiveWindow bins_over(int64_t i) const {
    AdaptiveWindow w(i - start, bins, length);
    if (i < start || i >= start + length) w.first = w.last = 0;
    return w;
  }

 private:
  FASTDL_HD int64_t inside(int64_t i) const { return i < 0 ? 0 : i < size ? i : size; }
};

struct PoolBox {
  int64_t image;
  PoolAxis rows, columns;

  FASTDL_HD PoolBox(const RoiShape& s, const double* box)
      : image(static_cast<int64_t>(box[0])),
        rows(s, box[2], box[4], s.p, s.h),
        columns(s, box[1], box[3], s.q, s.w) {}
};

}  // namespace fastdl
