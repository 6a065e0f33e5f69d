// A row is a plane of one row. A volume is pooled over rows and columns first, and what that leaves
// over slices: a plane of [slices, rows * columns]. The first of equal maxima is the same either way.
#include "ops/pool.h"

#include <algorithm>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/pool2d.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// Dimensions `rows` and `columns` of the pooled ones; -1: one row, which stays as it is.
Pool2dOptions plane_options(const PoolOptions& o, int rows, int columns) {
  const int at[2] = {rows, columns};
  Pool2dOptions p{{1, 1}, {1, 1}, {0, 0}, {1, 1}, o.ceil_mode, o.count_include_pad};
  for (int i = 0; i < 2; ++i)
    if (at[i] >= 0)
      p.kernel[i] = o.kernel[at[i]], p.stride[i] = o.stride[at[i]], p.padding[i] = o.padding[at[i]],
      p.dilation[i] = o.dilation[at[i]];
  p.divisor = static_cast<double>(o.divisor);
  return p;
}

// x's shape with the pooled sizes. Errors show x as it was passed.
Dims pooled_shape(const char* op, const Tensor& x, const PoolOptions& o) {
  Dims shape = x.shape();
  for (int i = 0; i < o.dims; ++i) {
    int64_t& size = shape[x.dim() - o.dims + i];
    size = pooled_size(op, x, size, plane_options(o, -1, i), 1);
  }
  return shape;
}

// Volumes as planes, and back.
struct Volumes {
  Dims result;
  int64_t count = 1, depth, cells;  // volumes, slices of each, cells of a pooled slice

  Volumes(const Tensor& x, const Dims& result) : result(result), depth(x.size(x.dim() - 3)) {
    for (int i = 0; i < x.dim() - 3; ++i) count *= x.size(i);
    cells = result[result.n - 2] * result[result.n - 1];
  }
  Tensor slices(const Tensor& x) const {
    return reshape(x, {count * depth, x.size(x.dim() - 2), x.size(x.dim() - 1)});
  }
  Tensor columns(const Tensor& pooled) const { return reshape(pooled, {count, depth, cells}); }
};

// Where in its volume each maximum lies: `deep` says which cell [slice, row, column] of `flat` it
// came from, and that one where in the slice.
Tensor volume_indices(const Tensor& deep, const Tensor& flat, const Volumes& v, int64_t slice) {
  const Tensor at = reshape(deep, {v.count, deep.numel() / std::max<int64_t>(v.count, 1)});
  const Tensor found = select(at >= 0, at, 0);
  const Tensor in_slice = gather(reshape(flat, {v.count, v.depth * v.cells}), 1, found);
  const Tensor depth = floor_divide(found, scalar_like(static_cast<double>(v.cells), found));
  const Tensor index = depth * static_cast<double>(slice) + in_slice;
  return reshape(select(logical_and(at >= 0, in_slice >= 0), index, -1), v.result);
}

}  // namespace

std::array<Tensor, 2> max_pool(const char* op, const Tensor& x, const PoolOptions& o,
                               bool with_indices) {
  Tensor flat, deep;
  Tensor* const wanted = with_indices ? &deep : nullptr;
  if (o.dims == 2) {
    const Tensor y = max_pool2d(op, x, plane_options(o, 0, 1), wanted);
    return {y, deep};
  }
  const Dims shape = pooled_shape(op, x, o);
  if (o.dims == 1) {
    const Tensor y =
        reshape(max_pool2d(op, unsqueeze(x, -2), plane_options(o, -1, 0), wanted), shape);
    return {y, with_indices ? reshape(deep, shape) : deep};
  }
  const Volumes v(x, shape);
  const Tensor planes =
      max_pool2d(op, v.slices(x), plane_options(o, 1, 2), with_indices ? &flat : nullptr);
  const Tensor y = max_pool2d(op, v.columns(planes), plane_options(o, 0, -1), wanted);
  const int64_t slice = x.size(x.dim() - 2) * x.size(x.dim() - 1);
  return {reshape(y, shape), with_indices ? volume_indices(deep, flat, v, slice) : deep};
}

Tensor avg_pool(const char* op, const Tensor& x, const PoolOptions& o) {
  if (o.dims == 2) return avg_pool2d(op, x, plane_options(o, 0, 1));
  const Dims shape = pooled_shape(op, x, o);
  if (o.dims == 1) return reshape(avg_pool2d(op, unsqueeze(x, -2), plane_options(o, -1, 0)), shape);
  // The divisor of a window is the product of those along its dimensions; of one that is given, each
  // pass takes its part, so that what lies between is of the size of a mean.
  const Volumes v(x, shape);
  Pool2dOptions flat = plane_options(o, 1, 2), deep = plane_options(o, 0, -1);
  if (o.divisor)
    flat.divisor = static_cast<double>(o.kernel[1] * o.kernel[2]), deep.divisor /= flat.divisor;
  return reshape(avg_pool2d(op, v.columns(avg_pool2d(op, v.slices(x), flat)), deep), shape);
}

}  // namespace fastdl
