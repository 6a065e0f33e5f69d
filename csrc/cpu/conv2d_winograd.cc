// A unit is a rectangle of tiles of one sample, or all tiles of some samples. Its source is
// transformed block of channels by block of channels, through a strip that stays in the first-level
// cache, into U[point][tile][channel]; then, for each panel of output channels, one product a point
// gives M[point][tile][panel], which is transformed back and stored with the epilogue while it is
// hot. Neither U nor M ever exists for the whole image.
#include "cpu/conv2d_winograd.h"

#include "cpu/conv2d_direct.h"
#include "cpu/conv2d_pack.h"
#include "cpu/conv2d_strip.h"
#include "cpu/conv2d_winograd_transforms.h"
#include "cpu/divide.h"
#include "cpu/gemm.h"
#include "cpu/slots.h"

namespace fastdl::cpu {
namespace {

// kernels

using V = Vec<float>;
constexpr int64_t kSize = V::size;
constexpr int64_t kCols = kChannelCols<float>;

// u[point] from the source tile at d, whose pixels and rows are so far apart; points of u likewise.
template <int M>
void transform_source(const float* d, int64_t pixel, int64_t pitch, float* u, int64_t point) {
  constexpr int A = Winograd<M>::A;
  V half[A][A];
#pragma GCC unroll 6
  for (int j = 0; j < A; ++j) {
    V column[A], out[A];
#pragma GCC unroll 6
    for (int i = 0; i < A; ++i) column[i] = V::load(d + i * pitch + j * pixel);
    Winograd<M>::source(column, out);
#pragma GCC unroll 6
    for (int i = 0; i < A; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < A; ++i) {
    V out[A];
    Winograd<M>::source(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < A; ++j) out[j].store(u + (i * A + j) * point);
  }
}

template <int M>
void transform_filter(const float* g, const int64_t (&tap)[9], float* v, int64_t point) {
  constexpr int A = Winograd<M>::A;
  V half[A][3];
#pragma GCC unroll 3
  for (int j = 0; j < 3; ++j) {
    V column[3], out[A];
#pragma GCC unroll 3
    for (int i = 0; i < 3; ++i) column[i] = V::load(g + tap[i * 3 + j]);
    Winograd<M>::filter(column, out);
#pragma GCC unroll 6
    for (int i = 0; i < A; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 6
  for (int i = 0; i < A; ++i) {
    V out[A];
    Winograd<M>::filter(half[i], out);
#pragma GCC unroll 6
    for (int j = 0; j < A; ++j) out[j].store(v + (i * A + j) * point);
  }
}

template <int M>
void transform_result(const float* m, int64_t point, V bias, V (&y)[M][M]) {
  constexpr int A = Winograd<M>::A;
  V half[M][A];
#pragma GCC unroll 6
  for (int j = 0; j < A; ++j) {
    V column[A], out[M];
#pragma GCC unroll 6
    for (int i = 0; i < A; ++i) column[i] = V::load(m + (i * A + j) * point);
    Winograd<M>::result(column, out);
#pragma GCC unroll 4
    for (int i = 0; i < M; ++i) half[i][j] = out[i];
  }
#pragma GCC unroll 4
  for (int i = 0; i < M; ++i) {
    Winograd<M>::result(half[i], y[i]);
#pragma GCC unroll 4
    for (int j = 0; j < M; ++j) y[i][j] += bias;
  }
}

// launchers

// Transformed weights are four times as large. Where they would not stay in the cache, they are
// transformed late: block by block for each unit, from the weights packed as they are.
template <int M>
bool late(const ConvProblem<float>& c) {
  constexpr int64_t kHotBytes = 2 << 20;
  return c.channels * c.filters * (M + 2) * (M + 2) * static_cast<int64_t>(sizeof(float)) >
         kHotBytes;
}

// Elements of packed weights: of a full panel, and of a group.
template <int M>
int64_t panel_size(const ConvProblem<float>& c) {
  const int64_t points = (M + 2) * (M + 2);
  return late<M>(c) ? 9 * c.channels * kCols : points * (c.channels * kCols + kSize);
}
template <int M>
int64_t group_size(const ConvProblem<float>& c) {
  return late<M>(c) ? 9 * c.channels * padded_filters<float>(c.filters)
                    : panels_of<float>(c.filters) * panel_size<M>(c);
}

template <int M>
class WinogradLauncher {
 public:
  WinogradLauncher(const Context& context, const ConvProblem<float>& c)
      : context_(context), c_(c) {}

  void pack(float* packed) const {
    if (late<M>(c_)) return direct_pack(context_, c_, packed);
    const int64_t panels = panels_of<float>(c_.filters);
    const int64_t grain = std::max<int64_t>(1, 4096 / std::max<int64_t>(1, c_.channels));
    context_.parallel_for(c_.groups * panels, grain, [&](int64_t begin, int64_t end) {
      Scratch scratch(context_, static_cast<size_t>(9 * c_.channels * kCols) * sizeof(float));
      int64_t place[9];
      for (int64_t item = begin; item < end; ++item) {
        const int64_t group = item / panels, panel = item % panels;
        pack_filters(c_, c_.parts[0], group, panel, 0, c_.channels, place, scratch.as<float>());
        transform_filters(scratch.as<float>(), c_.channels, panel_width<float>(c_.filters, panel),
                          packed + group * group_size<M>(c_) + panel * panel_size<M>(c_));
      }
    });
  }

  void run() {
    choose_units();
    // Weights that one unit reads are packed block by block, just before.
    const bool pack_now = !c_.packed && (units_ > 1 || !late_);
    Scratch weights(
        context_, pack_now ? static_cast<size_t>(winograd_packed_size<M>(c_)) * sizeof(float) : 0);
    packed_ = pack_now ? weights.as<float>() : c_.packed;
    if (pack_now) pack(weights.as<float>());

    const int64_t items = units_ * c_.groups;
    const int64_t u_size = kPoints * u_point_;
    const int64_t strip = tile_samples_ * (rows_ * M + 2) * (cols_ * M + 2) * kBlockChannels;
    const int64_t own = kPoints * m_point_ + tiles_ * (M * M * kCols + kPointerFloats) +
                        (late_ ? kPoints * apart(block_ * kCols) + 9 * block_ * kCols : 0);
    const int64_t parts = std::clamp<int64_t>(divide_up(kItems, items), 1, panels_);
    if (parts == 1) {
      Slots slots(context_, items, static_cast<size_t>(u_size + std::max(strip, own)) * 4);
      context_.parallel_for(items, 1, [&](int64_t begin, int64_t end) {
        const Slots::Lease lease(slots);
        float* const u = lease.as<float>();
        for (int64_t item = begin; item < end; ++item) {
          load(item, 0, c_.channels, u, u + u_size);
          run_item(item, 0, panels_, u, u + u_size);
        }
      });
      return;
    }
    // Few units: threads share out their channels, then their panels.
    Scratch all(context_, static_cast<size_t>(items * u_size) * sizeof(float));
    float* const u = all.as<float>();
    const int64_t blocks = divide_up(c_.channels, kBlockChannels);
    {
      Slots slots(context_, items * blocks, static_cast<size_t>(strip) * sizeof(float));
      context_.parallel_for(items * blocks, 1, [&](int64_t begin, int64_t end) {
        const Slots::Lease lease(slots);
        for (int64_t i = begin; i < end; ++i) {
          const int64_t first = i % blocks * kBlockChannels;
          load(i / blocks, first, std::min(c_.channels, first + kBlockChannels),
               u + i / blocks * u_size, lease.as<float>());
        }
      });
    }
    const int64_t share = divide_up(panels_, parts), shares = divide_up(panels_, share);
    Slots slots(context_, items * shares, static_cast<size_t>(own) * sizeof(float));
    context_.parallel_for(items * shares, 1, [&](int64_t begin, int64_t end) {
      const Slots::Lease lease(slots);
      for (int64_t i = begin; i < end; ++i) {
        const int64_t panel = i % shares * share;
        run_item(i / shares, panel, std::min(panels_, panel + share), u + i / shares * u_size,
                 lease.as<float>());
      }
    });
  }

 private:
  static constexpr int A = Winograd<M>::A;
  static constexpr int64_t kPoints = A * A;
  static constexpr int64_t kBlockChannels = 2 * kSize;
  static constexpr int64_t kTiles = 48, kLateTiles = 96;  // of a unit
  static constexpr int64_t kItems = 8;
  static constexpr int64_t kPointerFloats = 2 * sizeof(void*) / sizeof(float);

  void choose_units() {
    tile_rows_ = divide_up(c_.p, M);
    tile_cols_ = divide_up(c_.q, M);
    panels_ = panels_of<float>(c_.filters);
    late_ = late<M>(c_);
    block_ = late_ ? channel_block(c_.channels, 9) : c_.channels;
    const int64_t target = late_ ? kLateTiles : kTiles;
    const int64_t col_blocks = divide_up(tile_cols_, target);
    cols_ = divide_up(tile_cols_, col_blocks);
    rows_ = std::clamp<int64_t>(target / cols_, 1, tile_rows_);
    row_blocks_ = divide_up(tile_rows_, rows_);
    rows_ = divide_up(tile_rows_, row_blocks_);
    col_blocks_ = divide_up(tile_cols_, cols_);
    tile_samples_ = 1;
    if (row_blocks_ * col_blocks_ == 1)
      tile_samples_ = std::clamp<int64_t>(target / (rows_ * cols_), 1, c_.samples);
    units_ = row_blocks_ * col_blocks_ > 1 ? c_.samples * row_blocks_ * col_blocks_
                                           : divide_up(c_.samples, tile_samples_);
    tiles_ = tile_samples_ * rows_ * cols_;
    u_point_ = apart(tiles_ * c_.channels);
    m_point_ = apart(tiles_ * kCols);
  }

  // Points are apart by no large power of two, which would make them share a set of the cache.
  static int64_t apart(int64_t elements) { return elements + kSize; }

  // V[point][channel][width] of a block [tap][channel][width].
  void transform_filters(const float* g, int64_t channels, int64_t width, float* v) const {
    const ConvPart& part = c_.parts[0];
    int64_t tap[9];
    for (int64_t t = 0; t < 9; ++t)
      tap[(part.taps[t].row - part.taps[0].row) * 3 + part.taps[t].col - part.taps[0].col] =
          t * channels * width;
    for (int64_t i = 0; i < channels * width; i += kSize)
      transform_filter<M>(g + i, tap, v + i, apart(channels * width));
  }

  struct Unit {
    int64_t sample, samples, row, rows, col, cols;  // tiles
    int64_t tiles() const { return samples * rows * cols; }
  };
  Unit unit(int64_t item) const {
    const int64_t u = item / c_.groups, blocks = row_blocks_ * col_blocks_;
    if (blocks == 1)
      return {u * tile_samples_,
              std::min(tile_samples_, c_.samples - u * tile_samples_),
              0,
              tile_rows_,
              0,
              tile_cols_};
    const int64_t row = u % blocks / col_blocks_ * rows_, col = u % col_blocks_ * cols_;
    return {u / blocks, 1,
            row,        std::min(rows_, tile_rows_ - row),
            col,        std::min(cols_, tile_cols_ - col)};
  }

  bool first() const { return c_.layout == Layout::first; }
  Image<const float> source(int64_t sample, int64_t group) const {
    return source_image(c_, sample, group);
  }
  Image<float> result(int64_t sample, int64_t group) const {
    return result_image(c_, sample, group);
  }

  void load(int64_t item, int64_t begin, int64_t end, float* u, float* strip) const {
    const Unit at = unit(item);
    const Tap& corner = c_.parts[0].taps[0];
    const Box box{at.row * M + corner.row, at.col * M + corner.col, at.rows * M + 2,
                  at.cols * M + 2};
    for (int64_t channel = begin; channel < end; channel += kBlockChannels) {
      const int64_t channels = std::min(kBlockChannels, end - channel);
      const int64_t pitch = box.cols * channels;
      for (int64_t s = 0; s < at.samples; ++s) {
        load_strip(source(at.sample + s, item % c_.groups), channel, channels, box, strip,
                   channels);
        float* out = u + s * at.rows * at.cols * c_.channels + channel;
        for (int64_t r = 0; r < at.rows; ++r)
          for (int64_t j = 0; j < at.cols; ++j, out += c_.channels)
            for (int64_t i = 0; i < channels; i += kSize)
              transform_source<M>(strip + r * M * pitch + j * M * channels + i, channels, pitch,
                                  out + i, u_point_);
      }
    }
  }

  void run_item(int64_t item, int64_t begin, int64_t end, const float* u, float* own) const {
    const Unit at = unit(item);
    const int64_t group = item % c_.groups, tiles = at.tiles();
    float* const m = own;
    float* const strip = m + kPoints * m_point_;
    const float** const rows =
        static_cast<const float**>(static_cast<void*>(strip + tiles_ * M * M * kCols));
    float** const out = static_cast<float**>(static_cast<void*>(rows + tiles_));
    float* const block = static_cast<float*>(static_cast<void*>(out + tiles_));
    for (int64_t i = 0; i < tiles; ++i) {
      rows[i] = u + i * c_.channels;
      out[i] = m + i * kCols;
    }
    for (int64_t panel = begin; panel < end; ++panel) {
      multiply(group, panel, tiles, rows, out, block);
      store(at, group, panel, m, strip);
    }
  }

  static const char* bytes_of(const float* p) {
    return static_cast<const char*>(static_cast<const void*>(p));
  }

  void multiply(int64_t group, int64_t panel, int64_t tiles, const float* const* rows,
                float* const* out, float* scratch) const {
    const int64_t width = panel_width<float>(c_.filters, panel), step = channel_rows(tiles);
    const int64_t none = 0;
    const float* const packed =
        packed_ ? packed_ + group * group_size<M>(c_) + panel * panel_size<M>(c_) : nullptr;
    ChannelTile<float> t{};
    t.offset = &none;
    t.runs = 1;
    t.cols = width;
    for (int64_t first = 0; first < c_.channels; first += block_) {
      t.run = std::min(block_, c_.channels - first);
      t.accumulate = first > 0;
      t.b = packed;
      if (late_) {
        const float* g = packed + first * 9 * width;
        if (!packed) {
          int64_t place[9];
          float* const fresh = scratch + kPoints * apart(block_ * kCols);
          pack_filters(c_, c_.parts[0], group, panel, first, t.run, place, fresh);
          g = fresh;
        }
        transform_filters(g, t.run, width, scratch);
        t.b = scratch;
      }
      // The tiles of a product share in asking for the filters that follow.
      const int64_t n = (tiles + step - 1) / step,
                    row = width * static_cast<int64_t>(sizeof(float));
      if (late_ && packed) t.ahead = bytes_of(packed + (first + t.run) * 9 * width);
      t.ahead_step = !packed ? 0
                     : late_ ? (9 * row + kPoints * n - 1) / (kPoints * n)
                             : (row + n - 1) / n;
      for (int64_t point = 0; point < kPoints; ++point, t.b += apart(t.run * width)) {
        t.out_shift = point * m_point_;
        t.shift = point * u_point_ + first;
        if (!late_) t.ahead = bytes_of(t.b + apart(t.run * width));
        for (int64_t j = 0; j < tiles; j += step, t.ahead += t.run * t.ahead_step) {
          t.rows = rows + j;
          t.out = out + j;
          channel_tile<float>(std::min(step, tiles - j), width)(t);
        }
      }
    }
  }

  void store(const Unit& at, int64_t group, int64_t panel, const float* m, float* strip) const {
    const int64_t k0 = panel * kCols, k = std::min(kCols, c_.filters - k0);
    const auto* const bias = static_cast<const float*>(c_.epilogue.bias);
    const auto* const residual = static_cast<const float*>(c_.epilogue.residual);
    const Activation activation = c_.epilogue.activation;
    const float slope = static_cast<float>(c_.epilogue.slope);
    const Box box{at.row * M, at.col * M, std::min(at.rows * M, c_.p - at.row * M),
                  std::min(at.cols * M, c_.q - at.col * M)};
    for (int64_t s = 0; s < at.samples; ++s) {
      const Image<float> y = result(at.sample + s, group);
      for (int64_t r = 0; r < at.rows; ++r)
        for (int64_t j = 0; j < at.cols; ++j, m += kCols)
          for (int64_t v = 0; v < k; v += kSize) {
            const int64_t lanes = std::min(kSize, k - v);
            V tile[M][M];
            transform_result<M>(m + v, m_point_,
                                bias ? V::load(bias + group * c_.filters + k0 + v, lanes) : V(0.0f),
                                tile);
            const int64_t rows = std::min<int64_t>(M, box.rows - r * M);
            const int64_t cols = std::min<int64_t>(M, box.cols - j * M);
#pragma GCC unroll 4
            for (int a = 0; a < M; ++a)
#pragma GCC unroll 4
              for (int b = 0; b < M; ++b) {
                if (a >= rows || b >= cols) continue;
                if (first()) {
                  tile[a][b].store(strip + ((r * M + a) * box.cols + j * M + b) * kCols + v);
                  continue;
                }
                const int64_t to =
                    ((box.row + r * M + a) * c_.q + box.col + j * M + b) * y.pixel + k0 + v;
                V value = tile[a][b];
                if (residual) value += V::load(residual + (y.data - c_.dst) + to, lanes);
                activate(value, activation, slope).store(y.data + to, lanes);
              }
          }
      if (first())
        store_strip(
            strip, kCols, k0, k, box, y,
            Finish<float>{residual ? residual + (y.data - c_.dst) : nullptr, activation, slope});
    }
  }

  const Context& context_;
  const ConvProblem<float>& c_;
  int64_t tile_rows_, tile_cols_;               // of a sample
  int64_t rows_, cols_, tile_samples_, tiles_;  // of a unit, at most
  int64_t row_blocks_, col_blocks_, units_, panels_;
  int64_t u_point_, m_point_;
  int64_t block_;  // channels of a product
  bool late_;
  const float* packed_;
};

}  // namespace

bool winograd_applies(const ConvProblem<float>& c) {
  if (c.n_parts != 1 || c.stride_h != 1 || c.stride_w != 1 || c.step_h != 1 || c.step_w != 1 ||
      c.parts[0].n_taps != 9 || c.channels % kSize != 0 || c.channels == 0)
    return false;
  const Tap* const taps = c.parts[0].taps;
  for (int t = 0; t < 9; ++t)
    if (taps[t].row != taps[0].row + t / 3 || taps[t].col != taps[0].col + t % 3) return false;
  return true;
}

template <int M>
int64_t winograd_packed_size(const ConvProblem<float>& c) {
  return c.groups * group_size<M>(c);
}
template <int M>
void winograd_pack(const Context& context, const ConvProblem<float>& c, float* packed) {
  WinogradLauncher<M>(context, c).pack(packed);
}
template <int M>
void winograd_conv(const Context& context, const ConvProblem<float>& c) {
  WinogradLauncher<M>(context, c).run();
}

template int64_t winograd_packed_size<2>(const ConvProblem<float>&);
template int64_t winograd_packed_size<4>(const ConvProblem<float>&);
template void winograd_pack<2>(const Context&, const ConvProblem<float>&, float*);
template void winograd_pack<4>(const Context&, const ConvProblem<float>&, float*);
template void winograd_conv<2>(const Context&, const ConvProblem<float>&);
template void winograd_conv<4>(const Context&, const ConvProblem<float>&);

}  // namespace fastdl::cpu
