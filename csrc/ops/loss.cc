#include "ops/loss.h"

#include <limits>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/index.h"
#include "ops/reduce.h"
#include "ops/shape.h"
#include "ops/softmax.h"

namespace fastdl {
namespace {

Tensor reduced(const Tensor& losses, const std::string& reduction) {
  if (reduction == "mean") return mean(losses, std::nullopt, false);
  return reduction == "sum" ? sum(losses, std::nullopt, false) : losses;
}

// x[rows, classes] and target[rows], both contiguous.
Tensor cross_entropy_rows(const Tensor& x, const Tensor& target) {
  const int64_t rows = x.size(0), classes = x.size(1);
  const Tensor xs = contiguous(detach(x));
  Tensor losses = empty({rows}, x.dtype(), x.device()), lse = empty_like(losses);
  launch<cross_entropy_forward>("cross_entropy", x.device(), x.dtype(), x.numel(), rows, classes,
                                xs.data(), target.as<const int64_t>(), losses.mutable_data(),
                                lse.mutable_data());
  if (Recording r{"cross_entropy", {&x}})
    r.result(losses, [x = Saved(x), t = Saved(target), lse](Backward& pass) {
      const Tensor xs = x.get(pass), target = t.get(pass);
      const int64_t rows = xs.size(0), classes = xs.size(1);
      if (grad_enabled()) {
        const auto composed = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
          return {-reshape(gather(log_softmax(in[0], 1), 1, reshape(target, {rows, 1})), {rows})};
        };
        pass.give(0, composed_gradients(composed, {xs}, {pass.grad()})[0]);
        return;
      }
      Tensor dx = empty_like(xs);
      const Tensor xc = contiguous(xs);
      // Again: memory shared with NumPy can change without our knowing.
      check_index_range("cross_entropy", target, classes, "class index");
      const int64_t stride = rows > 1 ? pass.grad().stride()[0] : 1;
      launch<cross_entropy_backward>("cross_entropy", xs.device(), xs.dtype(), xs.numel(), rows,
                                     classes, xc.data(), static_cast<const int64_t*>(target.data()),
                                     lse.data(), pass.grad().data(), stride, dx.mutable_data());
      pass.give(0, dx);
    });
  return losses;
}

}  // namespace

Tensor cross_entropy(const Tensor& x, const Tensor& target, const std::string& reduction) {
  // Classes are in dimension 1 (0 for a single sample); the others are samples.
  const int c = x.dim() > 1 ? 1 : 0;
  const Tensor flat_target = contiguous(reshape(target, {-1}));
  check_index_range("cross_entropy", flat_target, x.size(c), "class index");
  Tensor rows = x;
  if (x.dim() == 1) rows = unsqueeze(x, 0);
  if (x.dim() > 2) {
    Dims last;  // classes to the end
    for (int i = 0; i < x.dim(); ++i)
      if (i != c) last.push(i);
    last.push(c);
    rows = reshape(permute(x, last), {flat_target.numel(), x.size(c)});
  }
  const Tensor losses = cross_entropy_rows(rows, flat_target);
  return reduced(reduction == "none" ? reshape(losses, target.shape()) : losses, reduction);
}

Tensor mse_loss(const Tensor& x, const Tensor& target, const std::string& reduction) {
  return reduced(square(x - target), reduction);
}

Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const std::string& reduction) {
  // Logarithms no lower than -100, as in PyTorch, so that a certain but wrong answer stays finite.
  const auto bounded_log = [](const Tensor& p) { return maximum(log(p), scalar_like(-100, p)); };
  return reduced(-(target * bounded_log(x) + (1 - target) * bounded_log(1 - x)), reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target,
                                        const std::string& reduction) {
  // -t log s(x) - (1 - t) log(1 - s(x)) = softplus(x) - t x
  const double no_threshold = std::numeric_limits<double>::infinity();
  return reduced(softplus(x, 1, no_threshold) - target * x, reduction);
}

}  // namespace fastdl
