#include "ops/unpool.h"

#include <algorithm>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// The result's shape: the sizes asked for, or those that the pooling had at least.
Dims unpooled_shape(const char* op, const Tensor& x, const PoolOptions& o,
                    const std::optional<Dims>& size) {
  Dims shape = x.shape();
  const int first = x.dim() - o.dims;
  if (size && size->n != o.dims && size->n != o.dims + 2)
    throw argument_error(op, text("output_size has ", size->n, " numbers"))
        .show("input", x)
        .remedy(text("pass ", o.dims, ", or ", o.dims + 2, " with those of samples and channels"));
  for (int i = 0; i < o.dims; ++i) {
    int64_t& out = shape[first + i];
    const int64_t least = checked_mul(op, out - 1, o.stride[i]) - 2 * o.padding[i] + o.kernel[i];
    out = size ? (*size)[size->n - o.dims + i] : least;
    if (size && (out <= least - o.stride[i] || out >= least + o.stride[i]))
      throw argument_error(op, text("output_size is ", out, " in dimension ", first + i))
          .show("input", x)
          .remedy(text("use a size from ", std::max<int64_t>(1, least - o.stride[i] + 1), " to ",
                       least + o.stride[i] - 1));
    if (out <= 0)
      throw shape_error(op, text("dimension ", first + i, " would be ", out))
          .show("input", x)
          .remedy("use a smaller padding, or pass output_size");
  }
  checked_numel(op, shape);
  return shape;
}

// Either kernel: they are each other's gradient, with the same indices.
template <class K>
Tensor run(const char* op, const Tensor& from, const Tensor& index, const Dims& shape, int pooled);

template <class K>
struct Other {
  using type = unpool_backward;
};
template <>
struct Other<unpool_backward> {
  using type = unpool_forward;
};

template <class K>
Tensor run(const char* op, const Tensor& from, const Tensor& index, const Dims& shape, int pooled) {
  const Tensor source = contiguous(detach(from));
  Tensor to = empty_in(op, Layout::first, shape, from.dtype(), from.device());
  int64_t planes = 1, inputs = 1, outputs = 1;
  for (int i = 0; i < shape.n - pooled; ++i) planes *= shape[i];
  for (int i = shape.n - pooled; i < shape.n; ++i) inputs *= from.size(i), outputs *= shape[i];
  constexpr bool forward = std::is_same_v<K, unpool_forward>;
  const int64_t count = forward ? inputs : outputs, cells = forward ? outputs : inputs;
  // Also before the gradient: memory shared with NumPy can change without our knowing.
  const Tensor cell = check_index_range(op, index, cells, "index");
  launch<K>(op, from.device(), from.dtype(), from.numel() + to.numel(), planes, count, cells,
            source.data(), cell.as<const int64_t>(), to.mutable_data());
  if (Recording r{op, {&from}})
    r.result(to, [op, saved = Saved(index), shape = from.shape(), pooled](Backward& pass) {
      pass.give(0, run<typename Other<K>::type>(op, pass.grad(), saved.get(pass), shape, pooled));
    });
  return to;
}

}  // namespace

Tensor max_unpool(const char* op, const Tensor& x, const Tensor& index, const PoolOptions& o,
                  const std::optional<Dims>& size) {
  return run<unpool_forward>(op, x, contiguous(detach(index)), unpooled_shape(op, x, o, size),
                             o.dims);
}

}  // namespace fastdl
