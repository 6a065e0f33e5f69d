#include "cpu/gemm.h"

#include <algorithm>

#include "cpu/cache.h"
#include "cpu/divide.h"
#include "cpu/gemm_pack.h"
#include "cpu/gemm_skinny.h"

namespace fastdl::cpu {

// kernels

namespace {

// Of a chunk that packs: panels, rows of k at a time, rows of k; groups of rows of A.
constexpr int64_t kPackPanels = 4, kPackRows = 4, kPackDepth = 128, kPackGroups = 4;

int64_t round_up(int64_t n, int64_t to) { return divide_up(n, to) * to; }

// The length of nearly equal parts of `n`, none longer than `most`.
int64_t even(int64_t n, int64_t most) { return divide_up(n, divide_up(n, most)); }

// Rows of C in nearly equal groups of at most kTileRows: 16 as 8 + 8, not 14 + 2.
int64_t balanced_rows(int64_t m) { return even(m, kTileRows); }

// What the tile at row i and column j of C does with its sums over the block of k from p0 on: blocks
// after the first add to C, the last one finishes.
template <class T, class S>
void set_block(TileArgs<T>& t, const Gemm<T, S>& g, int64_t i, int64_t j, int64_t p0) {
  const bool last = p0 + t.k >= g.k;
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

// At most kWideRows rows by a B with contiguous rows, as wide tiles in place.
template <class T>
bool is_wide(const Gemm<T>& g) {
  return g.m > 0 && g.m <= kWideRows && g.b_col == 1 && g.n >= (kMaskedAccess ? 1 : Vec<T>::size);
}

// Columns of a wide tile, nearly equal.
template <class T>
int64_t wide_cols(int64_t m, int64_t n) {
  return even(divide_up(n, Vec<T>::size), wide_vecs(static_cast<int>(m))) * Vec<T>::size;
}

// Copying B pays for itself when several groups of rows read it.
template <class T>
bool reads_b_in_place(const Gemm<T>& g) {
  return is_wide(g) || (g.b_col == 1 && g.m <= 2 * kTileRows && kMaskedAccess);
}

template <class T>
void gemm_wide(const Gemm<T>& g) {
  // Parts of registers are not to be had everywhere.
  const int64_t n = kMaskedAccess ? g.n : g.n / Vec<T>::size * Vec<T>::size;
  const int64_t step = block_k<T>(g.k), width = wide_cols<T>(g.m, n);
  TileArgs<T> t;
  t.a_row = g.a_row;
  t.a_col = g.a_col;
  t.b_row = g.b_row;
  t.c_row = g.c_row;
  for (int64_t j = 0; j < n; j += width) {
    t.cols = std::min(width, n - j);
    int64_t p = 0;
    do {  // also for k = 0
      t.k = std::min(step, g.k - p);
      t.a = g.a + p * g.a_col;
      t.b = g.b + p * g.b_row + j;
      set_block(t, g, 0, j, p);
      gemm_tile<T>(g.m, t.cols, false)(t);
      p += step;
    } while (p < g.k);
  }
  if (n < g.n) gemm_serial(part_of(g, 0, g.m, n, g.n - n));
}

// Sums are added up in the order of a wide tile, so that who computes does not show in the bits.
template <class T>
void gemm_streamed(const Gemm<T>& g) {
  constexpr int64_t kSize = Vec<T>::size;
  alignas(64) T sums[kStreamCols<T>];
  const int64_t n = g.n / kSize * kSize, step = block_k<T>(g.k);
  const int64_t width = round_up(even(n, kStreamCols<T>), kSize);
  for (int64_t j = 0; j < n; j += width) {
    const int64_t cols = std::min(width, n - j);
    T* const c = g.c + j;
    for (int64_t p = 0; p < g.k; p += step) {
      std::fill_n(sums, cols, T(0));
      add_rows(std::min(step, g.k - p), cols, g.a + p * g.a_col, g.a_col, g.b + p * g.b_row + j,
               g.b_row, sums);
      if (g.accumulate || p > 0)
        for (int64_t i = 0; i < cols; ++i) c[i] += sums[i];
      else
        std::copy_n(sums, cols, c);
    }
    finish(g, 0, 1, j, cols);
  }
  if (n < g.n) gemm_wide(part_of(g, 0, 1, n, g.n - n));
}

}  // namespace

template <class T, class S>
void gemm_serial(const Gemm<T, S>& g) {
  if constexpr (std::is_same_v<T, S>) {
    if (is_dots(g)) return has_vector(g) ? gemm_vector_serial(g) : gemm_dots_serial(g);
    if (is_streamed(g)) return gemm_streamed(g);
    if (is_wide(g)) return gemm_wide(g);
  }
  constexpr int64_t kCols = kTileCols<T>;
  constexpr bool kSame = std::is_same_v<T, S>;
  alignas(64) T packed_b[kBlockK<T> * kCols];
  alignas(64) T packed_a[kSame ? 1 : kBlockK<T> * kTileRows];
  const int64_t step = block_k<T>(g.k);
  const int64_t rows = g.m > 0 ? balanced_rows(g.m) : 1;
  const bool b_in_place = kSame && g.b_col == 1 && g.m <= 2 * kTileRows;
  int64_t p0 = 0;
  do {  // also for k = 0
    const int64_t kn = std::min(step, g.k - p0);
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
    p0 += step;
  } while (p0 < g.k);
}

// launchers

// Panels [first, last) of rows [p0, p0 + k) of B, panels panel_size apart.
template <class T, class S>
void pack_block(const Gemm<T, S>& g, int64_t p0, int64_t k, int64_t first, int64_t last, T* packed,
                int64_t panel_size) {
  constexpr int64_t kCols = kTileCols<T>;
  const S* const b = g.b + p0 * g.b_row;
  if (g.b_col != 1) {
    for (int64_t panel = first; panel < last; ++panel)
      pack_panel(k, std::min(kCols, g.n - panel * kCols), b + panel * kCols * g.b_col, g.b_col,
                 g.b_row, packed + panel * panel_size, kCols);
    return;
  }
  // Along rows, which prefetching follows, and not down a panel.
  for (int64_t p = 0; p < k; p += kPackRows)
    for (int64_t panel = first; panel < last; ++panel)
      pack_panel(std::min(kPackRows, k - p), std::min(kCols, g.n - panel * kCols),
                 b + p * g.b_row + panel * kCols, int64_t{1}, g.b_row,
                 packed + panel * panel_size + p * kCols, kCols);
}

// launchers

template <class T>
void pack_panels(const Context& context, int64_t k, int64_t n, const T* b, int64_t b_row,
                 int64_t b_col, T* packed) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, k * kCols));
  Gemm<T> g{};
  g.n = n, g.b = b, g.b_row = b_row, g.b_col = b_col;
  context.parallel_for(packed_panels<T>(n), grain, [&](int64_t begin, int64_t end) {
    pack_block(g, 0, k, begin, end, packed, k * kCols);
  });
}

namespace {

// The tiles of rows [i0, i1) and panels [first, last) over depth k of B from p0 on, block by block.
// A is read in place where `packed_a`, groups of `rows` rows one after another, is null.
template <class T, class S>
void multiply(const Gemm<T, S>& g, int64_t rows, int64_t i0, int64_t i1, int64_t first,
              int64_t last, int64_t p0, int64_t k, const T* packed_a, const T* packed_b,
              int64_t panel_size) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t step = block_k<T>(g.k);
  TileArgs<T> t;
  t.b_row = kCols;
  t.c_row = g.c_row;
  int64_t p = 0;
  do {  // also for k = 0
    t.k = std::min(step, k - p);
    for (int64_t i = i0; i < i1; i += rows) {
      const int64_t r = std::min(rows, i1 - i);
      if (packed_a) {
        t.a = packed_a + (i - i0) * k + p * r;
      } else if constexpr (std::is_same_v<T, S>) {
        t.a = g.a + i * g.a_row + (p0 + p) * g.a_col;
        t.a_row = g.a_row;
        t.a_col = g.a_col;
      }
      for (int64_t q = first; q < last; ++q) {
        t.cols = std::min(kCols, g.n - q * kCols);
        t.b = packed_b + q * panel_size + p * kCols;
        set_block(t, g, i, q * kCols, p0 + p);
        for (int64_t c = 0; c < r; ++c) {  // C comes from afar while the tile is computed
          __builtin_prefetch(t.c + c * t.c_row, 1);
          __builtin_prefetch(t.c + c * t.c_row + t.cols - 1, 1);
        }
        gemm_tile<T>(r, t.cols, packed_a != nullptr)(t);
      }
    }
    p += step;
  } while (p < k);
}

// How a large product is cut. Packed blocks of A and B lie in the third-level cache, `width` panels of
// B in the second; `chunk` groups of rows by `width` panels are one job.
template <class T>
struct Blocking {
  static constexpr int64_t kCols = kTileCols<T>, kItem = sizeof(T);

  template <class S>
  explicit Blocking(const Gemm<T, S>& g)
      : k(std::min(block_k<T>(g.k), std::max<int64_t>(g.k, 1))),
        rows(balanced_rows(g.m)),
        panels(packed_panels<T>(g.n)) {
    const CacheSizes& cache = cache_sizes();
    const int64_t shared = std::clamp<int64_t>(cache.l3 / 8, 1 << 20, 8 << 20) / kItem;
    n_step = g.packed_b ? panels : even(panels, std::max<int64_t>(1, shared / (k * kCols)));
    width = even(n_step, std::max<int64_t>(1, cache.l2 / 4 / (k * kCols * kItem)));
    // A in place: its rows lie apart by their pitch, which many a time is a power of two, and then
    // the lines of a tile's rows compete for the same places of a cache. That costs more than packing
    // where A comes from far and many panels read it; and so does an A that is not row-major.
    const bool near = g.a_col == 1 && g.m * g.k * kItem <= cache.l2 / 2;
    pack_a = !std::is_same_v<T, S> || (!near && panels >= (g.a_col == 1 ? 8 : 3));
    m_step =
        pack_a ? even(divide_up(g.m, rows), std::max<int64_t>(1, shared / (k * rows))) * rows : g.m;
    const int64_t both = k * (n_step * kCols + (pack_a ? m_step : 0));
    k_step = k * std::max<int64_t>(1, shared / 2 / both);
    const int64_t groups = divide_up(m_step, rows), jobs = groups * divide_up(n_step, width);
    const int64_t work = rows * k * std::min(width * kCols, g.n);
    chunk = std::clamp(std::max(divide_up(kChunkMacs, work), jobs / 64), int64_t{1}, groups);
  }

  int64_t k, rows, panels;         // of a tile: its depth and rows; panels of B in all
  int64_t m_step, n_step, k_step;  // of what is packed at a time: rows, panels, depth
  int64_t width, chunk;
  bool pack_a;
};

template <class T, class S>
class Blocked {
 public:
  Blocked(const Context& context, const Gemm<T, S>& g)
      : context_(context),
        g_(g),
        cut_(g),
        k_step_(std::min(cut_.k_step, g.k)),
        b_size_(g.packed_b ? 0 : round_up(cut_.n_step * kCols * k_step_, 64)),
        scratch_(context, static_cast<size_t>(
                              b_size_ + (cut_.pack_a ? round_up(cut_.m_step * k_step_, 64) : 0)) *
                              sizeof(T)) {}

  void run() const {
    for (int64_t j = 0; j < cut_.panels; j += cut_.n_step) {
      int64_t p = 0;
      do {  // also for k = 0
        for (int64_t i = 0; i < g_.m; i += cut_.m_step)
          run(Block{i, std::min(i + cut_.m_step, g_.m), j, std::min(j + cut_.n_step, cut_.panels),
                    p, std::min(k_step_, g_.k - p)});
        p += cut_.k_step;
      } while (p < g_.k);
    }
  }

 private:
  static constexpr int64_t kCols = kTileCols<T>;

  struct Block {
    int64_t i0, i1;  // rows
    int64_t j0, j1;  // panels
    int64_t p0, k;
  };

  T* packed_b() const { return scratch_.template as<T>(); }
  T* packed_a() const { return packed_b() + b_size_; }

  void run(const Block& b) const {
    const int64_t parts = divide_up(std::max<int64_t>(b.k, 1), kPackDepth);
    const int64_t groups = divide_up(b.i1 - b.i0, cut_.rows);
    // B serves every block of rows.
    const int64_t b_jobs =
        g_.packed_b || b.i0 > 0 ? 0 : divide_up(b.j1 - b.j0, kPackPanels) * parts;
    const int64_t a_jobs = cut_.pack_a ? divide_up(groups, kPackGroups) : 0;
    context_.parallel_for(b_jobs + a_jobs, 1, [&](int64_t begin, int64_t end) {
      for (int64_t job = begin; job < end; ++job)
        if (job < b_jobs)
          pack_columns(b, job / parts * kPackPanels, job % parts * kPackDepth);
        else
          pack_rows(b, (job - b_jobs) * kPackGroups);
    });
    const int64_t row_jobs = divide_up(groups, cut_.chunk);
    context_.parallel_for(row_jobs * divide_up(b.j1 - b.j0, cut_.width), 1,
                          [&](int64_t begin, int64_t end) {
                            for (int64_t job = begin; job < end; ++job)
                              multiply_part(b, b.i0 + job % row_jobs * cut_.chunk * cut_.rows,
                                            b.j0 + job / row_jobs * cut_.width);
                          });
  }

  void pack_columns(const Block& b, int64_t panel, int64_t p) const {
    const int64_t first = b.j0 + panel, last = std::min(first + kPackPanels, b.j1);
    pack_block(g_, b.p0 + p, std::min(kPackDepth, b.k - p), first, last,
               packed_b() + p * kCols - b.j0 * b.k * kCols, b.k * kCols);
  }

  void pack_rows(const Block& b, int64_t group) const {
    const int64_t begin = b.i0 + group * cut_.rows;
    for (int64_t i = begin; i < std::min(begin + kPackGroups * cut_.rows, b.i1); i += cut_.rows) {
      const int64_t r = std::min(cut_.rows, b.i1 - i);
      pack_panel(b.k, r, g_.a + i * g_.a_row + b.p0 * g_.a_col, g_.a_row, g_.a_col,
                 packed_a() + (i - b.i0) * b.k, r);
    }
  }

  // `chunk` groups of rows from i on by `width` panels from `panel` on.
  void multiply_part(const Block& b, int64_t i, int64_t panel) const {
    const bool given = g_.packed_b != nullptr;
    multiply(g_, cut_.rows, i, std::min(i + cut_.chunk * cut_.rows, b.i1), panel,
             std::min(panel + cut_.width, b.j1), b.p0, b.k,
             cut_.pack_a ? packed_a() + (i - b.i0) * b.k : nullptr,
             given ? g_.packed_b + b.p0 * kCols : packed_b() - b.j0 * b.k * kCols,
             (given ? g_.k : b.k) * kCols);
  }

  const Context& context_;
  const Gemm<T, S>& g_;
  const Blocking<T> cut_;
  const int64_t k_step_, b_size_;
  const Scratch scratch_;
};

// A few groups of rows: each chunk owns panels of B, and packs them for itself: no barrier, and what
// is packed stays in the second-level cache.
template <class T>
void gemm_thin(const Context& context, const Gemm<T>& g) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t rows = balanced_rows(g.m), panels = packed_panels<T>(g.n);
  const int64_t step = std::min(block_k<T>(g.k), g.k), size = step * kCols;
  const int64_t width = std::clamp<int64_t>(kChunkMacs / (g.m * g.k * kCols), 1, kPackPanels);
  // A chunk that reads narrow pieces of B's rows waits for each of them.
  const int64_t least = g.packed_b || g.b_col != 1 ? 1 : kPackPanels;
  context.parallel_for(panels, std::max(width, least), [&](int64_t begin, int64_t end) {
    const Scratch scratch(context,
                          g.packed_b ? 0 : static_cast<size_t>((end - begin) * size) * sizeof(T));
    if (g.packed_b)
      return multiply(g, rows, 0, g.m, begin, end, 0, g.k, static_cast<const T*>(nullptr),
                      g.packed_b, g.k * kCols);
    T* const packed = scratch.as<T>() - begin * size;
    for (int64_t p = 0; p < g.k; p += step) {
      const int64_t k = std::min(step, g.k - p);
      pack_block(g, p, k, begin, end, packed, size);
      multiply(g, rows, 0, g.m, begin, end, p, k, static_cast<const T*>(nullptr),
               static_cast<const T*>(packed), size);
    }
  });
}

// One or two groups of rows by a B with contiguous rows, which is read in place.
template <class T>
void gemm_in_place(const Context& context, const Gemm<T>& g) {
  const int64_t width = is_streamed(g) ? kStreamCols<T> / 4
                        : is_wide(g)   ? wide_cols<T>(g.m, g.n)
                                       : kTileCols<T>;
  const int64_t share = std::min(kChunkMacs / g.m, kSkinnyChunk) / std::max<int64_t>(g.k, 1);
  const int64_t grain = std::max<int64_t>(share / width, 1) * width;
  context.parallel_for(g.n, grain, [&](int64_t begin, int64_t end) {
    gemm_serial(part_of(g, 0, g.m, begin, end - begin));
  });
}

}  // namespace

template <class T, class S>
void gemm(const Context& context, const Gemm<T, S>& g) {
  if (g.m <= 0 || g.n <= 0) return;
  if constexpr (std::is_same_v<T, S>) {
    const bool thin = g.m <= 4 * kTileRows && g.k > 0;
    if (g.packed_b && thin) return gemm_thin(context, g);
    if (!g.packed_b) {
      if (is_dots(g)) return gemm_dots(context, g);
      if (reads_b_in_place(g)) return gemm_in_place(context, g);
      if (g.m * g.n * g.k <= kChunkMacs) return gemm_serial(g);
      if (thin && g.n > kTileCols<T>) return gemm_thin(context, g);
    }
  } else if (g.m * g.n * g.k <= kChunkMacs) {
    return gemm_serial(g);
  }
  Blocked<T, S>(context, g).run();
}

template void gemm(const Context&, const Gemm<float, float>&);
template void gemm(const Context&, const Gemm<double, double>&);
template void gemm(const Context&, const Gemm<float, Half>&);
template void gemm(const Context&, const Gemm<float, BFloat16>&);
template void gemm_serial(const Gemm<float, float>&);
template void gemm_serial(const Gemm<double, double>&);
template void gemm_serial(const Gemm<float, Half>&);
template void gemm_serial(const Gemm<float, BFloat16>&);
template void pack_panels(const Context&, int64_t, int64_t, const float*, int64_t, int64_t, float*);
template void pack_panels(const Context&, int64_t, int64_t, const double*, int64_t, int64_t,
                          double*);

}  // namespace fastdl::cpu
