#include "ops/resize.h"

#include <cmath>
#include <limits>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/resize_taps.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

constexpr const char* kOp = "interpolate";

// An axis's lists there and back.
struct Lists {
  TapLists forth, back;
};

ResizeShape shape_along(const Tensor& x, int dim, Layout layout, int64_t m) {
  ResizeShape s{1, x.size(dim), m, 1};
  for (int i = 0; i < x.dim(); ++i)
    if (i != dim) {
      const bool inside = i > dim || (layout == Layout::last && i == 1);
      (inside ? s.inner : s.outer) *= x.size(i);
    }
  return s;
}

// Linear in x: the derivative is the same with the lists exchanged.
Tensor along(const Tensor& x, int dim, std::shared_ptr<const Lists> lists, bool back) {
  const TapLists& taps = back ? lists->back : lists->forth;
  const Layout layout = layout_of(x);
  const Tensor source = in_layout(detach(x), layout);
  const ResizeShape s = shape_along(source, dim, layout, taps.outputs());
  Dims shape = x.shape();
  shape[dim] = s.m;
  Tensor y = empty_in(kOp, layout, shape, x.dtype(), x.device());
  launch<resize_axis>(kOp, x.device(), x.dtype(), y.numel(), s, host_array(taps.start),
                      host_array(taps.taps), source.data(), y.mutable_data());
  if (Recording r{kOp, {&x}})
    r.result(y, [dim, lists, back](Backward& pass) {
      pass.give(0, along(pass.grad(), dim, lists, !back));
    });
  return y;
}

ResizeMode mode_of(const Tensor& x, const std::string& mode) {
  if (mode == "nearest") return ResizeMode::nearest;
  if (mode == "nearest-exact") return ResizeMode::nearest_exact;
  if (mode == "area") return ResizeMode::area;
  const int rank = mode == "linear" ? 3 : mode == "trilinear" ? 5 : 4;
  if (x.dim() != rank)
    throw argument_error(kOp, text("mode '", mode, "' takes an input of ", rank, " dimensions"))
        .show("input", x)
        .remedy(
            "use 'linear' for [N, C, W], 'bilinear' or 'bicubic' for [N, C, H, W], 'trilinear' "
            "for [N, C, D, H, W]");
  return mode == "bicubic" ? ResizeMode::cubic : ResizeMode::linear;
}

void check_options(const Tensor& x, const InterpolateOptions& o) {
  const auto refuse = [&](const char* problem, const char* remedy) {
    throw argument_error(kOp, problem).show("input", x).remedy(remedy);
  };
  if (o.size.has_value() == o.scale_factor.has_value())
    refuse("the output is given twice, or not at all", "pass either size or scale_factor");
  if (o.size && o.recompute_scale_factor.value_or(false))
    refuse("recompute_scale_factor without scale_factor", "pass scale_factor, or leave it out");
  const bool by_weights = o.mode.find("linear") != std::string::npos || o.mode == "bicubic";
  if (o.align_corners && !by_weights)
    refuse("align_corners goes with linear, bilinear, bicubic and trilinear only", "leave it out");
  if (o.antialias && o.mode != "bilinear" && o.mode != "bicubic")
    refuse("antialias goes with bilinear and bicubic only", "use one of them, or leave it out");
  for (int i = 2; i < x.dim(); ++i)
    if (x.size(i) < 1 || x.size(i) > std::numeric_limits<int32_t>::max())
      throw shape_error(kOp, text("dimension ", i, " has ", x.size(i), " elements"))
          .show("input", x)
          .remedy("pass an input of 1 to 2147483647 elements in each spatial dimension");
}

template <class Values>
auto one_for(const char* name, const Values& values, int count, int i, const Tensor& x) {
  const auto given = static_cast<int>(values.end() - values.begin());
  if (given != 1 && given != count)
    throw argument_error(kOp, text(name, " has ", given, " values for ", count, " dimensions"))
        .show("input", x)
        .remedy(text("pass one number, or ", count));
  return *(values.begin() + (given == 1 ? 0 : i));
}

// Spatial dimension i of the input.
ResizeAxis axis_of(const Tensor& x, const InterpolateOptions& o, ResizeMode mode, int i) {
  const int count = x.dim() - 2;
  ResizeAxis a{x.size(i + 2), 0, mode, 0, o.align_corners.value_or(false), o.antialias};
  if (o.size) {
    a.m = one_for("size", *o.size, count, i, x);
    return a;
  }
  const double factor = one_for("scale_factor", *o.scale_factor, count, i, x);
  const double outputs = std::floor(static_cast<double>(a.n) * factor);
  if (!(outputs >= 1 && outputs <= static_cast<double>(kMaxWindow)))
    throw argument_error(kOp, text("scale_factor is ", factor, " for ", a.n, " elements"))
        .show("input", x)
        .remedy(text("use a factor that gives 1 to ", kMaxWindow, " elements"));
  a.m = static_cast<int64_t>(outputs);
  if (!o.recompute_scale_factor.value_or(false)) a.factor = factor;
  return a;
}

bool changes_nothing(const TapLists& lists, int64_t n) {
  if (lists.outputs() != n || static_cast<int64_t>(lists.taps.size()) != n) return false;
  for (size_t j = 0; j < lists.taps.size(); ++j)
    if (lists.taps[j].source != static_cast<int64_t>(j) || lists.taps[j].weight != 1) return false;
  return true;
}

}  // namespace

Tensor interpolate(const Tensor& x, const InterpolateOptions& o) {
  const ResizeMode mode = mode_of(x, o.mode);
  check_options(x, o);
  std::vector<ResizeAxis> axes;
  Dims shape = x.shape();
  for (int i = 0; i < x.dim() - 2; ++i) {
    axes.push_back(axis_of(x, o, mode, i));
    shape[i + 2] = axes.back().m;
  }
  checked_numel(kOp, shape);
  Tensor y = x;
  for (int i = x.dim() - 3; i >= 0; --i) {
    const ResizeAxis& axis = axes[static_cast<size_t>(i)];
    auto lists = std::make_shared<Lists>();
    lists->forth = taps_of(axis);
    if (changes_nothing(lists->forth, axis.n)) continue;
    if (grad_enabled() && requires_grad(x)) lists->back = transposed(lists->forth, axis.n);
    y = along(y, i + 2, std::move(lists), false);
  }
  return y.impl() == x.impl() ? clone_in(x, layout_of(x)) : y;
}

}  // namespace fastdl
