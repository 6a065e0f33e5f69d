// The image is cut into units: some rows of a sample, or some whole samples where planes are small.
// For each, the source is a strip (the tensor itself, where it has channels last and nothing reaches
// over its edges); all positions of the unit are dealt out to tiles; weights are packed in panels
// of output channels that pass over all tiles in chunks that stay in the first-level cache.
#include "cpu/conv2d_direct.h"

#include "cpu/conv2d_pack.h"
#include "cpu/conv2d_strip.h"
#include "cpu/divide.h"
#include "cpu/gemm.h"
#include "cpu/slots.h"

namespace fastdl::cpu {

template <class T>
int64_t direct_packed_size(const ConvProblem<T>& c) {
  int64_t taps = 0;
  for (int64_t i = 0; i < c.n_parts; ++i) taps += c.parts[i].n_taps;
  return c.groups * taps * c.channels * padded_filters<T>(c.filters);
}

// launchers

namespace {

template <class T>
class DirectLauncher {
 public:
  DirectLauncher(const Context& context, const ConvProblem<T>& c) : context_(context), c_(c) {}

  void run() {
    if (c_.samples <= 0 || c_.groups <= 0 || c_.filters <= 0 || c_.p <= 0 || c_.q <= 0) return;
    measure();
    choose_units();
    Scratch offsets(context_, static_cast<size_t>(taps_ + 1) * sizeof(int64_t));
    offset_ = offsets.as<int64_t>();
    fill_offsets();
    // Weights that one unit reads are packed block by block, just before.
    const bool pack_now = !c_.packed && units_ > 1;
    Scratch weights(context_,
                    pack_now ? static_cast<size_t>(direct_packed_size(c_)) * sizeof(T) : 0);
    packed_ = pack_now ? weights.as<T>() : c_.packed;
    if (pack_now) pack(weights.as<T>());

    const int64_t items = units_ * c_.groups;
    const size_t strip = in_place_ ? 0 : round(static_cast<size_t>(strip_size_) * sizeof(T));
    const size_t own = round(static_cast<size_t>(positions_) * 2 * sizeof(void*)) +
                       round(static_cast<size_t>(first() ? positions_ * kCols : 0) * sizeof(T)) +
                       (packed_ ? 0 : block_bytes());
    const int64_t parts = std::clamp<int64_t>(divide_up(kItems, items), 1, panels_);
    if (parts == 1) {
      const int64_t grain = std::max<int64_t>(1, kChunkMacs / macs_of_unit());
      Slots slots(context_, divide_up(items, grain), strip + own);
      context_.parallel_for(items, grain, [&](int64_t begin, int64_t end) {
        const Slots::Lease lease(slots);
        for (int64_t item = begin; item < end; ++item) {
          T* const at = lease.template as<T>();
          load(item, 0, c_.channels, at);
          run_item(item, 0, panels_, at, lease.template as<char>() + strip);
        }
      });
      return;
    }
    // Few units: threads share out their channels, then their panels.
    Scratch strips(context_, strip * static_cast<size_t>(items));
    const int64_t blocks = divide_up(c_.channels, kLoadChannels);
    if (!in_place_)
      context_.parallel_for(items * blocks, 4, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = i % blocks * kLoadChannels;
          load(i / blocks, first, std::min(kLoadChannels, c_.channels - first),
               strip_at(strips, i / blocks, strip));
        }
      });
    const int64_t share = divide_up(panels_, parts), shares = divide_up(panels_, share);
    const int64_t grain = std::max<int64_t>(1, kChunkMacs * shares / macs_of_unit());
    Slots slots(context_, divide_up(items * shares, grain), own);
    context_.parallel_for(items * shares, grain, [&](int64_t begin, int64_t end) {
      const Slots::Lease lease(slots);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t panel = i % shares * share;
        run_item(i / shares, panel, std::min(panels_, panel + share),
                 strip_at(strips, i / shares, strip), lease.template as<char>());
      }
    });
  }

  void pack(T* packed) const {
    const int64_t panels = panels_of<T>(c_.filters), filters = padded_filters<T>(c_.filters);
    const int64_t work = std::max<int64_t>(1, c_.channels * c_.w_taps * kCols);
    context_.parallel_for(
        c_.groups * panels, std::max<int64_t>(1, 65536 / work), [&](int64_t begin, int64_t end) {
          Scratch place(context_, static_cast<size_t>(c_.w_taps) * sizeof(int64_t));
          for (int64_t i = begin; i < end; ++i) {
            T* out = packed;
            for (int64_t p = 0; p < c_.n_parts; ++p) {
              const ConvPart& part = c_.parts[p];
              const int64_t depth = part.n_taps * c_.channels, group = i / panels;
              const int64_t block = channel_block(c_.channels, part.n_taps);
              const int64_t width = panel_width<T>(c_.filters, i % panels);
              for (int64_t c = 0; c < c_.channels; c += block)
                pack_filters(
                    c_, part, group, i % panels, c, std::min(block, c_.channels - c),
                    place.as<int64_t>(),
                    out + (group * filters + i % panels * kCols) * depth + c * part.n_taps * width);
              out += c_.groups * filters * depth;
            }
          }
        });
  }

 private:
  static constexpr int64_t kCols = kChannelCols<T>;
  static constexpr int64_t kStripBytes = 256 << 10;  // a part of the L2 cache
  static constexpr int64_t kPositions = 768;         // of a unit: their results are in L2 as well
  static constexpr int64_t kLoadChannels = 64;
  static constexpr int64_t kItems = 8;  // enough for several threads to share

  size_t block_bytes() const {
    int64_t most = 0;
    for (int64_t i = 0; i < c_.n_parts; ++i) {
      const int64_t taps = c_.parts[i].n_taps;
      most = std::max(most, channel_block(c_.channels, taps) * taps * kCols);
    }
    return round(static_cast<size_t>(most) * sizeof(T)) +
           static_cast<size_t>(c_.w_taps) * sizeof(int64_t);
  }
  static size_t round(size_t bytes) { return (bytes + 63) / 64 * 64; }
  bool first() const { return c_.layout == Layout::first; }
  T* strip_at(const Scratch& strips, int64_t item, size_t strip) const {
    return in_place_ ? nullptr
                     : static_cast<T*>(static_cast<void*>(strips.template as<char>() +
                                                          static_cast<size_t>(item) * strip));
  }
  int64_t macs_of_unit() const {
    return std::max<int64_t>(1, positions_ * taps_ / c_.n_parts * c_.channels * c_.filters);
  }

  void measure() {
    taps_ = 0;
    int64_t max_row = 0, max_col = 0, last_row = 0, last_col = 0;
    min_row_ = min_col_ = 0;
    bool any = false;
    for (int64_t i = 0; i < c_.n_parts; ++i) {
      const ConvPart& part = c_.parts[i];
      for (int64_t t = 0; t < part.n_taps; ++t, any = true) {
        const Tap& tap = part.taps[t];
        min_row_ = any ? std::min(min_row_, tap.row) : tap.row;
        min_col_ = any ? std::min(min_col_, tap.col) : tap.col;
        max_row = any ? std::max(max_row, tap.row) : tap.row;
        max_col = any ? std::max(max_col, tap.col) : tap.col;
        last_row = std::max(last_row, (part.rows - 1) * c_.stride_h + tap.row);
        last_col = std::max(last_col, (part.cols - 1) * c_.stride_w + tap.col);
      }
      taps_ += part.n_taps;
    }
    reach_ = max_row - min_row_ + 1;
    rows_ = divide_up(c_.p, c_.step_h);
    in_place_ = !first() && min_row_ >= 0 && min_col_ >= 0 && last_row < c_.h && last_col < c_.w;
    strip_cols_ = (divide_up(c_.q, c_.step_w) - 1) * c_.stride_w + max_col - min_col_ + 1;
    pixel_ = in_place_ ? c_.groups * c_.channels : c_.channels;
    pitch_ = in_place_ ? c_.w * pixel_ : strip_cols_ * pixel_;
    panels_ = panels_of<T>(c_.filters);
    // Neighbouring taps are one run where their channels are neighbours too, and in one block.
    join_ = 1;
    int64_t most = 1;
    for (int64_t i = 0; i < c_.n_parts; ++i) most = std::max(most, c_.parts[i].n_taps);
    if (pixel_ == c_.channels && channel_block(c_.channels, most) == c_.channels) {
      join_ = 0;
      for (int64_t i = 0; i < c_.n_parts; ++i) {
        const ConvPart& part = c_.parts[i];
        for (int64_t t = 0; t < part.n_taps;) {
          int64_t n = 1;
          while (t + n < part.n_taps && part.taps[t + n].row == part.taps[t].row &&
                 part.taps[t + n].col == part.taps[t].col + n)
            ++n;
          join_ = join_ == 0 || join_ == n ? n : 1;
          t += n;
        }
      }
      join_ = std::max<int64_t>(join_, 1);
    }
  }

  int64_t strip_rows(int64_t rows) const { return (rows - 1) * c_.stride_h + reach_; }

  void choose_units() {
    const int64_t row_bytes =
        std::max<int64_t>(1, strip_cols_ * c_.channels) * static_cast<int64_t>(sizeof(T));
    const int64_t row_positions = c_.step_h * c_.q;
    block_ = std::min(rows_, std::max<int64_t>(1, kPositions / row_positions));
    while (block_ > 1 && !in_place_ && strip_rows(block_) * row_bytes > kStripBytes &&
           (block_ - 1) * row_positions >= 4 * kChannelRows)
      --block_;
    blocks_ = divide_up(rows_, block_);
    // Enough units for threads to share, of several tiles each.
    while (blocks_ * c_.samples * c_.groups < kItems && block_ > 1 &&
           (block_ / 2) * row_positions >= 8 * kChannelRows)
      blocks_ = divide_up(rows_, block_ /= 2);
    block_ = divide_up(rows_, blocks_);
    together_ = 1;
    if (blocks_ == 1) {
      const int64_t bytes = in_place_ ? 1 : strip_rows(rows_) * row_bytes;
      together_ =
          std::clamp<int64_t>(std::min({kStripBytes / bytes, 8 * kChannelRows / (c_.p * c_.q),
                                        c_.samples * c_.groups / kItems}),
                              1, c_.samples);
    }
    units_ = blocks_ > 1 ? c_.samples * blocks_ : divide_up(c_.samples, together_);
    sample_strip_ = in_place_ ? 0 : strip_rows(block_) * pitch_;
    strip_size_ = together_ * sample_strip_;
    positions_ = together_ * block_ * c_.step_h * c_.q;
  }

  void fill_offsets() {
    int64_t* out = offset_;
    for (int64_t i = 0; i < c_.n_parts; ++i)
      for (int64_t t = 0; t < c_.parts[i].n_taps; t += join_) {
        const Tap& tap = c_.parts[i].taps[t];
        *out++ = in_place_ ? tap.row * pitch_ + tap.col * pixel_
                           : (tap.row - min_row_) * pitch_ + (tap.col - min_col_) * pixel_;
      }
  }

  struct Unit {
    int64_t sample, samples, row, rows;  // rows of parts
  };
  Unit unit(int64_t item) const {
    const int64_t u = item / c_.groups;
    if (blocks_ > 1) {
      const int64_t row = u % blocks_ * block_;
      return {u / blocks_, 1, row, std::min(block_, rows_ - row)};
    }
    return {u * together_, std::min(together_, c_.samples - u * together_), 0, rows_};
  }

  Image<const T> source(int64_t sample, int64_t group) const {
    return source_image(c_, sample, group);
  }
  Image<T> result(int64_t sample, int64_t group) const { return result_image(c_, sample, group); }

  void load(int64_t item, int64_t channel, int64_t channels, T* strip) const {
    if (in_place_) return;
    const Unit u = unit(item);
    const Box box{u.row * c_.stride_h + min_row_, min_col_, strip_rows(u.rows), strip_cols_};
    for (int64_t s = 0; s < u.samples; ++s)
      load_strip(source(u.sample + s, item % c_.groups), channel, channels, box,
                 strip + s * sample_strip_ + channel, pixel_);
  }

  // The panels begin to end of one unit and group.
  void run_item(int64_t item, int64_t begin, int64_t end, const T* strip, char* own) const {
    const Unit u = unit(item);
    const int64_t group = item % c_.groups;
    const T** const rows = static_cast<const T**>(static_cast<void*>(own));
    T** const out = static_cast<T**>(static_cast<void*>(rows + positions_));
    T* const results = static_cast<T*>(
        static_cast<void*>(own + round(static_cast<size_t>(positions_) * 2 * sizeof(void*))));
    const int64_t top = u.row * c_.step_h, height = std::min(c_.p - top, u.rows * c_.step_h);
    T* const block =
        results +
        round(static_cast<size_t>(first() ? positions_ * kCols : 0) * sizeof(T)) / sizeof(T);
    int64_t n = 0;
    for (int64_t i = 0; i < c_.n_parts; ++i) {
      const ConvPart& part = c_.parts[i];
      for (int64_t s = 0; s < u.samples; ++s) {
        const Image<T> y = result(u.sample + s, group);
        const T* const x = in_place_
                               ? source(u.sample + s, group).data + u.row * c_.stride_h * pitch_
                               : strip + s * sample_strip_;
        for (int64_t r = 0; r < std::min(u.rows, part.rows - u.row); ++r)
          for (int64_t j = 0; j < part.cols; ++j, ++n) {
            const int64_t row = r * c_.step_h + part.first_row;
            const int64_t col = j * c_.step_w + part.first_col;
            rows[n] = x + r * c_.stride_h * pitch_ + j * c_.stride_w * pixel_;
            out[n] = first() ? results + ((s * height + row) * c_.q + col) * kCols
                             : y.data + ((top + row) * c_.q + col) * y.pixel;
          }
      }
    }
    for (int64_t panel = begin; panel < end; ++panel) {
      run_panel(u, group, panel, rows, out, block);
      if (!first()) continue;
      const Box box{top, 0, height, c_.q};
      const int64_t k0 = panel * kCols, k = std::min(kCols, c_.filters - k0);
      for (int64_t s = 0; s < u.samples; ++s) {
        const Image<T> y = result(u.sample + s, group);
        const T* const residual = static_cast<const T*>(c_.epilogue.residual);
        store_strip(results + s * height * c_.q * kCols, kCols, k0, k, box, y,
                    Finish<T>{residual ? residual + (y.data - c_.dst) : nullptr,
                              c_.epilogue.activation, static_cast<T>(c_.epilogue.slope)});
      }
    }
  }

  void run_panel(const Unit& u, int64_t group, int64_t panel, const T* const* rows, T* const* out,
                 T* block) const {
    const int64_t filters = padded_filters<T>(c_.filters), k0 = panel * kCols;
    const int64_t width = panel_width<T>(c_.filters, panel);
    const T* const bias = static_cast<const T*>(c_.epilogue.bias);
    ChannelTile<T> t;
    t.cols = std::min(kCols, c_.filters - k0);
    t.bias = bias ? bias + group * c_.filters + k0 : nullptr;
    // Channels first: the strip's results are finished where they are transposed.
    t.y = c_.dst;
    t.residual = first() ? nullptr : static_cast<const T*>(c_.epilogue.residual);
    t.activation = first() ? Activation::none : c_.epilogue.activation;
    t.slope = static_cast<T>(c_.epilogue.slope);
    t.out_shift = first() ? 0 : k0;
    const T* packed = packed_;
    const int64_t* offset = offset_;
    for (int64_t i = 0; i < c_.n_parts; ++i) {
      const ConvPart& part = c_.parts[i];
      const int64_t depth = part.n_taps * c_.channels, runs = part.n_taps / join_;
      const int64_t positions =
          u.samples * std::max<int64_t>(0, std::min(u.rows, part.rows - u.row)) * part.cols;
      const T* const b = packed ? packed + (group * filters + k0) * depth : nullptr;
      const int64_t step = channel_rows(positions);
      // Deep layers read each weight for a few tiles only, from memory. So the tiles of a block
      // share in asking for the block that follows, which lies behind it.
      const auto tiles = [&] {
        const int64_t bytes = t.runs * t.run * width * static_cast<int64_t>(sizeof(T));
        const int64_t n = std::max<int64_t>(1, divide_up(positions, step));
        t.ahead = static_cast<const char*>(static_cast<const void*>(t.b)) + bytes;
        t.ahead_step = divide_up(width * static_cast<int64_t>(sizeof(T)), n);
        for (int64_t j = 0; j < positions; j += step, t.ahead += t.runs * t.run * t.ahead_step) {
          t.rows = rows + j;
          t.out = out + j;
          channel_tile<T>(std::min(step, positions - j), t.cols)(t);
        }
      };
      t.accumulate = false;
      if (depth == 0) {
        t.runs = t.run = 0;
        t.b = block;
        t.last = true;
        tiles();
      }
      const int64_t channels = channel_block(c_.channels, part.n_taps);
      for (int64_t first = 0; first < c_.channels && depth > 0; first += channels) {
        const int64_t n = std::min(channels, c_.channels - first);
        if (!packed) pack_filters(c_, part, group, panel, first, n, place(block), block);
        t.offset = offset;
        t.shift = first;
        t.runs = runs;
        t.run = join_ * n;
        t.b = packed ? b + first * part.n_taps * width : block;
        t.last = first + n == c_.channels;
        tiles();
        t.accumulate = true;
      }
      rows += positions;
      out += positions;
      offset += runs;
      if (packed) packed += c_.groups * filters * depth;
    }
  }

  int64_t* place(T* block) const {
    return static_cast<int64_t*>(
        static_cast<void*>(static_cast<char*>(static_cast<void*>(block)) + block_bytes() -
                           static_cast<size_t>(c_.w_taps) * sizeof(int64_t)));
  }

  const Context& context_;
  const ConvProblem<T>& c_;
  int64_t taps_, min_row_, min_col_, reach_;  // of all parts together; reach: source rows of a row
  int64_t rows_;                              // of the largest part
  int64_t strip_cols_, pixel_, pitch_, join_, panels_;
  int64_t block_, blocks_, together_, units_;  // rows of a unit; samples of a unit
  int64_t sample_strip_, strip_size_, positions_;
  int64_t* offset_;
  const T* packed_;
  bool in_place_;
};

}  // namespace

template <class T>
void direct_pack(const Context& context, const ConvProblem<T>& c, T* packed) {
  DirectLauncher<T>(context, c).pack(packed);
}
template <class T>
void direct_conv(const Context& context, const ConvProblem<T>& c) {
  DirectLauncher<T>(context, c).run();
}

template int64_t direct_packed_size(const ConvProblem<float>&);
template int64_t direct_packed_size(const ConvProblem<double>&);
template void direct_pack(const Context&, const ConvProblem<float>&, float*);
template void direct_pack(const Context&, const ConvProblem<double>&, double*);
template void direct_conv(const Context&, const ConvProblem<float>&);
template void direct_conv(const Context&, const ConvProblem<double>&);

}  // namespace fastdl::cpu
