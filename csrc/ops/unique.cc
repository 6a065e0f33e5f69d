#include "ops/unique.h"

#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/count.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/scan.h"
#include "ops/shape.h"
#include "ops/sort.h"

namespace fastdl {
namespace {

// rows[m, width], and the same in order, which was at `order`.
Unique of_sorted(const Tensor& sorted, const Tensor& order, const Dims& inverse_shape) {
  const int64_t m = sorted.size(0), width = sorted.size(1);
  const Device device = sorted.device();
  if (m == 0)
    return {sorted, empty(inverse_shape, DType::i64, device), empty({0}, DType::i64, device)};
  // A row that differs from the one before it starts a group.
  const Tensor differs = ne(narrow(sorted, 0, 1, m - 1), narrow(sorted, 0, 0, m - 1));
  const Tensor starts = width == 1 ? reshape(differs, {m - 1}) : any(differs, Dims{1}, false);
  const Tensor group =
      cumsum(cat({full({1}, 0, DType::i64, device), cast(starts, DType::i64)}, 0), 0);
  Unique u;
  u.counts = bincount(group, Tensor(), 0);
  u.values = embedding(sub(cumsum(u.counts, 0), u.counts), sorted);
  const Tensor nothing = full({m}, 0, DType::i64, device);
  u.inverse = reshape(scatter_add(nothing, 0, order, group), inverse_shape);
  return u;
}

// The order of rows, from the last column, which matters least, to the first one.
Tensor lexicographic_order(const Tensor& rows) {
  const int64_t m = rows.size(0);
  Tensor order = arange(0, static_cast<double>(m), 1, DType::i64, rows.device());
  const Tensor columns = contiguous(transpose(rows, 0, 1));
  for (int64_t j = rows.size(1) - 1; j >= 0; --j) {
    const Tensor column = reshape(narrow(columns, 0, j, 1), {m});
    order = gather(order, 0, sort(gather(column, 0, order), 0, false)[1]);
  }
  return order;
}

}  // namespace

Unique unique(const Tensor& input, std::optional<int64_t> dim) {
  refuse_reading("unique");  // how many there are
  const Tensor x = detach(input);
  if (!dim || x.dim() == 0) {
    const auto [sorted, order] = sort(reshape(x, {-1}), 0, false);
    Unique u = of_sorted(reshape(sorted, {x.numel(), 1}), order, x.shape());
    u.values = reshape(u.values, {u.values.numel()});
    return u;
  }
  const int d = normalize_dim("unique", *dim, x.dim());
  Dims to_front{d}, to_back;
  for (int i = 0; i < x.dim(); ++i) {
    if (i != d) to_front.push(i);
    to_back.push(i < d ? i + 1 : i == d ? 0 : i);
  }
  const Tensor slices = contiguous(permute(x, to_front));
  const int64_t m = x.size(d), width = m > 0 ? x.numel() / m : 0;
  if (width == 0 && m > 0)
    throw shape_error("unique", text("slices along dim ", d, " are empty"))
        .show("input", x)
        .remedy("use a dimension whose slices have elements");
  const Tensor rows = reshape(slices, {m, width}), order = lexicographic_order(rows);
  Unique u = of_sorted(embedding(order, rows), order, {m});
  Dims shape = slices.shape();
  shape[0] = u.values.size(0);
  u.values = contiguous(permute(reshape(u.values, shape), to_back));
  return u;
}

}  // namespace fastdl
