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

// Which targets count, and all of them with 0 in place of those that are ignored.
Tensor counted(const Tensor& target, int64_t ignored) { return target != ignored; }
Tensor checked_classes(const Tensor& target, const Tensor& counts, int64_t classes) {
  const Tensor safe = contiguous(select(counts, target, scalar_like(0, target)));
  return check_index_range("cross_entropy", safe, classes, "class index");
}

// The target that the kernels read, where what is ignored keeps its number. In a captured step on a
// GPU nobody has looked at it, but `safe` is in range.
Tensor in_range(const Tensor& target, const Tensor& safe, const Tensor& counts, int64_t ignored) {
  if (target.device().is_cpu() || !capturing()) return target;
  return select(counts, safe, scalar_like(static_cast<double>(ignored), target));
}

// -log softmax(x)[target] times the target's weight, and that weight; composed.
struct Picked {
  Tensor loss, weight;
};
Picked picked(const Tensor& log_p, const Tensor& target, const Tensor& counts, const Tensor& weight,
              double smoothing) {
  const int64_t rows = log_p.size(0), classes = log_p.size(1);
  Tensor weights = cast(counts, log_p.dtype());
  if (weight.defined()) weights = weights * gather(weight, 0, target);
  Tensor loss = -reshape(gather(log_p, 1, reshape(target, {rows, 1})), {rows}) * weights;
  if (smoothing > 0) {
    const Tensor all = sum(weight.defined() ? log_p * weight : log_p, Dims{1}, false);
    loss = loss * (1 - smoothing) - all * (smoothing / static_cast<double>(classes));
  }
  return {select(counts, loss, scalar_like(0, loss)), weights};
}

// x[rows, classes] and target[rows], both contiguous; one pass over x.
Tensor cross_entropy_rows(const Tensor& x, const Tensor& target, int64_t ignored) {
  const int64_t rows = x.size(0), classes = x.size(1);
  const Tensor xs = contiguous(detach(x));
  Tensor losses = empty({rows}, x.dtype(), x.device()), lse = empty_like(losses);
  launch<cross_entropy_forward>("cross_entropy", x.device(), x.dtype(), x.numel(), rows, classes,
                                xs.data(), target.as<const int64_t>(), ignored,
                                losses.mutable_data(), lse.mutable_data());
  if (Recording r{"cross_entropy", {&x}})
    r.result(losses, [x = Saved(x), t = Saved(target), lse, ignored](Backward& pass) {
      const Tensor xs = x.get(pass), target = t.get(pass);
      const int64_t rows = xs.size(0), classes = xs.size(1);
      const Tensor counts = counted(target, ignored);
      // Again: memory shared with NumPy can change without our knowing. A capture's cannot.
      const Capture* const capture = capturing();
      const bool own = capture && target.storage().of_capture(capture->memory().get());
      const Tensor safe =
          own && !grad_enabled() ? Tensor() : checked_classes(target, counts, classes);
      if (grad_enabled()) {
        const auto composed = [&](const std::vector<Tensor>& in) -> std::vector<Tensor> {
          return {picked(log_softmax(in[0], 1), safe, counts, {}, 0).loss};
        };
        pass.give(0, composed_gradients(composed, {xs}, {pass.grad()})[0]);
        return;
      }
      Tensor dx = empty_like(xs);
      const Tensor xc = contiguous(xs);
      const int64_t stride = rows > 1 ? pass.grad().stride()[0] : 1;
      launch<cross_entropy_backward>("cross_entropy", xs.device(), xs.dtype(), xs.numel(), rows,
                                     classes, xc.data(), static_cast<const int64_t*>(target.data()),
                                     ignored, lse.data(), pass.grad().data(), stride,
                                     dx.mutable_data());
      pass.give(0, dx);
    });
  return losses;
}

// Targets are probabilities of the classes in dimension c.
Tensor soft_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight, int c,
                          const CrossEntropyOptions& o) {
  Tensor log_p = log_softmax(x, c), p = target;
  if (o.smoothing > 0) p = p * (1 - o.smoothing) + o.smoothing / static_cast<double>(x.size(c));
  if (weight.defined()) {
    Dims shape = Dims::filled(x.dim(), 1);
    shape[c] = x.size(c);
    log_p = log_p * reshape(weight, shape);
  }
  return reduced(-sum(p * log_p, Dims{c}, false), o.reduction);
}

}  // namespace

Tensor cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                     const CrossEntropyOptions& o) {
  // Classes are in dimension 1 (0 for a single sample); the others are samples.
  const int c = x.dim() > 1 ? 1 : 0;
  if (is_floating(target.dtype())) return soft_cross_entropy(x, target, weight, c, o);
  const Tensor flat_target = contiguous(reshape(target, {target.numel()}));
  const Tensor counts = counted(flat_target, o.ignored);
  const Tensor safe = checked_classes(flat_target, counts, x.size(c));
  Tensor rows = x;
  if (x.dim() == 1) rows = unsqueeze(x, 0);
  if (x.dim() > 2) {
    Dims last;  // classes to the end
    for (int i = 0; i < x.dim(); ++i)
      if (i != c) last.push(i);
    last.push(c);
    rows = reshape(permute(x, last), {flat_target.numel(), x.size(c)});
  }
  Picked out;
  const bool wide = x.dtype() == DType::f32 || x.dtype() == DType::f64;
  if (wide && !weight.defined() && o.smoothing == 0)
    out = {cross_entropy_rows(rows, in_range(flat_target, safe, counts, o.ignored), o.ignored),
           cast(counts, x.dtype())};
  else
    out = picked(log_softmax(rows, 1), safe, counts, weight, o.smoothing);
  if (o.reduction == "none") return reshape(out.loss, target.shape());
  const Tensor total = sum(out.loss, std::nullopt, false);
  return o.reduction == "sum" ? total : total / sum(out.weight, std::nullopt, false);
}

Tensor mse_loss(const Tensor& x, const Tensor& target, const std::string& reduction) {
  return reduced(square(x - target), reduction);
}

Tensor binary_cross_entropy(const Tensor& x, const Tensor& target, const Tensor& weight,
                            const std::string& reduction) {
  // Logarithms no lower than -100, as in PyTorch, so that a certain but wrong answer stays finite.
  const auto bounded_log = [](const Tensor& p) { return maximum(log(p), scalar_like(-100, p)); };
  const Tensor loss = -(target * bounded_log(x) + (1 - target) * bounded_log(1 - x));
  return reduced(weight.defined() ? loss * weight : loss, reduction);
}

Tensor binary_cross_entropy_with_logits(const Tensor& x, const Tensor& target, const Tensor& weight,
                                        const std::string& reduction, const Tensor& pos_weight) {
  // -t log s(x) - (1 - t) log(1 - s(x)) = softplus(x) - t x, which weights of positives make
  // (1 - t) x + (1 + (w - 1) t) softplus(-x).
  const double no_threshold = std::numeric_limits<double>::infinity();
  Tensor loss = pos_weight.defined() ? (1 - target) * x + ((pos_weight - 1) * target + 1) *
                                                              softplus(-x, 1, no_threshold)
                                     : softplus(x, 1, no_threshold) - target * x;
  return reduced(weight.defined() ? loss * weight : loss, reduction);
}

}  // namespace fastdl
