// Where elements lie, against tables written out by hand from the figures of the PTX ISA manual;
// and csrc's own maps, which kernels use, against the model's, which were written apart from them.
#include <vector>

#include "cuda/fragment.cuh"
#include "cuda/matrix_descriptor.cuh"
#include "cuda/shared_layout.cuh"
#include "layouts.h"
#include "wrappers/check.h"

using namespace fastdl;
using namespace fastdl::cuda;
using simt_test::require;

namespace {

template <class A, class B>
void same_place(A a, B b, const char* what, int where) {
  require(a.row == b.row && a.column == b.column, what, where);
}

struct Row {
  int lane, i, row, column;
};

template <class F>
void follows_table(const std::vector<Row>& table, F map, const char* what) {
  for (const Row& r : table)
    same_place(map(r.lane, r.i), simt::Place{r.row, r.column}, what, r.lane);
}

}  // namespace

PROGRAM(fragments_of_16_bit_elements) {
  // Figure "MMA .m16n8k16 fragment layout for matrix A": T0 holds {a0, a1} at (0, 0..1), {a2, a3}
  // at (8, 0..1), {a4, a5} at (0, 8..9), {a6, a7} at (8, 8..9); T4 begins row 1, T31 ends rows 7
  // and 15.
  follows_table({{0, 0, 0, 0},
                 {0, 1, 0, 1},
                 {0, 2, 8, 0},
                 {0, 3, 8, 1},
                 {0, 4, 0, 8},
                 {0, 5, 0, 9},
                 {0, 6, 8, 8},
                 {0, 7, 8, 9},
                 {1, 0, 0, 2},
                 {3, 1, 0, 7},
                 {4, 0, 1, 0},
                 {31, 0, 7, 6},
                 {31, 3, 15, 7},
                 {31, 4, 7, 14},
                 {31, 7, 15, 15}},
                simt::a_16bit, "A of m16n8k16");
  // "... for matrix B": columns are groups; T0 holds k = 0, 1 and 8, 9 of column 0.
  follows_table({{0, 0, 0, 0},
                 {0, 1, 1, 0},
                 {0, 2, 8, 0},
                 {0, 3, 9, 0},
                 {3, 0, 6, 0},
                 {3, 3, 15, 0},
                 {4, 0, 0, 1},
                 {31, 0, 6, 7},
                 {31, 3, 15, 7}},
                simt::b_16bit, "B of m16n8k16");
  // "... for accumulator matrix C/D".
  follows_table({{0, 0, 0, 0},
                 {0, 1, 0, 1},
                 {0, 2, 8, 0},
                 {0, 3, 8, 1},
                 {1, 0, 0, 2},
                 {4, 0, 1, 0},
                 {31, 1, 7, 7},
                 {31, 3, 15, 7}},
                simt::c_f32, "C of m16n8");
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 8; ++i) {
      same_place(position_a<Half>(lane, i), simt::a_16bit(lane, i), "position_a<Half>", lane);
      same_place(position_a<BFloat16>(lane, i), simt::a_16bit(lane, i), "position_a<BFloat16>",
                 lane);
    }
    for (int i = 0; i < 4; ++i) {
      same_place(position_b<Half>(lane, i), simt::b_16bit(lane, i), "position_b<Half>", lane);
      same_place(position_c(lane, i), simt::c_f32(lane, i), "position_c", lane);
    }
  }
}

PROGRAM(fragments_of_wide_elements) {
  // "MMA .m16n8k8 fragment layout for matrix A with .tf32 type".
  follows_table({{0, 0, 0, 0},
                 {0, 1, 8, 0},
                 {0, 2, 0, 4},
                 {0, 3, 8, 4},
                 {3, 0, 0, 3},
                 {4, 0, 1, 0},
                 {31, 0, 7, 3},
                 {31, 3, 15, 7}},
                simt::a_tf32, "A of m16n8k8");
  follows_table({{0, 0, 0, 0}, {0, 1, 4, 0}, {3, 0, 3, 0}, {4, 0, 0, 1}, {31, 1, 7, 7}},
                simt::b_tf32, "B of m16n8k8");
  // "MMA .m8n8k4 fragment layout ... with .f64 type".
  follows_table({{0, 0, 0, 0}, {3, 0, 0, 3}, {4, 0, 1, 0}, {31, 0, 7, 3}}, simt::a_f64,
                "A of m8n8k4");
  follows_table({{0, 0, 0, 0}, {3, 0, 3, 0}, {4, 0, 0, 1}, {31, 0, 3, 7}}, simt::b_f64,
                "B of m8n8k4");
  follows_table({{0, 0, 0, 0}, {0, 1, 0, 1}, {3, 1, 0, 7}, {31, 0, 7, 6}}, simt::c_f64,
                "C of m8n8k4");
  for (int lane = 0; lane < 32; ++lane) {
    for (int i = 0; i < 4; ++i)
      same_place(position_a<Tf32>(lane, i), simt::a_tf32(lane, i), "position_a<Tf32>", lane);
    for (int i = 0; i < 2; ++i) {
      same_place(position_b<Tf32>(lane, i), simt::b_tf32(lane, i), "position_b<Tf32>", lane);
      same_place(position_c(lane, i), simt::c_f64(lane, i), "position_c of double", lane);
    }
    same_place(position_a<double>(lane, 0), simt::a_f64(lane, 0), "position_a<double>", lane);
    same_place(position_b<double>(lane, 0), simt::b_f64(lane, 0), "position_b<double>", lane);
  }
  // "WGMMA .m64nNk16 register fragment layout for accumulator matrix D": T0 d4, d5 are columns 8,
  // 9; T32 begins row 16; T127's last two of N = 64 are (63, 62..63).
  follows_table({{0, 0, 0, 0},
                 {0, 2, 8, 0},
                 {0, 4, 0, 8},
                 {0, 5, 0, 9},
                 {32, 0, 16, 0},
                 {127, 31, 63, 63},
                 {127, 30, 63, 62}},
                simt::wgmma_d, "D of wgmma");
  for (int thread = 0; thread < 128; ++thread)
    for (int i = 0; i < 128; ++i)
      same_place(wgmma_position(thread, i), simt::wgmma_d(thread, i), "wgmma_position", thread);
}

// Each line of the figures "128B swizzle mode", "64B ...", "32B ...": which 16-byte chunk of the
// tile lies in each of the 8 places of a line of 128 bytes.
PROGRAM(swizzles) {
  const int kB128[8][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6},
                           {2, 3, 0, 1, 6, 7, 4, 5}, {3, 2, 1, 0, 7, 6, 5, 4},
                           {4, 5, 6, 7, 0, 1, 2, 3}, {5, 4, 7, 6, 1, 0, 3, 2},
                           {6, 7, 4, 5, 2, 3, 0, 1}, {7, 6, 5, 4, 3, 2, 1, 0}};
  const int kB64[4][8] = {{0, 1, 2, 3, 4, 5, 6, 7},
                          {1, 0, 3, 2, 5, 4, 7, 6},
                          {2, 3, 0, 1, 6, 7, 4, 5},
                          {3, 2, 1, 0, 7, 6, 5, 4}};
  const int kB32[2][8] = {{0, 1, 2, 3, 4, 5, 6, 7}, {1, 0, 3, 2, 5, 4, 7, 6}};
  for (uint32_t offset = 0; offset < 4096; ++offset) {
    const auto place = [offset](const int* chunks) {
      return offset / 128 * 128 + static_cast<uint32_t>(chunks[offset / 16 % 8]) * 16 + offset % 16;
    };
    const uint32_t line = offset / 128;
    const uint32_t should[] = {offset, place(kB32[line % 2]), place(kB64[line % 4]),
                               place(kB128[line % 8])};
    for (int bits = 0; bits < 4; ++bits) {
      require(simt::swizzle_address(offset, bits) == should[bits], "swizzle_address", offset);
      require(swizzled(static_cast<Swizzle>(bits), offset) == should[bits], "swizzled", offset);
    }
  }
}

PROGRAM(matrix_descriptors) {
  constexpr int kBits[] = {0, 1, 2, 3};
  for (const int bits : kBits) {
    const Swizzle swizzle = static_cast<Swizzle>(bits);
    const MatrixDescriptor d = encode_descriptor(0x12340, swizzle, 0x2340, 0x1050);
    const simt::SharedMatrix m = simt::decode_descriptor(d.bits);
    require(m.start == 0x12340 && m.leading == 0x2340 && m.stride == 0x1050, "strides", bits);
    require(m.swizzle_bits == bits && m.base_offset == 0, "swizzle mode", bits);
    require(simt::decode_descriptor((d + 64).bits).start == 0x12380, "advanced", bits);
  }
  // "Matrix descriptor format": bits 13-0, 29-16, 45-32 in units of 16 bytes; 63-62 is 1 for 128 B.
  require(encode_descriptor(0x400, Swizzle::b128, 16, 1024).bits == 0x4000004000010040u, "128 B");
  require(encode_descriptor(0x400, Swizzle::b64, 16, 512).bits == 0x8000002000010040u, "64 B");
  require(encode_descriptor(0x400, Swizzle::b32, 16, 256).bits == 0xc000001000010040u, "32 B");
  require(encode_descriptor(0x400, Swizzle::none, 256, 128).bits == 0x0000000800100040u, "none");
}

// The examples of "Canonical layouts": the exact CuTe layouts that the manual prints, as nested
// shapes and strides in elements.
PROGRAM(canonical_layouts) {
  struct Example {
    int bits, size;
    bool mn_major;
    uint32_t leading, stride;
    int t, width;     // the inner shape along the major direction
    int mn[3], k[3];  // strides: within 16 bytes, within the atom, between atoms
    int mn_count, k_count;
  };
  const Example examples[] = {
      // K-major, none, tf32: ((8,2),(4,4)):((4,32),(1,64))
      {0, 4, false, 64 * 4, 32 * 4, 4, 1, {4, 0, 32}, {1, 0, 64}, 16, 16},
      // K-major, 32B, tf32: ((8,2),(4,4)):((8,64),(1,4)); one swizzled row has 8 elements
      {1, 4, false, 16, 64 * 4, 4, 2, {8, 0, 64}, {1, 0, 4}, 16, 8},
      // MN-major, none, bf16: ((8,1,2),(8,2)):((1,8,64),(8,128))
      {0, 2, true, 128 * 2, 64 * 2, 8, 1, {1, 8, 64}, {8, 0, 128}, 16, 16},
      // MN-major, 32B, bf16: ((8,2,2),(8,2)):((1,8,128),(16,256))
      {1, 2, true, 128 * 2, 256 * 2, 8, 2, {1, 8, 128}, {16, 0, 256}, 32, 16},
      // MN-major, 64B, bf16: ((8,4,2),(8,2)):((1,8,256),(32,512))
      {2, 2, true, 256 * 2, 512 * 2, 8, 4, {1, 8, 256}, {32, 0, 512}, 64, 16},
  };
  for (const Example& e : examples) {
    const simt::SharedMatrix m{0, e.leading, e.stride, 0, e.bits};
    for (int mn = 0; mn < e.mn_count; ++mn)
      for (int k = 0; k < e.k_count; ++k) {
        const int offset =
            e.mn_major ? mn % e.t * e.mn[0] + mn / e.t % e.width * e.mn[1] +
                             mn / (e.t * e.width) * e.mn[2] + k % 8 * e.k[0] + k / 8 * e.k[2]
                       : mn % 8 * e.mn[0] + mn / 8 * e.mn[2] + k % e.t * e.k[0] + k / e.t * e.k[2];
        const auto should = simt::swizzle_address(static_cast<uint64_t>(offset * e.size), e.bits);
        require(simt::element_address(m, e.mn_major, e.size, mn, k) == should, "element_address",
                mn * 1000 + k);
      }
  }
}
