// Rows of the function table: recurrent layers.
#include "bindings/signature.h"
#include "ops/gru.h"
#include "ops/lstm.h"

namespace fastdl::bindings {

void define_recurrent_functions(FunctionTable& t) {
  t.function(
      "gru(input: ArrayLike, h0: ArrayLike, weight_ih: ArrayLike, weight_hh: ArrayLike, bias_ih: "
      "ArrayLike | None = None, bias_hh: ArrayLike | None = None) -> tuple[Tensor, Tensor]",
      "autocast: low; input: floating [T, N, input_size]; h0: like input [N, hidden_size]; "
      "weight_ih: like input [3 * hidden_size, input_size]; "
      "weight_hh: like input [3 * hidden_size, hidden_size]; "
      "bias_ih, bias_hh: like input [3 * hidden_size]",
      R"(Gated recurrent units over a sequence (Cho et al., 2014; the reset gate after the product).

input[T, N, I], h0[N, H], weight_ih[3H, I], weight_hh[3H, H], biases [3H], gates in the order reset,
update, new. Returns (output[T, N, H], h_n[N, H]).
Raises ShapeError naming the operand that does not fit.)",
      [](const Tensor& x, const Tensor& h0, const Tensor& w_ih, const Tensor& w_hh,
         const OptionalTensor& b_ih,
         const OptionalTensor& b_hh) { return gru(x, h0, w_ih, w_hh, b_ih.tensor, b_hh.tensor); });
  t.function(
      "lstm(input: ArrayLike, h0: ArrayLike, c0: ArrayLike, weight_ih: ArrayLike, weight_hh: "
      "ArrayLike, bias_ih: ArrayLike | None = None, bias_hh: ArrayLike | None = None) -> "
      "tuple[Tensor, Tensor, Tensor]",
      "autocast: low; input: floating [T, N, input_size]; h0, c0: like input [N, hidden_size]; "
      "weight_ih: like input [4 * hidden_size, input_size]; "
      "weight_hh: like input [4 * hidden_size, hidden_size]; "
      "bias_ih, bias_hh: like input [4 * hidden_size]",
      R"(Long short-term memory over a sequence (Hochreiter and Schmidhuber, 1997).

input[T, N, I], h0 and c0 [N, H], weight_ih[4H, I], weight_hh[4H, H], biases [4H], gates in
the order input, forget, cell, output. Returns (output[T, N, H], h_n[N, H], c_n[N, H]).
Raises ShapeError naming the operand that does not fit.)",
      [](const Tensor& x, const Tensor& h0, const Tensor& c0, const Tensor& w_ih,
         const Tensor& w_hh, const OptionalTensor& b_ih, const OptionalTensor& b_hh) {
        return lstm(x, h0, c0, w_ih, w_hh, b_ih.tensor, b_hh.tensor);
      });
}

}  // namespace fastdl::bindings
