#include "core/object_pool.h"

#include <new>
#include <utility>

namespace fastdl {
namespace {

constexpr std::size_t kStep = 64, kLargest = 1024;
constexpr int kKept = 256;  // of a size, by a thread

struct Block {
  Block* next;
};

struct Lists {
  Block* first[kLargest / kStep] = {};
  int count[kLargest / kStep] = {};
};

// A thread's own. Null before its first object, and again when the thread ends.
thread_local Lists* lists __attribute__((tls_model("initial-exec"))) = nullptr;

// Gives the blocks back when the thread ends; what is freed after that goes the general way.
struct Owner {
  Lists own;
  Owner() { lists = &own; }
  ~Owner() {
    lists = nullptr;
    for (Block* b : own.first)
      while (b) ::operator delete(std::exchange(b, b->next));
  }
};

int size_index(std::size_t bytes) { return static_cast<int>((bytes - 1) / kStep); }

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kPooling = false;  // a reused block would hide a use after free
#else
constexpr bool kPooling = true;
#endif

}  // namespace

void* take_object(std::size_t bytes) {
  if (!kPooling || bytes > kLargest) return ::operator new(bytes);
  const int i = size_index(bytes);
  if (lists && lists->first[i]) {
    Block* const b = lists->first[i];
    lists->first[i] = b->next;
    --lists->count[i];
    return b;
  }
  return ::operator new((static_cast<std::size_t>(i) + 1) * kStep);
}

void give_object(void* p, std::size_t bytes) noexcept {
  if (!kPooling || bytes > kLargest) return ::operator delete(p);
  const int i = size_index(bytes);
  if (!lists) {
    thread_local bool had_one = false;
    if (had_one) return ::operator delete(p);
    had_one = true;
    thread_local Owner owner;
    (void)owner;
  }
  if (lists->count[i] >= kKept) return ::operator delete(p);
  Block* const b = static_cast<Block*>(p);
  b->next = lists->first[i];
  lists->first[i] = b;
  ++lists->count[i];
}

}  // namespace fastdl
