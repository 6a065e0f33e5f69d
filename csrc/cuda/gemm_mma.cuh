// What products on the tensor cores of sm_80 share, whichever way their operands are fetched.
//
// A block computes a tile of kSize x kSize, each warp 64 x 32 or 32 x 32 of it in fragments of
// 16 x 8. Panels of 128 bytes of k arrive in a ring of stages by cp.async; while one is multiplied,
// the next are on their way, and while one step of k is multiplied, the fragments of the next are
// loaded (ldmatrix). One barrier a panel.
//
// A loader brings one operand's panels:
//   void copy(unsigned char* panel, int block)   starts this thread's copies of k-block `block`;
//                                                 what does not exist becomes zero
//
// A panel is kSize lines of 128 bytes. K-major: a line is a row of the operand (a column of b) and
// runs along k. MN-major: a line runs along the rows; lines of successive k follow each other, then
// those of the next 128 bytes of rows. Chunks of 16 bytes change places within a line, so that the
// readers of a column of chunks meet different banks.
//
// float32 is multiplied as TF32, or as three products of TF32 numbers: x = hi + lo, where hi is
// what the tensor core reads of x (its upper 19 bits) and lo = x - hi, exactly; a b is nearly
// lo hi + hi lo + hi hi. Tensor cores cut sums off where they should round them, so the sum of 8
// terms is added to the others by ordinary additions (Ootomo and Yokota, "Recovering single
// precision accuracy from Tensor Cores while surpassing the FP32 theoretical peak performance",
// 2022).
#pragma once

#include <type_traits>

#include "cuda/epilogue.cuh"
#include "cuda/matrix_descriptor.cuh"
#include "cuda/mma.cuh"

namespace fastdl::cuda {

inline constexpr int kLine = 128, kChunk = 16;  // bytes

// `split`: float32 in three products.
template <class T_, int size, bool split_ = false>
struct MmaTile {
  using T = T_;
  using M = std::conditional_t<std::is_same_v<T, float>, Tf32, T>;
  static constexpr bool kSplit = split_;
  static constexpr int kSize = size;
  static constexpr int kWarpRows = size / 2, kWarpColumns = 32;
  static constexpr int kWarpsN = size / kWarpColumns;
  static constexpr int kThreads = 2 * kWarpsN * kWarp;
  static constexpr int kBlocks =
      size == 64 ? (split_ ? 2 : 3) : 1;  // of a multiprocessor, at least
  static constexpr int kStages = size == 64 ? 4 : 3;
  static constexpr int kVector = static_cast<int>(kChunk / sizeof(T));
  static constexpr int kDepth = static_cast<int>(kLine / sizeof(T));  // of k in a panel
  static constexpr int kSteps = kDepth / Mma<M>::k;
  static constexpr int kPanel = size * kLine;
  static constexpr int kShared = kStages * 2 * kPanel;
  static constexpr int kFragmentsM = kWarpRows / 16, kFragmentsN = kWarpColumns / 8;
  using Sums = Accumulator<M>[kFragmentsM][kFragmentsN];
};

// Where a chunk lies in its panel.
template <class T, Major major>
FASTDL_HD constexpr int panel_offset(int line, int chunk) {
  const int turn = sizeof(T) == 4 && major == Major::mn ? line % 4 * 2 : line % 8;
  return line * kLine + (chunk ^ turn) * kChunk;
}

// How a block's threads share the chunks of a panel: a thread copies one chunk of every kApart-th
// line.
template <class S>
struct PanelThread {
  static constexpr int kApart = S::kThreads / 8, kLines = S::kSize / kApart;
  const int chunk = static_cast<int>(threadIdx.x) % 8, line = static_cast<int>(threadIdx.x) / 8;

  template <Major major>
  __device__ void copy(unsigned char* panel, int i, const void* from, int bytes) const {
    copy_async<kChunk>(panel + panel_offset<typename S::T, major>(line + i * kApart, chunk), from,
                       bytes);
  }
};

// What exists of a chunk if `elements` are left.
template <class T>
__device__ inline int chunk_bytes(int64_t elements) {
  constexpr int64_t kVector = kChunk / sizeof(T);
  return static_cast<int>(max(min(elements, kVector), int64_t{0})) * static_cast<int>(sizeof(T));
}

// Fragments of a panel: k-step `step` is 32 bytes of k.
template <class T, Major major>
struct PanelReader {
  using M = typename MmaTile<T, 64>::M;
  static constexpr int kPerLine = static_cast<int>(kLine / sizeof(T));

  // Rows [row, row + 16).
  __device__ static void load(const unsigned char* panel, int row, int step, FragmentA<M>& out) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, matrix = lane / 8;
    if constexpr (major == Major::k) {
      load_matrix(out.r, panel + panel_offset<T, major>(row + lane % 16, step * 2 + lane / 16));
    } else if constexpr (sizeof(T) == 2) {
      const int k = step * 16 + matrix / 2 * 8 + lane % 8;
      load_matrix<true>(out.r, panel + at(row, k, matrix % 2));
    } else {
#pragma unroll
      for (int e = 0; e < 4; ++e)
        out.r[e] = word(panel, row + e % 2 * 8, step * 8 + lane % 4 + e / 2 * 4);
    }
  }
  // Columns [column, column + 16).
  __device__ static void load(const unsigned char* panel, int column, int step,
                              FragmentB<M> (&out)[2]) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, matrix = lane / 8;
    if constexpr (major == Major::mn && sizeof(T) == 4) {
#pragma unroll
      for (int e = 0; e < 4; ++e)
        out[e / 2].r[e % 2] = word(panel, column + e / 2 * 8, step * 8 + lane % 4 + e % 2 * 4);
    } else {
      uint32_t r[4];
      if constexpr (major == Major::k) {
        load_matrix(r, panel + panel_offset<T, major>(column + matrix / 2 * 8 + lane % 8,
                                                      step * 2 + matrix % 2));
      } else {
        const int k = step * 16 + matrix % 2 * 8 + lane % 8;
        load_matrix<true>(r, panel + at(column, k, matrix / 2));
      }
      out[0] = {{r[0], r[1]}};
      out[1] = {{r[2], r[3]}};
    }
  }

 private:
  // MN-major: the chunk `chunk` further than element i's, at k.
  __device__ static int at(int i, int k, int chunk) {
    return panel_offset<T, major>(i / kPerLine * kPerLine + k,
                                  i % kPerLine / (kPerLine / 8) + chunk);
  }
  // Floats, MN-major: row `i` (a multiple of 8) + lane / 4, at k, where k % 4 is lane % 4. Written so
  // that what depends on the lane is the same for many i.
  __device__ static uint32_t word(const unsigned char* panel, int i, int k) {
    const int lane = static_cast<int>(threadIdx.x) % kWarp, turn = lane % 4 * 2;
    const int offset = (i / kPerLine * kPerLine + k) * kLine + (i % kPerLine / 4 ^ turn) * kChunk;
    return *reinterpret_cast<const uint32_t*>(panel + offset + lane / 4 * 4);
  }
};

// This warp's place in the tile.
template <class S>
struct WarpCorner {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int row = warp / S::kWarpsN * S::kWarpRows, column = warp % S::kWarpsN * S::kWarpColumns;
};

// The raw fragments of one step, as they lie in memory.
template <class S>
struct StepFragments {
  FragmentA<typename S::M> a[S::kFragmentsM];
  FragmentB<typename S::M> b[S::kFragmentsN / 2][2];

  template <Major major_a, Major major_b>
  __device__ void load(const unsigned char* stage, int step) {
    const WarpCorner<S> corner;
#pragma unroll
    for (int i = 0; i < S::kFragmentsM; ++i)
      PanelReader<typename S::T, major_a>::load(stage, corner.row + i * 16, step, a[i]);
#pragma unroll
    for (int j = 0; j < S::kFragmentsN / 2; ++j)
      PanelReader<typename S::T, major_b>::load(stage + S::kPanel, corner.column + j * 16, step,
                                                b[j]);
  }
};

// What the three products are made of: `hi` is x itself, of which the tensor core reads the upper
// bits, and `lo` the rest, rounded to what it reads. An infinity or NaN counts in hi hi alone, where
// it does what it does in any product; elsewhere it would meet zeros.
__device__ inline void split_tf32(uint32_t x, uint32_t& finite_hi, uint32_t& lo) {
  constexpr uint32_t kRead = 0xffffe000u, kHalf = 0x1000u, kInfinity = 0x7f800000u;
  const bool finite = (x & kInfinity) != kInfinity;
  const float rest = fastdl::detail::bits_as<float>(x) - fastdl::detail::bits_as<float>(x & kRead);
  finite_hi = finite ? x : 0;
  lo = finite ? fastdl::detail::bits_as<uint32_t>(rest) + kHalf : 0;
}

// sums += a b of one step of k.
template <class S>
__device__ __forceinline__ void multiply_step(StepFragments<S>& f, typename S::Sums& sums) {
  if constexpr (S::kSplit) {
    FragmentA<Tf32> hi_a[S::kFragmentsM], lo_a[S::kFragmentsM];
#pragma unroll
    for (int i = 0; i < S::kFragmentsM; ++i)
#pragma unroll
      for (int e = 0; e < 4; ++e) split_tf32(f.a[i].r[e], hi_a[i].r[e], lo_a[i].r[e]);
#pragma unroll
    for (int j = 0; j < S::kFragmentsN; ++j) {
      const FragmentB<Tf32>& b = f.b[j / 2][j % 2];
      FragmentB<Tf32> hi_b, lo_b;
#pragma unroll
      for (int e = 0; e < 2; ++e) split_tf32(b.r[e], hi_b.r[e], lo_b.r[e]);
      Accumulator<Tf32> eight[S::kFragmentsM] = {};
#pragma unroll
      for (int i = 0; i < S::kFragmentsM; ++i) mma(eight[i], lo_a[i], hi_b);
#pragma unroll
      for (int i = 0; i < S::kFragmentsM; ++i) mma(eight[i], hi_a[i], lo_b);
#pragma unroll
      for (int i = 0; i < S::kFragmentsM; ++i) mma(eight[i], f.a[i], b);
#pragma unroll
      for (int i = 0; i < S::kFragmentsM; ++i)
#pragma unroll
        for (int e = 0; e < 4; ++e) sums[i][j].v[e] += eight[i].v[e];
    }
  } else {
    if constexpr (sizeof(typename S::T) == 4) {
      const auto round = [](uint32_t& x) { x = to_tf32(fastdl::detail::bits_as<float>(x)); };
#pragma unroll
      for (int i = 0; i < S::kFragmentsM; ++i)
#pragma unroll
        for (int e = 0; e < 4; ++e) round(f.a[i].r[e]);
#pragma unroll
      for (int j = 0; j < S::kFragmentsN; ++j)
#pragma unroll
        for (int e = 0; e < 2; ++e) round(f.b[j / 2][j % 2].r[e]);
    }
#pragma unroll
    for (int i = 0; i < S::kFragmentsM; ++i)
#pragma unroll
      for (int j = 0; j < S::kFragmentsN; ++j) mma(sums[i][j], f.a[i], f.b[j / 2][j % 2]);
  }
}

// sums += a b of one panel. While a step is multiplied the next one's fragments are on their way; three
// products have no registers for that, but enough work for another warp's loads to hide behind.
template <class S, Major major_a, Major major_b>
__device__ __forceinline__ void multiply_panel(const unsigned char* stage, typename S::Sums& sums) {
  StepFragments<S> first, second;
  if constexpr (S::kSplit) {
#pragma unroll 1
    for (int step = 0; step < S::kSteps; ++step) {
      first.template load<major_a, major_b>(stage, step);
      multiply_step<S>(first, sums);
    }
  } else {
    [[maybe_unused]] constexpr int kUnroll = sizeof(typename S::T) == 2 ? S::kSteps / 2 : 1;
    first.template load<major_a, major_b>(stage, 0);
#pragma unroll kUnroll
    for (int step = 0; step < S::kSteps; step += 2) {
      second.template load<major_a, major_b>(stage, step + 1);
      multiply_step<S>(first, sums);
      if (step + 2 < S::kSteps) first.template load<major_a, major_b>(stage, step + 2);
      multiply_step<S>(second, sums);
    }
  }
}

// sums += a b over `blocks` panels, in the order of k. Every thread of the block calls it; `ring` is
// S::kShared bytes of shared memory, free for other use afterwards.
template <class S, Major major_a, Major major_b, class LoaderA, class LoaderB>
__device__ __forceinline__ void multiply_ring(LoaderA& a, LoaderB& b, int blocks,
                                              unsigned char* ring, typename S::Sums& sums) {
  const auto stage = [&](int i) { return ring + i * (2 * S::kPanel); };
  const auto fetch = [&](int to, int block) {
    if (block < blocks) {
      a.copy(stage(to), block);
      b.copy(stage(to) + S::kPanel, block);
    }
    copy_commit();  // an empty group too, so that groups count panels
  };
#pragma unroll 1
  for (int s = 0; s < S::kStages - 1; ++s) fetch(s, s);
  int now = 0;
#pragma unroll 1
  for (int block = 0; block < blocks; ++block) {
    copy_wait<S::kStages - 2>();
    __syncthreads();  // all have this panel, and nobody reads the one before it any more
    fetch(now == 0 ? S::kStages - 1 : now - 1, block + S::kStages - 1);
    multiply_panel<S, major_a, major_b>(stage(now), sums);
    now = now + 1 == S::kStages ? 0 : now + 1;
  }
  copy_wait<0>();
  __syncthreads();
}

// Stores the tile: rows(r) is where the tile's row r begins in the output, at the tile's first
// column, or negative if it does not exist; `columns` exist from the tile's first one on, which is
// `column` of the bias. Sums change lanes through shared memory, so that 16 bytes are stored at a
// time where `vector` says that rows (and the residual's) are aligned.
template <class S, class Out, class Rows>
__device__ __forceinline__ void store_tile(const typename S::Sums& sums, unsigned char* shared,
                                           const Finish<Out>& finish, const Rows& rows,
                                           int64_t column, int64_t columns, bool vector, Out* to) {
  constexpr int kPitch = S::kWarpColumns + 8;  // staggers the banks
  constexpr int V = static_cast<int>(16 / sizeof(Out)), kLanes = S::kWarpColumns / V;
  const WarpCorner<S> corner;
  const int lane = static_cast<int>(threadIdx.x) % kWarp;
  float (*const patch)[kPitch] = reinterpret_cast<float (*)[kPitch]>(shared) + corner.warp * 16;
  const int j = corner.column + lane % kLanes * V;
  const int64_t left = columns - j;
#pragma unroll
  for (int i = 0; i < S::kFragmentsM; ++i) {
    __syncwarp();
#pragma unroll
    for (int f = 0; f < S::kFragmentsN; ++f)
#pragma unroll
      for (int e = 0; e < 4; e += 2) {
        const Position p = position_c(lane, e);
        store_pack(&patch[p.row][f * 8 + p.column],
                   Pack<float, 2>{{sums[i][f].v[e], sums[i][f].v[e + 1]}});
      }
    __syncwarp();
#pragma unroll
    for (int first = 0; first < 16; first += kWarp / kLanes) {
      const int r = first + lane / kLanes;
      const int64_t start = rows(corner.row + i * 16 + r);
      if (start < 0 || left <= 0) continue;
      float from[V];
#pragma unroll
      for (int v = 0; v < V; v += 4) {
        const Pack<float, 4> four = load_pack<4>(&patch[r][lane % kLanes * V + v]);
#pragma unroll
        for (int w = 0; w < 4; ++w) from[v + w] = four.v[w];
      }
      if (vector && left >= V) {
        store_pack(to + start + j, finish.pack(from, column + j, start + j));
      } else {
#pragma unroll
        for (int v = 0; v < V; ++v)
          if (v < left) to[start + j + v] = Out(finish.at(from[v], column + j + v, start + j + v));
      }
    }
  }
}

}  // namespace fastdl::cuda
