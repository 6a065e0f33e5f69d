#include "core/tensor.h"

#include "core/error.h"

namespace fastdl {

Tensor::Tensor(Ref<Storage> storage, DType dtype, const Dims& shape, const Dims& stride,
               int64_t offset)
    : impl_(new TensorImpl) {
  impl_->storage = std::move(storage);
  impl_->shape = shape;
  impl_->stride = stride;
  impl_->offset = offset;
  impl_->dtype = dtype;
  impl_->numel = 1;
  for (int64_t size : shape) impl_->numel *= size;
  impl_->contiguous = fastdl::is_contiguous(shape, stride);
}

namespace {

size_t bytes_of(const char* op, const Dims& shape, DType dtype) {
  return static_cast<size_t>(
      checked_mul(op, checked_numel(op, shape), static_cast<int64_t>(item_size(dtype))));
}

Tensor contiguous_in(Ref<Storage> storage, const Dims& shape, DType dtype) {
  return Tensor(std::move(storage), dtype, shape, contiguous_strides(shape), 0);
}

}  // namespace

Tensor empty(const Dims& shape, DType dtype, Device device) {
  return contiguous_in(Ref(new Storage(device, bytes_of("empty", shape, dtype))), shape, dtype);
}

Tensor empty(const char* op, const Dims& shape, DType dtype, Device device) {
  try {
    return contiguous_in(Ref(new Storage(device, bytes_of(op, shape, dtype))), shape, dtype);
  } catch (Error& e) {
    e.by(op);
    throw;
  }
}

Tensor empty_pinned(const Dims& shape, DType dtype) {
  return contiguous_in(pinned_storage(bytes_of("empty", shape, dtype)), shape, dtype);
}

std::string describe(const Tensor& t) {
  if (!t.defined()) return "None";
  std::string out = name_of(t.dtype()) + str(t.shape());
  if (!t.device().is_cpu()) out += " on " + name_of(t.device());
  return out;
}

}  // namespace fastdl
