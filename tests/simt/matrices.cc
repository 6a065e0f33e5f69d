// Products of a warp (mma.sync) and the loads and stores of its fragments (ldmatrix, stmatrix).
#include <cstring>

#include "layouts.h"
#include "machine.h"
#include "matrices.h"
#include "wrappers.h"

namespace simt {
namespace {

constexpr unsigned kAll = 0xffffffffu;

struct MmaOperands {
  void* c;
  const void *a, *b;
};

// Sums are exact to double precision and rounded once; the hardware rounds more often, in an order
// of its own.
template <class Read>
void multiply(void* const* lanes, int k, int a_count, int b_count, Place (*a_at)(int, int),
              Place (*b_at)(int, int), Read read) {
  double a[16][16], b[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const auto& mine = *static_cast<const MmaOperands*>(lanes[lane]);
    for (int i = 0; i < a_count; ++i) {
      const Place p = a_at(lane, i);
      a[p.row][p.column] = read(mine.a, i);
    }
    for (int i = 0; i < b_count; ++i) {
      const Place p = b_at(lane, i);
      b[p.row][p.column] = read(mine.b, i);
    }
  }
  for (int lane = 0; lane < 32; ++lane) {
    auto* c = static_cast<float*>(static_cast<const MmaOperands*>(lanes[lane])->c);
    for (int i = 0; i < 4; ++i) {
      const Place p = c_f32(lane, i);
      double sum = c[i];
      for (int j = 0; j < k; ++j) sum += a[p.row][j] * b[j][p.column];
      c[i] = static_cast<float>(sum);
    }
  }
}

template <Element type>
void multiply_16bit(void* const* lanes, void*) {
  multiply(lanes, 16, 8, 4, a_16bit, b_16bit, [](const void* r, int i) {
    const uint32_t word = static_cast<const uint32_t*>(r)[i / 2];
    return double{element_value(type, i % 2 ? word >> 16 : word & 0xffff)};
  });
}

void multiply_tf32(void* const* lanes, void*) {
  multiply(lanes, 8, 4, 2, a_tf32, b_tf32, [](const void* r, int i) {
    return double{element_value(Element::tf32, static_cast<const uint32_t*>(r)[i])};
  });
}

void multiply_f64(void* const* lanes, void*) {
  double a[8][4], b[4][8];
  const auto operands = [lanes](int lane) { return *static_cast<const MmaOperands*>(lanes[lane]); };
  for (int lane = 0; lane < 32; ++lane) {
    const Place p = a_f64(lane, 0), q = b_f64(lane, 0);
    a[p.row][p.column] = *static_cast<const double*>(operands(lane).a);
    b[q.row][q.column] = *static_cast<const double*>(operands(lane).b);
  }
  for (int lane = 0; lane < 32; ++lane)
    for (int i = 0; i < 2; ++i) {
      const Place p = c_f64(lane, i);
      double& c = static_cast<double*>(operands(lane).c)[i];
      for (int j = 0; j < 4; ++j) c = __builtin_fma(a[p.row][j], b[j][p.column], c);
    }
}

// The rows of the matrices, as the lanes gave them: [8 j + i] is row i of matrix j.
struct Rows {
  const char* mine;
  const char* all[32];
};

Rows exchange_rows(const void* row, int count, const char* what, Site site, const void* pc) {
  Rows rows{static_cast<const char*>(row), {}};
  if (current->lane < 8 * count) {
    require_row(row, what, pc);
  }
  warp_exchange(kAll, what, site, rows, [](Rows** lanes) {
    for (int i = 0; i < 32; ++i)
      for (int j = 0; j < 32; ++j) lanes[i]->all[j] = lanes[j]->mine;
  });
  return rows;
}

// Calls act(address, half of the register or -1 for all of it) for what this lane has of matrix j.
template <class F>
void for_parts(const Rows& rows, int j, bool transposed, F act) {
  const int lane = current->lane;
  const char* const* row = rows.all + 8 * j;
  if (!transposed) return act(row[lane / 4] + lane % 4 * 4, -1);
  for (int half = 0; half < 2; ++half) act(row[lane % 4 * 2 + half] + lane / 4 * 2, half);
}

}  // namespace

void require_row(const void* row, const char* what, const void* pc) {
  if (!is_shared(row)) fault_at(pc, "wrong-space", "%s: %p is not shared memory", what, row);
  if (reinterpret_cast<uintptr_t>(row) % 16)
    fault_at(pc, "unaligned", "%s: row at address %p, which is not a multiple of 16", what, row);
}

void mma(Element type, void* c, const void* a, const void* b, Site site) {
  MmaOperands mine{c, a, b};
  void (*const act[])(void* const*, void*) = {
      multiply_16bit<Element::f16>, multiply_16bit<Element::bf16>, multiply_tf32, multiply_f64};
  warp_meet(kAll, "mma", false, site, &mine, act[static_cast<int>(type)], nullptr);
}

void load_matrix(uint32_t* r, int count, bool transposed, const void* row, Site site) {
  const void* const pc = __builtin_return_address(0);
  const Rows rows = exchange_rows(row, count, "ldmatrix", site, pc);
  for (int j = 0; j < count; ++j) {
    auto* to = reinterpret_cast<char*>(r + j);
    for_parts(rows, j, transposed, [&](const char* from, int half) {
      const size_t bytes = half < 0 ? 4 : 2;
      check(from, bytes, Access::read, pc);
      memcpy(to + (half > 0 ? 2 : 0), from, bytes);
    });
  }
}

void store_matrix(void* row, const uint32_t* r, int count, bool transposed, Site site) {
  const void* const pc = __builtin_return_address(0);
  const Rows rows = exchange_rows(row, count, "stmatrix", site, pc);
  for (int j = 0; j < count; ++j) {
    const auto* from = reinterpret_cast<const char*>(r + j);
    for_parts(rows, j, transposed, [&](const char* to, int half) {
      const size_t bytes = half < 0 ? 4 : 2;
      check(to, bytes, Access::write, pc);
      memcpy(const_cast<char*>(to), from + (half > 0 ? 2 : 0), bytes);
    });
  }
}

// "cvt.rna": to the nearest of 10 bits of mantissa, ties away from zero; NaN stays NaN.
uint32_t to_tf32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t magnitude = bits & 0x7fffffffu;
  if (magnitude > 0x7f800000u) return 0x7fffffffu;
  if (magnitude == 0x7f800000u) return bits;
  return (bits + 0x1000u) & ~0x1fffu;
}

}  // namespace simt
