// Streams of the modelled device.
#pragma once

#include <functional>

#include "cuda_runtime.h"

namespace simt {

// Puts work behind what the stream has to do. With SIMT_STREAMS=late it runs when something waits for
// it, else at once. Returns the result if it ran.
cudaError_t enqueue(cudaStream_t stream, int device, std::function<cudaError_t()> work);
// Does all the work of a stream, or of a device.
cudaError_t finish(cudaStream_t stream, int device);
cudaError_t finish_device(int device);
bool late();
// Whether what goes to the stream is recorded for a graph, and not done.
bool is_recorded(cudaStream_t stream);
// What a call that waits or asks for memory may do: an error, which ends the recording, where this
// thread records.
cudaError_t refuse_while_recording();
// Remembers an error for cudaGetLastError, and returns it.
cudaError_t note_error(cudaError_t code);

}  // namespace simt
