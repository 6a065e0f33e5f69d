// One operand is packed: strips of output rows become panels of kTileCols channels, position after
// position, with padding written out. A tap is then an offset into the panel, and nothing of the
// other operand is copied: its elements are broadcast from where they lie (or, where lanes are
// dy's, from a padded copy of the strip of x).
//
// Work is cut by the shape alone into items: a group, some panels, some blocks of the broadcast rows
// and a chunk of the positions. Chunks are added in order, so that no bit depends on threads.
#include "cpu/conv2d_wgrad.h"

#include <cstring>

#include "cpu/conv2d_wgrad_tile.h"
#include "cpu/divide.h"
#include "cpu/gemm.h"
#include "cpu/gemm_pack.h"
#include "cpu/slots.h"
#include "cpu/stream.h"

namespace fastdl::cpu {

// kernels

namespace {

// Elements between neighbours of [n, c, h, w] in either layout.
struct Strides {
  int64_t n, c, h, w;
};
Strides strides_of(bool channels_last, int64_t c, int64_t h, int64_t w) {
  if (channels_last) return {c * h * w, 1, w * c, c};
  return {c * h * w, h * w, w, 1};
}

// The sum over parts of what lies `in_part` apart.
template <class T>
[[gnu::always_inline]] inline Vec<T> add_parts(const T* in, int64_t parts, int64_t in_part) {
  Vec<T> sum = Vec<T>::load(in);
  for (int64_t part = 1; part < parts; ++part) sum += Vec<T>::load(in + part * in_part);
  return sum;
}

// out[lane * out_lane + i] = the sum over parts of in[i * in_row + lane] for i < count: a block of
// the result, transposed in registers.
template <class T>
void put_lanes(const T* in, int64_t in_row, int64_t parts, int64_t in_part, int64_t count,
               int64_t lanes, T* out, int64_t out_lane) {
  constexpr int64_t kSize = Vec<T>::size;
  for (int64_t l = 0; l < lanes; l += kSize) {
    const int64_t width = std::min(kSize, lanes - l);
    if (count == 1 && out_lane == 1) {
      const Vec<T> sum = add_parts(in + l, parts, in_part);
      width == kSize ? sum.store(out + l) : sum.store(out + l, width);
      continue;
    }
    for (int64_t i = 0; i < count; i += kSize) {
      const int64_t n = std::min(kSize, count - i);
      Vec<T> row[kSize];
#pragma GCC unroll 16
      for (int64_t j = 0; j < kSize; ++j)
        row[j] = j < n ? add_parts(in + (i + j) * in_row + l, parts, in_part) : Vec<T>(T(0));
      transpose<T>(row);
      T* const to = out + l * out_lane + i;
#pragma GCC unroll 16
      for (int64_t j = 0; j < kSize; ++j)
        if (j < width) row[j].store(to + j * out_lane, n);
    }
  }
}

// sum[i] (+)= the sum of row i of n elements, whose order only n decides.
template <class T>
void sum_rows(const T* p, int64_t rows, int64_t p_row, int64_t n, int64_t step, T* sum,
              bool accumulate) {
  constexpr int64_t kSize = Vec<T>::size;
  if (step == 1) {
    for (int64_t r = 0; r < rows; ++r, p += p_row) {
      Vec<T> acc[4] = {};
      int64_t i = 0;
      for (; i + 4 * kSize <= n; i += 4 * kSize)
        for (int v = 0; v < 4; ++v) acc[v] += Vec<T>::load(p + i + v * kSize);
      for (; i < n; i += kSize) acc[0] += Vec<T>::load(p + i, std::min(kSize, n - i));
      const T all = sum_lanes((acc[0] + acc[1]) + (acc[2] + acc[3]));
      sum[r] = accumulate ? sum[r] + all : all;
    }
    return;
  }
  for (int64_t r = 0; r < rows; r += kSize) {  // channels are neighbours
    const int64_t lanes = std::min(kSize, rows - r);
    Vec<T> acc[4] = {};
    for (int64_t i = 0; i < n; ++i) acc[i % 4] += Vec<T>::load(p + i * step + r, lanes);
    Vec<T> all = (acc[0] + acc[1]) + (acc[2] + acc[3]);
    if (accumulate) all += Vec<T>::load(sum + r, lanes);
    all.store(sum + r, lanes);
  }
}

}  // namespace

// launchers

namespace {

template <class T>
class WeightGradLauncher {
 public:
  WeightGradLauncher(const Context& context, const WeightGrad<T>& g, WgradLanes lanes)
      : context_(context),
        g_(g),
        lanes_of_x_(lanes == WgradLanes::x),
        x_(strides_of(g.channels_last, g.groups * g.c, g.h, g.w)),
        dy_(strides_of(g.channels_last, g.groups * g.k, g.p, g.q)) {}

  void run() {
    const int64_t size = g_.groups * g_.k * g_.c * g_.r * g_.s, biases = g_.groups * g_.k;
    if (g_.n * g_.p * g_.q <= 0 || size <= 0) {
      if (g_.dbias && size <= 0 && g_.n * g_.p * g_.q > 0)
        add_biases_alone();
      else if (g_.dbias)
        std::fill(g_.dbias, g_.dbias + biases, T(0));
      std::fill(g_.dweight, g_.dweight + size, T(0));
      return;
    }
    choose_blocks();
    Scratch table(context_, static_cast<size_t>(rows_) * sizeof(int64_t));
    fill_offsets(table.as<int64_t>());
    // A result of each chunk's own, added up in order at the end. A lone chunk finishes its sums
    // while they are in the cache.
    const bool apart = chunks_ > 1;
    Scratch sums(context_,
                 apart ? static_cast<size_t>(chunks_ * blocks_ * block_size_) * sizeof(T) : 0);
    Scratch bias(context_, g_.dbias ? static_cast<size_t>(chunks_ * biases) * sizeof(T) : 0);
    sums_ = apart ? sums.as<T>() : nullptr;
    bias_ = g_.dbias ? bias.as<T>() : nullptr;
    local_ = apart ? 0 : panel_set_ * divide_up(row_blocks_, row_sets_) * block_size_;

    const int64_t items = g_.groups * panel_sets_ * row_sets_ * chunks_;
    Slots slots(context_, items,
                static_cast<size_t>(panel_ * panel_set_ + copy_ + local_) * sizeof(T) +
                    static_cast<size_t>(max_runs_) * sizeof(Run));
    context_.parallel_for(items, 1, [&](int64_t begin, int64_t end) {
      const Slots::Lease lease(slots);
      for (int64_t item = begin; item < end; ++item) run_item(item, lease.as<T>());
    });
    if (apart)
      context_.parallel_for(blocks_, 1 + 65536 / (block_size_ * chunks_),
                            [&](int64_t begin, int64_t end) {
                              for (int64_t b = begin; b < end; ++b)
                                finish(b, sums_ + b * block_size_, chunks_, blocks_ * block_size_);
                            });
    for (int64_t i = 0; g_.dbias && i < biases; ++i) {
      T sum = bias_[i];
      for (int64_t chunk = 1; chunk < chunks_; ++chunk) sum += bias_[chunk * biases + i];
      g_.dbias[i] = sum;
    }
  }

 private:
  static constexpr int64_t kSize = Vec<T>::size, kCols = kTileCols<T>;
  static constexpr int64_t kItems = 16;              // to be had for the threads
  static constexpr int64_t kPanelBytes = 256 << 10;  // a quarter of the second-level cache
  static constexpr int64_t kPartialBytes = int64_t{16} << 20;
  static constexpr int64_t kStreamed = int64_t{2} << 20;  // bytes of dweight from which on
  static constexpr int64_t kStreamedTaps = 9;
  static constexpr int64_t kStrip = 160;  // positions that a tile runs over: operands stay in L1

  void choose_blocks() {
    const int64_t taps = g_.r * g_.s;
    n_lanes_ = lanes_of_x_ ? g_.c : g_.k;
    rows_ = lanes_of_x_ ? g_.k : g_.c * taps;
    taps_ = lanes_of_x_ ? taps : 1;
    panels_ = divide_up(n_lanes_, kCols);
    row_blocks_ = divide_up(rows_, kTileRows);
    blocks_ = g_.groups * panels_ * row_blocks_;
    block_size_ = taps_ * kTileRows * kCols;
    streams_ =
        taps_ <= kStreamedTaps && g_.groups * g_.k * g_.c * taps * int64_t{sizeof(T)} >= kStreamed;
    // Panels of a set are used while a block of the other operand is in the first-level cache.
    panel_set_ = taps_ > 1 ? 1 : std::min<int64_t>(panels_, 4);
    panel_sets_ = divide_up(panels_, panel_set_);

    const bool one_row = g_.r == 1;
    row_step_ = one_row ? 1 : g_.stride_h;
    extra_rows_ = (g_.r - 1) * g_.dilation_h + 1;
    pitch_ = (g_.q - 1) * g_.stride_w + (g_.s - 1) * g_.dilation_w + 1;
    padded_ = g_.pad_h > 0 || g_.pad_w > 0;
    copies_x_ = !lanes_of_x_ && padded_;

    // Rounds: strips of `strip_rows_` output rows of `together_` samples, packed at once.
    const int64_t positions = g_.n * g_.p * g_.q, groups_sets = g_.groups * panel_sets_;
    const int64_t macs = positions * g_.groups * g_.k * g_.c * taps;
    const int64_t want =
        std::clamp<int64_t>(divide_up(kItems, groups_sets), 1, macs / groups_sets / kChunkMacs + 1);
    row_sets_ = std::clamp<int64_t>(rows_ * taps_ / 320, 1, std::min(want, row_blocks_));
    const int64_t bytes = blocks_ * block_size_ * int64_t{sizeof(T)};
    const int64_t most =
        std::min({want / row_sets_, positions / 256, kPartialBytes / bytes, g_.n * g_.p});
    chunks_ = std::max<int64_t>(1, most);
    int64_t room = kPanelBytes / int64_t{sizeof(T)};
    room = std::min(room, std::max<int64_t>(1, panel_elements(1, g_.p) * g_.n / chunks_));
    strip_rows_ = g_.p;
    if (panel_elements(1, g_.p) > room) {
      strip_rows_ = 1;
      while (panel_elements(1, 2 * strip_rows_) <= room) strip_rows_ *= 2;
      while (panel_elements(1, strip_rows_ + 1) <= room) ++strip_rows_;
    }
    strips_ = divide_up(g_.p, strip_rows_);
    strip_rows_ = divide_up(g_.p, strips_);
    strips_ = divide_up(g_.p, strip_rows_);
    together_ = strips_ > 1 ? 1 : std::clamp<int64_t>(room / panel_elements(1, g_.p), 1, g_.n);
    const int64_t rounds = divide_up(g_.n, together_) * strips_;
    chunk_ = divide_up(rounds, std::min(chunks_, rounds));
    chunks_ = divide_up(rounds, chunk_);

    panel_ = together_ * panel_positions(strip_rows_) * kCols;
    copy_ = copies_x_ ? together_ * copy_rows(strip_rows_) * pitch_ * g_.c : 0;
    copy_ = divide_up(copy_, 16) * 16;
    max_runs_ = together_ * strip_rows_ * divide_up(g_.q, kStrip) +
                together_ * strip_rows_ * g_.q / kStrip + 1;
  }

  int64_t packed_rows(int64_t rows) const { return (rows - 1) * row_step_ + extra_rows_; }
  int64_t copy_rows(int64_t rows) const { return (rows - 1) * g_.stride_h + extra_rows_; }
  int64_t panel_positions(int64_t rows) const {
    return lanes_of_x_ ? packed_rows(rows) * pitch_ : rows * g_.q;
  }
  // What a strip takes of the second-level cache.
  int64_t panel_elements(int64_t samples, int64_t rows) const {
    return samples * (panel_set_ * panel_positions(rows) * kCols +
                      (copies_x_ ? copy_rows(rows) * pitch_ * g_.c : 0));
  }

  // Where the copy of x has its elements: as x, but `pitch_` columns and some rows.
  Strides copy_strides(int64_t rows) const {
    return strides_of(g_.channels_last, g_.c, copy_rows(rows), pitch_);
  }

  void fill_offsets(int64_t* offset) {
    offset_ = offset;
    if (lanes_of_x_) {
      for (int64_t k = 0; k < g_.k; ++k) offset[k] = k * dy_.c;
      return;
    }
    const Strides x = copies_x_ ? copy_strides(strip_rows_) : x_;
    for (int64_t c = 0; c < g_.c; ++c)
      for (int64_t r = 0; r < g_.r; ++r)
        for (int64_t s = 0; s < g_.s; ++s)
          *offset++ = c * x.c + r * g_.dilation_h * x.h + s * g_.dilation_w * x.w;
  }

  struct Round {
    int64_t n, samples, row, rows;
  };
  Round round_at(int64_t i) const {
    const int64_t n = i / strips_ * together_, row = i % strips_ * strip_rows_;
    return {n, std::min(together_, g_.n - n), row, std::min(strip_rows_, g_.p - row)};
  }

  void run_item(int64_t item, T* scratch) const {
    const int64_t chunk = item % chunks_, row_set = item / chunks_ % row_sets_;
    const int64_t set = item / (chunks_ * row_sets_) % panel_sets_;
    const int64_t group = item / (chunks_ * row_sets_ * panel_sets_);
    const int64_t first_panel = set * panel_set_;
    const int64_t n_panels = std::min(panel_set_, panels_ - first_panel);
    const int64_t first_block = row_set * row_blocks_ / row_sets_;
    const int64_t last_block = (row_set + 1) * row_blocks_ / row_sets_;
    const int64_t rounds = divide_up(g_.n, together_) * strips_, begin = chunk * chunk_;
    T* const copy = scratch + panel_ * panel_set_;
    T* const local = copy + copy_;
    Run* const runs = reinterpret_cast<Run*>(local + local_);
    const int64_t last = std::min(rounds, begin + chunk_) - 1;
    for (int64_t i = begin; i <= last; ++i) {
      const Round round = round_at(i);
      for (int64_t panel = 0; panel < n_panels; ++panel)
        pack(round, group, first_panel + panel, scratch + panel * panel_);
      if (copies_x_) copy_x(round, group, copy);
      if (bias_) add_bias(round, group, row_set, set, chunk, i > begin);
      const int64_t n_runs = list_runs(round, runs);
      const T* const rows = broadcast_origin(round, group, copy);
      for (int64_t run = 0, end = 0; run < n_runs; run = end) {
        int64_t length = 0;
        do length += runs[end++].length;
        while (end < n_runs && length + runs[end].length <= kStrip);
        const bool first = i == begin && run == 0, finished = i == last && end == n_runs;
        // The strip of a panel stays in the first-level cache for all rows and taps.
        for (int64_t panel = 0; panel < n_panels; ++panel)
          for (int64_t b = first_block; b < last_block; ++b) {
            const int64_t row = b * rows_ / row_blocks_, row_end = (b + 1) * rows_ / row_blocks_;
            const int64_t block = (group * panels_ + first_panel + panel) * row_blocks_ + b;
            const int64_t slot = panel * (last_block - first_block) + b - first_block;
            T* const sum = sums_ ? sums_ + (chunk * blocks_ + block) * block_size_
                                 : local + (first && finished ? 0 : slot * block_size_);
            multiply(runs + run, end - run, row, row_end - row,
                     std::min(kCols, n_lanes_ - (first_panel + panel) * kCols),
                     scratch + panel * panel_, rows, sum, !first);
            if (finished && !sums_) finish(block, sum, 1, 0);
          }
      }
    }
  }

  void multiply(const Run* runs, int64_t n_runs, int64_t row, int64_t rows, int64_t lanes,
                const T* panel, const T* broadcast, T* sum, bool accumulate) const {
    const WgradTileFn<T> tile = wgrad_tile<T>(rows, lanes);
    WgradTile<T> t;
    t.runs = runs;
    t.n_runs = n_runs;
    t.lanes_step = lanes_of_x_ ? g_.stride_w * kCols : kCols;
    t.rows = broadcast;
    t.rows_step = lanes_of_x_ ? dy_.w : g_.stride_w * x_w();
    t.offset = offset_ + row;
    t.accumulate = accumulate;
    for (int64_t tap = 0; tap < taps_; ++tap) {
      t.lanes = panel;
      if (lanes_of_x_)
        t.lanes += (tap / g_.s * g_.dilation_h * pitch_ + tap % g_.s * g_.dilation_w) * kCols;
      t.sum = sum + tap * kTileRows * kCols;
      tile(t);
    }
  }

  int64_t x_w() const { return g_.channels_last ? (copies_x_ ? g_.c : x_.w) : 1; }

  const T* broadcast_origin(const Round& round, int64_t group, const T* copy) const {
    if (lanes_of_x_) return g_.dy + round.n * dy_.n + group * g_.k * dy_.c + round.row * dy_.h;
    if (copies_x_) return copy;
    return g_.x + round.n * x_.n + group * g_.c * x_.c + round.row * g_.stride_h * x_.h;
  }

  // The round's positions in order, where neither operand jumps; no run longer than a strip.
  int64_t list_runs(const Round& round, Run* runs) const {
    int64_t lanes_n, lanes_h, lanes_w, rows_n, rows_h, rows_w;
    if (lanes_of_x_) {
      lanes_n = packed_rows(round.rows) * pitch_ * kCols;
      lanes_h = row_step_ * pitch_ * kCols;
      lanes_w = g_.stride_w * kCols;
      rows_n = dy_.n, rows_h = dy_.h, rows_w = dy_.w;
    } else {
      const Strides x = copies_x_ ? copy_strides(strip_rows_) : x_;
      lanes_n = round.rows * g_.q * kCols, lanes_h = g_.q * kCols, lanes_w = kCols;
      rows_n = x.n, rows_h = g_.stride_h * x.h, rows_w = g_.stride_w * x.w;
    }
    int64_t count = 0;
    for (int64_t s = 0; s < round.samples; ++s)
      for (int64_t y = 0; y < round.rows; ++y)
        for (int64_t x = 0; x < g_.q;) {
          const Run run{s * lanes_n + y * lanes_h + x * lanes_w,
                        s * rows_n + y * rows_h + x * rows_w, g_.q - x};
          Run* const last = count > 0 ? runs + count - 1 : nullptr;
          int64_t taken;
          if (last && last->length < kStrip && run.lanes == last->lanes + last->length * lanes_w &&
              run.rows == last->rows + last->length * rows_w) {
            taken = std::min(run.length, kStrip - last->length);
            last->length += taken;
          } else {
            // A long row in equal pieces.
            taken = divide_up(run.length, divide_up(run.length, kStrip));
            runs[count++] = {run.lanes, run.rows, taken};
          }
          x += taken;
        }
    return count;
  }

  void pack(const Round& round, int64_t group, int64_t panel, T* out) const {
    const int64_t lane = panel * kCols, lanes = std::min(kCols, n_lanes_ - lane);
    for (int64_t s = 0; s < round.samples; ++s) {
      const int64_t n = round.n + s;
      if (!lanes_of_x_) {
        const T* const dy = g_.dy + n * dy_.n + (group * g_.k + lane) * dy_.c + round.row * dy_.h;
        pack_panel(round.rows * g_.q, lanes, dy, dy_.c, dy_.w, out, kCols);
        out += round.rows * g_.q * kCols;
        continue;
      }
      const T* const x = g_.x + n * x_.n + (group * g_.c + lane) * x_.c;
      const int64_t rows = packed_rows(round.rows), step = g_.r == 1 ? g_.stride_h : 1;
      const int64_t first = round.row * g_.stride_h - g_.pad_h;
      if (!padded_ && pitch_ == g_.w && step == 1) {
        pack_panel(rows * pitch_, lanes, x + first * x_.h, x_.c, x_.w, out, kCols);
        out += rows * pitch_ * kCols;
        continue;
      }
      const int64_t begin = std::min(g_.pad_w, pitch_);
      const int64_t end = std::clamp(g_.w + g_.pad_w, begin, pitch_);
      for (int64_t y = 0; y < rows; ++y, out += pitch_ * kCols) {
        const int64_t row = first + y * step;
        if (row < 0 || row >= g_.h) {
          std::fill(out, out + pitch_ * kCols, T(0));
          continue;
        }
        std::fill(out, out + begin * kCols, T(0));
        pack_panel(end - begin, lanes, x + row * x_.h + (begin - g_.pad_w) * x_.w, x_.c, x_.w,
                   out + begin * kCols, kCols);
        std::fill(out + end * kCols, out + pitch_ * kCols, T(0));
      }
    }
  }

  // The strip of x that the round's positions see, in x's layout, with the padding written out.
  void copy_x(const Round& round, int64_t group, T* out) const {
    const Strides to = copy_strides(strip_rows_);
    const int64_t begin = std::min(g_.pad_w, pitch_);
    const int64_t end = std::clamp(g_.w + g_.pad_w, begin, pitch_);
    std::fill(out, out + round.samples * to.n, T(0));
    const bool last = g_.channels_last;
    for (int64_t s = 0; s < round.samples; ++s)
      for (int64_t y = 0; y < copy_rows(round.rows); ++y) {
        const int64_t row = round.row * g_.stride_h - g_.pad_h + y;
        if (row < 0 || row >= g_.h) continue;
        const T* const x = g_.x + (round.n + s) * x_.n + group * g_.c * x_.c + row * x_.h +
                           (begin - g_.pad_w) * x_.w;
        T* const o = out + s * to.n + y * to.h + begin * to.w;
        const int64_t pieces = last ? end - begin : g_.c, length = last ? g_.c : end - begin;
        const int64_t x_step = last ? x_.w : x_.c, o_step = last ? to.w : to.c;
        for (int64_t i = 0; i < pieces; ++i)
          memcpy(o + i * o_step, x + i * x_step, static_cast<size_t>(length) * sizeof(T));
      }
  }

  // Each channel of dy is summed up by one of the items that read it.
  void add_bias(const Round& round, int64_t group, int64_t row_set, int64_t set, int64_t chunk,
                bool accumulate) const {
    int64_t k = 0, end = g_.k;
    if (lanes_of_x_) {
      if (set > 0) return;
      k = row_set * row_blocks_ / row_sets_ * rows_ / row_blocks_;
      end = (row_set + 1) * row_blocks_ / row_sets_ * rows_ / row_blocks_;
    } else {
      if (row_set > 0) return;
      k = set * panel_set_ * kCols;
      end = std::min(end, k + panel_set_ * kCols);
    }
    T* const sum = bias_ + (chunk * g_.groups + group) * g_.k + k;
    for (int64_t s = 0; s < round.samples; ++s)
      sum_rows(g_.dy + (round.n + s) * dy_.n + (group * g_.k + k) * dy_.c + round.row * dy_.h,
               end - k, dy_.c, round.rows * g_.q, dy_.w, sum, accumulate || s > 0);
  }

  // Adds the chunks of a block [tap][row][lane] and writes it into dweight.
  void finish(int64_t block, const T* sum, int64_t parts, int64_t part) const {
    const int64_t b = block % row_blocks_, panel = block / row_blocks_ % panels_;
    const int64_t group = block / (row_blocks_ * panels_);
    const int64_t row = b * rows_ / row_blocks_, row_end = (b + 1) * rows_ / row_blocks_;
    const int64_t lane = panel * kCols, lanes = std::min(kCols, n_lanes_ - lane);
    const int64_t filter = g_.c * g_.r * g_.s;
    T* const out = g_.dweight + group * g_.k * filter;
    if (!lanes_of_x_)
      return put_lanes(sum, kCols, parts, part, row_end - row, lanes, out + lane * filter + row,
                       filter);
    const size_t bytes = static_cast<size_t>(lanes * taps_) * sizeof(T);
    alignas(64) T line[kCols * kStreamedTaps];
    for (int64_t k = row; k < row_end; ++k) {
      T* const to = out + k * filter + lane * taps_;
      const bool stream = streams_ && bytes % 64 == 0 && is_line_aligned(to);
      put_lanes(sum + (k - row) * kCols, kTileRows * kCols, parts, part, taps_, lanes,
                stream ? line : to, taps_);
      if (stream) stream_copy(to, line, bytes);
    }
    if (streams_) stream_end();
  }

  // Without weights there is still a bias.
  void add_biases_alone() const {
    for (int64_t n = 0; n < g_.n; ++n)
      sum_rows(g_.dy + n * dy_.n, g_.groups * g_.k, dy_.c, g_.p * g_.q, dy_.w, g_.dbias, n > 0);
  }

  const Context& context_;
  const WeightGrad<T>& g_;
  bool lanes_of_x_, padded_, copies_x_, streams_ = false;
  Strides x_, dy_;
  int64_t n_lanes_, rows_, taps_;  // lanes and rows of one group; tiles per pair of them
  int64_t panels_, panel_set_, panel_sets_, row_blocks_, row_sets_, blocks_;
  int64_t block_size_;  // sums of a panel and a block of rows, for all taps
  int64_t row_step_, extra_rows_, pitch_;
  int64_t strip_rows_, strips_, together_;
  int64_t chunk_, chunks_;  // rounds in a chunk, chunks
  int64_t panel_, copy_, local_, max_runs_;
  const int64_t* offset_ = nullptr;
  T* sums_ = nullptr;
  T* bias_ = nullptr;
};

}  // namespace

WgradLanes WgradCost::best() const {
  if (positions < x && positions < dy) return WgradLanes::positions;
  return x <= dy ? WgradLanes::x : WgradLanes::dy;
}

template <class T>
WgradCost weight_grad_cost(const WeightGrad<T>& g) {
  constexpr int64_t kSize = Vec<T>::size;
  const int64_t taps = g.r * g.s;
  // A register of lanes times a row is half a cycle, but never less than latency allows; a tile of
  // one register waits for its loads. Packing transposes.
  const auto cost = [&](int64_t lanes, int64_t rows, int64_t tiles, double packed) {
    const int64_t registers = divide_up(lanes, kSize), blocks = divide_up(rows, kTileRows);
    const double row_cycles =
        std::max(static_cast<double>(rows), 4.0 * static_cast<double>(blocks));
    const double pairs = static_cast<double>(registers / 2),
                 odd = static_cast<double>(registers % 2);
    return static_cast<double>(tiles) * row_cycles * (pairs * 1.05 + odd * 0.7) +
           packed * static_cast<double>(registers * kSize);
  };
  const double transposed = g.channels_last ? 0.1 : 0.35;
  const double positions = static_cast<double>(std::max<int64_t>(1, g.n * g.p * g.q));
  const double seen = static_cast<double>(g.n * g.h * g.w) / positions;
  const double pairs = static_cast<double>(g.k * g.c * taps), written = pairs / positions;
  const bool padded = g.pad_h > 0 || g.pad_w > 0;
  WgradCost all;
  all.x = cost(g.c, g.k, taps, transposed * (taps > 1 ? std::max(1.0, seen) : 1.0)) +
          written * (taps > 1 ? 0.2 : 0.1);
  // Rows that are taps share no lines of the cache, and a copy is made of what has padding.
  all.dy = cost(g.k, g.c * taps, 1, transposed) * (taps > 1 ? 1.1 : 1.0) +
           (padded ? 0.2 * seen * static_cast<double>(g.c) : 0.0) + written * 0.3;
  // At best 0.55 of the peak was measured.
  all.positions = pairs / (2 * kSize * 0.55) + 0.2 * seen * static_cast<double>(g.c);
  return all;
}

template <class T>
void weight_grad(const Context& context, const WeightGrad<T>& g, WgradLanes lanes) {
  WeightGradLauncher<T>(context, g, lanes).run();
}

template WgradCost weight_grad_cost(const WeightGrad<float>&);
template WgradCost weight_grad_cost(const WeightGrad<double>&);
template void weight_grad(const Context&, const WeightGrad<float>&, WgradLanes);
template void weight_grad(const Context&, const WeightGrad<double>&, WgradLanes);

}  // namespace fastdl::cpu
