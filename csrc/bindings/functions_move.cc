// Rows of the function table: parts, repetitions, borders, windows and triangles.
#include "bindings/signature.h"
#include "ops/fold.h"
#include "ops/move.h"
#include "ops/pad.h"
#include "ops/shape.h"
#include "ops/triangle.h"

namespace fastdl::bindings {
namespace {

void define_parts(FunctionTable& t) {
  t.both(
      "split(tensor: ArrayLike, split_size_or_sections: int | Sequence[int], dim: int = 0) -> "
      "tuple[Tensor, ...]",
      "tensor: [..., N]; split_size_or_sections: 0..; dim: dim of tensor",
      "Views of neighbouring parts of dimension `dim`: of one size, where the last may be "
      "smaller,\nor of the given sizes.\n\nRaises ShapeError where sizes do not add up to the "
      "dimension's, ArgumentError for size 0.",
      [](const Tensor& x, const Ints& sizes, int64_t dim) {
        return sizes.alone ? split(x, sizes.at[0], dim) : split(x, sizes.at, dim);
      });
  t.both("chunk(input: ArrayLike, chunks: int, dim: int = 0) -> tuple[Tensor, ...]",
         "input: [..., N]; chunks: 1..window; dim: dim of input",
         "Views of `chunks` parts of dimension `dim`, each of ceil(size / chunks) elements: the "
         "last may be\nsmaller, and there may be fewer.",
         [](const Tensor& x, int64_t chunks, int64_t dim) { return chunk(x, chunks, dim); });
  t.both("unbind(input: ArrayLike, dim: int = 0) -> tuple[Tensor, ...]",
         "input: [..., N]; dim: dim of input",
         "Views of all slices along dimension `dim`, without that dimension.",
         [](const Tensor& x, int64_t dim) { return unbind(x, dim); });
}

void define_repetitions(FunctionTable& t) {
  t.both("repeat(input: ArrayLike, repeats: Shape) -> Tensor", "repeats: 0..",
         "Copies of the tensor side by side, repeats[i] along dimension i; more numbers than "
         "dimensions\nadd new ones in front.\n\nRaises ShapeError for fewer.",
         [](const Tensor& x, const Dims& repeats) { return repeat(x, repeats); });
  t.both("tile(input: ArrayLike, dims: Shape) -> Tensor", "dims: 0..",
         "As repeat, but fewer numbers than dimensions are those of the last ones (NumPy's tile).",
         [](const Tensor& x, const Dims& dims) { return tile(x, dims); });
  t.both("repeat_interleave(input: ArrayLike, repeats: int, dim: int | None = None) -> Tensor",
         "repeats: 0..; dim: dim of input",
         "Each element `repeats` times in a row along dimension `dim`, or in the flattened tensor.",
         [](const Tensor& x, int64_t repeats, std::optional<int64_t> dim) {
           return repeat_interleave(x, repeats, dim);
         });
  t.both("broadcast_to(input: ArrayLike, shape: Shape) -> Tensor", "",
         "A view in which sizes of 1 repeat and new dimensions come in front; see expand.",
         [](const Tensor& x, const Dims& shape) { return expand(x, shape); });
  t.function("meshgrid(tensors: Sequence[ArrayLike], indexing: str = 'ij') -> tuple[Tensor, ...]",
             "tensors: [...]; indexing: one of ij xy",
             "Vectors as coordinates of a grid: views of one shape, of which the i-th varies along "
             "dimension i\nalone; with indexing='xy' the first two dimensions change places.",
             [](const std::vector<Tensor>& tensors, const std::string& indexing) {
               return meshgrid(tensors, indexing);
             });
}

void define_orders(FunctionTable& t) {
  t.both("flip(input: ArrayLike, dims: Shape) -> Tensor", "dims: dim of input",
         "A copy with the order of the elements turned round along each of `dims`.",
         [](const Tensor& x, const Dims& dims) { return flip(x, dims); });
  t.both(
      "roll(input: ArrayLike, shifts: int | Sequence[int], dims: int | Sequence[int] | None = "
      "None) -> Tensor",
      "dims: dim of input",
      "A copy with element i at i + shift along each of `dims`; what leaves at the end comes in "
      "at the\nfront. Without `dims` the flattened tensor is rolled.\n\nRaises ArgumentError "
      "unless there is one shift for each of dims.",
      [](const Tensor& x, const Dims& shifts, const std::optional<Dims>& dims) {
        return roll(x, shifts, dims);
      });
  t.both(
      "movedim(input: ArrayLike, source: int | Sequence[int], destination: int | Sequence[int]) -> "
      "Tensor",
      "source, destination: dim of input",
      "A view with dimension source[i] at place destination[i], the others in their order.",
      [](const Tensor& x, const Dims& source, const Dims& destination) {
        return movedim(x, source, destination);
      });
  t.both("unflatten(input: ArrayLike, dim: int, sizes: Sequence[int]) -> Tensor",
         "input: [..., N]; dim: dim of input",
         "Cuts dimension `dim` into several of the given sizes, one of which may be -1.\n\nRaises "
         "ShapeError where their product is not the dimension's.",
         [](const Tensor& x, int64_t dim, const Dims& sizes) { return unflatten(x, dim, sizes); });
  t.both("swapaxes(input: ArrayLike, axis0: int, axis1: int) -> Tensor",
         "axis0, axis1: dim of input", "A view with two dimensions exchanged; see transpose.",
         [](const Tensor& x, int64_t axis0, int64_t axis1) { return transpose(x, axis0, axis1); });
}

void define_triangles(FunctionTable& t) {
  t.both("tril(input: ArrayLike, diagonal: int = 0) -> Tensor", "input: [..., M, N]",
         "The matrices with 0 above the given diagonal: where column - row > diagonal.",
         [](const Tensor& x, int64_t diagonal) { return tril(x, diagonal); });
  t.both("triu(input: ArrayLike, diagonal: int = 0) -> Tensor", "input: [..., M, N]",
         "The matrices with 0 below the given diagonal: where column - row < diagonal.",
         [](const Tensor& x, int64_t diagonal) { return triu(x, diagonal); });
  t.both("diagonal(input: ArrayLike, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Tensor",
         "input: [..., M, N]; dim1, dim2: dim of input",
         "A view of the elements [i, i + offset] of dimensions dim1 and dim2, as a last dimension.",
         [](const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
           return diagonal(x, offset, dim1, dim2);
         });
  t.both("diag(input: ArrayLike, diagonal: int = 0) -> Tensor", "input: [N] or [M, N]",
         "Of a vector the matrix that has it on a diagonal; of a matrix a copy of its diagonal.",
         [](const Tensor& x, int64_t diagonal) { return diag(x, diagonal); });
}

FoldOptions fold_options(const Pair& kernel, const Pair& dilation, const Pair& padding,
                         const Pair& stride) {
  return {{kernel.at[0], kernel.at[1]},
          {dilation.at[0], dilation.at[1]},
          {padding.at[0], padding.at[1]},
          {stride.at[0], stride.at[1]}};
}

void define_windows(FunctionTable& t) {
  t.function(
      "pad(input: ArrayLike, pad: Sequence[int], mode: str = 'constant', value: float | None = "
      "None) -> Tensor",
      "pad: -window..window; mode: one of constant reflect replicate circular",
      R"(A border around the tensor, of any number of its last dimensions.

pad has a pair (before, after) for each dimension, the last dimension's first; negative numbers
crop. mode 'constant' fills with `value` (default 0), 'reflect' mirrors at the outermost elements
without repeating them, 'replicate' repeats those, and 'circular' goes on at the other end.
Raises ShapeError where a border is wider than its mode can fill: size - 1 elements for 'reflect',
size for 'circular'; ArgumentError for a list of odd length or a value with another mode.)",
      [](const Tensor& x, const Ints& sizes, const std::string& mode, std::optional<double> value) {
        return pad(x, sizes.at, mode, value);
      });
  t.function(
      "unfold(input: ArrayLike, kernel_size: int | Sequence[int], dilation: int | Sequence[int] = "
      "1, padding: int | Sequence[int] = 0, stride: int | Sequence[int] = 1) -> Tensor",
      "kernel_size, dilation, stride: 1..window; padding: 0..window; input: floating [N, C, H, W] "
      "or [C, H, W]",
      R"(Every window of input[N, C, H, W] (or [C, H, W]) as a column: [N, C * R * S, L].

A window has R rows and S columns, L is their number, and padding counts as 0 (im2col).
Raises ShapeError where no window fits.)",
      [](const Tensor& x, const Pair& kernel, const Pair& dilation, const Pair& padding,
         const Pair& stride) {
        return unfold(x, fold_options(kernel, dilation, padding, stride));
      });
  t.function(
      "fold(input: ArrayLike, output_size: int | Sequence[int], kernel_size: int | Sequence[int], "
      "dilation: int | Sequence[int] = 1, padding: int | Sequence[int] = 0, stride: int | "
      "Sequence[int] = 1) -> Tensor",
      "output_size, kernel_size, dilation, stride: 1..window; padding: 0..window; input: floating "
      "[N, K, L] or [K, L]",
      R"(Images [N, C, H, W] of output_size (H, W), each element the sum of input[N, C * R * S, L] at
the places that unfold reads it into (col2im).

Raises ShapeError where the input is not what unfold gives for such images.)",
      [](const Tensor& x, const Pair& size, const Pair& kernel, const Pair& dilation,
         const Pair& padding, const Pair& stride) {
        return fold(x, size.at[0], size.at[1], fold_options(kernel, dilation, padding, stride));
      });
}

}  // namespace

void define_move_methods(FunctionTable& t) {
  t.method("expand_as(self, other: ArrayLike) -> Tensor", "",
           "A view in the shape of another tensor; see expand.",
           [](const Tensor& x, const Tensor& other) { return expand(x, other.shape()); });
  t.method("view_as(self, other: ArrayLike) -> Tensor", "",
           "A view in the shape of another tensor; see view.",
           [](const Tensor& x, const Tensor& other) { return view(x, other.shape()); });
  t.method("reshape_as(self, other: ArrayLike) -> Tensor", "",
           "The elements in the shape of another tensor; see reshape.",
           [](const Tensor& x, const Tensor& other) { return reshape(x, other.shape()); });
  t.method("unfold(self, dimension: int, size: int, step: int) -> Tensor",
           "self: [..., N]; size: 0..; step: 1..window; dimension: dim of self",
           "A view of all windows of `size` elements along a dimension, `step` apart: their "
           "elements are a\nnew last dimension.\n\nRaises ShapeError where no window fits.",
           [](const Tensor& x, int64_t dimension, int64_t size, int64_t step) {
             return unfold_dim(x, dimension, size, step);
           });
}

void define_move_functions(FunctionTable& t) {
  define_parts(t);
  define_repetitions(t);
  define_orders(t);
  define_triangles(t);
  define_windows(t);
}

}  // namespace fastdl::bindings
