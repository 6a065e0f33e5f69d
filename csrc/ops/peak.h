// Multiply-adds and nothing else: what products are measured against (bench/matmul.py).
#pragma once

#include "core/kernel.h"

namespace fastdl {

// Runs `rounds` rounds of independent multiply-adds in each of `chunks` chunks, whose results go to
// out[chunk] and mean nothing, and says in *flops how many operations a chunk does.
FASTDL_KERNEL(multiply_add_rounds, int64_t rounds, int64_t chunks, float* out, double* flops);

// Float32 operations (two each) done on all threads.
double multiply_adds(int64_t rounds, int64_t chunks);

}  // namespace fastdl
