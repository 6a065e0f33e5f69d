// Figures of an allocator, and the error that shows them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>

#include "core/error.h"

namespace fastdl {

// Bytes are those of whole blocks, a little more than was asked for.
struct MemoryStats {
  int64_t in_use = 0;          // bytes of blocks handed out now
  int64_t peak = 0;            // the most that in_use has been
  int64_t cached = 0;          // bytes of blocks that can be handed out at once
  int64_t largest_cached = 0;  // the largest of them
  int64_t waiting = 0;         // bytes of freed blocks that another stream may still use
  int64_t requests = 0;        // allocations answered
  int64_t raw_requests = 0;    // of these, by asking the system or the driver
  int64_t retries = 0;         // of these, after the cache was given back to make room
};

// Has no op yet: whoever knows it (the binding, the backward pass) puts it in.
Error out_of_memory(size_t bytes, const std::string& place, size_t free, size_t total,
                    const MemoryStats& stats);

}  // namespace fastdl
