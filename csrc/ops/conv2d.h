// Two-dimensional convolution (cross-correlation, as in every framework), with groups.
#pragma once

#include "core/conv2d_shape.h"
#include "core/epilogue.h"
#include "core/fwd.h"
#include "core/kernel.h"
#include "core/layout.h"
#include "core/precision.h"

namespace fastdl {

// What could compute one of a convolution's products on the CPU, and what does.
inline constexpr int kConv2dCandidates = 5;
struct Conv2dPlan {
  struct Candidate {
    const char* name;  // empty beyond the last one
    double cycles;     // estimated, of one core; infinite where it does not apply
    double multiplications;
  } candidates[kConv2dCandidates];
  int chosen;
  int64_t packed;  // elements of the weight that conv2d_pack prepares, 0 for none
};

// x, y, their gradients and the epilogue's residual lie densely in `layout`; the weight and its
// gradient are contiguous. On CUDA `layout` is what conv2d_layout says.
//
// `packed` is null, or the weight as conv2d_pack made it for this shape and layout.
FASTDL_KERNEL(conv2d_forward, const Conv2dShape& shape, Layout layout, const void* x,
              const void* weight, const void* packed, const Epilogue& epilogue, void* y);
// `bias`, of x's channels, may be null; so may `dbias`.
FASTDL_KERNEL(conv2d_backward_data, const Conv2dShape& shape, Layout layout, const void* dy,
              const void* weight, const void* bias, void* dx);
// CUDA: the layout that the kernels of a product take, given how its first operand lies.
FASTDL_KERNEL(conv2d_layout, const Conv2dShape& shape, Conv2dProduct product, Layout given,
              Layout& layout);
FASTDL_KERNEL(conv2d_plan, const Conv2dShape& shape, Layout layout, Conv2dProduct product,
              Conv2dPlan& plan);
FASTDL_KERNEL(conv2d_pack, const Conv2dShape& shape, Layout layout, const void* weight,
              void* packed);
FASTDL_KERNEL(conv2d_backward_weight, const Conv2dShape& shape, Layout layout, const void* x,
              const void* dy, void* dweight, void* dbias);

struct FusedOptions;  // ops/epilogue.h
struct ConvOptions;   // ops/conv.h
struct Conv2dOptions {
  int64_t stride[2], padding[2], dilation[2], groups;
};
// Batches only, and operands that fit (ops/conv.h). The result lies as x does, channels first or last.
Tensor conv2d(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
              const Conv2dOptions& o);
// activation(conv2d(...) + residual) in one pass, for inference: no operand may record a gradient.
Tensor conv2d_fused(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const FusedOptions& fused, const ConvOptions& o);
// The plan for a shape of float32 or float64 on the CPU.
Conv2dPlan plan_conv2d(const Dims& x_shape, const Dims& weight_shape, const ConvOptions& o,
                       DType dtype, Layout layout, Conv2dProduct product);

// Whether Winograd's algorithm may be chosen; for all threads, true at first.
bool winograd_enabled();
void set_winograd(bool on);

// The two gradients are ops of their own: each is linear in both operands, so that their
// derivatives are again these three. conv_transpose is the first of them, with a bias.
Tensor conv2d_input_grad(const char* op, const Tensor& dy, const Tensor& weight, const Tensor& bias,
                         const Dims& x_shape, const Conv2dOptions& o);
Tensor conv2d_weight_grad(const Tensor& x, const Tensor& dy, const Dims& weight_shape,
                          const Conv2dOptions& o);

}  // namespace fastdl
