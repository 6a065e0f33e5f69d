// Random tensors from the counter-based generator (core/rng.h): element i of a draw depends on the
// seed, the draw's offset and i alone, so that every device and any number of threads agree.
#pragma once

#include "core/dtype.h"
#include "core/fwd.h"
#include "core/kernel.h"

namespace fastdl {

// Element i uses word i % 4 of the Philox block at counter offset + i / 4.
FASTDL_KERNEL(random_uniform, uint64_t seed, uint64_t offset, int64_t n, double low, double high,
              void* y);
// Box-Muller on the words (0, 1) and (2, 3) of a block; float32 arithmetic unless y is float64.
FASTDL_KERNEL(random_normal, uint64_t seed, uint64_t offset, int64_t n, double mean, double std,
              void* y);
// value where uniform < p, else 0.
FASTDL_KERNEL(random_bernoulli, uint64_t seed, uint64_t offset, int64_t n, double p, double value,
              void* y);
// Integers in [low, high), from the two words (2j, 2j + 1) as one 64-bit number by multiply-high;
// element i uses words 2 * (i % 2) and the next of block offset + i / 2.
FASTDL_KERNEL(random_integers, uint64_t seed, uint64_t offset, int64_t n, int64_t low, int64_t high,
              int64_t* y);

Tensor uniform(const Dims& shape, double low, double high, DType dtype, const Device& device,
               Generator* generator);
Tensor normal(const Dims& shape, double mean, double std, DType dtype, const Device& device,
              Generator* generator);
Tensor randint(int64_t low, int64_t high, const Dims& shape, const Device& device,
               Generator* generator);
Tensor randperm(int64_t n, Generator* generator);
Tensor uniform_(const Tensor& x, double low, double high, Generator* generator);
Tensor normal_(const Tensor& x, double mean, double std, Generator* generator);
// `value` with probability p, else 0, in the dtype and on the device of x.
Tensor mask_like(const char* op, const Tensor& x, const Dims& shape, double p, double value,
                 Generator* generator);

}  // namespace fastdl
