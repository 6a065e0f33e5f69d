// A planted fault: a kernel with one bug, which the model must find, and without the bug, where it
// must find nothing. The line with the bug carries a comment `FAULT: kind` (or the lines that the
// message may name, in a race); tests/test_simt.py reads the comments and compares.
#pragma once

#include <cuda_runtime.h>

#include <cstdio>
#include <vector>

#include "core/context.h"
#include "cuda/launch.cuh"

namespace simt_test {

struct Program {
  const char* name;
  void (*run)(bool faulty);
  Program* next;
  static Program*& first() {
    static Program* head = nullptr;
    return head;
  }
  Program(const char* name, void (*run)(bool)) : name(name), run(run), next(first()) {
    first() = this;
  }
};

// How many results were wrong: what no check of the model can see, and programs compare themselves.
inline int& failures() {
  static int count = 0;
  return count;
}

inline fastdl::Context context() { return {nullptr, nullptr, nullptr, 1, 0, nullptr}; }

// Device memory that is never given back: a program runs once.
template <class T>
T* device_array(size_t n) {
  void* p = nullptr;
  cudaMalloc(&p, n * sizeof(T));
  cudaMemset(p, 0, n * sizeof(T));
  return static_cast<T*>(p);
}

// Compares what a kernel wrote with what it should have written; says where it was asked.
template <class T>
void expect_equal(const T* device, const std::vector<T>& should,
                  const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
  std::vector<T> is(should.size());
  if (cudaDeviceSynchronize() != cudaSuccess) return;
  cudaMemcpy(is.data(), device, is.size() * sizeof(T), cudaMemcpyDeviceToHost);
  for (size_t i = 0; i < is.size(); ++i) {
    if (is[i] == should[i]) continue;
    printf("wrong-result: element %zu is %g, not %g; at %s:%d\n", i, double(is[i]),
           double(should[i]), file, line);
    ++failures();
    return;
  }
}

}  // namespace simt_test

// The body gets `bool faulty`.
#define PROGRAM(name)                                                 \
  static void name##_program(bool faulty);                            \
  static simt_test::Program name##_registered{#name, name##_program}; \
  static void name##_program([[maybe_unused]] bool faulty)
