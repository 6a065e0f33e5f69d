#include "ops/count.h"

#include <algorithm>
#include <cmath>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"
#include "ops/sort.h"

namespace fastdl {
namespace {

Tensor counted(const char* op, const Tensor& x, const Bins& bins) {
  const Tensor xs = contiguous(detach(x));
  Tensor counts = empty(op, {bins.count}, DType::i64, x.device());
  launch<count_forward>(op, x.device(), x.dtype(), x.numel(), x.numel(), bins, xs.data(),
                        counts.as<int64_t>());
  return counts;
}

// The range that bins divide, or an error.
struct Range {
  double low, high;
};
Range checked_range(const char* op, const Tensor& x, Range r) {
  if (r.low <= r.high && std::isfinite(r.high - r.low)) return r;
  throw argument_error(op, text("bins cannot divide the range from ", r.low, " to ", r.high))
      .show("input", x)
      .remedy("pass finite numbers, the smaller one first");
}

template <class T>
T read(const Tensor& scalar, DType dtype) {
  return *to_device(cast(scalar, dtype), Device{}).as<const T>();
}

Range range_of(const char* op, const Tensor& x) {
  refuse_reading(op);
  return {read<double>(amin(detach(x), std::nullopt, false), DType::f64),
          read<double>(amax(detach(x), std::nullopt, false), DType::f64)};
}

}  // namespace

Tensor bincount(const Tensor& x, const Tensor& weights, int64_t minlength) {
  refuse_reading("bincount");  // the number of bins
  Bins bins{minlength, 0, 0};
  if (x.numel() > 0) {
    const int64_t lowest = read<int64_t>(amin(x, std::nullopt, false), DType::i64);
    const int64_t largest = read<int64_t>(amax(x, std::nullopt, false), DType::i64);
    if (lowest < 0)
      throw Error(ErrorKind::index, "bincount", text("there is no bin ", lowest))
          .show("input", x)
          .remedy("count numbers from 0 on");
    // The largest int64 has no successor; nor has any machine memory for so many bins.
    bins.count = std::max(minlength, largest < INT64_MAX ? largest + 1 : largest);
  }
  if (!weights.defined()) return counted("bincount", x, bins);
  // In 16 bits a sum stops growing where its terms are below its last digit.
  const bool narrow = item_size(weights.dtype()) == 2;
  const Tensor ws = narrow ? cast(weights, DType::f32) : weights;
  checked_numel("bincount", {bins.count});
  const Tensor zeros = full({bins.count}, 0, ws.dtype(), x.device());
  return cast(scatter_add(zeros, 0, cast(x, DType::i64), ws), weights.dtype());
}

Tensor histc(const Tensor& x, int64_t bins, double low, double high) {
  if (low == high && x.numel() > 0) {
    const Range range = range_of("histc", x);
    low = range.low, high = range.high;
  }
  if (low == high && std::isfinite(low)) {
    const double margin = std::max(1.0, std::abs(low) * 0x1p-40);
    low -= margin, high += margin;
  }
  checked_range("histc", x, {low, high});
  return cast(counted("histc", x, {bins, low, high}), x.dtype());
}

Tensor bin_edges(const Tensor& x, int64_t bins, const std::optional<std::vector<double>>& range) {
  Range r{0, 1};
  if (range && range->size() != 2)
    throw argument_error("histogram", text("range has ", range->size(), " numbers"))
        .remedy("pass two, the smaller one first");
  if (range)
    r = {(*range)[0], (*range)[1]};
  else if (x.numel() > 0)
    r = range_of("histogram", x);
  r = checked_range("histogram", x, r);
  if (r.low == r.high) r.low -= 0.5, r.high += 0.5;
  return linspace(r.low, r.high, bins + 1, x.dtype(), x.device());
}

Tensor histogram(const Tensor& x_, const Tensor& edges, const Tensor& weight, bool density) {
  const int64_t bins = edges.size(0) - 1;
  if (bins < 1)
    throw shape_error("histogram", text("there are ", bins + 1, " edges"))
        .show("bins", edges)
        .remedy("pass two edges or more");
  const Tensor x = reshape(detach(x_), {-1}), borders = contiguous(detach(edges));
  const Tensor found = searchsorted(borders, x, true);
  const auto edge = [&](int64_t i) { return borders.view({}, {}, borders.offset() + i); };
  const Tensor inside = logical_and(ge(x, edge(0)), le(x, edge(bins)));
  // What is outside has a bin of its own, which is dropped.
  const Tensor last = scalar_like(static_cast<double>(bins - 1), found);
  const Tensor bin = where(inside, minimum(found - 1.0, last), last + 1.0);
  const DType wide = x.dtype() == DType::f64 ? DType::f64 : DType::f32;
  Tensor hist;
  if (weight.defined())
    hist = scatter_add(full({bins + 1}, 0, wide, x.device()), 0, bin,
                       cast(reshape(weight, {-1}), wide));
  else
    hist = cast(counted("histogram", bin, {bins + 1, 0, 0}), wide);
  hist = narrow(hist, 0, 0, bins);
  if (density) {
    const Tensor wide_edges = cast(borders, wide);
    const Tensor width = narrow(wide_edges, 0, 1, bins) - narrow(wide_edges, 0, 0, bins);
    hist = hist / (sum(hist, std::nullopt, false) * width);
  }
  return cast(hist, x.dtype());
}

}  // namespace fastdl
