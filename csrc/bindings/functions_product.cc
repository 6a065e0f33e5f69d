// Rows of the function table: matrix products of fixed ranks.
#include "bindings/signature.h"
#include "ops/binary.h"
#include "ops/matmul.h"
#include "ops/shape.h"

namespace fastdl::bindings {

void define_product_functions(FunctionTable& t) {
  t.both("mm(input: ArrayLike, mat2: ArrayLike) -> Tensor",
         "autocast: low; input: floating [N, M]; mat2: like input [M, P]",
         "The product of two matrices.",
         [](const Tensor& a, const Tensor& b) { return matmul(a, b); });
  t.both("bmm(input: ArrayLike, mat2: ArrayLike) -> Tensor",
         "autocast: low; input: floating [B, N, M]; mat2: like input [B, M, P]",
         "The products of two batches of matrices, [B, N, P]; nothing broadcasts.",
         [](const Tensor& a, const Tensor& b) { return matmul(a, b); });
  t.both("mv(input: ArrayLike, vec: ArrayLike) -> Tensor",
         "autocast: low; input: floating [N, M]; vec: like input [M]",
         "The product of a matrix and a vector.",
         [](const Tensor& a, const Tensor& b) { return matmul(a, b); });
  t.both("dot(input: ArrayLike, tensor: ArrayLike) -> Tensor",
         "autocast: low; input: floating [N]; tensor: like input [N]",
         "The scalar product of two vectors.",
         [](const Tensor& a, const Tensor& b) { return matmul(a, b); });
  t.both("outer(input: ArrayLike, vec2: ArrayLike) -> Tensor",
         "input: number [N]; vec2: like input [M]", "input[i] * vec2[j] of two vectors: [N, M].",
         [](const Tensor& a, const Tensor& b) { return mul(unsqueeze(a, 1), b); });
  t.both(
      "addmm(input: ArrayLike, mat1: ArrayLike, mat2: ArrayLike, *, beta: float = 1.0, alpha: "
      "float = 1.0) -> Tensor",
      "autocast: low; input: floating; mat1: like input [N, M]; mat2: like input [M, P]",
      "beta * input + alpha * (mat1 @ mat2); input broadcasts to [N, P], and is not read where "
      "beta is 0.",
      [](const Tensor& x, const Tensor& a, const Tensor& b, double beta, double alpha) {
        return add_product("addmm", x, a, b, beta, alpha);
      });
  t.both(
      "baddbmm(input: ArrayLike, batch1: ArrayLike, batch2: ArrayLike, *, beta: float = 1.0, "
      "alpha: float = 1.0) -> Tensor",
      "autocast: low; input: floating; batch1: like input [B, N, M]; batch2: like input [B, M, P]",
      "beta * input + alpha * (batch1 @ batch2) of batches of matrices; input broadcasts to "
      "[B, N, P], and\nis not read where beta is 0.",
      [](const Tensor& x, const Tensor& a, const Tensor& b, double beta, double alpha) {
        return add_product("baddbmm", x, a, b, beta, alpha);
      });
}

}  // namespace fastdl::bindings
