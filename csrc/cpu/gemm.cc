#include "cpu/gemm.h"

#include <algorithm>

#include "cpu/gemm_pack.h"
#include "cpu/gemm_skinny.h"

namespace fastdl::cpu {

// kernels

namespace {

int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Rows of C in nearly equal groups of at most kTileRows: 16 as 8 + 8, not 14 + 2.
int64_t balanced_rows(int64_t m) { return divide_up(m, divide_up(m, int64_t{kTileRows})); }

// What the tile at row i and column j of C does with its sums over the block of k from p0 on: blocks
// after the first add to C, the last one finishes.
template <class T, class S>
void set_block(TileArgs<T>& t, const Gemm<T, S>& g, int64_t i, int64_t j, int64_t p0) {
  const bool last = p0 + kBlockK >= g.k;
  t.c = g.c + i * g.c_row + j;
  t.accumulate = g.accumulate || p0 > 0;
  t.bias = last && g.bias ? g.bias + j : nullptr;
  t.residual = last && g.residual ? g.residual + i * g.residual_row + j : nullptr;
  t.residual_row = g.residual_row;
  t.activation = last ? g.activation : Activation::none;
  t.slope = g.slope;
}

// The rectangle of C from (i, j) on; B's columns are left to the caller where it is packed.
template <class T, class S>
Gemm<T, S> part_of(Gemm<T, S> g, int64_t i, int64_t m, int64_t j, int64_t n) {
  g.m = m, g.n = n;
  g.a += i * g.a_row;
  if (g.packed_b)
    g.packed_b += j * g.k;
  else
    g.b += j * g.b_col;
  g.c += i * g.c_row + j;
  if (g.bias) g.bias += j;
  if (g.residual) g.residual += i * g.residual_row + j;
  return g;
}

}  // namespace

template <class T, class S>
void gemm_serial(const Gemm<T, S>& g) {
  if constexpr (std::is_same_v<T, S>) {
    if (is_dots(g)) return gemm_dots_serial(g);
  }
  constexpr int64_t kCols = kTileCols<T>;
  constexpr bool kSame = std::is_same_v<T, S>;
  alignas(64) T packed_b[kBlockK * kCols];
  alignas(64) T packed_a[kSame ? 1 : kBlockK * kTileRows];
  const int64_t rows = g.m > 0 ? balanced_rows(g.m) : 1;
  // Copying B pays for itself when several groups of rows read it.
  const bool b_in_place = kSame && g.b_col == 1 && g.m <= 2 * kTileRows;
  int64_t p0 = 0;
  do {  // also for k = 0
    const int64_t kn = std::min(kBlockK, g.k - p0);
    for (int64_t j = 0; j < g.n; j += kCols) {
      TileArgs<T> t;
      t.k = kn;
      t.cols = std::min(kCols, g.n - j);
      t.c_row = g.c_row;
      const S* const b = g.b + p0 * g.b_row + j * g.b_col;
      if (b_in_place && (kMaskedAccess || t.cols % Vec<T>::size == 0)) {
        if constexpr (kSame) t.b = b;
        t.b_row = g.b_row;
      } else {
        pack_panel(kn, t.cols, b, g.b_col, g.b_row, packed_b,
                   t.cols <= Vec<T>::size ? Vec<T>::size : kCols);
        t.b = packed_b;
        t.b_row = t.cols <= Vec<T>::size ? Vec<T>::size : kCols;
      }
      for (int64_t i = 0; i < g.m; i += rows) {
        const int64_t r = std::min(rows, g.m - i);
        const S* const a = g.a + i * g.a_row + p0 * g.a_col;
        set_block(t, g, i, j, p0);
        if constexpr (kSame) {
          t.a = a;
          t.a_row = g.a_row;
          t.a_col = g.a_col;
          gemm_tile<T>(r, t.cols, false)(t);
        } else {
          pack_panel(kn, r, a, g.a_row, g.a_col, packed_a, r);
          t.a = packed_a;
          gemm_tile<T>(r, t.cols, true)(t);
        }
      }
    }
    p0 += kBlockK;
  } while (p0 < g.k);
}

template <class T>
void gemm_panel(const Gemm<T>& g) {
  if (g.m <= 0 || g.n <= 0) return;
  const int64_t rows = balanced_rows(g.m);
  TileArgs<T> t;
  t.cols = g.n;
  t.b_row = kTileCols<T>;
  t.a_row = g.a_row;
  t.a_col = g.a_col;
  t.c_row = g.c_row;
  int64_t p0 = 0;
  do {
    t.k = std::min(kBlockK, g.k - p0);
    t.b = g.b + p0 * t.b_row;
    for (int64_t i = 0; i < g.m; i += rows) {
      t.a = g.a + i * g.a_row + p0 * g.a_col;
      set_block(t, g, i, 0, p0);
      gemm_tile<T>(std::min(rows, g.m - i), g.n, false)(t);
    }
    p0 += kBlockK;
  } while (p0 < g.k);
}

// launchers

template <class T>
void pack_panels(const Context& context, int64_t k, int64_t n, const T* b, int64_t b_row,
                 int64_t b_col, T* packed) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, k * kCols));
  context.parallel_for(packed_panels<T>(n), grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin * kCols; j < end * kCols; j += kCols)
      pack_panel(k, std::min(kCols, n - j), b + j * b_col, b_col, b_row, packed + j * k, kCols);
  });
}

namespace {

// Both operands packed, block by block of k, then all tiles in chunks of kGroups row groups.
template <class T, class S>
void gemm_packed(const Context& context, const Gemm<T, S>& g) {
  constexpr int64_t kCols = kTileCols<T>, kMaxM = 144 * kTileRows, kMaxN = 64 * kCols;
  constexpr int64_t kGroups = 8, kPanels = 4;
  const int64_t mb_max = std::min(g.m, kMaxM), nb_max = std::min(g.n, kMaxN);
  const int64_t kb_max = std::min(g.k, kBlockK);
  const int64_t panels_max = divide_up(nb_max, kCols);
  Scratch scratch(context,
                  static_cast<size_t>((mb_max + panels_max * kCols) * kb_max + 64) * sizeof(T));
  T* const packed_b = scratch.as<T>();
  T* const packed_a = packed_b + panels_max * kCols * kb_max;
  for (int64_t j0 = 0; j0 < g.n; j0 += kMaxN) {
    const int64_t nb = std::min(kMaxN, g.n - j0), panels = divide_up(nb, kCols);
    for (int64_t p0 = 0; p0 < g.k; p0 += kBlockK) {
      const int64_t kn = std::min(kBlockK, g.k - p0);
      for (int64_t i0 = 0; i0 < g.m; i0 += kMaxM) {
        const int64_t mb = std::min(kMaxM, g.m - i0);
        const int64_t rows = balanced_rows(mb), groups = divide_up(mb, rows);
        const int64_t b_jobs = i0 == 0 ? panels : 0;  // packed_b serves every block of rows
        context.parallel_for(b_jobs + groups, 16, [&](int64_t begin, int64_t end) {
          for (int64_t job = begin; job < end; ++job) {
            if (job < b_jobs) {
              const int64_t j = job * kCols;
              pack_panel(kn, std::min(kCols, nb - j), g.b + p0 * g.b_row + (j0 + j) * g.b_col,
                         g.b_col, g.b_row, packed_b + j * kn, kCols);
            } else {
              const int64_t i = (job - b_jobs) * rows, r = std::min(rows, mb - i);
              pack_panel(kn, r, g.a + (i0 + i) * g.a_row + p0 * g.a_col, g.a_row, g.a_col,
                         packed_a + i * kn, r);
            }
          }
        });
        const int64_t group_jobs = divide_up(groups, kGroups);
        const int64_t panel_jobs = divide_up(panels, kPanels);
        context.parallel_for(group_jobs * panel_jobs, 1, [&](int64_t begin, int64_t end) {
          TileArgs<T> t;
          t.k = kn;
          t.b_row = kCols;
          t.c_row = g.c_row;
          for (int64_t job = begin; job < end; ++job) {
            const int64_t first_panel = job % panel_jobs * kPanels;
            const int64_t last_panel = std::min(panels, first_panel + kPanels);
            const int64_t first_group = job / panel_jobs * kGroups;
            const int64_t last_group = std::min(groups, first_group + kGroups);
            for (int64_t panel = first_panel; panel < last_panel; ++panel) {
              const int64_t j = panel * kCols;
              t.cols = std::min(kCols, nb - j);
              t.b = packed_b + j * kn;
              for (int64_t group = first_group; group < last_group; ++group) {
                const int64_t i = group * rows, r = std::min(rows, mb - i);
                t.a = packed_a + i * kn;
                set_block(t, g, i0 + i, j0 + j, p0);
                gemm_tile<T>(r, t.cols, true)(t);
              }
            }
          }
        });
      }
    }
  }
}

// Each chunk is a rectangle of C that packs what it needs: one pass, no barrier.
template <class T, class S>
void gemm_chunked(const Context& context, const Gemm<T, S>& g) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t panels = divide_up(g.n, kCols), k = std::max<int64_t>(g.k, 1);
  // Rows are split only where there are few panels, since every chunk of rows packs B again.
  int64_t rows = g.m;
  if (panels < 8 && g.m > 4 * kTileRows)
    rows = std::clamp(divide_up(kChunkMacs, k * g.n), int64_t{4} * kTileRows, g.m);
  rows = divide_up(g.m, divide_up(g.m, rows));
  const int64_t row_jobs = divide_up(g.m, rows);
  const int64_t width = std::clamp<int64_t>(kChunkMacs / (rows * k * kCols), 1, panels) * kCols;
  const int64_t col_jobs = divide_up(g.n, width);
  context.parallel_for(row_jobs * col_jobs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t i = job / col_jobs * rows, j = job % col_jobs * width;
      gemm_serial(part_of(g, i, std::min(rows, g.m - i), j, std::min(width, g.n - j)));
    }
  });
}

// B packed before: chunks of rows by panels.
template <class T>
void gemm_prepacked(const Context& context, const Gemm<T>& g) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t panels = packed_panels<T>(g.n), k = std::max<int64_t>(g.k, 1);
  const int64_t rows = std::min<int64_t>(g.m, 8 * kTileRows), row_jobs = divide_up(g.m, rows);
  const int64_t step = std::clamp<int64_t>(kChunkMacs / (rows * k * kCols), 1, panels);
  const int64_t col_jobs = divide_up(panels, step);
  context.parallel_for(row_jobs * col_jobs, 1, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t i = job / col_jobs * rows, first = job % col_jobs * step;
      for (int64_t panel = first; panel < std::min(panels, first + step); ++panel) {
        const int64_t j = panel * kCols;
        Gemm<T> part = part_of(g, i, std::min(rows, g.m - i), j, std::min(kCols, g.n - j));
        part.b = part.packed_b;
        gemm_panel(part);
      }
    }
  });
}

}  // namespace

template <class T, class S>
void gemm(const Context& context, const Gemm<T, S>& g) {
  if (g.m <= 0 || g.n <= 0) return;
  if constexpr (std::is_same_v<T, S>) {
    if (g.packed_b) return gemm_prepacked(context, g);
    if (is_dots(g)) return gemm_dots(context, g);
    if (is_row_sums(g)) return gemm_row_sums(context, g);
  }
  const int64_t macs = g.m * g.n * g.k;
  if (macs <= kChunkMacs) return gemm_serial(g);
  if (g.m >= 8 * kTileRows && g.n >= 4 * kTileCols<T> && g.k >= 32) return gemm_packed(context, g);
  gemm_chunked(context, g);
}

template void gemm(const Context&, const Gemm<float, float>&);
template void gemm(const Context&, const Gemm<double, double>&);
template void gemm(const Context&, const Gemm<float, Half>&);
template void gemm(const Context&, const Gemm<float, BFloat16>&);
template void gemm_serial(const Gemm<float, float>&);
template void gemm_serial(const Gemm<double, double>&);
template void gemm_serial(const Gemm<float, Half>&);
template void gemm_serial(const Gemm<float, BFloat16>&);
template void gemm_panel(const Gemm<float>&);
template void gemm_panel(const Gemm<double>&);
template void pack_panels(const Context&, int64_t, int64_t, const float*, int64_t, int64_t, float*);
template void pack_panels(const Context&, int64_t, int64_t, const double*, int64_t, int64_t,
                          double*);

}  // namespace fastdl::cpu
