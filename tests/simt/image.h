// This library as it lies in memory and on disk.
#pragma once

#include <cstddef>
#include <string>

namespace simt {

struct Image {
  char *begin = nullptr, *end = nullptr;
  char* tls = nullptr;  // of the calling thread
  size_t tls_size = 0;
};
Image find_image();

// Whether a byte of thread-local storage is the compiler's "was it constructed" of a variable: for
// `__shared__ Half tile[16]` there is one, which nobody means as shared memory.
bool is_guard(size_t tls_offset);

// The mangled name of a function of the library.
std::string symbol_of(const void* function);

}  // namespace simt
