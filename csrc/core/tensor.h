// Tensor: a counted handle on a shaped view of a storage.
#pragma once

#include <memory>
#include <string>

#include "core/device.h"
#include "core/dtype.h"
#include "core/fwd.h"
#include "core/intrusive.h"
#include "core/shape.h"
#include "core/storage.h"

namespace fastdl {

// What autograd keeps with a tensor; the core only owns it (autograd/variable.h defines it).
struct AutogradState : Pooled {
  virtual ~AutogradState() = default;
};

struct TensorImpl final : RefCounted {
  Ref<Storage> storage;
  Dims shape, stride;  // stride in elements
  int64_t offset = 0;  // of the first element, in elements
  int64_t numel = 0;
  DType dtype = DType::f32;
  bool contiguous = true;
  std::unique_ptr<AutogradState> autograd;
};

class Tensor {
 public:
  Tensor() = default;  // undefined: no tensor
  Tensor(Ref<Storage> storage, DType dtype, const Dims& shape, const Dims& stride, int64_t offset);

  bool defined() const { return static_cast<bool>(impl_); }
  const Dims& shape() const { return impl_->shape; }
  const Dims& stride() const { return impl_->stride; }
  int dim() const { return impl_->shape.n; }
  int64_t size(int i) const { return impl_->shape[i]; }
  int64_t numel() const { return impl_->numel; }
  DType dtype() const { return impl_->dtype; }
  Device device() const { return impl_->storage->device; }
  bool is_contiguous() const { return impl_->contiguous; }
  Storage& storage() const { return *impl_->storage; }
  int64_t offset() const { return impl_->offset; }
  TensorImpl* impl() const { return impl_.get(); }

  const void* data() const {
    if (captures_active.load(std::memory_order_relaxed)) note_use(*impl_->storage);
    return static_cast<const char*>(impl_->storage->data) +
           impl_->offset * static_cast<int64_t>(item_size(impl_->dtype));
  }
  // For kernels that write into a tensor just made. In-place edits of a visible tensor go through
  // autograd/inplace.h.
  void* mutable_data() const { return const_cast<void*>(data()); }
  template <class T>
  T* as() const {
    return static_cast<T*>(mutable_data());
  }

  // Another view of the same storage, outside the graph.
  Tensor view(const Dims& shape, const Dims& stride, int64_t offset) const {
    return Tensor(impl_->storage, impl_->dtype, shape, stride, offset);
  }
  Tensor alias() const { return view(shape(), stride(), offset()); }

 private:
  Ref<TensorImpl> impl_;
};

// Not initialised, contiguous. Throws ShapeError, OutOfMemoryError.
Tensor empty(const Dims& shape, DType dtype, Device device);
Tensor empty(const char* op, const Dims& shape, DType dtype,
             Device device);                          // errors name the op
Tensor empty_pinned(const Dims& shape, DType dtype);  // on the CPU, page-locked
inline Tensor empty_like(const Tensor& x) { return empty(x.shape(), x.dtype(), x.device()); }

std::string describe(const Tensor& t);  // "float32[2, 3]"

}  // namespace fastdl
