#include "ops/local_response_norm.h"

#include <algorithm>

#include "core/layout.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/formula.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

constexpr const char* kOp = "local_response_norm";

ResponseShape shape_of(const Tensor& x, int64_t size, double alpha, double beta, double k) {
  const int64_t c = x.size(1), most = std::max<int64_t>(c - 1, 0);
  ResponseShape s{x.size(0),
                  c,
                  1,
                  std::min(size / 2, most),
                  std::min((size - 1) / 2, most),
                  alpha / static_cast<double>(size),
                  beta,
                  k};
  for (int i = 2; i < x.dim(); ++i) s.inner *= x.size(i);
  return s;
}

// The definition, for higher derivatives.
Tensor composed(const Tensor& x, const ResponseShape& s) {
  const Tensor squares = square(x);
  Tensor window = squares;
  const auto shifted = [&](int64_t by) {  // squares of channel i + by, 0 where there is none
    const int64_t gap = std::abs(by);
    Dims shape = x.shape();
    shape[1] = gap;
    const Tensor none = full(shape, 0, x.dtype(), x.device());
    const Tensor rest = narrow(squares, 1, std::max<int64_t>(by, 0), s.c - gap);
    return by < 0 ? cat({none, rest}, 1) : cat({rest, none}, 1);
  };
  for (int64_t by = -s.before; by <= s.after; ++by)
    if (by != 0) window = window + shifted(by);
  return x * pow(window * s.alpha + s.k, scalar_like(-s.beta, x));
}

}  // namespace

Tensor local_response_norm(const Tensor& x, int64_t size, double alpha, double beta, double k) {
  const ResponseShape s = shape_of(x, size, alpha, beta, k);
  const Layout layout = layout_of(x);
  const Tensor xs = contiguous(detach(x));
  Tensor y = empty(kOp, x.shape(), x.dtype(), x.device());
  launch<local_response_forward>(kOp, x.device(), x.dtype(), x.numel(), s, xs.data(),
                                 y.mutable_data());
  y = in_layout(y, layout);
  if (Recording r{kOp, {&x}})
    r.result(y, [s, layout, x = Saved(x)](Backward& pass) {
      const Tensor xs = x.get(pass);
      if (grad_enabled()) {
        const auto again = [&](const std::vector<Tensor>& in) {
          return std::vector<Tensor>{composed(in[0], s)};
        };
        return pass.give(0, composed_gradients(again, {xs}, {pass.grad()})[0]);
      }
      const Tensor xc = contiguous(xs), g = contiguous(pass.grad());
      Tensor dx = empty(xs.shape(), xs.dtype(), xs.device());
      launch<local_response_backward>(kOp, xs.device(), xs.dtype(), xs.numel(), s, xc.data(),
                                      g.data(), dx.mutable_data());
      pass.give(0, in_layout(dx, layout));
    });
  return y;
}

}  // namespace fastdl
