// The host model of CUDA: what its headers (include/cuda_runtime.h and the wrappers in include/cuda)
// use of the machine that is built in the .cc files here. docs/simt.md tells the story.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace simt {

struct Size3 {
  unsigned x = 1, y = 1, z = 1;
};

// A place in the source of a kernel, for messages.
struct Site {
  const char* file;
  int line;
  static constexpr Site here(const char* file = __builtin_FILE(), int line = __builtin_LINE()) {
    return {file, line};
  }
};

// Code that the instrumentation of memory accesses leaves alone.
#define SIMT_UNCHECKED __attribute__((no_sanitize("thread", "alignment", "bounds"), noinline))

// ---- who am I; constant for a thread, so that the compiler may ask once

Size3 thread_index() __attribute__((const));
Size3 block_index() __attribute__((const));
Size3 block_size() __attribute__((const));
Size3 grid_size() __attribute__((const));
unsigned cluster_rank() __attribute__((const));
unsigned cluster_size() __attribute__((const));
int lane() __attribute__((const));
unsigned char* dynamic_shared();               // of this block
unsigned char* dynamic_shared(unsigned rank);  // of another block of the cluster

// ---- meeting other threads

// All live threads of the block meet; returns how many brought a true predicate.
int block_barrier(bool predicate, Site site);
// The lanes of `mask` meet, and `act(lanes)` is called once with what each of them brought (null for
// lanes that are not in the mask). `orders`: it orders memory among them, as __syncwarp does and
// shuffles do not.
void warp_meet(unsigned mask, const char* what, bool orders, Site site, void* mine,
               void (*act)(void* const* lanes, void* state), void* state);

template <class V, class F>
SIMT_UNCHECKED void warp_exchange(unsigned mask, const char* what, Site site, V& mine, F act) {
  warp_meet(
      mask, what, false, site, &mine,
      [](void* const* lanes, void* f) {
        V* values[32];
        for (int i = 0; i < 32; ++i) values[i] = static_cast<V*>(lanes[i]);
        (*static_cast<F*>(f))(values);
      },
      &act);
}

// Blocks the thread until ready(argument) holds; `what` names the wait if it never does.
void wait_until(bool (*ready)(void*), void* argument, const char* what, Site site);
template <class F>
SIMT_UNCHECKED void wait_until(F ready, const char* what, Site site) {
  wait_until([](void* f) { return static_cast<bool>((*static_cast<F*>(f))()); }, &ready, what,
             site);
}

// ---- order between threads, where it is not made by barriers

class Clock;  // for each thread of the gang, up to when its accesses have happened before
Clock* make_clock();
void drop_clock(Clock* clock);
void release(Clock& clock);        // what this thread did happens before ...
void acquire(const Clock& clock);  // ... what a thread does that acquires later
void forget(Clock& clock);
void fence_proxy_async();

// ---- memory

// Accesses that a wrapper makes on behalf of the current thread.
void check_read(const void* p, size_t bytes, size_t align);
void check_write(void* p, size_t bytes, size_t align);
void check_atomic(void* p, size_t bytes);
// The same by the asynchronous proxy: shared memory written by ordinary stores must have been fenced
// by its writer (fence.proxy.async), and the write must be ordered before.
void check_async_read(const void* p, size_t bytes, size_t align);
// Bytes that were in flight (take_off in machine.h) have been written. A thread sees them if it
// acquires `by`, or with by == null if it is the current thread or ordered after it.
void land(void* p, size_t bytes, const Clock* by);
bool is_shared(const void* p);
bool is_global(const void* p);

// ---- faults

// Ends the kernel: the launch fails with a message made of the kind (a word of docs/simt.md), the
// text, and where the thread is.
[[noreturn]] void fault(const char* kind, const char* format, ...)
    __attribute__((format(printf, 2, 3)));
bool in_kernel();

// ---- launches

struct Launch {
  Size3 grid, block;
  size_t shared = 0;
  unsigned cluster = 1;
  bool cooperative = false;
  int device = 0;
  const void* kernel = nullptr;  // its address, for its name
};
// Runs body(argument) once for every thread. Returns 0, or an error whose message is last_fault().
int launch(const Launch& launch, void (*body)(void*), void* argument);
const char* last_fault();

}  // namespace simt
