// Products of warpgroups. Each of the four warps computes its own 16 rows, when it waits for them:
// until then its accumulators hold NaN, and operands are read from shared memory at the end.
#include <cstdlib>
#include <cstring>

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

struct Operation {
  Wgmma what;
  float* d[32];
  uint32_t a[32][4];
};

struct WarpProducts {
  Groups<Operation> groups;
  bool fenced = false;
  size_t count = 0;  // operations so far
};

struct Products {
  uint32_t gang = 0;
  std::map<const Warp*, WarpProducts> warps;
  // What the warpgroups were asked for, in order: its four warps have to agree.
  std::map<std::pair<const Block*, int>, std::vector<Wgmma>> asked;
};

WarpProducts& products(const Warp* warp, Products** all = nullptr) {
  static Products state;
  if (state.gang != gang->id) {
    state = Products{};
    state.gang = gang->id;
  }
  if (all) *all = &state;
  return state.warps[warp];
}

// The lanes of the warp come together; one of them acts.
template <class F>
void together(const char* what, Site site, F act) {
  bool leader = false;
  warp_exchange(kAll, what, site, leader, [](bool** lanes) { *lanes[0] = true; });
  if (leader) act();
}

int warp_index() { return static_cast<int>(current->warp - current->block->warps.data()); }

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

void check_operands(const Wgmma& w, const void* pc) {
  const int row = warp_index() % 4 * 16;
  if (!w.a_in_registers) check_operand(w.a_descriptor, w.a_mn_major, w.type, row, row + 16, pc);
  check_operand(w.b_descriptor, w.b_mn_major, w.type, 0, w.n, pc);
}

float read(const SharedMatrix& m, bool mn_major, Element type, int mn, int k) {
  uint32_t bits = 0;
  const int size = element_bytes(type);
  memcpy(&bits, pointer(element_address(m, mn_major, size, mn, k)), static_cast<size_t>(size));
  return element_value(type, bits);
}

void compute(const Operation& op, const void* pc) {
  const Wgmma& w = op.what;
  check_operands(w, pc);  // whoever wrote to them since did not wait
  const int k_count = depth(w.type), warp = warp_index() % 4;
  static double a[16][16], b[16][256];
  if (w.a_in_registers) {
    const bool wide = w.type == Element::tf32;
    for (int lane = 0; lane < 32; ++lane)
      for (int i = 0; i < (wide ? 4 : 8); ++i) {
        const Place p = wide ? a_tf32(lane, i) : a_16bit(lane, i);
        const uint32_t bits = wide ? op.a[lane][i] : op.a[lane][i / 2] >> i % 2 * 16 & 0xffff;
        a[p.row][p.column] = double{element_value(w.type, bits)};
      }
  } else {
    const SharedMatrix m = decode(w.a_descriptor, pc);
    for (int row = 0; row < 16; ++row)
      for (int k = 0; k < k_count; ++k)
        a[row][k] = double{read(m, w.a_mn_major, w.type, warp * 16 + row, k)};
  }
  const SharedMatrix m = decode(w.b_descriptor, pc);
  for (int n = 0; n < w.n; ++n)
    for (int k = 0; k < k_count; ++k) b[k][n] = double{read(m, w.b_mn_major, w.type, n, k)};

  // "Register fragments": D is 16 rows a warp, in pairs of columns that return every 8.
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < w.n / 2; ++i) {
      const Place p = c_f32(lane, i % 4);
      float& d = op.d[lane][i];
      double sum = w.accumulate ? double{d} : 0;
      for (int k = 0; k < k_count; ++k) sum += a[p.row][k] * b[k][i / 4 * 8 + p.column];
      d = static_cast<float>(sum);
    }
}

// Before the first of several products into the same accumulators is computed they get back what
// they held; `held` keeps it while they are poisoned.
std::map<float*, std::vector<float>>& held() {
  static std::map<float*, std::vector<float>> all;
  return all;
}

bool poisoned(const float* d, int count) {
  for (int i = 0; i < count; ++i) {
    uint32_t bits;
    memcpy(&bits, d + i, sizeof bits);
    if (bits != kInFlight) return false;
  }
  return true;
}

void poison(float* d, int count) {
  held()[d] = std::vector<float>(d, d + count);
  const uint32_t bits = kInFlight;
  for (int i = 0; i < count; ++i) memcpy(static_cast<void*>(d + i), &bits, sizeof bits);
}

void restore(float* d, int count) {
  const auto found = held().find(d);
  if (found == held().end()) return;
  if (!poisoned(d, count))
    fault("in-flight", "the accumulators of a wgmma were written before wgmma_wait");
  memcpy(d, found->second.data(), static_cast<size_t>(count) * sizeof(float));
  held().erase(found);
}

void agree_with_warpgroup(Products& all, WarpProducts& mine, const Wgmma& w) {
  auto& asked = all.asked[{current->block, warp_index() / 4}];
  if (mine.count == asked.size())
    asked.push_back(w);
  else if (!same(asked[mine.count], w))
    fault("divergent-warpgroup", "warp %d executes a wgmma that differs from that of its warpgroup",
          warp_index());
  ++mine.count;
}

}  // namespace

uint32_t shared_address(const void* p) {
  const auto offset = static_cast<size_t>(static_cast<const unsigned char*>(p) - dynamic_shared());
  if (offset >= gang->launch->shared)
    fault("not-modelled", "the numeric address of %p, which is not dynamic shared memory", p);
  return kFirstAddress + static_cast<uint32_t>(offset);
}

void wgmma_fence(Site site) {
  together("wgmma.fence", site, [] { products(current->warp).fenced = true; });
}

void wgmma(const Wgmma& operation, float* d, Site site) {
  const void* const pc = __builtin_return_address(0);
  struct Lane {
    const Wgmma* what;
    float* d;
    Operation* op;
    bool leader;
  };
  Operation op{operation, {}, {}};
  Lane mine{&operation, d, &op, false};
  warp_exchange(kAll, "wgmma", site, mine, [](Lane** lanes) {
    Operation& all = *lanes[0]->op;
    for (int lane = 0; lane < 32; ++lane) {
      all.d[lane] = lanes[lane]->d;
      memcpy(all.a[lane], lanes[lane]->what->a, sizeof all.a[lane]);
    }
    lanes[0]->leader = true;
  });
  if (held().count(d) == 0)
    poison(d, operation.n / 2);
  else if (!poisoned(d, operation.n / 2))
    fault("in-flight", "the accumulators of a wgmma were written before wgmma_wait");
  if (!mine.leader) return;

  if (current->block->threads.size() % 128)
    fault("divergent-warpgroup", "wgmma in a block of %zu threads", current->block->threads.size());
  Products* all;
  WarpProducts& warp = products(current->warp, &all);
  if (!warp.fenced)
    fault("missing-fence", "wgmma without wgmma_fence since the start or the last wgmma_wait");
  agree_with_warpgroup(*all, warp, operation);
  check_operands(operation, pc);
  warp.groups.open.push_back(op);
}

void wgmma_commit(Site site) {
  together("wgmma.commit_group", site, [] { products(current->warp).groups.commit(); });
}

void wgmma_wait(int pending, Site site) {
  const void* const pc = __builtin_return_address(0);
  together("wgmma.wait_group", site, [&] {
    WarpProducts& warp = products(current->warp);
    warp.fenced = false;
    auto& groups = warp.groups.committed;
    std::vector<Operation> over;
    for (; groups.size() > static_cast<size_t>(pending); groups.pop_front())
      over.insert(over.end(), groups.front().begin(), groups.front().end());
    for (const Operation& op : over) {
      for (float* d : op.d) restore(d, op.what.n / 2);
      compute(op, pc);
    }
    // What later groups still add to stays in flight.
    const auto poison_all = [](const std::vector<Operation>& group) {
      for (const Operation& op : group)
        for (float* d : op.d)
          if (!held().count(d)) poison(d, op.what.n / 2);
    };
    for (const auto& group : groups) poison_all(group);
    poison_all(warp.groups.open);
  });
  // The others go on when the leader has computed.
  warp_meet(kAll, "wgmma.wait_group", false, site, nullptr, nullptr, nullptr);
}

void set_registers(int count, Site site) {
  together("setmaxnreg", site, [count] {
    if (count < 24 || count > 256 || count % 8) fault("wrong-size", "setmaxnreg %d", count);
  });
}

}  // namespace simt
