// The checks of every access: each byte has a Cell that says who wrote and who read it last.
#include <cstring>
#include <string>

#include "memory.h"

namespace simt {
namespace {

// ---- in flight

struct Flight {
  const char *begin, *end;
  const char* what;
  int thread;
};
std::vector<Flight> flights;

// ---- checks

struct Request {
  const void* p;
  size_t bytes;
  Access access;
  const void* pc;
};

bool is_late(Access a) { return a == Access::take_off || a == Access::async_take_off; }
bool writes(Access a) { return a == Access::write || a == Access::atomic || is_late(a); }
bool by_async_proxy(Access a) { return a == Access::async_read || a == Access::async_take_off; }

const char* verb(Access a) {
  switch (a) {
    case Access::read: return "read";
    case Access::write: return "write";
    case Access::atomic: return "atomic access";
    case Access::async_read: return "asynchronous read";
    case Access::take_off:
    case Access::async_take_off: return "asynchronous write";
  }
  return "";
}

std::string by_whom(uint16_t thread) {
  if (thread == kSeveral) return "several threads";
  if (thread >= kLanes && thread < kLanes + 32) return "several lanes of a warp";
  if (thread == kAtomic) return "an atomic access";
  const Thread& t = *gang->threads[thread];
  char text[80];
  snprintf(text, sizeof text, "thread (%u,%u,%u)", t.index.x, t.index.y, t.index.z);
  std::string out = text;
  if (gang->blocks.size() > 1) out += " of block " + std::to_string(t.block->rank);
  return out;
}

[[noreturn]] void race(const Request& r, const char* other, uint16_t thread, uint32_t pc) {
  fault_at(r.pc, "race", "%s of %zu bytes of %s memory, not ordered after the %s by %s at %s",
           verb(r.access), r.bytes, is_shared(r.p) ? "shared" : "global", other,
           by_whom(thread).c_str(), describe_pc(pc_of(pc)).c_str());
}

[[noreturn]] void race_of_blocks(const Request& r, const char* other, uint32_t pc) {
  fault_at(r.pc, "race-of-blocks", "%s of %zu bytes that another block of this launch %s at %s",
           verb(r.access), r.bytes, other, describe_pc(pc_of(pc)).c_str());
}

[[noreturn]] void in_flight(const Request& r) {
  for (const Flight& f : flights)
    if (r.p<f.end&& static_cast<const char*>(r.p) + r.bytes> f.begin)
      fault_at(r.pc, "in-flight", "%s of %zu bytes that %s has not yet delivered", verb(r.access),
               r.bytes, f.what);
  fault_at(r.pc, "in-flight", "%s of bytes that are under way", verb(r.access));
}

// Of several readers the cell knows who they are, roughly, and when the first of them read. So
// this says no only where it is certain: a set of lanes of which one, or a warp or block of which
// nobody, is ordered before t since then.
bool readers_ordered(const Cell& c, const Thread& t) {
  if (c.read_thread < kLanes) return ordered(c.read_thread, c.read_tick, t);
  if (c.read_thread < kLanes + 32) {
    const Warp& w = t.block->warps[c.read_thread - kLanes];
    for (unsigned lane = 0; lane < 32; ++lane)
      if (c.readers >> lane & 1 && !ordered(w.thread[lane]->id, c.read_tick, t)) return false;
    return true;
  }
  const bool one_block = gang->blocks.size() == 1;
  if (one_block && c.read_tick <= t.block->synced) return true;
  const auto by_one_of = [&](const Block& block, size_t first, size_t end) {
    for (size_t i = first; i < end && i < block.threads.size(); ++i)
      if (ordered(block.threads[i].id, c.read_tick, t)) return true;
    return false;
  };
  for (size_t group = 0; group < 32; ++group) {
    if (!(c.readers >> group & 1)) continue;
    bool found = one_block && by_one_of(*t.block, group * 32, group * 32 + 32);
    for (size_t rank = group; !one_block && !found && rank < gang->blocks.size(); rank += 32)
      found = by_one_of(gang->blocks[rank], 0, kMostThreads);
    if (!found) return false;
  }
  return true;
}

void check_order_after_write(const Request& r, const Cell& c, const Thread& t) {
  if (c.write_thread == t.id) return;
  if (c.write_thread == kInFlight) in_flight(r);
  if (c.write_thread == kAtomic) {
    if (r.access != Access::atomic && c.write_tick > t.block->synced)
      race(r, "update", kAtomic, c.write_pc);
    return;
  }
  if (!ordered(c.write_thread, c.write_tick, t)) race(r, "write", c.write_thread, c.write_pc);
}

// One more reader, not ordered after those that the cell knows.
void add_reader(Cell& c, const Thread& t) {
  const uint32_t lane = 1u << t.lane;
  if (gang->blocks.size() > 1) {
    c.readers |= 1u << t.block->rank % 32;
    c.read_thread = kSeveral;
    return;
  }
  const int warp = t.id / 32;
  if (c.read_thread < kLanes) {
    const int before = c.read_thread;
    c.read_thread = static_cast<uint16_t>(kLanes + before / 32);
    c.readers = 1u << before % 32;
  }
  if (c.read_thread == kLanes + warp) {
    c.readers |= lane;
    return;
  }
  if (c.read_thread != kSeveral) c.readers = 1u << (c.read_thread - kLanes);
  c.readers |= 1u << warp;
  c.read_thread = kSeveral;
}

void note_read(Cell& c, const Thread& t, uint32_t pc) {
  const bool known = c.read_gang == gang->id;
  if (known && c.read_thread == kSeveralBlocks) return;
  const bool one_block = gang->blocks.size() == 1;
  const unsigned group = one_block ? static_cast<unsigned>(t.id / 32) : t.block->rank;
  if (known && c.read_thread == kSeveral && gang->blocks.size() <= 32 && c.readers >> group & 1 &&
      c.read_tick > t.block->synced)
    return;  // the warp, or the block, is in it already
  if (known && c.read_thread != t.id && !readers_ordered(c, t)) return add_reader(c, t);
  // Another block of the launch has read it: that stays known, for the writes of later blocks.
  const bool others = !known && c.read_gang >= gang->first_of_launch;
  c.read_gang = gang->id;
  c.read_thread = others ? kSeveralBlocks : static_cast<uint16_t>(t.id);
  c.readers = 1u << t.block->rank % 32;
  c.read_tick = gang->tick;
  c.read_pc = pc;
}

// The gap in a {4 bytes, 8 bytes} or {8 bytes, 4 bytes} structure, which is written member by
// member and read as a whole: the upper half of one word of eight, of which the rest was written
// at once.
bool is_padding(const Request& r, const Cell* cells, size_t i) {
  if (r.bytes != 16 || i % 8 < 4) return false;
  const Cell &before = cells[i / 8 * 8], &other = cells[i < 8 ? 8 : 0];
  return before.write_gang == other.write_gang && before.write_tick == other.write_tick &&
         before.write_thread == other.write_thread && before.write_gang > cells[i].write_gang;
}

// What ordinary stores wrote, the asynchronous proxy sees after a fence by who wrote it.
void check_proxy(const Request& r, const Cell& c) {
  if (c.write_pc == 0 || c.write_thread >= kLanes) return;
  if (gang->threads[c.write_thread]->fenced < c.write_tick)
    fault_at(r.pc, "missing-proxy-fence", "%s of what %s wrote at %s and did not fence",
             verb(r.access), by_whom(c.write_thread).c_str(),
             describe_pc(pc_of(c.write_pc)).c_str());
}

template <bool shared>
void check_cells(const Request& r, Cell* cells) {
  const Thread& t = *current;
  const uint32_t pc = offset_of(r.pc), first = shared ? gang->id : gang->first_of_launch;
  for (size_t i = 0; i < r.bytes; ++i) {
    Cell& c = cells[i];
    const bool recent = c.write_gang >= first;  // written in this launch, or by this gang
    if (recent) {
      if (c.write_gang != gang->id) {
        if (!(c.write_thread == kAtomic && r.access == Access::atomic))
          race_of_blocks(r, "wrote", c.write_pc);
      } else {
        check_order_after_write(r, c, t);
        if (by_async_proxy(r.access)) check_proxy(r, c);
      }
    }
    if (writes(r.access)) {
      if (c.read_gang >= first && r.access != Access::atomic) {
        if (c.read_gang != gang->id || c.read_thread == kSeveralBlocks)
          race_of_blocks(r, "read", c.read_pc);
        if (c.read_thread != t.id && !readers_ordered(c, t))
          race(r, "read", c.read_thread, c.read_pc);
      }
      c.write_gang = gang->id;
      c.write_tick = gang->tick;
      c.write_pc = pc;
      c.write_thread = is_late(r.access)            ? kInFlight
                       : r.access == Access::atomic ? kAtomic
                                                    : static_cast<uint16_t>(t.id);
      if (r.access != Access::atomic) c.read_gang = 0;
      continue;
    }
    const bool unwritten = shared ? !recent : c.write_gang == kUnwritten;
    if (unwritten && !is_padding(r, cells, i))
      fault_at(r.pc, "unwritten",
               "%s of %zu bytes of %s memory, of which byte %zu was never written", verb(r.access),
               r.bytes, shared ? "shared" : "global", i);
    if (!unwritten) note_read(c, t, pc);
  }
}

void check_global(const Request& r, const Region& region) {
  Cell* cells = region.cell(r.p);
  for (size_t i = 0; i < r.bytes; ++i)
    if (cells[i].write_gang == kNotAllocated)
      fault_at(r.pc, "out-of-bounds", "%s of %zu bytes of global memory; byte %zu is %s",
               verb(r.access), r.bytes, i,
               near_allocation(static_cast<const char*>(r.p) + i).c_str());
  check_cells<false>(r, cells);
}

void check_dynamic(const Request& r, const Region& region) {
  const size_t offset = static_cast<size_t>(static_cast<const char*>(r.p) - region.base);
  const size_t rank = offset / kSharedStride, within = offset % kSharedStride;
  if (rank >= gang->blocks.size() || within + r.bytes > gang->launch->shared)
    fault_at(r.pc, "out-of-bounds", "%s of %zu bytes at byte %zu of %zu of dynamic shared memory",
             verb(r.access), r.bytes, within, gang->launch->shared);
  const Block& owner = gang->blocks[rank];
  if (owner.gone == static_cast<int>(owner.threads.size()))
    fault_at(r.pc, "out-of-bounds",
             "%s of the shared memory of block %zu of the cluster, which has ended", verb(r.access),
             rank);
  check_cells<true>(r, region.cell(r.p));
}

}  // namespace

void begin_launch_memory() {
  find_static_shared();
  flights.clear();
}

void check(const void* p, size_t bytes, Access access, const void* pc) {
  if (!current) return;
  if (Fiber::on_any_stack(p)) {
    const auto offset = static_cast<size_t>(static_cast<const char*>(p) - current->fiber->stack());
    if (offset < Fiber::kStack) {
      if (current->registers_in_flight) check_registers(p, bytes, pc);
      return;
    }
    fault_at(pc, "local-memory", "%s of another thread's local variable", verb(access));
  }
  const Request r{p, bytes, access, pc};
  const Region& global = device_region(gang->launch->device);
  if (global.contains(p)) return check_global(r, global);
  if (static_region().contains(p)) {
    if (bytes == 1 && is_guard(static_cast<size_t>(static_cast<const char*>(p) - image().tls)))
      return;
    if (gang->blocks.size() > 1)
      fault_at(pc, "not-modelled", "static shared memory where several blocks run together");
    return check_cells<true>(r, static_region().cell(p));
  }
  const Region& dynamic = dynamic_region();
  if (dynamic.contains(p)) return check_dynamic(r, dynamic);
  const char* c = static_cast<const char*>(p);
  if (c >= image().begin && c < image().end && !writes(access)) return;  // a constant
  if (device_of(p) >= 0)
    fault_at(pc, "other-device", "%s of memory of device %d", verb(access), device_of(p));
  fault_at(pc, "out-of-bounds", "%s of %zu bytes at %p, which is not the device's memory",
           verb(access), bytes, p);
}

// ---- accesses by wrappers

namespace {
void check_for_wrapper(const void* p, size_t bytes, size_t align, Access access, const void* pc) {
  if (reinterpret_cast<uintptr_t>(p) % align)
    fault_at(pc, "unaligned", "%s at address %p, which is not a multiple of %zu", verb(access), p,
             align);
  check(p, bytes, access, pc);
}
}  // namespace

void check_read(const void* p, size_t bytes, size_t align) {
  check_for_wrapper(p, bytes, align, Access::read, __builtin_return_address(0));
}
void check_write(void* p, size_t bytes, size_t align) {
  check_for_wrapper(p, bytes, align, Access::write, __builtin_return_address(0));
}
void check_atomic(void* p, size_t bytes) {
  check_for_wrapper(p, bytes, bytes, Access::atomic, __builtin_return_address(0));
}
void check_async_read(const void* p, size_t bytes, size_t align) {
  check_for_wrapper(p, bytes, align, Access::async_read, __builtin_return_address(0));
}

void take_off(void* p, size_t bytes, const char* what, Access how, const void* pc) {
  check(p, bytes, how, pc);
  const char* begin = static_cast<const char*>(p);
  flights.push_back({begin, begin + bytes, what, current->id});
}

void land(void* p, size_t bytes, const Clock* by) {
  const char* begin = static_cast<const char*>(p);
  int thread = current ? current->id : 0;
  for (size_t i = 0; i < flights.size(); ++i)
    if (flights[i].begin == begin && flights[i].end == begin + bytes) {
      thread = flights[i].thread;
      flights.erase(flights.begin() + static_cast<long>(i));
      break;
    }
  const Region& dynamic = dynamic_region();
  const Region& region = static_region().contains(p) ? static_region()
                         : dynamic.contains(p)       ? dynamic
                                                     : device_region(gang->launch->device);
  Cell* cells = region.cell(p);
  for (size_t i = 0; i < bytes; ++i) {
    cells[i].write_thread = static_cast<uint16_t>(thread);
    cells[i].write_tick = gang->tick;
    cells[i].write_pc = 0;  // not by an ordinary store
  }
  if (by) {
    auto& seen = const_cast<Clock*>(by)->seen;
    if (seen.size() < gang->threads.size()) seen.resize(gang->threads.size());
    seen[static_cast<size_t>(thread)] = gang->tick;
  }
  ++gang->tick;
}

}  // namespace simt
