#include "core/layout.h"

#include "core/tensor.h"

namespace fastdl {

bool lies_in(Layout layout, const Tensor& x) {
  if (layout == Layout::first) return x.is_contiguous();
  if (x.dim() != 4) return false;
  constexpr int order[] = {1, 3, 2, 0};  // fastest first
  int64_t expected = 1;
  for (const int d : order) {
    if (x.size(d) != 1 && x.numel() > 0 && x.stride()[d] != expected) return false;
    expected *= x.size(d);
  }
  return true;
}

bool is_channels_last(const Tensor& x) { return !x.is_contiguous() && lies_in(Layout::last, x); }

Layout layout_of(const Tensor& x) { return is_channels_last(x) ? Layout::last : Layout::first; }

Dims strides_in(Layout layout, const Dims& shape) {
  if (layout == Layout::first) return contiguous_strides(shape);
  return {shape[1] * shape[2] * shape[3], 1, shape[3] * shape[1], shape[1]};
}

Tensor empty_in(const char* op, Layout layout, const Dims& shape, DType dtype,
                const Device& device) {
  const Tensor x = empty(op, shape, dtype, device);
  return layout == Layout::first ? x : x.view(shape, strides_in(layout, shape), 0);
}

Tensor empty_in(Layout layout, const Dims& shape, DType dtype, const Device& device) {
  return empty_in("empty", layout, shape, dtype, device);
}

}  // namespace fastdl
