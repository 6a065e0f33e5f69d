// Some samples at a time are transposed into strips, where an element of the image is a pair of
// registers with one sample a lane. At a position of the result, a tile of filters then sums over
// just those taps that lie inside of the source: the same taps for every lane.
#include "cpu/conv2d_samples.h"

#include <utility>

#include "cpu/divide.h"
#include "cpu/gemm.h"
#include "cpu/gemm_pack.h"
#include "cpu/slots.h"

namespace fastdl::cpu {

// kernels

namespace {

constexpr int kSamplesRows = kVecBytes == 64 ? 8 : 6;  // filters of a tile
template <class T>
constexpr int64_t kLanes = kTileVecs * Vec<T>::size;  // samples of a block

template <class T>
struct SamplesTile {
  int64_t channels, channel;  // the next one is `channel` further in the strip
  int64_t taps;
  const int64_t* source;  // [taps], of the strip
  const int64_t* tap;     // [taps], in the filter
  const T* strip;
  const T* packed;  // [tap of the filter, channel, R]
  const T* bias;    // [R] or null
  T* out;
  int64_t filter;  // from one filter's results to the next
};

template <class T, int R, int V>
void samples_tile(const SamplesTile<T>& t) {
  constexpr int kSize = Vec<T>::size;
  Vec<T> acc[R][V];
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) acc[r][v] = Vec<T>(t.bias ? t.bias[r] : T(0));
  const int64_t channel = t.channel;
  for (int64_t i = 0; i < t.taps; ++i) {
    const T* const a = t.packed + t.tap[i] * t.channels * R;
    const T* const b = t.strip + t.source[i];
    multiply_add<T, R, V>(
        t.channels, [=](int64_t p, int r) { return a[p * R + r]; },
        [=](int64_t p, int v) { return Vec<T>::load(b + p * channel + v * kSize); }, acc);
  }
#pragma GCC unroll 8
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 2
    for (int v = 0; v < V; ++v) acc[r][v].store(t.out + r * t.filter + v * kSize);
}

template <class T, int V, int... Rs>
auto pick(int64_t rows, std::integer_sequence<int, Rs...>) {
  static constexpr void (*table[])(const SamplesTile<T>&) = {samples_tile<T, Rs + 1, V>...};
  return table[rows - 1];
}

// strip[i, lane] = x[lane, i] for i < n and lanes < samples; the block's other lanes are zero.
template <class T>
void load_lanes(const T* x, int64_t sample, int64_t samples, int64_t n, T* strip) {
  constexpr int64_t kSize = Vec<T>::size;
  for (int64_t first = 0; first < std::min(samples + kSize - 1, kLanes<T>) / kSize * kSize;
       first += kSize)
    for (int64_t i = 0; i < n; i += kSize) {
      Vec<T> v[kSize];
#pragma GCC unroll 16
      for (int s = 0; s < kSize; ++s)
        v[s] = first + s < samples
                   ? Vec<T>::load(x + (first + s) * sample + i, std::min(kSize, n - i))
                   : Vec<T>(T(0));
      transpose<T>(v);
      T* const to = strip + i * kLanes<T> + first;
      for (int64_t j = 0; j < std::min(kSize, n - i); ++j) v[j].store(to + j * kLanes<T>);
    }
}

// The way back.
template <class T>
void store_lanes(const T* strip, int64_t samples, int64_t n, T* y, int64_t sample) {
  constexpr int64_t kSize = Vec<T>::size;
  for (int64_t first = 0; first < samples; first += kSize)
    for (int64_t i = 0; i < n; i += kSize) {
      Vec<T> v[kSize];
      const T* const from = strip + i * kLanes<T> + first;
#pragma GCC unroll 16
      for (int j = 0; j < kSize; ++j)
        v[j] = i + j < n ? Vec<T>::load(from + j * kLanes<T>) : Vec<T>(T(0));
      transpose<T>(v);
      for (int64_t s = 0; s < std::min(kSize, samples - first); ++s)
        v[s].store(y + (first + s) * sample + i, std::min(kSize, n - i));
    }
}

// Results i < count whose source i * stride + tap is one of `size`.
int64_t inside(int64_t count, int64_t stride, int64_t tap, int64_t size) {
  const int64_t begin = tap < 0 ? divide_up(-tap, stride) : 0;
  const int64_t end = tap < size ? divide_up(size - tap, stride) : 0;
  return std::max<int64_t>(0, std::min(count, end) - begin);
}

}  // namespace

template <class T>
int64_t samples_macs(const ConvProblem<T>& c) {
  int64_t taps = 0;
  for (int64_t i = 0; i < c.n_parts; ++i)
    for (int64_t t = 0; t < c.parts[i].n_taps; ++t) {
      const ConvPart& part = c.parts[i];
      taps += inside(part.rows, c.stride_h, part.taps[t].row, c.h) *
              inside(part.cols, c.stride_w, part.taps[t].col, c.w);
    }
  return taps * c.groups * c.channels * c.filters;
}

template <class T>
bool samples_applies(const ConvProblem<T>& c) {
  constexpr int64_t kWeightBytes = 32 << 10, kStripBytes = 512 << 10, kItem = sizeof(T);
  return c.samples >= Vec<T>::size && c.channels * c.filters * c.w_taps * kItem <= kWeightBytes &&
         c.groups * c.channels * c.h * c.w * kLanes<T> * kItem <= kStripBytes;
}

// launchers

namespace {

template <class T>
class SamplesLauncher {
 public:
  SamplesLauncher(const Context& context, const ConvProblem<T>& c) : context_(context), c_(c) {}

  void run() {
    if (c_.samples <= 0 || c_.groups <= 0 || c_.filters <= 0 || c_.p <= 0 || c_.q <= 0) return;
    const bool first = c_.layout == Layout::first;
    source_ = c_.groups * c_.channels * c_.h * c_.w;
    channel_ = first ? c_.h * c_.w : 1;
    pixel_ = first ? 1 : c_.groups * c_.channels;
    tile_ = divide_up(c_.filters, divide_up(c_.filters, kSamplesRows));
    for (int64_t i = 0; i < c_.n_parts; ++i) taps_ = std::max(taps_, c_.parts[i].n_taps);
    rows_ = divide_up(c_.p, c_.step_h);
    const int64_t macs = std::max<int64_t>(1, samples_macs(c_) * kLanes<T>);
    block_ = std::clamp<int64_t>(rows_ * kChunkMacs / macs, 1, std::max<int64_t>(1, rows_));
    Scratch packed(context_, static_cast<size_t>(c_.groups * c_.channels * c_.filters * c_.w_taps) *
                                 sizeof(T));
    pack(packed.as<T>());
    packed_ = packed.as<T>();
    const int64_t blocks = divide_up(c_.samples, kLanes<T>);
    const int64_t together = std::clamp<int64_t>(
        kTogetherBytes /
            std::max<int64_t>(1, source_ * kLanes<T> * static_cast<int64_t>(sizeof(T))),
        1, blocks);
    Scratch strips(context_, static_cast<size_t>(together * source_ * kLanes<T>) * sizeof(T));
    strips_ = strips.as<T>();
    for (int64_t b = 0; b < blocks; b += together) run_blocks(b, std::min(together, blocks - b));
  }

 private:
  static constexpr int64_t kTogetherBytes = 512 << 10;  // of strips: half of the L2 cache
  static constexpr int64_t kLoadElements = 1024;        // of one parallel chunk, times lanes

  void pack(T* out) const {
    for (int64_t group = 0; group < c_.groups; ++group)
      for (int64_t i = 0; i < c_.n_parts; ++i)
        for (int64_t f = 0; f < c_.filters; f += tile_)
          for (int64_t t = 0; t < c_.parts[i].n_taps; ++t)
            for (int64_t channel = 0; channel < c_.channels; ++channel) {
              const T* const w = c_.weight + group * c_.w_group + f * c_.w_out + channel * c_.w_in +
                                 c_.parts[i].taps[t].weight;
              for (int64_t r = 0; r < std::min(tile_, c_.filters - f); ++r)
                *out++ = w[r * c_.w_out];
            }
  }

  int64_t samples_of(int64_t block) const {
    return std::min(kLanes<T>, c_.samples - block * kLanes<T>);
  }

  void run_blocks(int64_t first, int64_t n) const {
    const int64_t loads = divide_up(source_, kLoadElements);
    context_.parallel_for(n * loads, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) {
        const int64_t block = first + i / loads, at = i % loads * kLoadElements;
        load_lanes(c_.src + block * kLanes<T> * source_ + at, source_, samples_of(block),
                   std::min(kLoadElements, source_ - at),
                   strips_ + (i / loads * source_ + at) * kLanes<T>);
      }
    });
    const int64_t parts = divide_up(rows_, block_), height = std::min(c_.p, block_ * c_.step_h);
    const size_t results = static_cast<size_t>(height * c_.q * c_.groups * c_.filters * kLanes<T>);
    Slots slots(context_, n * parts,
                results * sizeof(T) + static_cast<size_t>(2 * taps_) * sizeof(int64_t));
    context_.parallel_for(n * parts, 1, [&](int64_t begin, int64_t end) {
      const Slots::Lease lease(slots);
      T* const out = lease.as<T>();
      for (int64_t i = begin; i < end; ++i)
        run_rows(first + i / parts, strips_ + i / parts * source_ * kLanes<T>, i % parts * block_,
                 out, static_cast<int64_t*>(static_cast<void*>(out + results)));
    });
  }

  // The rows of all parts from `row` on, for one block of samples.
  void run_rows(int64_t block, const T* strip, int64_t row, T* out, int64_t* lists) const {
    const bool first = c_.layout == Layout::first;
    const int64_t rows = std::min(block_, rows_ - row), top = row * c_.step_h;
    const int64_t height = std::min(c_.p - top, rows * c_.step_h), plane = height * c_.q;
    const int64_t samples = samples_of(block), all = c_.groups * c_.filters;
    SamplesTile<T> tile;
    tile.channels = c_.channels, tile.channel = channel_ * kLanes<T>;
    tile.source = lists, tile.tap = lists + taps_;
    tile.filter = (first ? plane : 1) * kLanes<T>;
    const T* packed = packed_;
    for (int64_t group = 0; group < c_.groups; ++group)
      for (int64_t i = 0; i < c_.n_parts; ++i) {
        const ConvPart& part = c_.parts[i];
        tile.strip = strip + group * c_.channels * tile.channel;
        for (int64_t r = row; r < std::min(row + rows, part.rows); ++r)
          for (int64_t j = 0; j < part.cols; ++j) {
            tile.taps = 0;
            for (int64_t t = 0; t < part.n_taps; ++t) {
              const int64_t y = r * c_.stride_h + part.taps[t].row;
              const int64_t x = j * c_.stride_w + part.taps[t].col;
              if (y < 0 || y >= c_.h || x < 0 || x >= c_.w) continue;
              lists[tile.taps] = (y * c_.w + x) * pixel_ * kLanes<T>;
              lists[taps_ + tile.taps++] = t;
            }
            const int64_t position =
                ((r * c_.step_h + part.first_row - top) * c_.q + j * c_.step_w + part.first_col) *
                (first ? 1 : all);
            tile.out = out + position * kLanes<T> + group * c_.filters * tile.filter;
            run_position(tile, packed, part.n_taps, group, samples);
          }
        packed += part.n_taps * c_.channels * c_.filters;
      }
    const int64_t size = c_.p * c_.q * all;
    T* const y = c_.dst + block * kLanes<T> * size;
    if (!first) return store_lanes(out, samples, plane * all, y + top * c_.q * all, size);
    for (int64_t k = 0; k < all; ++k)
      store_lanes(out + k * tile.filter, samples, plane, y + (k * c_.p + top) * c_.q, size);
  }

  void run_position(SamplesTile<T> t, const T* packed, int64_t taps, int64_t group,
                    int64_t samples) const {
    constexpr auto all = std::make_integer_sequence<int, kSamplesRows>();
    const T* const bias = static_cast<const T*>(c_.epilogue.bias);
    for (int64_t f = 0; f < c_.filters; f += tile_, t.out += tile_ * t.filter) {
      const int64_t rows = std::min(tile_, c_.filters - f);
      t.packed = packed + f * taps * c_.channels;
      t.bias = bias ? bias + group * c_.filters + f : nullptr;
      (samples > Vec<T>::size ? pick<T, 2>(rows, all) : pick<T, 1>(rows, all))(t);
    }
  }

  const Context& context_;
  const ConvProblem<T>& c_;
  int64_t source_, channel_, pixel_;  // elements of a sample; from one to the next in the source
  int64_t tile_, taps_ = 0;           // filters of a tile; most taps of a part
  int64_t rows_, block_;              // of the largest part; of a parallel chunk
  const T* packed_;                   // [group, part, tile of filters, tap, channel, filter]
  T* strips_;
};

}  // namespace

template <class T>
void samples_conv(const Context& context, const ConvProblem<T>& c) {
  SamplesLauncher<T>(context, c).run();
}

template bool samples_applies(const ConvProblem<float>&);
template bool samples_applies(const ConvProblem<double>&);
template int64_t samples_macs(const ConvProblem<float>&);
template int64_t samples_macs(const ConvProblem<double>&);
template void samples_conv(const Context&, const ConvProblem<float>&);
template void samples_conv(const Context&, const ConvProblem<double>&);

}  // namespace fastdl::cpu
