// Parts, repetitions and other orders of a tensor's elements, made of views and copies.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/fwd.h"
#include "core/shape.h"

namespace fastdl {

// Views of neighbouring parts of dimension `dim`.
std::vector<Tensor> split(const Tensor& x, int64_t size, int64_t dim);  // the last may be smaller
std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t dim);
std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim);
std::vector<Tensor> unbind(const Tensor& x, int64_t dim);  // without that dimension

// Copies one after another: of the whole per dimension (new dimensions come in front), or of each
// element along one dimension, or of the flattened tensor.
Tensor repeat(const Tensor& x, const Dims& repeats);
Tensor tile(const Tensor& x,
            const Dims& repeats);  // fewer repeats than dimensions are the last ones
Tensor repeat_interleave(const Tensor& x, int64_t repeats, std::optional<int64_t> dim);

Tensor flip(const Tensor& x, const Dims& dims);
Tensor roll(const Tensor& x, const Dims& shifts, const std::optional<Dims>& dims);

// Dimension `dim` cut into several; one size may be -1.
Tensor unflatten(const Tensor& x, int64_t dim, const Dims& sizes);
Tensor movedim(const Tensor& x, const Dims& from, const Dims& to);
// Tensors read as the grid that their coordinates span: result i varies along dimension i alone.
std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, const std::string& indexing);

// The elements [i, i + offset] of matrices in dim1 and dim2, as a last dimension: a view.
Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2);
// Zeros of `shape` with g on the diagonal: the gradient of diagonal.
Tensor embed_diagonal(const Tensor& g, int64_t offset, int64_t dim1, int64_t dim2,
                      const Dims& shape);
Tensor diag(const Tensor& x, int64_t offset);  // a matrix of a vector, or the vector of a matrix

}  // namespace fastdl
