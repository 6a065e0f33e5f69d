// How much memory this process may still use: the machine's, or its control group's if that is less.
//
// Linux promises more memory than there is, and ends a process that touches what is not there. An
// allocation is therefore compared with these figures while it can still be an exception.
#pragma once

#include <cstddef>

namespace fastdl {

size_t total_memory();      // bytes
size_t available_memory();  // bytes, page cache counted as free; reads a file: about 20 us

}  // namespace fastdl
