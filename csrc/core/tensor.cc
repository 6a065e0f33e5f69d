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

Tensor empty(const Dims& shape, DType dtype, Device device) {
  const int64_t count = checked_numel("empty", shape);
  const int64_t bytes = checked_mul("empty", count, static_cast<int64_t>(item_size(dtype)));
  return Tensor(Ref(new Storage(device, static_cast<size_t>(bytes))), dtype, shape,
                contiguous_strides(shape), 0);
}

std::string describe(const Tensor& t) {
  if (!t.defined()) return "None";
  std::string out = name_of(t.dtype()) + str(t.shape());
  if (!t.device().is_cpu()) out += " on " + name_of(t.device());
  return out;
}

}  // namespace fastdl
