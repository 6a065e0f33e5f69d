// The threads behind Context::parallel_for.
//
// A job is a range cut into chunks; threads, the caller first among them, take the next chunk from
// an atomic counter until none is left. Who runs a chunk has no influence on its bounds, so results
// do not depend on the number of threads. The caller never waits for a worker that has not started:
// it finishes the job alone if the machine is busy. Idle workers spin for as long as waking them takes,
// then sleep. After a fork the child starts with a pool of its own.
#pragma once

#include <cstdint>

namespace fastdl {

// Same signature as Context::parallel. Nested calls and calls while another thread uses the pool
// run in the calling thread. Throws Interrupted when the host was asked to stop.
void parallel_for_chunks(int64_t n, int64_t grain, void (*body)(void*, int64_t, int64_t),
                         void* arg);

void resize_pool(int threads);  // counts the caller; applied by the next job
int default_threads();          // FASTDL_NUM_THREADS, or the CPUs that this process may run on

}  // namespace fastdl
