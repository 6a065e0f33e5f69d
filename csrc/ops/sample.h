// Random draws whose distribution is data: weights and probabilities.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// *position = that of the first element that is not in [low, high], as NaN never is, or -1. Floating
// dtypes.
FASTDL_KERNEL(first_outside, int64_t n, const void* x, double low, double high, int64_t* position);
// y[row, s] = a category of weights[rows, n] by its share of the row (core/weighted.h), without
// replacement of those not drawn before; draw s of a row takes block offset + row * samples + s.
// float32 and float64; every row has categories enough.
FASTDL_KERNEL(multinomial_forward, uint64_t seed, uint64_t offset, int64_t rows, int64_t n,
              int64_t samples, bool replacement, const void* weights, int64_t* y);

// Throws ArgumentError unless all of a floating tensor are in [low, high].
void check_values(const char* op, const char* what, const Tensor& x, double low, double high);

Tensor bernoulli(const Tensor& p, Generator* generator);
Tensor multinomial(const Tensor& weights, int64_t samples, bool replacement, Generator* generator);
// Edits of x, which is returned.
Tensor bernoulli_(const Tensor& x, const Tensor& p, Generator* generator);
Tensor exponential_(const Tensor& x, double rate, Generator* generator);

}  // namespace fastdl
