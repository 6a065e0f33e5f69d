// Rows of the function table: sorting, searching, counting.
#include "bindings/signature.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/count.h"
#include "ops/reduce.h"
#include "ops/shape.h"
#include "ops/sort.h"
#include "ops/unique.h"

namespace fastdl::bindings {
namespace {

void define_order(FunctionTable& t) {
  t.both(
      "sort(input: ArrayLike, dim: int = -1, descending: bool = False, stable: bool = False) -> "
      "Any",
      "dim: dim of input",
      "The elements in order along `dim`: the pair (values, indices), both of the input's "
      "shape.\n\nNaN is the largest. Equal elements keep their order, whether `stable` is asked or "
      "not. The\ngradient of an element goes back to where it was; indices are int64.",
      [](const Tensor& x, int64_t dim, bool descending, bool) { return sort(x, dim, descending); });
  t.both(
      "argsort(input: ArrayLike, dim: int = -1, descending: bool = False, stable: bool = False) -> "
      "Tensor",
      "dim: dim of input", "The indices (int64) that sort the input along `dim`; see sort.",
      [](const Tensor& x, int64_t dim, bool descending, bool) {
        return sort(detach(x), dim, descending)[1];
      });
  t.both(
      "topk(input: ArrayLike, k: int, dim: int = -1, largest: bool = True, sorted: bool = True) -> "
      "Any",
      "k: 0..; dim: dim of input",
      "The k largest elements along `dim`, or with largest=False the k smallest: the pair "
      "(values,\nindices), in order, or with sorted=False in any order.\n\nOf equal elements the "
      "first count; NaN is the largest. The gradient goes to those chosen.\nRaises ArgumentError "
      "where there are fewer than k.",
      [](const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
        return topk(x, k, dim, largest, sorted);
      });
  t.both("median(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any",
         "input: number; dim: dim of input",
         "The element in the middle, the lower one of two; NaN where there is any.\n\nWith `dim` "
         "the pair (values, indices) along it. The gradient goes to the element "
         "chosen.\nRaises ShapeError for no elements.",
         [](const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
           if (dim) return to_python(median("median", x, *dim, keepdim, false));
           return wrap(reshape(median("median", reshape(x, {-1}), 0, true, false)[0], {}));
         });
  t.both("nanmedian(input: ArrayLike, dim: int | None = None, keepdim: bool = False) -> Any",
         "input: number; dim: dim of input",
         "As median, of the elements that are not NaN; NaN where all are.",
         [](const Tensor& x, std::optional<int64_t> dim, bool keepdim) {
           if (dim) return to_python(median("nanmedian", x, *dim, keepdim, true));
           return wrap(reshape(median("nanmedian", reshape(x, {-1}), 0, true, true)[0], {}));
         });
  t.function(
      "searchsorted(sorted_sequence: ArrayLike, input: ArrayLike, right: bool = False) -> Tensor",
      "sorted_sequence: number [..., N]; input: like sorted_sequence",
      "Where each element would be inserted into an ascending sequence (int64): in front of those "
      "equal\nto it, or with `right` behind them.\n\nsorted_sequence [N], for an input of any "
      "shape, or [..., N] for an input [..., M] of the same\nsizes in front (else ShapeError). "
      "Whether it ascends is not checked.",
      [](const Tensor& bounds, const Tensor& x, bool right) {
        return searchsorted(bounds, x, right);
      });
  t.function(
      "bucketize(input: ArrayLike, boundaries: ArrayLike, right: bool = False) -> Tensor",
      "input: like boundaries; boundaries: number [N]",
      "Which interval between ascending boundaries each element is in (int64): the number of "
      "boundaries\nbelow it, or with `right` not above it; see searchsorted.",
      [](const Tensor& x, const Tensor& bounds, bool right) {
        return searchsorted(bounds, x, right);
      });
}

void define_counting(FunctionTable& t) {
  t.both(
      "bincount(input: ArrayLike, weights: ArrayLike | None = None, minlength: int = 0) -> Tensor",
      "input: integer [N]; weights: floating [N]; minlength: 0..",
      "How often each of 0, 1, 2, ... occurs, up to the largest one, with at least `minlength` "
      "bins:\nint64; or the sum of the weights there, in their dtype and the order of the "
      "input.\n\nRaises IndexRangeError for negative numbers. Differentiable in weights.",
      [](const Tensor& x, const OptionalTensor& weights, int64_t minlength) {
        return bincount(x, weights.tensor, minlength);
      });
  t.both("histc(input: ArrayLike, bins: int = 100, min: float = 0.0, max: float = 0.0) -> Tensor",
         "input: floating; bins: 1..window",
         "How many elements fall into each of `bins` bins of equal width from min to max, in the "
         "input's\ndtype. The last bin has its upper border too.\n\nWhat lies outside, and NaN, is "
         "not "
         "counted. Where min and max are equal, they become the\nsmallest and the largest element "
         "(and "
         "where these are equal, 1 less and 1 more). Raises\nArgumentError for a range that is "
         "infinite or NaN, or whose min is above max.",
         [](const Tensor& x, int64_t bins, double low, double high) {
           return histc(x, bins, low, high);
         });
  t.both(
      "histogram(input: ArrayLike, bins: ArrayLike | Number, range: Sequence[float] | None = None, "
      "weight: ArrayLike | None = None, density: bool = False) -> tuple[Tensor, Tensor]",
      "input: floating [...S]; bins: 1..window like input [edges]; weight: like input [...S]",
      "How many elements fall into each bin, or the sums of their weights: (hist, bin_edges), both "
      "in "
      "the\ninput's dtype.\n\n`bins` is their number, of equal width over range=(min, max) "
      "(default: the smallest and the largest\nelement), or the ascending edges themselves, one "
      "more "
      "than bins; whether they ascend is not checked.\nA bin has its lower edge, the last one its "
      "upper edge too; what lies outside, and NaN, is not counted.\nWith `density` the integral "
      "over "
      "the bins is 1. Differentiable in weight. Raises ArgumentError for a\nrange that is "
      "infinite, "
      "NaN or descending, or a number of bins that is not whole.",
      [](const Tensor& x, const TensorOrNumber& bins,
         const std::optional<std::vector<double>>& range, const OptionalTensor& weight,
         bool density) {
        if (!bins.tensor.defined() && bins.kind != TensorOrNumber::integral)
          throw argument_error("histogram", text("bins is ", bins.number))
              .remedy("pass an int, or a tensor of edges");
        const Tensor edges =
            bins.tensor.defined() ? bins.tensor : bin_edges(x, bins.integer, range);
        return std::array<Tensor, 2>{histogram(x, edges, weight.tensor, density),
                                     clone(detach(edges))};
      });
  t.both(
      "unique(input: ArrayLike, sorted: bool = True, return_inverse: bool = False, return_counts: "
      "bool = False, dim: int | None = None) -> Any",
      "dim: dim of input",
      "Each element once, ascending (whatever `sorted` says); with `dim` each slice along it, in\n"
      "lexicographic order.\n\nWith return_inverse also which of them each element is, and with "
      "return_counts how often each\noccurs, both int64: a tuple in this order. NaN equals "
      "nothing, itself included. Not differentiable.\nRaises ShapeError for slices without "
      "elements.",
      [](const Tensor& x, bool, bool return_inverse, bool return_counts,
         std::optional<int64_t> dim) {
        const Unique u = unique(x, dim);
        if (return_inverse && return_counts)
          return to_python(std::array<Tensor, 3>{u.values, u.inverse, u.counts});
        if (return_inverse || return_counts)
          return to_python(std::array<Tensor, 2>{u.values, return_inverse ? u.inverse : u.counts});
        return wrap(u.values);
      });
}

}  // namespace

void define_sort_functions(FunctionTable& t) {
  define_order(t);
  define_counting(t);
}

}  // namespace fastdl::bindings
