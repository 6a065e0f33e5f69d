#include "ops/softmax.h"

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

struct Lanes {
  int64_t outer = 1, n = 1, inner = 1;
};

Lanes lanes_of(const Tensor& x, int dim) {
  Lanes l;
  for (int i = 0; i < x.dim(); ++i) (i < dim ? l.outer : i == dim ? l.n : l.inner) *= x.size(i);
  return l;
}

Tensor fused_gradient(const char* op, bool log, const Tensor& g, const Tensor& y, int dim) {
  const Lanes l = lanes_of(y, dim);
  const Tensor gs = contiguous(g);
  Tensor dx = empty_like(y);
  launch<softmax_backward>(op, y.device(), y.dtype(), y.numel(), log, l.outer, l.n, l.inner,
                           gs.data(), y.data(), dx.mutable_data());
  return dx;
}

Tensor composed_gradient(bool log, const Tensor& g, const Tensor& y, int dim) {
  if (log) return g - exp(y) * sum(g, Dims{dim}, true);
  return y * (g - sum(g * y, Dims{dim}, true));
}

Tensor normalised(const char* op, bool log, const Tensor& x, int64_t dim) {
  const int d = normalize_dim(op, dim, x.dim());
  const Tensor xs = contiguous(detach(x));
  const Lanes l = lanes_of(xs, d);
  Tensor y = empty_like(x);
  launch<softmax_forward>(op, x.device(), x.dtype(), x.numel(), log, l.outer, l.n, l.inner,
                          xs.data(), y.mutable_data());
  if (Recording r{op, {&x}})
    r.result(y, [op, log, d, y = Saved::result(y)](Backward& pass) {
      const Tensor ys = y.get(pass);
      pass.give(0, grad_enabled() ? composed_gradient(log, pass.grad(), ys, d)
                                  : fused_gradient(op, log, pass.grad(), ys, d));
    });
  return y;
}

}  // namespace

Tensor softmax(const Tensor& x, int64_t dim) { return normalised("softmax", false, x, dim); }
Tensor log_softmax(const Tensor& x, int64_t dim) { return normalised("log_softmax", true, x, dim); }

}  // namespace fastdl
