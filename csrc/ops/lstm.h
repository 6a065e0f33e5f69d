// Long short-term memory over a sequence (Hochreiter and Schmidhuber, 1997; with the forget gate of
// Gers et al., 2000). Gates in the order i, f, g, o, as in PyTorch:
//
//   i, f, o = sigmoid(...), g = tanh(...)  of  x_t W_ih' + b_ih + h W_hh' + b_hh
//   c = f * c + i * g        h = o * tanh(c)
#pragma once

#include <array>

#include "core/fwd.h"
#include "core/kernel.h"
#include "ops/recurrent.h"

namespace fastdl {

using LstmShape = RecurrentShape;

// x[t, n, input], h0 and c0 [n, hidden], w_ih[4 hidden, input], w_hh[4 hidden, hidden], biases
// [4 hidden] or null; all contiguous. y[t, n, hidden]. For the backward pass, kept by the caller:
// gates[t, n, 4 hidden] (after their activations) and cells[t, n, hidden]. Where there will be none
// both are null, and c[n, hidden], c0 on entry, is the last cell state on return; else c is null.
// float32 and float64; on CUDA also float16 and bfloat16, with c in float32 between steps.
FASTDL_KERNEL(lstm_forward, const LstmShape& shape, const void* x, const void* h0, const void* c0,
              const void* w_ih, const void* w_hh, const void* b_ih, const void* b_hh, void* y,
              void* c, void* gates, void* cells);

struct LstmSaved {
  const void *x, *h0, *c0, *w_ih, *w_hh, *y, *gates, *cells;
};
struct LstmGrads {
  const void *dy, *dh, *dc;  // of y, of the last h and of the last c; each may be null
  void *dx, *dh0, *dc0, *dw_ih, *dw_hh, *db;  // db is the gradient of each of the two biases
};
FASTDL_KERNEL(lstm_backward, const LstmShape& shape, const LstmSaved& saved,
              const LstmGrads& grads);

// {y, last h, last c}
std::array<Tensor, 3> lstm(const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_ih,
                           const Tensor& w_hh, const Tensor& b_ih, const Tensor& b_hh);

}  // namespace fastdl
