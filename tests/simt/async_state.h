// What is under way in the gang that runs: copies, phases of barriers, products of warpgroups.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <vector>

#include "machine.h"

namespace simt {

// A copy that was started. Its data moves as late as the architecture allows.
struct Copy {
  void* to;
  size_t bytes;
  std::function<void()> move;
  const void* pc;  // of the line that started it
};

// A copy out of shared memory: its source may be overwritten once it was read.
struct Store {
  std::function<void()> read, land;
  const void* pc;
  bool was_read = false;
};

template <class T>
struct Groups {
  std::vector<T> open;
  std::deque<std::vector<T>> committed;
  void commit() {
    committed.push_back(std::move(open));
    open.clear();
  }
};

struct ThreadAsync {
  Groups<Copy> copies;
  Groups<Store> stores;
  std::vector<char*> unfenced_barriers;
  int fruitless_tries = 0;
  uint32_t cluster_arrivals = 0, cluster_waits = 0;
  bool arrived_at_cluster = false;  // in this phase
};

struct Barrier {
  uint32_t arrivals = 0, missing = 0;  // of the phase
  int64_t bytes = 0;                   // expected and not yet there
  uint32_t phase = 0;
  Clock arriving, done;  // what arrivals, and ended phases, make visible
  bool fenced = false;
  const void* pc = nullptr;  // of its init
  std::deque<Copy> copies;   // that will report to it
  char text[2][256];         // what a thread waits for, by parity
};

struct AsyncState {
  uint32_t gang = 0;
  std::vector<ThreadAsync> threads;
  std::map<char*, Barrier> barriers;
  uint32_t cluster_phase = 0;
  Clock cluster_arriving, cluster_done;
  std::map<const uint32_t*, Clock> published;  // by counter (grid_barrier.cc)
};

// Of this gang. It is made at its first use: most kernels have none.
AsyncState& async_state();
bool uses_async();
ThreadAsync& async_of_thread();

std::string name_of_shared(const void* p);  // "byte 64 of the dynamic shared memory of block 1"
Barrier& barrier_at(void* p, const void* pc);
// A copy reports to this barrier: it must be visible to the asynchronous proxy.
void add_copy(void* barrier, Copy copy);

// For schedule.cc: a thread returns, a gang is over. They report what was started and not waited
// for.
void finish_thread_async(const Thread& thread);
void finish_gang_async();
void finish_thread_wgmma(const Thread& thread);

inline void require_alignment(const void* p, size_t align, const char* what, const void* pc) {
  if (reinterpret_cast<uintptr_t>(p) % align)
    fault_at(pc, "unaligned", "%s: address %p is not a multiple of %zu", what, p, align);
}

}  // namespace simt
