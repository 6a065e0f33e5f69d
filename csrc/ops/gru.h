// Gated recurrent units over a sequence (Cho et al., 2014), in the variant of PyTorch and cuDNN, which
// applies the reset gate after the product. Gates in the order r, z, n:
//
//   r, z = sigmoid(x_t W_ih' + b_ih + h W_hh' + b_hh)
//   n = tanh(x_t W_in' + b_in + r * (h W_hn' + b_hn))
//   h = (1 - z) * n + z * h
#pragma once

#include <array>

#include "core/fwd.h"
#include "core/kernel.h"
#include "ops/recurrent.h"

namespace fastdl {

using GruShape = RecurrentShape;

// x[t, n, input], h0[n, hidden], w_ih[3 hidden, input], w_hh[3 hidden, hidden], biases [3 hidden] or
// null; all contiguous. y[t, n, hidden]. For the backward pass, kept by the caller:
// gates[t, n, 4 hidden], which are r, z, n and h W_hn' + b_hn, or null. float32 and
// float64; on CUDA also float16 and bfloat16.
FASTDL_KERNEL(gru_forward, const GruShape& shape, const void* x, const void* h0, const void* w_ih,
              const void* w_hh, const void* b_ih, const void* b_hh, void* y, void* gates);

struct GruSaved {
  const void *x, *h0, *w_ih, *w_hh, *y, *gates;
};
struct GruGrads {
  const void *dy, *dh;  // of y and of the last h; each may be null
  void *dx, *dh0, *dw_ih, *dw_hh, *db_ih, *db_hh;
};
FASTDL_KERNEL(gru_backward, const GruShape& shape, const GruSaved& saved, const GruGrads& grads);

// {y, last h}
std::array<Tensor, 2> gru(const Tensor& x, const Tensor& h0, const Tensor& w_ih, const Tensor& w_hh,
                          const Tensor& b_ih, const Tensor& b_hh);

}  // namespace fastdl
