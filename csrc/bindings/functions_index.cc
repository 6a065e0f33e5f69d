// Rows of the function table: reading and writing by index and by mask.
#include "bindings/indexing.h"
#include "bindings/interop.h"
#include "bindings/signature.h"
#include "ops/binary.h"
#include "ops/edit.h"
#include "ops/index.h"
#include "ops/selection.h"

namespace fastdl::bindings {
namespace {

// A value that takes the dtype of the tensor it is put into.
Tensor value_like(const char* op, const TensorOrNumber& value, const Tensor& x) {
  if (value.tensor.defined()) return value.tensor;
  if (value.kind == TensorOrNumber::floating && !is_floating(x.dtype()))
    throw Error(ErrorKind::dtype, op, text("a tensor of integers cannot hold ", value.number))
        .show("input", x)
        .remedy("pass an int, or convert the tensor with .float()");
  return scalar_like(value.number, x);
}

Tensor filled_by_mask(const Tensor& x, const Tensor& mask, const TensorOrNumber& value) {
  return where(mask, value_like("masked_fill", value, x), x);
}

Tensor reduced_by_index(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
                        const std::string& reduce, bool include_self) {
  if (reduce == "mean") return scatter_mean(x, dim, index, src, include_self);
  const Reduce op = reduce == "sum"    ? Reduce::sum
                    : reduce == "prod" ? Reduce::prod
                    : reduce == "amax" ? Reduce::amax
                                       : Reduce::amin;
  return scatter_reduce("scatter_reduce", op, x, dim, index, src, include_self);
}

// In place where nothing is accumulated.
Tensor put_at(const Tensor& x, PyObject* indices, const TensorOrNumber& values, bool accumulate) {
  const Selection s = selection_of_indices("index_put", x, indices);
  const Tensor value = value_like("index_put", values, x);
  if (accumulate) return add(x, add_selected("index_put", value, s, x.shape()));
  write_selected("index_put", x, s, value);
  return x;
}

void define_puts(FunctionTable& t) {
  t.both(
      "index_put(input: ArrayLike, indices: Sequence[ArrayLike | None], values: ArrayLike | "
      "Number, "
      "accumulate: bool = False) -> Tensor",
      "values: like input",
      "A copy of input with values, which broadcast, at input[indices]: an index tensor or mask "
      "for "
      "each\nof the first dimensions, or None for all of one.\n\nOf several values for one element "
      "the last one stays, or with `accumulate` all are added to it.\nRaises IndexRangeError.",
      [](const Tensor& x, PyObject* indices, const TensorOrNumber& values, bool accumulate) {
        return put_at(accumulate ? x : clone(x), indices, values, accumulate);
      });
  t.both(
      "put(input: ArrayLike, index: ArrayLike, source: ArrayLike, accumulate: bool = False) -> "
      "Tensor",
      "index: index; source: like input",
      "A copy of input with the elements of source at index of the flattened input; -1 is the last "
      "one.\n\nOf several for one element the last one stays, or with `accumulate` all are added "
      "to "
      "it. Raises\nIndexRangeError, and ShapeError unless index and source have as many elements.",
      [](const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
        return accumulate ? put_add("put", x, index, source) : put_("put", clone(x), index, source);
      });
}

void define_masks(FunctionTable& t) {
  t.both(
      "masked_fill(input: ArrayLike, mask: ArrayLike, value: ArrayLike | Number) -> Tensor",
      "mask: bool; value: like input",
      "`value` where mask is true, else input; mask, input and a tensor value broadcast.\n\nRaises "
      "DTypeError for another dtype than input's, or a fraction for integers.",
      [](const Tensor& x, const Tensor& mask, const TensorOrNumber& value) {
        return filled_by_mask(x, mask, value);
      });
  t.both(
      "masked_select(input: ArrayLike, mask: ArrayLike) -> Tensor", "input: [...]; mask: bool",
      "The elements of input where mask is true, as a vector in the order of memory; both "
      "broadcast.\n\nThe size of the result depends on the values, so that it cannot be captured.",
      [](const Tensor& x, const Tensor& mask) { return masked_select(x, mask); });
  t.both(
      "masked_scatter(input: ArrayLike, mask: ArrayLike, source: ArrayLike) -> Tensor",
      "mask: bool; source: like input",
      "A copy of input with the elements of source, in order, where mask is true; input and mask "
      "broadcast.\n\nRaises ShapeError where source has fewer elements than the mask selects. How "
      "many it selects is\nread, so that it cannot be captured.",
      [](const Tensor& x, const Tensor& mask, const Tensor& source) {
        const Dims shape = broadcast_shapes("masked_scatter", x.shape(), mask.shape());
        const Tensor all = x.shape() == shape ? clone(x) : clone(expand(x, shape));
        return masked_scatter_("masked_scatter", all, mask, source);
      });
  t.both("nonzero(input: ArrayLike, as_tuple: bool = False) -> Any", "",
         "The positions of the elements that are not 0, in order: int64 [count, dimensions], or "
         "with\nas_tuple one vector per dimension, which indexes the tensor as the mask does.",
         [](const Tensor& x, bool as_tuple) {
           const Tensor all = nonzero(x.dim() == 0 && as_tuple ? reshape(x, {1}) : x);
           if (!as_tuple) return wrap(all);
           const int count = static_cast<int>(all.size(1));
           Owned tuple(check(PyTuple_New(count)));
           for (int i = 0; i < count; ++i)
             PyTuple_SET_ITEM(tuple.get(), i, wrap(contiguous(squeeze(narrow(all, 1, i, 1), 1))));
           return tuple.release();
         });
  t.both("argwhere(input: ArrayLike) -> Tensor", "",
         "The positions of the elements that are not 0, in order: int64 [count, dimensions].",
         [](const Tensor& x) { return nonzero(x); });
}

void define_reads(FunctionTable& t) {
  t.both("gather(input: ArrayLike, dim: int, index: ArrayLike) -> Tensor",
         "index: index; dim: dim of input",
         "out[i][j][k] = input[i][index[i][j][k]][k] for dim 1 of three, and so on.\n\nindex is "
         "int64; outside `dim` its sizes are at most input's. A value out of range raises\n"
         "IndexRangeError.",
         [](const Tensor& x, int64_t dim, const Tensor& index) { return gather(x, dim, index); });
  t.both("index_select(input: ArrayLike, dim: int, index: ArrayLike) -> Tensor",
         "index: index; dim: dim of input",
         "The slices of dimension `dim` that the vector index names, in its order.\n\nA value "
         "outside 0..size-1 raises IndexRangeError.",
         [](const Tensor& x, int64_t dim, const Tensor& index) {
           return index_select(x, dim, index);
         });
  t.both("take(input: ArrayLike, index: ArrayLike) -> Tensor", "index: index",
         "The elements of the flattened input at index, in index's shape; -1 is the last "
         "one.\n\nRaises IndexRangeError.",
         [](const Tensor& x, const Tensor& index) { return take(x, index); });
  t.both(
      "take_along_dim(input: ArrayLike, indices: ArrayLike, dim: int | None = None) -> Tensor",
      "indices: index; dim: dim of input",
      "gather with the other dimensions broadcast; None: of the flattened tensors.\n\nTakes what "
      "argmax with keepdim and argsort give. Raises IndexRangeError.",
      [](const Tensor& x, const Tensor& index, std::optional<int64_t> dim) {
        return take_along_dim(x, index, dim);
      });
  t.function("one_hot(input: ArrayLike, num_classes: int = -1) -> Tensor",
             "input: index; num_classes: -1..window",
             "1 at the class that input names and 0 elsewhere: int64 [..., num_classes].\n\n-1 "
             "infers the classes from the largest label. A label outside 0..num_classes-1 raises\n"
             "IndexRangeError.",
             [](const Tensor& x, int64_t num_classes) { return one_hot(x, num_classes); });
}

}  // namespace

void define_index_functions(FunctionTable& t) {
  define_masks(t);
  define_puts(t);
  define_reads(t);
  t.both(
      "scatter(input: ArrayLike, dim: int, index: ArrayLike, src: ArrayLike | Number, reduce: str "
      "| "
      "None = None) -> Tensor",
      "index: index; src: like input; dim: dim of input; reduce: one of add multiply",
      "A copy of input with src[i][j][k], or the number, put at [i][index[i][j][k]][k] (for "
      "dim 1).\n\nOf several values for one element the last one stays; with `reduce` they are "
      "added "
      "to it or\nmultiplied with it (scatter_reduce does more). index and src may be smaller than "
      "input\noutside `dim`. Raises IndexRangeError.",
      [](const Tensor& x, int64_t dim, const Tensor& index, const TensorOrNumber& src,
         const std::optional<std::string>& reduce) {
        const Tensor value = value_like("scatter", src, x);
        if (!reduce) return scatter_(clone(x), dim, index, value);
        const Tensor each = value.dim() == 0 ? expand(value, index.shape()) : value;
        return scatter_reduce("scatter", *reduce == "add" ? Reduce::sum : Reduce::prod, x, dim,
                              index, each, true);
      });
  t.both(
      "scatter_reduce(input: ArrayLike, dim: int, index: ArrayLike, src: ArrayLike, reduce: str, "
      "include_self: bool = True) -> Tensor",
      "index: index; src: like input; dim: dim of input; reduce: one of sum prod mean amax amin",
      "A copy of input where element [i][index[i][j][k]][k] (for dim 1) is the sum, product, mean, "
      "largest\nor smallest of itself and all src[i][j][k] that are sent there.\n\nWithout "
      "include_self it is that of the sources alone, where there are any. Sums and products\nrun "
      "in "
      "the order of src, so the result is deterministic; means of integers are rounded "
      "down;\nequal "
      "extremes share the gradient evenly. index and src may be smaller than input outside\n`dim`. "
      "Raises IndexRangeError.",
      [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src,
         const std::string& reduce,
         bool include_self) { return reduced_by_index(x, dim, index, src, reduce, include_self); });
  t.both("scatter_add(input: ArrayLike, dim: int, index: ArrayLike, src: ArrayLike) -> Tensor",
         "index: index; src: like input; dim: dim of input",
         "A copy of input with src[i][j][k] added at [i][index[i][j][k]][k] (for dim 1).\n\nThe "
         "additions to one element run in the order of src, so the result is deterministic.\nindex "
         "and src may be smaller than input outside `dim`.",
         [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src) {
           return scatter_add(x, dim, index, src);
         });
  t.both(
      "index_add(input: ArrayLike, dim: int, index: ArrayLike, source: ArrayLike, alpha: Number = "
      "1) -> Tensor",
      "index: index [M]; source: like input; dim: dim of input",
      "input with alpha times the slices of source added to the slices of dimension `dim` that "
      "the\nvector index names, in its order. Raises IndexRangeError.",
      [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source, double alpha) {
        return index_add(x, dim, index, source, alpha);
      });
  t.both("index_copy(input: ArrayLike, dim: int, index: ArrayLike, source: ArrayLike) -> Tensor",
         "index: index [M]; source: like input; dim: dim of input",
         "A copy of input with the slices of source in place of the slices of dimension `dim` that "
         "the\nvector index names; of several for one place the last one stays. Raises "
         "IndexRangeError.",
         [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
           return index_copy_("index_copy", clone(x), dim, index, source);
         });
  t.both(
      "index_fill(input: ArrayLike, dim: int, index: ArrayLike, value: ArrayLike | Number) -> "
      "Tensor",
      "index: index [M]; value: like input; dim: dim of input",
      "A copy of input with `value` (a number or a 0-d tensor) in the slices of dimension `dim` "
      "that\nthe vector index names. Raises IndexRangeError.",
      [](const Tensor& x, int64_t dim, const Tensor& index, const TensorOrNumber& value) {
        return index_copy_("index_fill", clone(x), dim, index, value_like("index_fill", value, x));
      });
}

void define_index_edits(FunctionTable& t) {
  t.method("masked_fill_(self, mask: ArrayLike, value: ArrayLike | Number) -> Tensor",
           "mask: bool; value: like self", "In place; see masked_fill.",
           [](PyObject* self, const Tensor& mask, const TensorOrNumber& value) {
             edit("masked_fill_", tensor_of(self), {&value.tensor},
                  [&](const Tensor& x) { return filled_by_mask(x, mask, value); });
             return Py_NewRef(self);
           });
  t.method("masked_scatter_(self, mask: ArrayLike, source: ArrayLike) -> Tensor",
           "mask: bool; source: like self", "In place; see masked_scatter.",
           [](PyObject* self, const Tensor& mask, const Tensor& source) {
             masked_scatter_("masked_scatter_", tensor_of(self), mask, source);
             return Py_NewRef(self);
           });
  t.method(
      "index_put_(self, indices: Sequence[ArrayLike | None], values: ArrayLike | Number, "
      "accumulate: bool = False) -> Tensor",
      "values: like self", "In place; see index_put.",
      [](PyObject* self, PyObject* indices, const TensorOrNumber& values, bool accumulate) {
        if (accumulate)
          edit("index_put_", tensor_of(self), {&values.tensor},
               [&](const Tensor& x) { return put_at(x, indices, values, true); });
        else
          put_at(tensor_of(self), indices, values, false);
        return Py_NewRef(self);
      });
  t.method("put_(self, index: ArrayLike, source: ArrayLike, accumulate: bool = False) -> Tensor",
           "index: index; source: like self", "In place; see put.",
           [](PyObject* self, const Tensor& index, const Tensor& source, bool accumulate) {
             const Tensor& x = tensor_of(self);
             if (accumulate)
               edit("put_", x, {&source},
                    [&](const Tensor& y) { return put_add("put_", y, index, source); });
             else
               put_("put_", x, index, source);
             return Py_NewRef(self);
           });
  t.method("scatter_(self, dim: int, index: ArrayLike, src: ArrayLike | Number) -> Tensor",
           "index: index; src: like self; dim: dim of self", "In place; see scatter.",
           [](PyObject* self, int64_t dim, const Tensor& index, const TensorOrNumber& src) {
             const Tensor& x = tensor_of(self);
             return scatter_(x, dim, index, value_like("scatter_", src, x)), Py_NewRef(self);
           });
  t.method(
      "scatter_reduce_(self, dim: int, index: ArrayLike, src: ArrayLike, reduce: str, "
      "include_self: "
      "bool = True) -> Tensor",
      "index: index; src: like self; dim: dim of self; reduce: one of sum prod mean amax amin",
      "In place; see scatter_reduce.",
      [](PyObject* self, int64_t dim, const Tensor& index, const Tensor& src,
         const std::string& reduce, bool include_self) {
        edit("scatter_reduce_", tensor_of(self), {&src}, [&](const Tensor& x) {
          return reduced_by_index(x, dim, index, src, reduce, include_self);
        });
        return Py_NewRef(self);
      });
  t.method("scatter_add_(self, dim: int, index: ArrayLike, src: ArrayLike) -> Tensor",
           "index: index; src: like self; dim: dim of self", "In place; see scatter_add.",
           [](PyObject* self, int64_t dim, const Tensor& index, const Tensor& src) {
             edit("scatter_add_", tensor_of(self), {&src},
                  [&](const Tensor& x) { return scatter_add(x, dim, index, src); });
             return Py_NewRef(self);
           });
  t.method(
      "index_add_(self, dim: int, index: ArrayLike, source: ArrayLike, alpha: Number = 1) -> "
      "Tensor",
      "index: index [M]; source: like self; dim: dim of self", "In place; see index_add.",
      [](PyObject* self, int64_t dim, const Tensor& index, const Tensor& source, double alpha) {
        edit("index_add_", tensor_of(self), {&source},
             [&](const Tensor& x) { return index_add(x, dim, index, source, alpha); });
        return Py_NewRef(self);
      });
  t.method("index_copy_(self, dim: int, index: ArrayLike, source: ArrayLike) -> Tensor",
           "index: index [M]; source: like self; dim: dim of self", "In place; see index_copy.",
           [](PyObject* self, int64_t dim, const Tensor& index, const Tensor& source) {
             const Tensor& x = tensor_of(self);
             return index_copy_("index_copy_", x, dim, index, source), Py_NewRef(self);
           });
  t.method("index_fill_(self, dim: int, index: ArrayLike, value: ArrayLike | Number) -> Tensor",
           "index: index [M]; value: like self; dim: dim of self", "In place; see index_fill.",
           [](PyObject* self, int64_t dim, const Tensor& index, const TensorOrNumber& value) {
             const Tensor& x = tensor_of(self);
             index_copy_("index_fill_", x, dim, index, value_like("index_fill_", value, x));
             return Py_NewRef(self);
           });
}

}  // namespace fastdl::bindings
