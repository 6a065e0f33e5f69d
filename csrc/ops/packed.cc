#include "ops/packed.h"

#include <cstring>
#include <vector>

#include "autograd/variable.h"
#include "core/capture.h"

namespace fastdl {
namespace {

struct PackedForm {
  PackedKey key;
  int64_t offset;  // of the view that was packed
  Dims shape, stride;
  DType dtype;
  Tensor packed;
};

// Read and changed under the interpreter's lock only, like the versions.
struct PackedForms final : Attachment {
  uint32_t version = 0;
  std::vector<PackedForm> forms;
};

bool matches(const PackedForm& form, const Tensor& weight, const PackedKey& key) {
  return strcmp(form.key.op, key.op) == 0 && form.key.algorithm == key.algorithm &&
         form.key.sizes == key.sizes && form.offset == weight.offset() &&
         form.shape == weight.shape() && form.stride == weight.stride() &&
         form.dtype == weight.dtype();
}

}  // namespace

bool may_keep_packed(const Tensor& weight) {
  Storage& storage = weight.storage();
  // What an edit has made useless is not kept until the next inference.
  const auto* const kept = static_cast<const PackedForms*>(storage.attachment.get());
  if (kept && kept->version != storage.version) storage.attachment.reset();
  return !(grad_enabled() && requires_grad(weight)) && !storage.shared;
}

Tensor kept_packed(const Tensor& weight, const PackedKey& key,
                   const std::function<Tensor()>& make) {
  Storage& storage = weight.storage();
  if (!may_keep_packed(weight)) return {};
  auto* kept = static_cast<PackedForms*>(storage.attachment.get());
  if (Capture* c = capturing())  // a replay reads what is packed now
    c->guard([weight, version = storage.version] { return weight.storage().version == version; });
  if (kept)
    for (const PackedForm& form : kept->forms)
      if (matches(form, weight, key)) return form.packed;
  const uint32_t version = storage.version;
  const CapturePause pause;
  Tensor packed = make();
  kept = static_cast<PackedForms*>(storage.attachment.get());  // `make` may have let others run
  if (!kept) {
    storage.attachment.reset(kept = new PackedForms);
    kept->version = version;
  }
  if (kept->version == version && storage.version == version)
    kept->forms.push_back(
        {key, weight.offset(), weight.shape(), weight.stride(), weight.dtype(), packed});
  return packed;
}

}  // namespace fastdl
