#include "cpu/conv2d_shift.h"

#include <utility>

#include "cpu/divide.h"
#include "cpu/gemm.h"
#include "cpu/gemm_pack.h"
#include "cpu/slots.h"

namespace fastdl::cpu {

// kernels

namespace {

// With few output channels a tile takes four registers of positions instead of two.
constexpr int kWideVecs = 4, kWideRows = kVecBytes == 64 ? 6 : 2;

template <class T>
struct ShiftTile {
  int64_t k;
  const T* a;  // packed panel [k, R], or R filters of k elements, a_row apart
  int64_t a_row;
  const T* src;           // at the tile's first position
  const int64_t* offset;  // [k]
  int64_t positions;      // at most V registers; the last may be partial
  const T* bias;          // [R] or null
  T* dst;
  int64_t d_plane;
  // Where results go: which lanes of each register are kept and where the first of these belongs;
  // or, if they do not lie side by side, one place for each position, -1 for none.
  const uint32_t* keep;
  const int64_t* place;
  const int64_t* scatter;
};

template <class T>
[[gnu::always_inline]] inline void store_kept(Vec<T> x, uint32_t keep, T* p) {
  constexpr uint32_t kAll = static_cast<uint32_t>((uint64_t{1} << Vec<T>::size) - 1);
  if (keep == kAll) return x.store(p);
  const int64_t n = __builtin_popcount(keep);
#if defined(__AVX512F__)
  if constexpr (sizeof(T) == 4)
    x.v = _mm512_maskz_compress_ps(static_cast<__mmask16>(keep), x.v);
  else
    x.v = _mm512_maskz_compress_pd(static_cast<__mmask8>(keep), x.v);
  x.store(p, n);
#else
  if (!(keep & (keep + 1))) return x.store(p, n);  // the first n lanes
  T lane[Vec<T>::size];
  x.store(lane);
  for (; keep; keep &= keep - 1) *p++ = lane[__builtin_ctz(keep)];
#endif
}

template <class T, int R, int V, bool PackedA>
void shift_tile(const ShiftTile<T>& t) {
  constexpr int kSize = Vec<T>::size;
  const int64_t tail = t.positions - (V - 1) * kSize;
  const T* const a = t.a;
  const T* const src = t.src;
  const int64_t* const offset = t.offset;
  const int64_t a_row = t.a_row;
  Vec<T> acc[R][V];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int v = 0; v < V; ++v) acc[r][v] = Vec<T>(t.bias ? t.bias[r] : T(0));
  multiply_add<T, R, V>(
      t.k, [=](int64_t p, int r) { return PackedA ? a[p * R + r] : a[r * a_row + p]; },
      [=](int64_t p, int v) {
        const T* const q = src + offset[p] + v * kSize;
        return kMaskedAccess && v == V - 1 ? Vec<T>::load(q, tail) : Vec<T>::load(q);
      },
      acc);
  if (t.scatter) {
    // Unrolled like all loops over acc: an index known only at run time would keep it in memory.
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
      for (int v = 0; v < V; ++v) {
        T lane[kSize];
        acc[r][v].store(lane);
        const int64_t n = v == V - 1 ? tail : kSize;
        for (int64_t i = 0; i < n; ++i) {
          const int64_t place = t.scatter[v * kSize + i];
          if (place >= 0) t.dst[r * t.d_plane + place] = lane[i];
        }
      }
    return;
  }
#pragma GCC unroll 8
  for (int v = 0; v < V; ++v) {
    const uint32_t lanes =
        v == V - 1 ? static_cast<uint32_t>((uint64_t{1} << tail) - 1) : ~uint32_t{0};
    const uint32_t keep = t.keep[v] & lanes;
    T* const d = t.dst + t.place[v];
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) store_kept(acc[r][v], keep, d + r * t.d_plane);
  }
}

template <class T>
using ShiftFn = void (*)(const ShiftTile<T>&);

template <class T, int V, bool PackedA, int... Rs>
ShiftFn<T> pick(int64_t rows, std::integer_sequence<int, Rs...>) {
  static constexpr ShiftFn<T> table[] = {shift_tile<T, Rs + 1, V, PackedA>...};
  return table[rows - 1];
}

template <class T, bool PackedA>
ShiftFn<T> shift_fn(int64_t rows, int64_t vecs) {
  constexpr auto all = std::make_integer_sequence<int, kTileRows>();
  constexpr auto few = std::make_integer_sequence<int, kWideRows>();
  if (vecs == 4) return pick<T, 4, PackedA>(rows, few);
  return vecs == 2 ? pick<T, 2, PackedA>(rows, all) : pick<T, 1, PackedA>(rows, all);
}

}  // namespace

// launchers

namespace {

template <class T>
class ShiftLauncher {
 public:
  ShiftLauncher(const Context& context, const ShiftConv<T>& c)
      : context_(context), c_(c), w_(c.window), layout_(c.window, sizeof(T)) {}

  void run() {
    if (c_.samples <= 0 || c_.groups <= 0 || c_.m <= 0 || w_.p <= 0 || w_.q <= 0) return;
    k_ = w_.channels * w_.n_taps;
    rows_ = divide_up(c_.m, divide_up(c_.m, kTileRows));
    panels_ = divide_up(c_.m, rows_);
    choose_blocks();
    layout_.set_block(block_);
    const int64_t vecs = divide_up(layout_.positions(block_), kSize);
    const bool scattered = c_.d_col != 1 || c_.d_row != w_.q;
    Scratch tables(
        context_,
        static_cast<size_t>(k_ + vecs + (scattered ? vecs * kSize : 0) + vecs) * sizeof(int64_t));
    offset_ = tables.as<int64_t>();
    place_ = offset_ + k_;
    keep_ = static_cast<uint32_t*>(static_cast<void*>(place_ + vecs));
    scatter_ = scattered ? place_ + 2 * vecs : nullptr;
    fill_tables(vecs);
    // Weights that few tiles read are not worth a copy.
    ordered_ = c_.w_in == w_.n_taps;
    for (int64_t t = 0; t < w_.n_taps; ++t) ordered_ &= w_.taps[t].weight == t;
    const bool pack = !ordered_ || c_.w_out != k_ ||
                      c_.samples * blocks_ * divide_up(vecs, kTileVecs) > kDirectUses;
    Scratch packed(context_,
                   pack ? static_cast<size_t>(c_.groups * c_.m * k_ + 64) * sizeof(T) : 0);
    packed_ = pack ? packed.as<T>() : nullptr;
    if (pack) pack_weights();

    const int64_t items = c_.samples * c_.groups * blocks_ * parts_;
    const int64_t macs = std::max<int64_t>(1, c_.m * k_ * block_ * layout_.pitch() / parts_);
    const int64_t grain = std::max<int64_t>(1, kChunkMacs / macs);
    Slots slots(context_, divide_up(items, grain),
                static_cast<size_t>(layout_.copy_elements(w_.channels)) * sizeof(T));
    context_.parallel_for(items, grain, [&](int64_t begin, int64_t end) {
      const Slots::Lease lease(slots);
      for (int64_t item = begin; item < end; ++item) run_item(item, lease.as<T>());
    });
  }

 private:
  static constexpr int64_t kSize = Vec<T>::size;
  static constexpr int64_t kCopyBytes = 256 << 10;    // of one block's copy: a part of the L2 cache
  static constexpr int64_t kPanelsBytes = 512 << 10;  // of weights that are read for each tile
  static constexpr int64_t kDirectUses = 8;           // tiles that read a weight
  static constexpr int64_t kPackChannels = 16;
  static constexpr int64_t kItems = 8;  // enough for several threads to share

  void choose_blocks() {
    block_ = w_.p;
    const int64_t pitch = layout_.pitch(), least = divide_up(2 * kTileCols<T>, pitch);
    if (!layout_.in_place()) {
      const int64_t row_bytes =
          std::max<int64_t>(1, layout_.row_elements()) * static_cast<int64_t>(sizeof(T));
      block_ = std::clamp<int64_t>(kCopyBytes / row_bytes, std::min(least, w_.p), w_.p);
    }
    const int64_t outer = c_.samples * c_.groups,
                  macs_row = std::max<int64_t>(1, c_.m * k_ * pitch);
    if (outer * divide_up(w_.p, block_) < kItems) {
      const int64_t wanted = divide_up(kItems, outer);
      const int64_t rows = std::max({divide_up(w_.p, wanted), kChunkMacs / macs_row, least});
      block_ = std::min(block_, rows);
    }
    blocks_ = divide_up(w_.p, block_);
    block_ = divide_up(w_.p, blocks_);
    parts_ = 1;
    if (outer * blocks_ < kItems)
      parts_ = std::clamp<int64_t>(macs_row * block_ / (4 * kChunkMacs), 1,
                                   std::min(panels_, divide_up(kItems, outer * blocks_)));
  }

  void fill_tables(int64_t vecs) {
    for (int64_t c = 0, i = 0; c < w_.channels; ++c)
      for (int64_t t = 0; t < w_.n_taps; ++t)
        offset_[i++] = c * layout_.channel_stride() + layout_.tap_offset(w_.taps[t]);
    int64_t row = 0, col = 0;
    for (int64_t v = 0; v < vecs; ++v) {
      uint32_t keep = 0;
      place_[v] = row * w_.q + std::min(col, w_.q);
      for (int64_t i = 0; i < kSize; ++i) {
        if (col < w_.q) keep |= uint32_t{1} << i;
        if (scatter_) scatter_[v * kSize + i] = col < w_.q ? row * c_.d_row + col * c_.d_col : -1;
        if (++col == layout_.pitch()) col = 0, ++row;
      }
      keep_[v] = keep;
    }
  }

  void pack_weights() {
    if (ordered_) {
      const int64_t grain = std::max<int64_t>(1, 32768 / std::max<int64_t>(1, rows_ * k_));
      context_.parallel_for(c_.groups * panels_, grain, [&](int64_t begin, int64_t end) {
        for (int64_t job = begin; job < end; ++job) {
          const int64_t group = job / panels_, i = job % panels_ * rows_;
          const int64_t r = std::min(rows_, c_.m - i);
          pack_panel(k_, r, c_.weight + group * c_.w_group + i * c_.w_out, c_.w_out, int64_t{1},
                     packed_ + (group * c_.m + i) * k_, r);
        }
      });
      return;
    }
    // Transposed filters: a block of channels is read once, in order, for all panels.
    const int64_t blocks = divide_up(w_.channels, kPackChannels);
    const int64_t work = std::max<int64_t>(1, kPackChannels * w_.n_taps * c_.m);
    context_.parallel_for(
        c_.groups * blocks, std::max<int64_t>(1, 32768 / work), [&](int64_t begin, int64_t end) {
          for (int64_t job = begin; job < end; ++job) {
            const int64_t group = job / blocks, c0 = job % blocks * kPackChannels;
            const int64_t c1 = std::min(w_.channels, c0 + kPackChannels);
            for (int64_t i = 0; i < c_.m; i += rows_) {
              const int64_t r = std::min(rows_, c_.m - i);
              T* o = packed_ + (group * c_.m + i) * k_ + c0 * w_.n_taps * r;
              for (int64_t c = c0; c < c1; ++c)
                for (int64_t t = 0; t < w_.n_taps; ++t) {
                  const T* const w = c_.weight + group * c_.w_group + i * c_.w_out + c * c_.w_in +
                                     w_.taps[t].weight;
                  for (int64_t q = 0; q < r; ++q) *o++ = w[q * c_.w_out];
                }
            }
          }
        });
  }

  void run_item(int64_t item, T* copy) const {
    const int64_t part = item % parts_, block = item / parts_ % blocks_;
    const int64_t plane = item / (parts_ * blocks_), group = plane % c_.groups;
    const int64_t first = block * block_, rows = std::min(block_, w_.p - first);
    const int64_t positions = layout_.positions(rows);
    const T* const src =
        layout_.load(c_.src + plane * w_.channels * w_.h * w_.w, w_.channels, first, rows, copy);
    T* const dst = c_.dst + plane * c_.m * c_.d_plane + first * c_.d_row;
    const int64_t share = divide_up(panels_, parts_);
    const int64_t begin = part * share, end = std::min(panels_, begin + share);
    const int64_t step = kSize * (rows_ <= kWideRows ? kWideVecs : kTileVecs);
    const auto tiles = [&](int64_t j0, int64_t j1, int64_t panel) {
      ShiftTile<T> t;
      const int64_t i = panel * rows_, r = std::min(rows_, c_.m - i);
      t.k = k_;
      t.a = packed_ ? packed_ + (group * c_.m + i) * k_
                    : c_.weight + group * c_.w_group + i * c_.w_out;
      t.a_row = c_.w_out;
      t.offset = offset_;
      t.bias = c_.bias ? c_.bias + group * c_.m + i : nullptr;
      t.dst = dst + i * c_.d_plane;
      t.d_plane = c_.d_plane;
      for (int64_t j = j0; j < j1;) {
        int64_t vecs = std::min(step, divide_up(j1 - j, kSize) * kSize) / kSize;
        if (vecs == 3) vecs = 2;
        t.src = src + j;
        t.positions = std::min(vecs * kSize, j1 - j);
        t.keep = keep_ + j / kSize;
        t.place = place_ + j / kSize;
        t.scatter = scatter_ ? scatter_ + j : nullptr;
        (packed_ ? shift_fn<T, true>(r, vecs) : shift_fn<T, false>(r, vecs))(t);
        j += vecs * kSize;
      }
    };
    // The weights stay in cache while positions advance, or the positions while weights do.
    if ((end - begin) * rows_ * k_ * static_cast<int64_t>(sizeof(T)) <= kPanelsBytes) {
      for (int64_t j = 0; j < positions; j += step)
        for (int64_t panel = begin; panel < end; ++panel)
          tiles(j, std::min(positions, j + step), panel);
    } else {
      for (int64_t panel = begin; panel < end; ++panel) tiles(0, positions, panel);
    }
  }

  const Context& context_;
  const ShiftConv<T>& c_;
  const Window& w_;
  ShiftLayout layout_;
  int64_t k_, rows_, panels_;       // of the weights: depth, rows of a panel
  int64_t block_, blocks_, parts_;  // output rows of a block; shares of the panels
  int64_t *offset_, *place_, *scatter_;
  uint32_t* keep_;
  T* packed_;
  bool ordered_;  // taps follow each other in memory as in the window, channels without gaps
};

}  // namespace

template <class T>
void shift_conv(const Context& context, const ShiftConv<T>& conv) {
  ShiftLauncher<T>(context, conv).run();
}

template void shift_conv(const Context&, const ShiftConv<float>&);
template void shift_conv(const Context&, const ShiftConv<double>&);

}  // namespace fastdl::cpu
