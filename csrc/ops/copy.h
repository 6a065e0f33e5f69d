// Copies: into another layout, dtype or device, and fills.
#pragma once

#include "core/dtype.h"
#include "core/fwd.h"
#include "core/kernel.h"
#include "core/layout.h"
#include "core/strided.h"

namespace fastdl {

// y = x converted; dispatched on the dtype of y. Float to integer truncates; to bool is != 0.
FASTDL_KERNEL(convert, DType from, const Strided<2>& walk, const void* x, void* y);
// Every element becomes the value whose bytes are the low bytes of `bits`.
FASTDL_KERNEL(fill, const Strided<1>& walk, uint64_t bits, void* y);
// y[i] = start + i * step, i < n.
FASTDL_KERNEL(arange_fill, int64_t n, double start, double step, void* y);

Tensor contiguous(const Tensor& x);  // x itself where it is contiguous
// x itself where it lies in the layout. Throws ShapeError for channels last of other than 4-D.
Tensor in_layout(const Tensor& x, Layout layout);
Tensor clone(const Tensor& x);                    // contiguous
Tensor clone_in(const Tensor& x, Layout layout);  // last: of 4-D tensors only
Tensor cast(const Tensor& x, DType dtype);        // x itself where it has that dtype
// x itself where it is there. `non_blocking`: see docs/cuda.md.
Tensor to_device(const Tensor& x, const Device& device, bool non_blocking = false);
Tensor pin_memory(const Tensor& x);  // x itself where it is pinned; on the CPU only
Tensor copy_(const Tensor& to,
             const Tensor& from);  // broadcasts, converts, crosses devices
Tensor fill_(const Tensor& x, double value);
Tensor full(const Dims& shape, double value, DType dtype, const Device& device);
Tensor arange(double start, double end, double step, DType dtype, const Device& device);
Tensor linspace(double start, double end, int64_t steps, DType dtype, const Device& device);

}  // namespace fastdl
