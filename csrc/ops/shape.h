// Views and joins: ops that move elements and compute nothing.
#pragma once

#include <optional>
#include <vector>

#include "core/fwd.h"
#include "core/shape.h"

namespace fastdl {

// Views of x's storage where strides allow, else (reshape only) of a contiguous copy.
Tensor reshape(const Tensor& x, const Dims& shape);  // one size may be -1
Tensor view(const Tensor& x, const Dims& shape);     // refuses to copy
Tensor permute(const Tensor& x, const Dims& dims);
Tensor transpose(const Tensor& x, int64_t dim0, int64_t dim1);
Tensor flatten(const Tensor& x, int64_t start_dim, int64_t end_dim);
Tensor squeeze(const Tensor& x, std::optional<int64_t> dim);
Tensor unsqueeze(const Tensor& x, int64_t dim);
Tensor expand(const Tensor& x, const Dims& shape);  // -1 keeps a size
Tensor narrow(const Tensor& x, int64_t dim, int64_t start, int64_t length);

// y[i...] = x[start + i * step ...] for every dimension, `length` elements each.
struct Window {
  Dims start, step, length;
};
Tensor slice(const Tensor& x, const Window& window);
Tensor row(const Tensor& x, int64_t i);  // x[i], 0 <= i < x.size(0)
// Zeros of `shape` with g in the window: the gradient of slice.
Tensor embed(const Tensor& g, const Window& window, const Dims& shape);

// x[window] = value in place; `shape` is the window's without the dimensions that an int selected.
void assign(const Tensor& x, const Window& window, const Dims& shape, const Tensor& value);

Tensor cat(const std::vector<Tensor>& tensors, int64_t dim);
Tensor stack(const std::vector<Tensor>& tensors, int64_t dim);
Tensor detach(const Tensor& x);

}  // namespace fastdl
