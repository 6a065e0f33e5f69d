// A tile is R rows of dy times C taps of the source, both long in j (cpu/dot_tile.h).
#include "cpu/conv2d_correlate.h"

#include "cpu/divide.h"
#include "cpu/dot_tile.h"
#include "cpu/gemm.h"
#include "cpu/slots.h"

namespace fastdl::cpu {

// kernels

namespace {

// The sum of n elements, in an order that only n decides.
template <class T>
T sum_of(const T* p, int64_t n) {
  constexpr int64_t kSize = Vec<T>::size;
  Vec<T> acc[4] = {};
  int64_t i = 0;
  for (; i + 4 * kSize <= n; i += 4 * kSize)
    for (int v = 0; v < 4; ++v) acc[v] += Vec<T>::load(p + i + v * kSize);
  for (; i < n; i += kSize) acc[0] += Vec<T>::load(p + i, std::min(kSize, n - i));
  return sum_lanes((acc[0] + acc[1]) + (acc[2] + acc[3]));
}

}  // namespace

// launchers

namespace {

template <class T>
class CorrelateLauncher {
 public:
  CorrelateLauncher(const Context& context, const CorrelateConv<T>& c)
      : context_(context), c_(c), w_(c.window), layout_(c.window, sizeof(T)) {}

  void run() {
    k_ = w_.channels * w_.n_taps;
    const int64_t size = c_.groups * c_.m * k_, biases = c_.dbias ? c_.groups * c_.m : 0;
    if (c_.samples <= 0 || w_.p <= 0 || w_.q <= 0 || c_.groups * c_.m <= 0 || k_ <= 0) {
      std::fill(c_.dweight, c_.dweight + std::max<int64_t>(size, 0), T(0));
      std::fill(c_.dbias, c_.dbias + std::max<int64_t>(biases, 0), T(0));
      if (k_ > 0 || c_.samples <= 0 || w_.p <= 0 || w_.q <= 0) return;
    }
    choose_blocks(size);
    layout_.set_block(block_);
    Scratch tables(context_, static_cast<size_t>(k_) * sizeof(int64_t));
    offset_ = tables.as<int64_t>();
    for (int64_t c = 0, i = 0; c < channels_; ++c)
      for (int64_t t = 0; t < w_.n_taps; ++t)
        offset_[i++] = c * layout_.channel_stride() + layout_.tap_offset(w_.taps[t]);

    // With several chunks of samples each has a result of its own, added up in order at the end.
    Scratch partial(context_,
                    chunks_ > 1 ? static_cast<size_t>(chunks_ * (size + biases)) * sizeof(T) : 0);
    partial_ = chunks_ > 1 ? partial.as<T>() : nullptr;
    u_in_place_ = layout_.pitch() == w_.q;
    constexpr int64_t line = 64 / sizeof(T);  // rows of dy's copy begin on cache lines
    copy_ = (layout_.copy_elements(channels_) + line - 1) / line * line;
    u_row_ = u_in_place_ ? w_.p * w_.q : (block_ * layout_.pitch() + line - 1) / line * line;
    u_copy_ = u_in_place_ ? 0 : c_.m * u_row_ + line;
    const int64_t items = c_.groups * channel_blocks_ * chunks_;
    Slots slots(context_, items, static_cast<size_t>(together_ * (copy_ + u_copy_)) * sizeof(T));
    context_.parallel_for(items, 1, [&](int64_t begin, int64_t end) {
      const Slots::Lease lease(slots);
      for (int64_t item = begin; item < end; ++item) run_item(item, size, biases, lease.as<T>());
    });
    if (chunks_ > 1) {
      add_up(partial_, size, c_.dweight);
      if (biases) add_up(partial_ + chunks_ * size, biases, c_.dbias);
    }
  }

 private:
  static constexpr int64_t kSize = Vec<T>::size;
  static constexpr int64_t kPositions = 1024;  // that a tile runs over before it is reduced
  static constexpr int64_t kItems = 8;
  static constexpr int64_t kPartialBytes = 4 << 20;  // of all partial results together

  void choose_blocks(int64_t size) {
    const int64_t pitch = layout_.pitch();
    block_ = std::clamp<int64_t>(kPositions / pitch, 1, w_.p);
    blocks_ = divide_up(w_.p, block_);
    block_ = divide_up(w_.p, blocks_);
    together_ = blocks_ > 1 ? 1 : std::clamp<int64_t>(kPositions / (w_.p * pitch), 1, c_.samples);
    const int64_t units = divide_up(c_.samples, together_) * blocks_;
    const int64_t macs = std::max<int64_t>(1, c_.m * k_ * w_.p * pitch);  // of a sample and group
    chunks_ = std::clamp<int64_t>(c_.samples * c_.groups * macs / kChunkMacs, 1, kItems);
    chunks_ = std::min({chunks_, units,
                        std::max<int64_t>(1, kPartialBytes / std::max<int64_t>(1, size) /
                                                 static_cast<int64_t>(sizeof(T)))});
    if (c_.groups >= 2 * kItems) chunks_ = 1;
    chunk_ = divide_up(units, chunks_);
    chunks_ = divide_up(units, chunk_);
    channels_ = w_.channels;
    if (c_.groups * chunks_ < kItems) {
      const int64_t most =
          std::min(divide_up(kItems, c_.groups * chunks_), c_.samples * macs / kChunkMacs + 1);
      channels_ = std::max(divide_up(w_.channels, most), divide_up(4 * kDotCols, w_.n_taps));
      channels_ = std::min(channels_, w_.channels);
    }
    channel_blocks_ = channels_ > 0 ? divide_up(w_.channels, channels_) : 1;
  }

  void run_item(int64_t item, int64_t size, int64_t biases, T* scratch) const {
    const int64_t chunk = item % chunks_, channel_block = item / chunks_ % channel_blocks_;
    const int64_t group = item / (chunks_ * channel_blocks_);
    const int64_t first_channel = channel_block * channels_;
    const int64_t channels = std::min(channels_, w_.channels - first_channel);
    const int64_t units = divide_up(c_.samples, together_) * blocks_, begin = chunk * chunk_;
    const int64_t end = std::min(units, begin + chunk_);
    T* const out = (partial_ ? partial_ + chunk * size : c_.dweight) + group * c_.m * k_ +
                   first_channel * w_.n_taps;
    T* const bias =
        !c_.dbias || channel_block > 0
            ? nullptr
            : (partial_ ? partial_ + chunks_ * size + chunk * biases : c_.dbias) + group * c_.m;
    T* const u_scratch = scratch + together_ * copy_;
    const int64_t plane = w_.p * w_.q;
    const int64_t m_step = divide_up(c_.m, divide_up(c_.m, kDotRows));
    for (int64_t unit = begin; unit < end; ++unit) {
      const int64_t n0 = unit / blocks_ * together_, row = unit % blocks_ * block_;
      const int64_t rows = std::min(block_, w_.p - row);
      DotArgs<T> t;
      t.repeats = std::min(together_, c_.samples - n0);
      t.length = layout_.positions(rows);
      t.out_row = k_;
      t.accumulate = unit > begin;
      t.v_repeat = layout_.in_place() ? c_.groups * w_.channels * w_.h * w_.w : copy_;
      t.u_repeat = u_in_place_ ? c_.groups * c_.m * plane : u_copy_;
      t.u_row = u_row_;
      const T *u = nullptr, *v = nullptr;
      for (int64_t s = 0; s < t.repeats; ++s) {
        const int64_t at = (n0 + s) * c_.groups + group;
        const T* const x = c_.src + (at * w_.channels + first_channel) * w_.h * w_.w;
        const T* const loaded = layout_.load(x, channels, row, rows, scratch + s * copy_);
        const T* const dy = c_.dy + at * c_.m * plane + row * w_.q;
        if (bias) add_bias(dy, rows * w_.q, bias, t.accumulate || s > 0);
        if (!u_in_place_) widen(dy, rows, u_scratch + s * u_copy_);
        if (s > 0) continue;
        v = loaded;
        u = u_in_place_ ? dy : u_scratch;
      }
      for (int64_t i = 0; i < c_.m; i += m_step) {
        const int64_t r = std::min(m_step, c_.m - i);
        const int64_t all = channels * w_.n_taps, step = dot_cols(static_cast<int>(r));
        t.u = u + i * t.u_row;
        t.v = v;
        for (int64_t j = 0; j < all; j += step) {
          t.offset = offset_ + j;
          t.out = out + i * k_ + j;
          dot_tile<T>(r, std::min(step, all - j))(t);
        }
      }
    }
  }

  void add_bias(const T* dy, int64_t n, T* bias, bool accumulate) const {
    for (int64_t i = 0; i < c_.m; ++i) {
      const T sum = sum_of(dy + i * w_.p * w_.q, n);
      bias[i] = accumulate ? bias[i] + sum : sum;
    }
  }

  // dy with its rows `pitch` apart, so that positions agree with the source's; zeros between. The
  // last register of a row runs into the next, which is written later.
  void widen(const T* dy, int64_t rows, T* out) const {
    const int64_t pitch = layout_.pitch(), whole = w_.q / kSize * kSize;
    for (int64_t i = 0; i < c_.m; ++i) {
      const T* s = dy + i * w_.p * w_.q;
      T* o = out + i * u_row_;
      for (int64_t y = 0; y < rows; ++y, s += w_.q, o += pitch) {
        int64_t x = 0;
        for (; x < whole; x += kSize) Vec<T>::load(s + x).store(o + x);
        if (x < pitch) {
          Vec<T>::load(s + x, w_.q - x).store(o + x);
          x += kSize;
        }
        for (; x < pitch; x += kSize) Vec<T>(T(0)).store(o + x);
      }
    }
  }

  void add_up(const T* parts, int64_t n, T* out) const {
    context_.parallel_for(n, 16384, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; i += kSize) {
        const int64_t lanes = std::min(kSize, end - i);
        Vec<T> sum = Vec<T>::load(parts + i, lanes);
        for (int64_t c = 1; c < chunks_; ++c) sum += Vec<T>::load(parts + c * n + i, lanes);
        sum.store(out + i, lanes);
      }
    });
  }

  const Context& context_;
  const CorrelateConv<T>& c_;
  const Window& w_;
  ShiftLayout layout_;
  int64_t k_;
  int64_t block_, blocks_;  // output rows
  int64_t together_;        // samples that a tile runs over
  int64_t chunk_, chunks_;  // units of `together_` samples and one block; partial results
  int64_t channels_, channel_blocks_;
  int64_t copy_, u_copy_, u_row_;
  int64_t* offset_;
  T* partial_;
  bool u_in_place_;
};

}  // namespace

template <class T>
void correlate_conv(const Context& context, const CorrelateConv<T>& conv) {
  CorrelateLauncher<T>(context, conv).run();
}

template void correlate_conv(const Context&, const CorrelateConv<float>&);
template void correlate_conv(const Context&, const CorrelateConv<double>&);

}  // namespace fastdl::cpu
