#include "ops/grid_sample.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/grid_sample_taps.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

constexpr const char* kOp = "grid_sample";

GridShape shape_of(const Tensor& x, const Tensor& grid, const std::string& mode,
                   const std::string& padding_mode, bool align_corners) {
  GridShape s{x.size(0), x.size(1), 1, 1, x.dim() - 2, {1, 1, 1}, {}, {}, align_corners};
  s.mode = mode == "bilinear"  ? GridMode::bilinear
           : mode == "nearest" ? GridMode::nearest
                               : GridMode::bicubic;
  s.padding = padding_mode == "zeros"    ? GridPadding::zeros
              : padding_mode == "border" ? GridPadding::border
                                         : GridPadding::reflection;
  if (s.mode == GridMode::bicubic && s.dims != 2)
    throw argument_error(kOp, "mode 'bicubic' takes images [N, C, H, W]")
        .show("input", x)
        .remedy("use 'bilinear' or 'nearest'");
  for (int d = 0; d < s.dims; ++d) {
    s.size[d] = x.size(x.dim() - 1 - d);
    s.pixels = checked_mul(kOp, s.pixels, s.size[d]);
    s.points = checked_mul(kOp, s.points, grid.size(d + 1));
  }
  if (s.pixels < 1 || s.pixels > kFarPlace)
    throw shape_error(kOp, text("an image has ", s.pixels, " pixels"))
        .show("input", x)
        .remedy(text("pass images of 1 to ", kFarPlace, " pixels"));
  return s;
}

// What the kernels compute, in ops: the functions of ops/grid_sample_taps.h over tensors [N, points].

Tensor places(const Tensor& g, int64_t size, bool align_corners) {
  const double n = static_cast<double>(size), far = kFarPlace;
  const Tensor at = align_corners ? (g + 1) / 2 * (n - 1) : ((g + 1) * n - 1) / 2;
  const Tensor known = logical_and(at >= -far, at <= far);
  const Tensor limit = select(at > 0, far, scalar_like(-far, at));
  return select(isnan(g), align_corners ? 0 : -0.5, select(known, at, limit));
}

Tensor reflected_places(const Tensor& p, int64_t size, bool align_corners) {
  const double low = align_corners ? 0 : -0.5;
  const auto span = static_cast<double>(align_corners ? size - 1 : size);
  if (span == 0) return p * 0;
  const Tensor from = p - low;
  const Tensor rest = fmod(select(from < 0, -from, from), scalar_like(2 * span, p));
  return select(rest < span, rest, 2 * span - rest) + low;
}

Tensor clipped_places(const Tensor& p, int64_t size) {
  const auto last = static_cast<double>(size - 1);
  return select(p <= 0, 0, select(p >= last, last, p));
}

// Whole numbers `at` as those of the pixels that are read; what is outside stays there.
Tensor padded_pixels(const Tensor& at, int64_t size, GridPadding padding, bool align_corners) {
  if (padding == GridPadding::zeros) return at;
  if (padding == GridPadding::border) return clipped_places(at, size);
  const auto n = static_cast<double>(size);
  if (align_corners && size == 1) return at * 0;
  const Tensor from = select(at < 0, align_corners ? -at : -1 - at, at);
  const double period = align_corners ? 2 * (n - 1) : 2 * n;
  const Tensor rest = fmod(from, scalar_like(period, at));
  return select(rest < n, rest, (align_corners ? period : period - 1) - rest);
}

// One of the pixels along one axis, each [N, points].
struct Pixel {
  Tensor at, inside, weight;  // `at` is 0 where nothing is read; no weight is 1
};

std::vector<Pixel> pixels_along(const Tensor& g, int64_t size, const GridShape& s) {
  const bool cubic = s.mode == GridMode::bicubic, nearest = s.mode == GridMode::nearest;
  Tensor p = places(g, size, s.align_corners);
  if (!cubic && s.padding == GridPadding::reflection)
    p = reflected_places(p, size, s.align_corners);
  if (!cubic && s.padding != GridPadding::zeros) p = clipped_places(p, size);
  const Tensor whole = nearest ? round(detach(p)) : floor(detach(p));
  const Tensor t = p - whole;
  std::vector<Tensor> weights{Tensor()};
  if (s.mode == GridMode::bilinear) weights = {1 - t, t};
  if (cubic) {
    const auto near = [](const Tensor& x) { return (1.25 * x - 2.25) * x * x + 1; };
    const auto far = [](const Tensor& x) { return ((-0.75 * x + 3.75) * x - 6) * x + 3; };
    weights = {far(t + 1), near(t), near(1 - t), far(2 - t)};
  }
  std::vector<Pixel> out;
  for (size_t k = 0; k < weights.size(); ++k) {
    const Tensor at = padded_pixels(whole + (static_cast<double>(k) - (cubic ? 1 : 0)), size,
                                    s.mode == GridMode::bilinear ? GridPadding::zeros : s.padding,
                                    s.align_corners);
    const Tensor inside = logical_and(at >= 0, at <= static_cast<double>(size - 1));
    out.push_back({cast(select(inside, at, 0), DType::i64), inside, weights[k]});
  }
  return out;
}

// x[N, C, pixels] and grid[N, points, dims] to [N, C, points].
Tensor sampled(const Tensor& x, const Tensor& grid, const GridShape& s) {
  std::vector<std::vector<Pixel>> axes;
  for (int d = 0; d < s.dims; ++d)
    axes.push_back(pixels_along(squeeze(narrow(grid, 2, d, 1), 2), s.size[d], s));
  const Dims shape{s.samples, s.channels, s.points};
  const auto spread = [&](const Tensor& of_points) {
    return expand(reshape(of_points, {s.samples, 1, s.points}), shape);
  };
  Tensor sum;
  int64_t taps = 1;
  for (const auto& axis : axes) taps *= static_cast<int64_t>(axis.size());
  for (int64_t tap = 0; tap < taps; ++tap) {
    Tensor at, inside, weight;
    int64_t rest = tap, step = 1;
    for (int d = 0; d < s.dims; ++d) {
      const auto& axis = axes[static_cast<size_t>(d)];
      const auto count = static_cast<int64_t>(axis.size());
      const Pixel& pixel = axis[static_cast<size_t>(rest % count)];
      const Tensor offset =
          mul(pixel.at, full({}, static_cast<double>(step), DType::i64, pixel.at.device()));
      at = d ? add(at, offset) : offset;
      inside = d ? logical_and(inside, pixel.inside) : pixel.inside;
      if (pixel.weight.defined()) weight = d ? weight * pixel.weight : pixel.weight;
      rest /= count, step *= s.size[d];
    }
    Tensor value = select(spread(inside), gather(x, 2, contiguous(spread(at))), 0);
    if (weight.defined()) value = value * spread(weight);
    sum = tap ? sum + value : value;
  }
  return sum;
}

void give_composed(Backward& pass, const Tensor& x, const Tensor& grid, const GridShape& s) {
  const auto composed = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
    return {sampled(in[0], in[1], s)};
  };
  const Dims planes{s.samples, s.channels, s.pixels}, points{s.samples, s.points, s.dims};
  const Tensor dy = reshape(pass.grad(), {s.samples, s.channels, s.points});
  const auto grads =
      composed_gradients(composed, {reshape(x, planes), reshape(grid, points)}, {dy});
  if (pass.needs(0)) pass.give(0, reshape(grads[0], x.shape()));
  if (pass.needs(1)) pass.give(1, reshape(grads[1], grid.shape()));
}

void give_fused(Backward& pass, const Tensor& x, const Tensor& grid, const GridShape& s) {
  const Tensor dy = contiguous(pass.grad()), gs = contiguous(grid);
  if (pass.needs(0)) {
    Tensor dx = empty_like(x);
    launch<grid_sample_backward_input>(kOp, x.device(), x.dtype(), dy.numel(), s, dy.data(),
                                       gs.data(), dx.mutable_data());
    pass.give(0, dx);
  }
  if (!pass.needs(1)) return;
  if (s.mode == GridMode::nearest)
    return pass.give(1, full(grid.shape(), 0, grid.dtype(), grid.device()));
  const Tensor xs = contiguous(x);
  Tensor dgrid = empty_like(grid);
  launch<grid_sample_backward_grid>(kOp, x.device(), x.dtype(), dy.numel(), s, dy.data(), xs.data(),
                                    gs.data(), dgrid.mutable_data());
  pass.give(1, dgrid);
}

}  // namespace

Tensor grid_sample(const Tensor& x, const Tensor& grid, const std::string& mode,
                   const std::string& padding_mode, bool align_corners) {
  const GridShape s = shape_of(x, grid, mode, padding_mode, align_corners);
  Dims shape{s.samples, s.channels};
  for (int d = 0; d < s.dims; ++d) shape.push(grid.size(d + 1));
  const Tensor xs = contiguous(detach(x)), gs = contiguous(detach(grid));
  Tensor y = empty(kOp, shape, x.dtype(), x.device());
  launch<grid_sample_forward>(kOp, x.device(), x.dtype(), y.numel(), s, xs.data(), gs.data(),
                              y.mutable_data());
  if (Recording r{kOp, {&x, &grid}})
    r.result(y, [s, x = Saved(x), grid = Saved(grid)](Backward& pass) {
      (grad_enabled() ? give_composed : give_fused)(pass, x.get(pass), grid.get(pass), s);
    });
  return y;
}

Tensor affine_grid(const Tensor& theta, const Dims& size, bool align_corners) {
  const int dims = size.n - 2;
  if (dims < 2 || dims > 3 || theta.size(1) != dims || theta.size(2) != dims + 1 ||
      size[0] != theta.size(0))
    throw shape_error("affine_grid", text("size ", str(size), " does not belong to theta"))
        .show("theta", theta)
        .remedy("pass [N, C, H, W] for theta [N, 2, 3], [N, C, D, H, W] for [N, 3, 4]");
  Dims shape{size[0]}, ones{size[0]};
  for (int d = 0; d < dims; ++d) shape.push(size[d + 2]), ones.push(1);
  shape.push(dims), ones.push(dims);
  checked_numel("affine_grid", shape);
  const auto column = [&](int k) { return reshape(narrow(theta, 2, k, 1), ones); };
  Tensor y = expand(column(dims), shape);
  for (int d = 0; d < dims; ++d) {  // coordinate d runs along dimension dims - d of the grid
    const int64_t n = shape[dims - d];
    const auto steps = static_cast<double>(align_corners ? n - 1 : n);
    Tensor at = arange(0, static_cast<double>(n), 1, theta.dtype(), theta.device());
    at = steps > 0 ? (2 * at - static_cast<double>(n - 1)) / steps : at;
    Dims along = Dims::filled(dims + 2, 1);
    along[dims - d] = n;
    y = y + column(d) * reshape(at, along);
  }
  return y;
}

}  // namespace fastdl
