// Reading and writing what index tensors, masks and lists select, with NumPy's meaning.
//
// A selection has two halves. The basic one (slices, ints, None) is a view. Of that view some
// dimensions are indexed: permuted to the front they are a table [I1, ..., Ik, rest...], and the
// index tensors, broadcast together, name one row of the table for every position of their common
// shape. What is read has this shape where NumPy puts it, among the dimensions of `rest`.
#pragma once

#include <optional>
#include <vector>

#include "core/tensor.h"
#include "ops/shape.h"

namespace fastdl {

// One index of a selection.
struct IndexPart {
  Tensor index;          // integers of any shape
  int64_t size = 0;      // of what is indexed: a dimension, or all that a mask covers
  bool checked = false;  // in [0, size) by construction
  bool negative = true;  // -size..-1 count from the end
};

struct Selection {
  Window window;                 // of the tensor
  Dims kept;                     // the window's shape without ints, with None
  Dims order;                    // of these: the indexed ones, then the rest
  Dims sizes;                    // of the indexed ones; none: the selection is a view
  int place = 0;                 // how many of the rest come before the indices' shape
  std::vector<IndexPart> parts;  // their sizes multiply to those of `sizes`
  bool once = false;             // no row is named twice
};

Tensor select_view(const Tensor& x, const Selection& s);  // of the basic half
Tensor read_selected(const char* op, const Tensor& x, const Selection& s);
// In place; where a row is named twice, the last one stays.
void write_selected(const char* op, const Tensor& x, const Selection& s, const Tensor& value);
// Zeros of `shape` with the elements of g, broadcast to what the selection reads, added where it reads
// them, in the order of g.
Tensor add_selected(const char* op, const Tensor& g, const Selection& s, const Dims& shape);

Selection select_along(const Tensor& x, int dim, const Tensor& index);  // whole slices of a dim
Selection select_mask(const Tensor& x, const Tensor& mask);             // of x's shape
// Of every position of `index`, which replaces its coordinate `dim`.
Selection select_scattered(const Tensor& x, int dim, const Tensor& index);

IndexPart mask_part(const Tensor& mask);
// t cut to `shape` at the end of every dimension.
Tensor narrowed(const Tensor& t, const Dims& shape);
Tensor nonzero(const Tensor& x);  // int64 [count, x.dim()], in order

Tensor masked_select(const Tensor& x, const Tensor& mask);
Tensor index_select(const Tensor& x, int64_t dim, const Tensor& index);
Tensor take(const Tensor& x, const Tensor& index);
Tensor take_along_dim(const Tensor& x, const Tensor& index, std::optional<int64_t> dim);
Tensor index_add(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                 double alpha);
Tensor put_add(const char* op, const Tensor& x, const Tensor& index, const Tensor& source);
Tensor one_hot(const Tensor& index, int64_t num_classes);

// Edits of x, which is returned.
// The elements of source, in order, where the mask, broadcast to x, is true.
Tensor masked_scatter_(const char* op, const Tensor& x, const Tensor& mask, const Tensor& source);
// The elements of source at the places in the flattened x that index names.
Tensor put_(const char* op, const Tensor& x, const Tensor& index, const Tensor& source);
Tensor scatter_(const Tensor& x, int64_t dim, const Tensor& index, const Tensor& src);
Tensor index_copy_(const char* op, const Tensor& x, int64_t dim, const Tensor& index,
                   const Tensor& source);

}  // namespace fastdl
