// Matrix products.
#pragma once

#include "core/epilogue.h"
#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// c[b, i, j] = sum over p of a[b, i, p] * b[b, p, j]  (+ c[b, i, j] if accumulate)
struct GemmShape {
  int64_t batch, m, n, k;
  int64_t a_batch, a_row, a_col;  // strides in elements, any sign, 0 where broadcast
  int64_t b_batch, b_row, b_col;
  int64_t c_batch, c_row;  // c's columns are contiguous
  bool accumulate = false;
};

// `packed` is null, or b as gemm_pack made it, for a batch of 1; the epilogue's residual lies like c.
// k = 0 gives the epilogue of zeros. 16-bit floats accumulate in float. On CUDA `packed` is null and
// the epilogue has a bias at most.
FASTDL_KERNEL(gemm, const GemmShape& shape, const void* a, const void* b, const void* packed,
              const Epilogue& epilogue, void* c);

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

}  // namespace fastdl
