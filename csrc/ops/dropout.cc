#include "ops/dropout.h"

#include <cmath>

#include "core/rng.h"
#include "ops/common.h"
#include "ops/formula.h"
#include "ops/random.h"

namespace fastdl {
namespace {

// x's first `lead` sizes, then ones.
Dims slices_of(const Tensor& x, int lead) {
  Dims shape = x.shape();
  for (int i = lead; i < shape.n; ++i) shape[i] = 1;
  return shape;
}

bool leaves_alone(const Dropping& d) { return !d.training || d.p == 0; }

Tensor dropped(const char* op, const Tensor& x, const Dims& shape, const Dropping& d) {
  if (leaves_alone(d)) return x;
  const double scale = d.p < 1 ? 1 / (1 - d.p) : 0.0;
  return x * mask_like(op, x, shape, 1 - d.p, scale, d.generator);
}

Tensor alpha_dropped(const char* op, const Tensor& x, const Dims& shape, const Dropping& d) {
  if (leaves_alone(d)) return x;
  if (d.p == 1) return x * 0.0;
  // -scale * alpha of SELU; the affine function of the elements that stay is scale * x + shift.
  constexpr double kFloor = -1.0507009873554805 * 1.6732632423543772;
  const double keep = 1 - d.p, scale = 1 / std::sqrt(keep + kFloor * kFloor * keep * d.p);
  const double shift = -scale * d.p * kFloor;
  const Tensor mask = mask_like(op, x, shape, keep, scale, d.generator);
  return (x - kFloor) * mask + (scale * kFloor + shift);
}

}  // namespace

Tensor dropout(const Tensor& x, const Dropping& d) { return dropped("dropout", x, x.shape(), d); }

Tensor dropout_slices(const char* op, const Tensor& x, int lead, const Dropping& d) {
  return dropped(op, x, slices_of(x, lead), d);
}

Tensor alpha_dropout(const Tensor& x, const Dropping& d) {
  return alpha_dropped("alpha_dropout", x, x.shape(), d);
}

Tensor feature_alpha_dropout(const Tensor& x, const Dropping& d) {
  return alpha_dropped("feature_alpha_dropout", x, slices_of(x, 2), d);
}

Tensor gaussian_noise(const Tensor& x, double std, bool training, Generator* generator) {
  if (!training || std == 0) return x;
  return x + normal(x.shape(), 0, std, x.dtype(), x.device(), generator);
}

Tensor gaussian_dropout(const Tensor& x, const Dropping& d) {
  if (d.p == 1)
    throw argument_error("gaussian_dropout", "p is 1, for which the noise has no finite variance")
        .show("input", x)
        .remedy("use a p below 1");
  if (leaves_alone(d)) return x;
  return x * normal(x.shape(), 1, std::sqrt(d.p / (1 - d.p)), x.dtype(), x.device(), d.generator);
}

}  // namespace fastdl
