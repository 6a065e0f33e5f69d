// Products of warpgroups. They are computed when the first of the four warps waits for them: until
// then the operands stay in shared memory. A warp's accumulators hold NaN until it waits itself.
#include <cstring>
#include <map>

#include "async_state.h"
#include "layouts.h"
#include "matrices.h"
#include "wrappers.h"

namespace simt {
namespace {

constexpr unsigned kAll = 0xffffffffu;
constexpr uint32_t kInFlight = 0x7fc0dead;  // a NaN
// Shared memory has addresses as on the device, where the first KiB is the system's.
constexpr uint32_t kFirstAddress = 1024;

// One instruction of a warpgroup, to which its four warps come one after the other.
struct Operation {
  Wgmma what;
  const void* pc;  // of its line in the kernel
  float* d[4][32];
  uint32_t a[4][32][4];
};

struct WarpState {
  bool fenced = false;
  size_t issued = 0, retired = 0;  // operations
  std::deque<size_t> groups;       // of each, `issued` when it was committed
};

struct Warpgroup {
  std::deque<Operation> operations;
  size_t gone = 0, computed = 0;  // operations that all warps have retired; that were computed
  WarpState warps[4];
  Clock clock;  // up to when the leaders of the warps have read operands
  Operation& operation(size_t i) { return operations[i - gone]; }
};

struct Products {
  uint32_t gang = 0;
  std::map<std::pair<const Block*, int>, Warpgroup> warpgroups;
  // What accumulators hold in truth, while they are in flight and show NaN.
  struct Accumulators {
    std::vector<float> values;
    Thread* owner;
  };
  std::map<float*, Accumulators> in_flight;
};

Products the_products;

Products& products() {
  if (the_products.gang != gang->id) {
    the_products = Products{};
    the_products.gang = gang->id;
  }
  return the_products;
}

int warp_index() { return static_cast<int>(current->warp - current->block->warps.data()); }

Warpgroup& warpgroup() {
  if (current->block->threads.size() % 128)
    fault("divergent-warpgroup", "wgmma in a block of %zu threads", current->block->threads.size());
  return products().warpgroups[{current->block, warp_index() / 4}];
}
WarpState& warp_of(Warpgroup& g) { return g.warps[warp_index() % 4]; }

// The lanes of the warp come together; then one of them acts. All of this file's functions begin
// with a meeting, so that the leader has acted before the next one.
template <class F>
void together(const char* what, Site site, F act) {
  bool leader = false;
  warp_exchange(kAll, what, site, leader, [](bool** lanes) { *lanes[0] = true; });
  if (leader) act();
}

bool same(const Wgmma& a, const Wgmma& b) {
  return a.type == b.type && a.n == b.n && a.a_in_registers == b.a_in_registers &&
         a.a_mn_major == b.a_mn_major && a.b_mn_major == b.b_mn_major &&
         (a.a_in_registers || a.a_descriptor == b.a_descriptor) &&
         a.b_descriptor == b.b_descriptor && a.accumulate == b.accumulate;
}

int element_bytes(Element type) { return type == Element::tf32 ? 4 : 2; }
int depth(Element type) { return type == Element::tf32 ? 8 : 16; }

SharedMatrix decode(uint64_t bits, const void* pc) {
  const SharedMatrix m = decode_descriptor(bits);
  if (m.base_offset)
    fault_at(pc, "not-modelled", "a matrix descriptor with base offset %d", m.base_offset);
  if (m.start < kFirstAddress || m.start - kFirstAddress >= gang->launch->shared)
    fault_at(pc, "out-of-bounds", "a matrix descriptor of address %u: the block has %zu bytes",
             m.start, gang->launch->shared);
  return m;
}

const unsigned char* pointer(uint32_t address) {
  return current->block->shared + address - kFirstAddress;
}

// Calls act(address) for every 16 bytes of rows [first, last) of an operand. A chunk holds
// neighbours along the operand's major direction.
template <class F>
void for_chunks(const SharedMatrix& m, bool mn_major, Element type, int first, int last, F act) {
  const int size = element_bytes(type), t = 16 / size;
  for (int mn = first; mn < last; mn += mn_major ? t : 1)
    for (int k = 0; k < depth(type); k += mn_major ? 1 : t)
      act(element_address(m, mn_major, size, mn, k));
}

void check_operand(uint64_t descriptor, bool mn_major, Element type, int first, int last,
                   const void* pc) {
  const SharedMatrix m = decode(descriptor, pc);
  for_chunks(m, mn_major, type, first, last,
             [pc](uint32_t address) { check(pointer(address), 16, Access::async_read, pc); });
}

void check_operands(const Wgmma& w, int first_row, int last_row, const void* pc) {
  if (!w.a_in_registers)
    check_operand(w.a_descriptor, w.a_mn_major, w.type, first_row, last_row, pc);
  check_operand(w.b_descriptor, w.b_mn_major, w.type, 0, w.n, pc);
}

// The wait of any of the four warps orders what follows after the reading of operands by all of
// them.
void note_reading(Warpgroup& g) {
  g.clock.seen.resize(gang->threads.size());
  g.clock.seen[static_cast<size_t>(current->id)] = gang->tick++;
}

float read(const SharedMatrix& m, bool mn_major, Element type, int mn, int k) {
  uint32_t bits = 0;
  const int size = element_bytes(type);
  memcpy(&bits, pointer(element_address(m, mn_major, size, mn, k)), static_cast<size_t>(size));
  return element_value(type, bits);
}

// The thread's accumulators take off, or are in flight already.
void take_off_accumulators(float* d, int count) {
  auto& all = products().in_flight;
  const auto found = all.find(d);
  if (found != all.end()) {
    if (static_cast<int>(found->second.values.size()) != count)
      fault("in-flight", "a wgmma of another shape adds to accumulators before wgmma_wait");
    return;
  }
  all[d] = {std::vector<float>(d, d + count), current};
  for (int i = 0; i < count; ++i) memcpy(static_cast<void*>(d + i), &kInFlight, sizeof kInFlight);
  ++current->registers_in_flight;
}

void land_accumulators(float* d) {
  auto& all = products().in_flight;
  const auto found = all.find(d);
  if (found == all.end()) return;  // they have landed with a later product
  memcpy(d, found->second.values.data(), found->second.values.size() * sizeof(float));
  --found->second.owner->registers_in_flight;
  all.erase(found);
}

// a[row][k] of 64 rows.
void read_a(const Operation& op, const void* pc, double (*a)[16]) {
  const Wgmma& w = op.what;
  const bool wide = w.type == Element::tf32;
  if (!w.a_in_registers) {
    const SharedMatrix m = decode(w.a_descriptor, pc);
    for (int row = 0; row < 64; ++row)
      for (int k = 0; k < depth(w.type); ++k)
        a[row][k] = double{read(m, w.a_mn_major, w.type, row, k)};
    return;
  }
  for (int warp = 0; warp < 4; ++warp)
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < (wide ? 4 : 8); ++i) {
        const Place p = wide ? a_tf32(lane, i) : a_16bit(lane, i);
        const uint32_t* r = op.a[warp][lane];
        const uint32_t bits = wide ? r[i] : r[i / 2] >> i % 2 * 16 & 0xffff;
        a[warp * 16 + p.row][p.column] = double{element_value(w.type, bits)};
      }
}

void compute(const Operation& op, const void* pc) {
  const Wgmma& w = op.what;
  check_operands(w, 0, 64, pc);  // whoever wrote to them since did not wait
  static double a[64][16], b[16][256];
  read_a(op, pc, a);
  const SharedMatrix m = decode(w.b_descriptor, pc);
  for (int n = 0; n < w.n; ++n)
    for (int k = 0; k < depth(w.type); ++k) b[k][n] = double{read(m, w.b_mn_major, w.type, n, k)};
  for (int thread = 0; thread < 128; ++thread) {
    std::vector<float>& d = products().in_flight.at(op.d[thread / 32][thread % 32]).values;
    for (int i = 0; i < w.n / 2; ++i) {
      const Place p = wgmma_d(thread, i);
      double sum = w.accumulate ? double{d[static_cast<size_t>(i)]} : 0;
      for (int k = 0; k < depth(w.type); ++k) sum += a[p.row][k] * b[k][p.column];
      d[static_cast<size_t>(i)] = static_cast<float>(sum);
    }
  }
}

// Operations up to `end` are over for this warp.
void retire(Warpgroup& g, size_t end, Site site, const void* pc) {
  WarpState& mine = warp_of(g);
  wait_until(
      [&] {
        for (const WarpState& w : g.warps)
          if (w.issued < end) return false;
        return true;
      },
      "wgmma.wait_group for all four warps of the warpgroup", site);
  for (; g.computed < end; ++g.computed) compute(g.operation(g.computed), pc);
  note_reading(g);

  const int warp = warp_index() % 4;
  const auto in_flight = [&](const float* d) {
    for (size_t i = end; i < mine.issued; ++i)
      if (g.operation(i).d[warp][0] == d) return true;
    return false;
  };
  for (; mine.retired < end; ++mine.retired) {
    const Operation& op = g.operation(mine.retired);
    if (in_flight(op.d[warp][0])) continue;
    for (float* d : op.d[warp]) land_accumulators(d);
  }
  const auto all_retired = [&g] {
    for (const WarpState& w : g.warps)
      if (w.retired <= g.gone) return false;
    return true;
  };
  for (; !g.operations.empty() && all_retired(); ++g.gone) g.operations.pop_front();
}

}  // namespace

void check_registers(const void* p, size_t bytes, const void* pc) {
  const auto& all = products().in_flight;
  const auto after = all.upper_bound(static_cast<float*>(const_cast<void*>(p)));
  const auto touches = [&](const auto& entry) {
    const auto* begin = reinterpret_cast<const char*>(entry.first);
    const auto* end = begin + entry.second.values.size() * sizeof(float);
    return static_cast<const char*>(p)<end&& static_cast<const char*>(p) + bytes> begin;
  };
  if ((after != all.end() && touches(*after)) ||
      (after != all.begin() && touches(*std::prev(after))))
    fault_at(pc, "in-flight", "an accumulator of a wgmma is touched before wgmma_wait");
}

uint32_t shared_address(const void* p) {
  const auto offset = static_cast<size_t>(static_cast<const unsigned char*>(p) - dynamic_shared());
  if (offset >= gang->launch->shared)
    fault("not-modelled", "the numeric address of %p, which is not dynamic shared memory", p);
  return kFirstAddress + static_cast<uint32_t>(offset);
}

void wgmma_fence(Site site) {
  together("wgmma.fence", site, [] { warp_of(warpgroup()).fenced = true; });
}

void wgmma(const Wgmma& what, float* d, Site site) {
  const void* const pc = __builtin_return_address(0);
  struct Lane {
    const Wgmma* what;
    float* d;
    Operation* gathered;
  };
  Operation gathered{what, pc};
  Lane mine{&what, d, &gathered};
  const int warp = warp_index() % 4;
  warp_exchange(kAll, "wgmma", site, mine, [warp](Lane** lanes) {
    Operation& all = *lanes[0]->gathered;
    for (int lane = 0; lane < 32; ++lane) {
      all.d[warp][lane] = lanes[lane]->d;
      memcpy(all.a[warp][lane], lanes[lane]->what->a, sizeof all.a[warp][lane]);
    }
  });
  take_off_accumulators(d, what.n / 2);
  if (current->lane) return;

  Warpgroup& g = warpgroup();
  WarpState& state = warp_of(g);
  if (!state.fenced)
    fault("missing-fence", "wgmma without wgmma_fence since the start or the last wgmma_wait");
  if (state.issued - g.gone == g.operations.size()) g.operations.push_back(gathered);
  Operation& op = g.operation(state.issued++);
  if (!same(op.what, what))
    fault("divergent-warpgroup", "warp %d executes a wgmma that differs from that of its warpgroup",
          warp_index());
  memcpy(op.d[warp], gathered.d[warp], sizeof op.d[warp]);
  memcpy(op.a[warp], gathered.a[warp], sizeof op.a[warp]);
  check_operands(what, warp * 16, warp * 16 + 16, pc);
  note_reading(g);
}

void wgmma_commit(Site site) {
  together("wgmma.commit_group", site, [] {
    WarpState& mine = warp_of(warpgroup());
    mine.groups.push_back(mine.issued);
  });
}

void wgmma_wait(int pending, Site site) {
  const void* const pc = __builtin_return_address(0);
  together("wgmma.wait_group", site, [&] {
    Warpgroup& g = warpgroup();
    WarpState& mine = warp_of(g);
    mine.fenced = false;
    size_t end = mine.retired;
    for (; mine.groups.size() > static_cast<size_t>(pending); mine.groups.pop_front())
      end = mine.groups.front();
    if (end > mine.retired) retire(g, end, site, pc);
  });
  warp_meet(kAll, "wgmma.wait_group", false, site, nullptr, nullptr, nullptr);
  acquire(warpgroup().clock);
}

void set_registers(int count, Site site) {
  together("setmaxnreg", site, [count] {
    if (count < 24 || count > 256 || count % 8) fault("wrong-size", "setmaxnreg %d", count);
  });
}

void finish_thread_wgmma(const Thread& thread) {
  if (the_products.gang != gang->id) return;
  const Products& all = the_products;
  const int warp = thread.id % static_cast<int>(thread.block->threads.size()) / 32;
  const auto found = all.warpgroups.find({thread.block, warp / 4});
  if (found == all.warpgroups.end()) return;
  const WarpState& state = found->second.warps[warp % 4];
  if (state.retired < state.issued)
    fault_at(found->second.operations.back().pc, "missing-wait",
             "a thread returns before wgmma_wait for this product");
}

}  // namespace simt
