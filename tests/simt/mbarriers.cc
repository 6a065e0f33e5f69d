// Barriers in shared memory. A phase ends when every arrival and every byte is there; copies that
// report to a barrier land only when a thread waits for it and no other thread can run.
#include <cstdio>

#include "async_state.h"
#include "wrappers.h"

namespace simt {

namespace {
AsyncState the_state;
}

bool uses_async() { return the_state.gang == gang->id; }

AsyncState& async_state() {
  if (!uses_async()) {
    the_state = AsyncState{};
    the_state.gang = gang->id;
    the_state.threads.resize(gang->threads.size());
  }
  return the_state;
}

ThreadAsync& async_of_thread() { return async_state().threads[static_cast<size_t>(current->id)]; }

std::string name_of_shared(const void* p) {
  for (const Block& b : gang->blocks) {
    const auto offset = static_cast<size_t>(static_cast<const unsigned char*>(p) - b.shared);
    if (!b.shared || offset >= gang->launch->shared) continue;
    std::string out = "byte " + std::to_string(offset) + " of dynamic shared memory";
    return gang->blocks.size() > 1 ? out + " of block " + std::to_string(b.rank) : out;
  }
  return "static shared memory";
}

namespace {

constexpr int kMostArrivals = (1 << 20) - 1, kMostBytes = (1 << 20) - 1;
constexpr int kMostTries = 1 << 16;

// With the line that initialised it.
std::string name_of(const void* p) {
  static std::map<const void*, std::string> lines;  // to ask once is slow enough
  std::string out = "the mbarrier in " + name_of_shared(p);
  const auto& all = async_state().barriers;
  const auto found = all.find(static_cast<char*>(const_cast<void*>(p)));
  if (found == all.end()) return out;
  std::string& line = lines[found->second.pc];
  if (line.empty()) line = describe_pc(found->second.pc);
  return out + " of " + line;
}

void end_phase_if_complete(Barrier& b) {
  if (b.missing || b.bytes) return;
  b.done.seen = b.arriving.seen;
  ++b.phase;
  b.missing = b.arrivals;
}

void arrive(void* p, Barrier& b) {
  if (b.missing == 0)
    fault("wrong-phase", "%s: more than %u arrivals in phase %u, which waits for %ld bytes",
          name_of(p).c_str(), b.arrivals, b.phase, static_cast<long>(b.bytes));
  release(b.arriving);
  --b.missing;
  end_phase_if_complete(b);
}

// Lets copies land until the phase of this parity has ended, or there are no more.
bool deliver(Barrier& b, uint32_t parity) {
  while ((b.phase & 1) == parity && !b.copies.empty()) {
    const Copy copy = std::move(b.copies.front());
    b.copies.pop_front();
    copy.move();
    land(copy.to, copy.bytes, &b.arriving);
    b.bytes -= static_cast<int64_t>(copy.bytes);
    end_phase_if_complete(b);
  }
  return (b.phase & 1) != parity;
}

// A deadlock quotes what the threads wait for, with the state that the barrier has then.
const char* describe_wait(const void* p, Barrier& b, uint32_t parity) {
  snprintf(b.text[parity], sizeof b.text[parity],
           "a wait for parity %u of %s (in phase %u, %u of %u arrivals and %ld bytes missing)",
           parity, name_of(p).c_str(), b.phase, b.missing, b.arrivals, static_cast<long>(b.bytes));
  return b.text[parity];
}

uint32_t checked_parity(const void* p, uint32_t parity) {
  if (parity > 1) fault("wrong-phase", "%s: parity %u", name_of(p).c_str(), parity);
  return parity;
}

}  // namespace

Barrier& barrier_at(void* p, const void* pc) {
  require_alignment(p, 8, "mbarrier", pc);
  check(p, 8, Access::read, pc);  // ordered after its init
  auto& all = async_state().barriers;
  const auto found = all.find(static_cast<char*>(p));
  if (found == all.end()) fault_at(pc, "no-barrier", "%s was not initialised", name_of(p).c_str());
  return found->second;
}

void add_copy(void* barrier, Copy copy) {
  Barrier& b = barrier_at(barrier, copy.pc);
  if (!b.fenced)
    fault_at(copy.pc, "missing-barrier-fence",
             "%s is used by a copy; the thread that initialised it has not executed "
             "fence_mbarrier_init",
             name_of(barrier).c_str());
  b.copies.push_back(std::move(copy));
}

void mbarrier_init(void* p, uint32_t arrivals) {
  const void* const pc = __builtin_return_address(0);
  require_alignment(p, 8, "mbarrier", pc);
  if (!is_shared(p)) fault("wrong-space", "an mbarrier at %p, which is not shared memory", p);
  if (arrivals == 0 || arrivals > kMostArrivals)
    fault("wrong-phase", "%s: %u arrivals", name_of(p).c_str(), arrivals);
  auto& all = async_state().barriers;
  if (all.count(static_cast<char*>(p)))
    fault("live-barrier", "%s is initialised again, without invalidate in between",
          name_of(p).c_str());
  check(p, 8, Access::write, pc);
  Barrier& b = all[static_cast<char*>(p)];
  b.arrivals = b.missing = arrivals;
  b.pc = pc;
  async_of_thread().unfenced_barriers.push_back(static_cast<char*>(p));
}

void mbarrier_invalidate(void* p) {
  const void* const pc = __builtin_return_address(0);
  const Barrier& b = barrier_at(p, pc);
  if (!b.copies.empty())
    fault("live-barrier", "%s is invalidated while copies are to report to it", name_of(p).c_str());
  check(p, 8, Access::write, pc);  // ordered after everybody's use
  async_state().barriers.erase(static_cast<char*>(p));
}

void mbarrier_arrive(void* p) { arrive(p, barrier_at(p, __builtin_return_address(0))); }

void mbarrier_expect(void* p, uint32_t bytes) {
  Barrier& b = barrier_at(p, __builtin_return_address(0));
  b.bytes += bytes;
  if (b.bytes > kMostBytes)
    fault("wrong-phase", "%s: %ld bytes expected at once", name_of(p).c_str(),
          static_cast<long>(b.bytes));
  arrive(p, b);
}

void mbarrier_wait(void* p, uint32_t parity, Site site) {
  Barrier& b = barrier_at(p, __builtin_return_address(0));
  checked_parity(p, parity);
  Clock seen = b.done;
  if ((b.phase & 1) == parity)
    wait_until(
        [&] {
          if (!deliver(b, parity)) {
            describe_wait(p, b, parity);
            return false;
          }
          seen = b.done;
          return true;
        },
        describe_wait(p, b, parity), site);
  acquire(seen);
}

bool mbarrier_try_wait(void* p, uint32_t parity, Site site) {
  Barrier& b = barrier_at(p, __builtin_return_address(0));
  checked_parity(p, parity);
  ThreadAsync& mine = async_of_thread();
  if ((b.phase & 1) == parity)  // gives way to the others once
    wait_until(
        [&] {
          deliver(b, parity);
          return true;
        },
        describe_wait(p, b, parity), site);
  if ((b.phase & 1) == parity) {
    if (++mine.fruitless_tries > kMostTries)
      fault("deadlock", "%d tries of %s", mine.fruitless_tries, describe_wait(p, b, parity));
    return false;
  }
  mine.fruitless_tries = 0;
  acquire(b.done);
  return true;
}

void fence_mbarrier_init() {
  ThreadAsync& mine = async_of_thread();
  auto& all = async_state().barriers;
  for (char* p : mine.unfenced_barriers) {
    const auto found = all.find(p);
    if (found != all.end()) found->second.fenced = true;
  }
  mine.unfenced_barriers.clear();
}

}  // namespace simt
