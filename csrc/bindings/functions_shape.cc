// Rows of the function table: views, joins, indexing by tensors.
#include "bindings/signature.h"
#include "ops/index.h"
#include "ops/shape.h"

namespace fastdl::bindings {

void define_shape_functions(FunctionTable& t) {
  t.both("reshape(input: ArrayLike, shape: Shape) -> Tensor", "",
         "The elements in another shape, one size of which may be -1: a view where the "
         "strides\nallow, else a copy.",
         [](const Tensor& x, const Dims& shape) { return reshape(x, shape); });
  t.both("view(input: ArrayLike, shape: Shape) -> Tensor", "",
         "As reshape, but raises ShapeError instead of copying.",
         [](const Tensor& x, const Dims& shape) { return view(x, shape); });
  t.both("permute(input: ArrayLike, dims: Shape) -> Tensor", "dims: dim of input",
         "A view with the dimensions in the order `dims`.",
         [](const Tensor& x, const Dims& dims) { return permute(x, dims); });
  t.both("transpose(input: ArrayLike, dim0: int, dim1: int) -> Tensor",
         "dim0: dim of input; dim1: dim of input", "A view with two dimensions exchanged.",
         [](const Tensor& x, int64_t dim0, int64_t dim1) { return transpose(x, dim0, dim1); });
  t.both("flatten(input: ArrayLike, start_dim: int = 0, end_dim: int = -1) -> Tensor",
         "start_dim, end_dim: dim of input",
         "Joins the dimensions from start_dim to end_dim into one.",
         [](const Tensor& x, int64_t start_dim, int64_t end_dim) {
           return flatten(x, start_dim, end_dim);
         });
  t.both("squeeze(input: ArrayLike, dim: int | None = None) -> Tensor", "dim: dim of input",
         "Drops dimension `dim` if its size is 1; None: all such dimensions.",
         [](const Tensor& x, std::optional<int64_t> dim) { return squeeze(x, dim); });
  t.both("unsqueeze(input: ArrayLike, dim: int) -> Tensor", "",
         "Adds a dimension of size 1 at `dim`.",
         [](const Tensor& x, int64_t dim) { return unsqueeze(x, dim); });
  t.both("expand(input: ArrayLike, shape: Shape) -> Tensor", "",
         "A view in which sizes of 1 repeat and new dimensions come in front; -1 keeps a size.",
         [](const Tensor& x, const Dims& shape) { return expand(x, shape); });
  t.both("narrow(input: ArrayLike, dim: int, start: int, length: int) -> Tensor",
         "dim: dim of input",
         "A view of `length` elements of dimension `dim` from `start`.\n\nRaises IndexRangeError "
         "where they do not exist.",
         [](const Tensor& x, int64_t dim, int64_t start, int64_t length) {
           return narrow(x, dim, start, length);
         });
  t.function("cat(tensors: Sequence[ArrayLike], dim: int = 0) -> Tensor", "",
             "Joins tensors along dimension `dim`; all other sizes must agree.",
             [](const std::vector<Tensor>& tensors, int64_t dim) { return cat(tensors, dim); });
  t.function("stack(tensors: Sequence[ArrayLike], dim: int = 0) -> Tensor", "",
             "Joins tensors of one shape along a new dimension `dim`.",
             [](const std::vector<Tensor>& tensors, int64_t dim) { return stack(tensors, dim); });
  t.function("embedding(input: ArrayLike, weight: ArrayLike) -> Tensor",
             "input: index; weight: [entries, features]",
             "Rows of weight[entries, features] at the int64 indices of input[...]:\na tensor "
             "[..., features].\n\nAn index outside 0..entries-1 raises IndexRangeError.",
             [](const Tensor& index, const Tensor& weight) { return embedding(index, weight); });
}

}  // namespace fastdl::bindings
