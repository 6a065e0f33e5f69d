#include "ops/count.h"

#include <algorithm>
#include <cmath>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

Tensor counted(const char* op, const Tensor& x, const Bins& bins) {
  const Tensor xs = contiguous(detach(x));
  Tensor counts = empty(op, {bins.count}, DType::i64, x.device());
  launch<count_forward>(op, x.device(), x.dtype(), x.numel(), x.numel(), bins, xs.data(),
                        counts.as<int64_t>());
  return counts;
}

template <class T>
T read(const Tensor& scalar, DType dtype) {
  return *to_device(cast(scalar, dtype), Device{}).as<const T>();
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
    refuse_reading("histc");  // the range
    low = read<double>(amin(detach(x), std::nullopt, false), DType::f64);
    high = read<double>(amax(detach(x), std::nullopt, false), DType::f64);
  }
  if (low == high && std::isfinite(low)) {
    const double margin = std::max(1.0, std::abs(low) * 0x1p-40);
    low -= margin, high += margin;
  }
  if (!(low <= high) || !std::isfinite(high - low))
    throw argument_error("histc", text("bins cannot divide the range from ", low, " to ", high))
        .show("input", x)
        .remedy("pass finite numbers, min below max");
  return cast(counted("histc", x, {bins, low, high}), x.dtype());
}

}  // namespace fastdl
