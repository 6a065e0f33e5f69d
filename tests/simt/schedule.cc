// Gangs in turn, their threads as fibers, and the places where threads meet.
#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>

#include "async_state.h"
#include "machine.h"

namespace simt {

Gang* gang = nullptr;
Thread* current = nullptr;

namespace {

std::recursive_mutex machine;
uint32_t gangs_so_far = kFirstGang;
bool failed = false;
void (*body)(void*) = nullptr;
void* body_argument = nullptr;

// In which order threads that could all run are run: a kernel must not depend on it.
enum class Order { forward, reverse, shuffled };
const Order order = [] {
  const char* text = std::getenv("SIMT_ORDER");
  if (!text || !strcmp(text, "forward")) return Order::forward;
  return strcmp(text, "reverse") ? Order::shuffled : Order::reverse;
}();

void make_ready(std::vector<Thread*>& threads) {
  static uint32_t seed = 1;
  if (order == Order::reverse) std::reverse(threads.begin(), threads.end());
  if (order == Order::shuffled)
    for (size_t i = threads.size(); i > 1; --i) {
      seed = seed * 1664525 + 1013904223;
      std::swap(threads[i - 1], threads[(seed >> 8) % i]);
    }
  for (Thread* t : threads) {
    if (t->state == Thread::waiting) t->state = Thread::ready;
    gang->ready.push_back(t);
  }
}

void wait(const char* what, Site site) {
  Thread& t = *current;
  t.state = Thread::waiting;
  t.waits_for = what;
  t.site = site;
  t.fiber->leave();
}

void finish(Thread& t) {
  finish_thread_async(t);
  t.state = Thread::done;
  Block& block = *t.block;
  ++block.gone;
  t.warp->gone |= 1u << t.lane;
  if (block.arrived)
    fault("divergent-barrier", "it returns, while %d threads wait at the barrier of %s:%d",
          block.arrived, block.first_arrived->site.file, block.first_arrived->site.line);
  for (const Meeting& m : t.warp->meetings)
    if (m.mask >> t.lane & 1)
      fault("wrong-mask", "it returns, while lanes %#x wait for it in %s at %s:%d", m.arrived,
            m.what, m.site.file, m.site.line);
}

void run_thread(void*) {
  body(body_argument);
  finish(*current);
}

// ---- building a gang

void build(Gang& g, const Launch& launch, unsigned blocks) {
  const Size3 size = launch.block;
  const int count = static_cast<int>(size.x * size.y * size.z);
  g.launch = &launch;
  g.blocks.resize(blocks);
  int id = 0;
  for (unsigned rank = 0; rank < blocks; ++rank) {
    Block& b = g.blocks[rank];
    b.rank = rank;
    b.threads.resize(static_cast<size_t>(count));
    b.warps.resize(static_cast<size_t>(count + 31) / 32);
    for (int i = 0; i < count; ++i) {
      Thread& t = b.threads[static_cast<size_t>(i)];
      const unsigned u = static_cast<unsigned>(i);
      t.id = id++;
      t.lane = i % 32;
      t.index = {u % size.x, u / size.x % size.y, u / (size.x * size.y)};
      t.block = &b;
      t.warp = &b.warps[static_cast<size_t>(i / 32)];
      t.warp->thread[t.lane] = &t;
      t.warp->lanes |= 1u << t.lane;
      g.threads.push_back(&t);
    }
  }
}

void begin(Gang& g) {
  g.id = ++gangs_so_far;
  g.tick = 1;
  for (Block& b : g.blocks) {
    b.arrived = b.agreed = b.gone = 0;
    b.synced = 0;
    b.news.seen.clear();
    b.shared = shared_of(b.rank, g.launch->shared);
    for (Warp& w : b.warps) {
      w.gone = w.synced = 0;
      w.meetings.clear();
      w.pair.clear();
    }
    for (Thread& t : b.threads) {
      t.state = Thread::fresh;
      t.fenced = 0;
      t.registers_in_flight = 0;
      t.clock.reset();
      t.has_news = false;
    }
  }
  g.ready.clear();
  std::vector<Thread*> all = g.threads;
  make_ready(all);
}

// ---- running it

std::string position(const Thread& t) {
  return std::string(t.waits_for) + " at " + t.site.file + ":" + std::to_string(t.site.line);
}

[[noreturn]] void report_deadlock(Gang& g) {
  std::vector<std::pair<std::string, int>> places;
  int gone = 0;
  bool at_barrier = false;
  for (Thread* t : g.threads) {
    if (t->state == Thread::done) {
      ++gone;
      continue;
    }
    at_barrier |= !strcmp(t->waits_for, "__syncthreads");
    const std::string where = position(*t);
    auto found = std::find_if(places.begin(), places.end(),
                              [&](const auto& place) { return place.first == where; });
    if (found == places.end())
      places.push_back({where, 1});
    else
      ++found->second;
  }
  std::string text = "no thread can go on:";
  for (size_t i = 0; i < places.size() && i < 4; ++i)
    text += (i ? ", " : " ") + std::to_string(places[i].second) + " wait in " + places[i].first;
  if (gone) text += ", " + std::to_string(gone) + " have returned";
  record_fault(at_barrier ? "divergent-barrier" : "deadlock", nullptr, text.c_str());
  throw 0;
}

void poll(Gang& g) {
  std::vector<Thread*> able;
  for (Thread* t : g.threads)
    if (t->state == Thread::waiting && t->is_ready) {
      current = t;  // what the predicate does, it does for this thread
      if (t->is_ready(t->ready_argument)) {
        t->is_ready = nullptr;
        able.push_back(t);
      }
    }
  current = nullptr;
  make_ready(able);
}

void run_ready(Gang& g) {
  for (size_t next = 0; next < g.ready.size(); ++next) {
    Thread* t = current = g.ready[next];
    if (t->state == Thread::fresh) {
      t->fiber = Fiber::take();
      t->state = Thread::ready;
      t->fiber->enter(run_thread, nullptr);
    } else {
      t->fiber->resume();
    }
    current = nullptr;
    if (failed) throw 0;
    if (t->state == Thread::done) {
      Fiber::give(t->fiber);
      t->fiber = nullptr;
    }
  }
  g.ready.clear();
}

void run(Gang& g) {
  gang = &g;
  begin(g);
  for (;;) {
    run_ready(g);
    const bool over = std::all_of(g.threads.begin(), g.threads.end(),
                                  [](Thread* t) { return t->state == Thread::done; });
    if (over) return finish_gang_async();
    poll(g);
    if (g.ready.empty()) report_deadlock(g);
  }
}

void abandon(Gang& g) {
  for (Thread* t : g.threads)
    if (t->fiber) {
      t->fiber->reset();
      Fiber::give(t->fiber);
      t->fiber = nullptr;
    }
}

constexpr int kInvalidConfiguration = 9, kLaunchFailure = 719;

const char* why_not(const Launch& l) {
  const uint64_t threads = uint64_t{l.block.x} * l.block.y * l.block.z;
  const uint64_t blocks = uint64_t{l.grid.x} * l.grid.y * l.grid.z;
  if (threads == 0 || blocks == 0) return "an empty grid or block";
  if (threads > 1024 || l.block.z > 64) return "more than 1024 threads in a block";
  if (l.grid.x > 0x7fffffffu || l.grid.y > 65535 || l.grid.z > 65535)
    return "the grid is too large";
  if (l.shared > 227u << 10) return "more than 227 KiB of dynamic shared memory";
  if (l.cluster == 0 || l.cluster > 16 || l.grid.x % l.cluster)
    return "the cluster does not divide the grid";
  if (l.cooperative && blocks * threads >= kMostThreads)
    return "the model cannot hold so large a cooperative grid";
  return nullptr;
}

}  // namespace

// ---- launches

int launch(const Launch& request, void (*kernel)(void*), void* argument) {
  std::lock_guard lock(machine);
  if (const char* reason = why_not(request)) {
    record_fault("invalid-launch", nullptr, reason);
    return kInvalidConfiguration;
  }
  begin_launch_memory();
  Gang g;
  const unsigned grid = request.grid.x * request.grid.y * request.grid.z;
  const unsigned together = request.cooperative ? grid : request.cluster;
  build(g, request, together);
  g.first_of_launch = gangs_so_far + 1;
  body = kernel;
  body_argument = argument;
  failed = false;
  try {
    for (unsigned first = 0; first < grid; first += together) {
      for (unsigned i = 0; i < together; ++i) {
        const unsigned n = first + i;
        g.blocks[i].index = {n % request.grid.x, n / request.grid.x % request.grid.y,
                             n / (request.grid.x * request.grid.y)};
      }
      run(g);
    }
  } catch (int) {
    failed = true;
  }
  gang = nullptr;
  if (failed) abandon(g);
  return failed ? kLaunchFailure : 0;
}

void leave_kernel() {
  failed = true;
  if (!Fiber::on_any_stack(__builtin_frame_address(0))) throw 0;  // on behalf of a thread
  current->fiber->leave();
  __builtin_unreachable();
}

// ---- who am I

Size3 thread_index() { return current->index; }
Size3 block_index() { return current->block->index; }
Size3 block_size() { return gang->launch->block; }
Size3 grid_size() { return gang->launch->grid; }
unsigned cluster_rank() { return current->block->rank; }
unsigned cluster_size() { return gang->launch->cluster; }
int lane() { return current->lane; }
unsigned char* dynamic_shared() { return current->block->shared; }
unsigned char* dynamic_shared(unsigned rank) {
  if (rank >= gang->blocks.size())
    fault("out-of-bounds", "block %u of a cluster of %zu", rank, gang->blocks.size());
  return gang->blocks[rank].shared;
}

// ---- meeting

namespace {

void merge(std::vector<uint32_t>& into, const std::vector<uint32_t>& from) {
  if (into.size() < from.size()) into.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
}

// What one thread has acquired, all know after a barrier.
void share_news(Block& b) {
  for (Thread& t : b.threads) {
    if (t.has_news) merge(b.news.seen, t.clock->seen);
    t.has_news = false;
  }
}

}  // namespace

int block_barrier(bool predicate, Site site) {
  Thread& t = *current;
  Block& b = *t.block;
  if (b.gone)
    fault("divergent-barrier",
          "it waits at the barrier of %s:%d, which %d threads that have returned cannot reach",
          site.file, site.line, b.gone);
  if (b.arrived &&
      (b.first_arrived->site.line != site.line || strcmp(b.first_arrived->site.file, site.file)))
    fault("divergent-barrier",
          "it waits at the barrier of %s:%d, thread (%u,%u,%u) at the one of %s:%d", site.file,
          site.line, b.first_arrived->index.x, b.first_arrived->index.y, b.first_arrived->index.z,
          b.first_arrived->site.file, b.first_arrived->site.line);
  if (b.arrived == 0) b.agreed = 0;
  b.agreed += predicate;
  if (++b.arrived < static_cast<int>(b.threads.size())) {
    if (b.arrived == 1) b.first_arrived = &t;
    wait("__syncthreads", site);
    return b.result;
  }
  b.arrived = 0;
  b.result = b.agreed;
  b.synced = gang->tick++;
  share_news(b);
  for (Warp& w : b.warps) w.synced = b.synced;
  std::vector<Thread*> others;
  for (Thread& other : b.threads)
    if (&other != &t) others.push_back(&other);
  make_ready(others);
  return b.result;
}

namespace {

void mark_synced(Warp& w, unsigned mask) {
  const uint32_t now = gang->tick++;
  if (mask == w.lanes) {
    w.synced = now;
    return;
  }
  w.pair.resize(32 * 32);
  for (unsigned a = 0; a < 32; ++a)
    for (unsigned b = 0; b < 32; ++b)
      if (mask >> a & mask >> b & 1) w.pair[a * 32 + b] = now;
}

void check_mask(const Thread& t, unsigned mask, const char* what) {
  const Warp& w = *t.warp;
  if (!(mask >> t.lane & 1))
    fault("wrong-mask", "lane %d is not in the mask %#x that it gives to %s", t.lane, mask, what);
  if (mask & ~w.lanes)
    fault("wrong-mask", "%s names lanes %#x, which the block does not have", what, mask & ~w.lanes);
  if (mask & w.gone)
    fault("wrong-mask", "%s names lanes %#x, which have returned", what, mask & w.gone);
  for (const Meeting& m : w.meetings)
    if (m.mask & mask && (m.mask != mask || strcmp(m.what, what)))
      fault("wrong-mask",
            "lane %d comes to %s with mask %#x, while lanes %#x wait in %s with mask %#x at %s:%d",
            t.lane, what, mask, m.arrived, m.what, m.mask, m.site.file, m.site.line);
}

}  // namespace

void warp_meet(unsigned mask, const char* what, bool orders, Site site, void* mine,
               void (*act)(void* const*, void*), void* state) {
  Thread& t = *current;
  Warp& w = *t.warp;
  check_mask(t, mask, what);
  auto m = std::find_if(w.meetings.begin(), w.meetings.end(),
                        [&](const Meeting& meeting) { return meeting.mask == mask; });
  if (m == w.meetings.end()) {
    w.meetings.push_back({});
    m = w.meetings.end() - 1;
    m->mask = mask;
    m->what = what;
    m->site = site;
    m->orders = orders;
    m->act = act;
    m->state = state;
  }
  m->arrived |= 1u << t.lane;
  m->brought[t.lane] = mine;
  if (m->arrived != mask) return wait(what, site);
  const Meeting complete = *m;
  w.meetings.erase(m);
  if (complete.act) {
    current = nullptr;  // on behalf of all: nothing is checked
    complete.act(complete.brought, complete.state);
    current = &t;
  }
  if (complete.orders) mark_synced(w, mask);
  std::vector<Thread*> others;
  for (int i = 0; i < 32; ++i)
    if (mask >> i & 1 && i != t.lane) others.push_back(w.thread[i]);
  make_ready(others);
}

void wait_until(bool (*ready)(void*), void* argument, const char* what, Site site) {
  current->is_ready = ready;
  current->ready_argument = argument;
  wait(what, site);
}

// ---- order

namespace {

Clock& clock_of(Thread& t) {
  if (!t.clock) t.clock = std::make_unique<Clock>();
  t.clock->seen.resize(gang->threads.size());
  return *t.clock;
}

}  // namespace

bool ordered(int thread, uint32_t tick, const Thread& by) {
  if (thread == by.id) return true;
  const Thread& t = *gang->threads[static_cast<size_t>(thread)];
  if (t.block == by.block) {
    if (tick <= t.block->synced) return true;
    if (t.warp == by.warp) {
      if (tick <= t.warp->synced) return true;
      if (!t.warp->pair.empty() && tick <= t.warp->pair[static_cast<size_t>(t.lane * 32 + by.lane)])
        return true;
    }
  }
  const auto knows = [&](const Clock& clock) {
    const auto i = static_cast<size_t>(thread);
    return i < clock.seen.size() && tick <= clock.seen[i];
  };
  return knows(by.block->news) || (by.clock && knows(*by.clock));
}

Clock* make_clock() { return new Clock; }
void drop_clock(Clock* clock) { delete clock; }
void forget(Clock& clock) { clock.seen.clear(); }

void release(Clock& clock) {
  Thread& t = *current;
  std::vector<uint32_t>& mine = clock_of(t).seen;
  // What barriers told this thread goes along to those who acquire.
  merge(mine, t.block->news.seen);
  for (const Thread& other : t.block->threads) {
    uint32_t& seen = mine[static_cast<size_t>(other.id)];
    seen = std::max(seen, t.block->synced);
    if (other.warp != t.warp) continue;
    seen = std::max(seen, t.warp->synced);
    if (!t.warp->pair.empty())
      seen = std::max(seen, t.warp->pair[static_cast<size_t>(other.lane * 32 + t.lane)]);
  }
  mine[static_cast<size_t>(t.id)] = gang->tick++;
  merge(clock.seen, mine);
}

void acquire(const Clock& clock) {
  merge(clock_of(*current).seen, clock.seen);
  current->has_news = true;
}

void fence_proxy_async() { current->fenced = gang->tick++; }

bool in_kernel() { return current != nullptr; }

}  // namespace simt
