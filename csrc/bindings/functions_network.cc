// Rows of the function table: dense layers and softmax.
#include "bindings/signature.h"
#include "ops/matmul.h"
#include "ops/softmax.h"

namespace fastdl::bindings {

void define_network_functions(FunctionTable& t) {
  t.function("linear(input: ArrayLike, weight: ArrayLike, bias: ArrayLike | None = None) -> Tensor",
             "autocast: low; input: floating [..., in_features]; weight: like input [out_features, "
             "in_features]; "
             "bias: like input [out_features]",
             "input[..., in] times weight[out, in] transposed, plus bias[out]: [..., "
             "out].\n\nRaises ShapeError, DTypeError or DeviceError where the operands do not fit.",
             [](const Tensor& x, const Tensor& w, const OptionalTensor& b) {
               return linear(x, w, b.tensor);
             });
  t.both("softmax(input: ArrayLike, dim: int) -> Tensor",
         "autocast: full; input: floating; dim: dim of input",
         "exp(x) / sum(exp(x)) along `dim`, without overflow.",
         [](const Tensor& x, int64_t dim) { return softmax(x, dim); });
  t.both("log_softmax(input: ArrayLike, dim: int) -> Tensor",
         "autocast: full; input: floating; dim: dim of input",
         "log(softmax(x)) along `dim`, without cancellation.",
         [](const Tensor& x, int64_t dim) { return log_softmax(x, dim); });
}

}  // namespace fastdl::bindings
