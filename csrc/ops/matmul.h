// Matrix products.
#pragma once

#include "core/epilogue.h"
#include "core/fwd.h"
#include "core/kernel.h"
#include "core/precision.h"

namespace fastdl {

// c[b, i, j] = sum over p of a[b, i, p] * b[b, p, j]  (+ c[b, i, j] if accumulate)
struct GemmShape {
  int64_t batch, m, n, k;
  int64_t a_batch, a_row, a_col;  // strides in elements, any sign, 0 where broadcast
  int64_t b_batch, b_row, b_col;
  int64_t c_batch, c_row;  // c's columns are contiguous
  bool accumulate = false;
  Precision precision = Precision::highest;  // of float32, on CUDA
};

// `packed` is null, or b as gemm_pack made it, for a batch of 1; the epilogue's residual lies like c.
// k = 0 gives the epilogue of zeros. 16-bit floats accumulate in float. On CUDA `packed` is null.
FASTDL_KERNEL(gemm, const GemmShape& shape, const void* a, const void* b, const void* packed,
              const Epilogue& epilogue, void* c);

// What computes a product on CUDA (fastdl.explain); its operands are aligned.
struct GemmChoice {
  const char *algorithm, *why;
  int tile_m, tile_n;
  int64_t parts, chunk;  // k is summed in `parts` of `chunk`
};
FASTDL_KERNEL(gemm_plan, const GemmShape& shape, GemmChoice& choice);

// b[k, n] in the form that products on the CPU read fastest. `packed` has room for k rows of n
// rounded up to kPackedColumns.
inline constexpr int64_t kPackedColumns = 32;
FASTDL_KERNEL(gemm_pack, int64_t k, int64_t n, const void* b, int64_t b_row, int64_t b_col,
              void* packed);

struct FusedOptions;  // ops/epilogue.h

Tensor matmul(const Tensor& a, const Tensor& b);
// beta * input + alpha * (a @ b); input expands to the product, and is not read where beta is 0.
Tensor add_product(const char* op, const Tensor& input, const Tensor& a, const Tensor& b,
                   double beta, double alpha);
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias);
// activation(linear(...) + residual) in one pass, for inference: no operand may record a gradient.
Tensor linear_fused(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const FusedOptions& fused);

// The choice for contiguous operands on a CUDA device; `turned_a` is stored [k, m], `turned_b` [n, k].
GemmChoice plan_matmul(int64_t batch, int64_t m, int64_t n, int64_t k, bool turned_a, bool turned_b,
                       DType dtype, const Device& device);

// How exact products of float32 on CUDA are, of matrices and convolutions: for all threads, highest
// at first. The CPU multiplies float32 as it is.
Precision float32_matmul_precision();
void set_float32_matmul_precision(Precision precision);

}  // namespace fastdl
