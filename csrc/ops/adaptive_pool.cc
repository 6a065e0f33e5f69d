#include "ops/adaptive_pool.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/pool.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

Dims with_sizes(const char* op, const Tensor& x, const Dims& out) {
  Dims shape = x.shape();
  for (int i = 0; i < out.n; ++i) {
    int64_t& size = shape[x.dim() - out.n + i];
    if (size == 0)
      throw shape_error(op, text("dimension ", x.dim() - out.n + i, " of input is 0"))
          .show("input", x)
          .remedy("pass at least one element to pool");
    if (!x.device().is_cpu() && checked_mul(op, size + 1, out[i] + 1) >= kAdaptiveLimit)
      throw shape_error(op, text("windows of ", size, " elements to ", out[i], " are too many"))
          .show("input", x)
          .remedy("pool on the CPU, or in two steps");
    size = out[i];
  }
  checked_numel(op, shape);
  return shape;
}

// The options of the plain pooling that does the same where all windows are equal and kernels for
// those exist; without a value elsewhere.
std::optional<PoolOptions> equal_windows(const Tensor& x, const Dims& out) {
  if (out.n > 2) return std::nullopt;
  PoolOptions o{};
  o.dims = out.n;
  for (int i = 0; i < out.n; ++i) {
    const int64_t size = x.size(x.dim() - out.n + i);
    if (size % out[i] != 0 || size / out[i] > kMaxWindow) return std::nullopt;
    o.kernel[i] = o.stride[i] = size / out[i];
    o.dilation[i] = 1;
  }
  return o;
}

AdaptiveShape shape_of(const Dims& x, const Dims& y, int pooled) {
  AdaptiveShape s{1, {1, 1, 1}, {1, 1, 1}};
  for (int i = 0; i < x.n - pooled; ++i) s.planes *= x[i];
  for (int i = 0; i < pooled; ++i) {
    s.in[3 - pooled + i] = x[x.n - pooled + i];
    s.out[3 - pooled + i] = y[x.n - pooled + i];
  }
  return s;
}

// Channels last are a volume [H, W, C] of which C is kept.
AdaptiveShape last_shape_of(const Dims& x, const Dims& y) {
  return {x[0], {x[2], x[3], x[1]}, {y[2], y[3], y[1]}};
}

int64_t work_of(const Tensor& x, const Tensor& y) { return std::max(x.numel(), y.numel()); }

Tensor mean(const char* op, const Tensor& x, const Dims& shape, int pooled, bool turned) {
  const Layout layout = x.device().is_cpu() && pooled == 2 ? layout_of(x) : Layout::first;
  const Tensor xs = in_layout(detach(x), layout);
  Tensor y = empty_in(op, layout, shape, x.dtype(), x.device());
  const AdaptiveShape s =
      layout == Layout::last ? last_shape_of(x.shape(), shape) : shape_of(x.shape(), shape, pooled);
  launch<adaptive_mean>(op, x.device(), x.dtype(), work_of(x, y), s, turned, xs.data(),
                        y.mutable_data());
  if (Recording r{op, {&x}})
    r.result(y, [op, pooled, turned, shape = x.shape()](Backward& pass) {
      pass.give(0, mean(op, pass.grad(), shape, pooled, !turned));
    });
  return y;
}

Tensor max_grad(const char* op, const Tensor& g, const Tensor& index, const Dims& x_shape,
                int pooled) {
  const AdaptiveShape s = shape_of(x_shape, g.shape(), pooled);
  if (grad_enabled()) {  // an indexed sum, whose derivative is known
    const Dims cells{s.planes, s.in[0] * s.in[1] * s.in[2]};
    const Dims windows{s.planes, s.out[0] * s.out[1] * s.out[2]};
    const Tensor zero = full(cells, 0, g.dtype(), g.device());
    return reshape(scatter_add(zero, 1, reshape(index, windows), reshape(g, windows)), x_shape);
  }
  Tensor dx = empty(x_shape, g.dtype(), g.device());
  const Tensor gs = contiguous(g);
  launch<adaptive_max_grad>(op, g.device(), g.dtype(), work_of(dx, g), s, gs.data(),
                            index.as<const int64_t>(), dx.mutable_data());
  return dx;
}

}  // namespace

Tensor adaptive_avg_pool(const char* op, const Tensor& x, const Dims& out) {
  const Dims shape = with_sizes(op, x, out);
  if (shape == x.shape()) return reshape(x, shape);
  if (out == Dims{1, 1, 1})  // one row, whose mean is a reduction
    return reshape(adaptive_avg_pool(op, flatten(x, -3, -1), {1}), shape);
  if (const auto o = equal_windows(x, out)) return avg_pool(op, x, *o);
  return mean(op, x, shape, out.n, false);
}

std::array<Tensor, 2> adaptive_max_pool(const char* op, const Tensor& x, const Dims& out,
                                        bool with_indices) {
  const Dims shape = with_sizes(op, x, out);
  if (const auto o = equal_windows(x, out)) return max_pool(op, x, *o, with_indices);
  const Tensor xs = contiguous(detach(x));
  Tensor y = empty_in(op, Layout::first, shape, x.dtype(), x.device());
  Tensor index = empty_in(op, Layout::first, shape, DType::i64, x.device());
  launch<adaptive_max>(op, x.device(), x.dtype(), work_of(x, y), shape_of(x.shape(), shape, out.n),
                       xs.data(), y.mutable_data(), index.as<int64_t>());
  if (Recording r{op, {&x}})
    r.result(y, [op, saved = Saved(index), pooled = out.n, shape = x.shape()](Backward& pass) {
      pass.give(0, max_grad(op, pass.grad(), saved.get(pass), shape, pooled));
    });
  return {y, with_indices ? index : Tensor()};
}

}  // namespace fastdl
