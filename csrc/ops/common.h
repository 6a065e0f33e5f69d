// Checks and walks that the families share.
#pragma once

#include <tuple>
#include <type_traits>
#include <vector>

#include "autograd/node.h"
#include "core/backend.h"
#include "core/error.h"
#include "core/layout.h"
#include "core/tensor.h"
#include "ops/copy.h"

namespace fastdl {

inline Error shape_error(const char* op, std::string problem) {
  return Error(ErrorKind::shape, op, std::move(problem));
}
inline Error argument_error(const char* op, std::string problem) {
  return Error(ErrorKind::argument, op, std::move(problem));
}

// The largest kernel, stride, padding or dilation: far above any real use, and low enough that index
// arithmetic on it cannot overflow.
inline constexpr int64_t kMaxWindow = int64_t{1} << 24;

struct Operand {
  const char* name;
  const Tensor& tensor;
};
// Throws DeviceError or DTypeError unless all defined operands agree with the first one.
void check_same_device(const char* op, std::initializer_list<Operand> operands);
void check_same_kind(const char* op, std::initializer_list<Operand> operands);  // device and dtype
void check_floating(const char* op, const Operand& operand);
void check_dim(const char* op, const Operand& operand, int dim, const char* layout);

// The layout of an elementwise result of `shape`: that of the first operand of that shape
// that has no gaps.
template <class... Tensors>
Layout common_layout(const Dims& shape, const Tensors&... t) {
  for (const Tensor* const operand : {&t...})
    if (operand->shape() == shape && lies_in(layout_of(*operand), *operand))
      return layout_of(*operand);
  return Layout::first;
}

// A walk over tensors read as `shape` (each broadcast to it), in the last one's order.
template <class... Tensors>
Strided<sizeof...(Tensors)> walk_over(const Dims& shape, const Tensors&... t) {
  constexpr int n = sizeof...(Tensors);
  if ((... && (t.is_contiguous() && t.shape() == shape))) {
    Strided<n> walk;
    for (int64_t size : shape) walk.numel *= size;
    walk.ndim = 1;
    walk.size[0] = walk.numel;
    for (int i = 0; i < n; ++i) walk.stride[i][0] = 1;
    return walk;
  }
  Dims strides[n] = {broadcast_strides(t.shape(), t.stride(), shape)...};
  if (!is_channels_last(std::get<n - 1>(std::tie(t...)))) return make_walk<n>(shape, strides);
  const auto reordered = [](const Dims& d) { return Dims{d[0], d[2], d[3], d[1]}; };
  for (Dims& stride : strides) stride = reordered(stride);
  return make_walk<n>(reordered(shape), strides);
}

// f of 16-bit operands (undefined ones stay so) in float32, each result rounded once, and so are the
// gradients: how ops without kernels for 16 bits take them, and those that would round too often.
template <class F, class... Rest>
auto in_float32(const F& f, const Tensor& x, const Rest&... rest) {
  const auto wide = [](const Tensor& t) { return t.defined() ? cast(t, DType::f32) : t; };
  auto y = f(wide(x), wide(rest)...);
  if constexpr (std::is_same_v<decltype(y), Tensor>)
    y = cast(y, x.dtype());
  else
    for (Tensor& t : y) t = cast(t, x.dtype());
  return y;
}
inline bool has_16_bits(const Tensor& x) { return item_size(x.dtype()) == 2; }

// A 0-d tensor of x's dtype and device, which broadcasts against x.
Tensor scalar_like(double value, const Tensor& x);

// The gradients of a fused op when they are to be differentiated again: `composed` repeats the op
// in terms of simpler ones, and autograd differentiates that. Undefined operands stay undefined.
std::vector<Tensor> composed_gradients(
    const std::function<std::vector<Tensor>(const std::vector<Tensor>&)>& composed,
    const std::vector<Tensor>& operands, const std::vector<Tensor>& result_grads);

}  // namespace fastdl
