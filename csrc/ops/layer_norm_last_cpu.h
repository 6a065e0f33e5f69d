// Group and instance norm of images in channels-last: a few groups of a sample at a time, whose sums
// are taken with lanes along the channels (cpu/channel_sums.h). What was read for the sums is in the
// caches when the result is made.
#pragma once

#include "cpu/channel_sums.h"
#include "cpu/slots.h"
#include "ops/layer_norm.h"

namespace fastdl::cpu {

// How a sample is cut: tiles of whole groups, of about as many channels as are worth reading in one
// go.
template <class S>
class GroupTiles {
 public:
  static constexpr int64_t kWork = 16384;               // elements worth a chunk of threads
  static constexpr int64_t kBytes = 256;                // of a pixel's channels in a tile
  static constexpr int64_t kWide = kBytes / sizeof(S);  // channels
  using C = Compute<S>;

  explicit GroupTiles(const LastNormShape& s)
      : s_(s),
        own_(s.channels / s.groups),
        groups_(std::max<int64_t>(1, kWide / own_)),
        tiles_((s.groups + groups_ - 1) / groups_) {}

  int64_t own() const { return own_; }  // channels of a group
  bool streams_to(const S* y) const {
    const int64_t item = sizeof(S);
    return streams(y, s_.samples * s_.pixels * s_.channels * item, s_.channels * item) &&
           groups_ * own_ * item % 64 == 0;
  }

  // What a tile needs to remember of each channel.
  struct Memory {
    double *first, *second;
    C *centre, *scale, *slope, *shift;
  };

  // f(sample, first group, groups, memory) for all tiles.
  template <class F>
  void each(const Context& context, F f) const {
    const int64_t most = std::min(groups_, s_.groups) * own_, count = s_.samples * tiles_;
    const int64_t grain = std::max<int64_t>(1, kWork / (most * s_.pixels));
    Slots slots(context, (count + grain - 1) / grain,
                static_cast<size_t>(most) * (2 * sizeof(double) + 4 * sizeof(C)));
    context.parallel_for(count, grain, [&](int64_t begin, int64_t end) {
      const Slots::Lease lease(slots);
      double* const sums = lease.template as<double>();
      C* const c = static_cast<C*>(static_cast<void*>(sums + 2 * most));
      const Memory memory{sums, sums + most, c, c + most, c + 2 * most, c + 3 * most};
      for (int64_t i = begin; i < end; ++i) {
        const int64_t group = i % tiles_ * groups_;
        f(i / tiles_, group, std::min(groups_, s_.groups - group), memory);
      }
      stream_end();
    });
  }

 private:
  const LastNormShape& s_;
  int64_t own_, groups_, tiles_;
};

template <class S>
void last_forward(const Context& context, const LastNormShape& s, double eps, const void* x_,
                  const void* weight_, const void* bias_, void* y_, void* mean_, void* rstd_) {
  using C = Compute<S>;
  using V = Vec<C>;
  const S* const x = static_cast<const S*>(x_);
  const C* const weight = static_cast<const C*>(weight_);
  const C* const bias = static_cast<const C*>(bias_);
  S* const y = static_cast<S*>(y_);
  C* const mean = static_cast<C*>(mean_);
  C* const rstd = static_cast<C*>(rstd_);
  const GroupTiles<S> tiles(s);
  const Channels sample{s.pixels, s.channels, 1};
  const int64_t own = tiles.own();
  const auto run = [&](auto stream) {
    tiles.each(context, [&](int64_t n, int64_t group, int64_t groups, const auto& of) {
      const int64_t channel = group * own, width = groups * own;
      const int64_t base = n * s.pixels * s.channels + channel;
      for (int64_t k = 0; k < width; k += kChannelTile)
        column_moments(sample, x + base + k, std::min(kChannelTile, width - k), 0, s.pixels,
                       of.first + k, of.second + k);
      for (int64_t g = 0; g < groups; ++g) {
        Moments total;
        for (int64_t k = g * own; k < (g + 1) * own; ++k)
          total.merge(static_cast<double>(s.pixels), of.first[k], of.second[k]);
        const int64_t at = n * s.groups + group + g;
        mean[at] = static_cast<C>(total.mean);
        rstd[at] = static_cast<C>(1 / std::sqrt(total.squares / total.count + eps));
        for (int64_t k = g * own; k < (g + 1) * own; ++k) {
          of.centre[k] = mean[at];
          of.scale[k] = weight ? rstd[at] * weight[channel + k] : rstd[at];
          of.shift[k] = bias ? bias[channel + k] : C(0);
        }
      }
      for_channel_groups<V>(width, [&](int64_t k, auto m, auto registers) {
        constexpr int count = registers;
        V centre[count], scale[count], shift[count];
        for (int j = 0; j < count; ++j) {
          centre[j] = load_pack(of.centre + k + j * V::size, m, C(0));
          scale[j] = load_pack(of.scale + k + j * V::size, m, C(0));
          shift[j] = load_pack(of.shift + k + j * V::size, m, C(0));
        }
        for (int64_t p = 0, at = base + k; p < s.pixels; ++p, at += s.channels)
          for (int j = 0; j < count; ++j) {
            const V v = load_pack(x + at + j * V::size, m, C(0)) - centre[j];
            put_pack<stream>(v * scale[j] + shift[j], y + at + j * V::size, m);
          }
      });
    });
  };
  with_flag(tiles.streams_to(y), run);
}

template <class S>
void last_backward(const Context& context, const LastNormShape& s, const void* x_, const void* dy_,
                   const void* mean_, const void* rstd_, const void* weight_, void* dx_,
                   void* dweight_, void* dbias_) {
  using C = Compute<S>;
  using V = Vec<C>;
  const S* const x = static_cast<const S*>(x_);
  const S* const dy = static_cast<const S*>(dy_);
  const C* const mean = static_cast<const C*>(mean_);
  const C* const rstd = static_cast<const C*>(rstd_);
  const C* const weight = static_cast<const C*>(weight_);
  S* const dx = static_cast<S*>(dx_);
  C* const dweight = static_cast<C*>(dweight_);
  C* const dbias = static_cast<C*>(dbias_);
  const Incoming<S, Activation::none> incoming{dy, nullptr, C(0)};
  const GroupTiles<S> tiles(s);
  const Channels sample{s.pixels, s.channels, 1};
  const int64_t own = tiles.own();
  // What each sample adds to the gradients of weight and bias.
  const int64_t all = s.samples * s.channels;
  Scratch parts(context, dweight || dbias ? static_cast<size_t>(2 * all) * sizeof(double) : 0);
  double* const of_weight = parts.as<double>();
  const auto run = [&](auto stream) {
    tiles.each(context, [&](int64_t n, int64_t group, int64_t groups, const auto& of) {
      const int64_t channel = group * own, width = groups * own;
      const int64_t base = n * s.pixels * s.channels + channel;
      const C* const means = mean + n * s.groups + group;
      const C* const rstds = rstd + n * s.groups + group;
      for (int64_t k = 0; k < width; ++k) of.centre[k] = means[k / own];
      for (int64_t k = 0; k < width; k += kChannelTile)
        column_dots(sample, x, incoming, base + k, of.centre + k, std::min(kChannelTile, width - k),
                    0, s.pixels, of.first + k, of.second + k);
      for (int64_t k = 0; of_weight && k < width; ++k) {
        of_weight[n * s.channels + channel + k] =
            of.second[k] * static_cast<double>(rstds[k / own]);
        of_weight[all + n * s.channels + channel + k] = of.first[k];
      }
      if (!dx) return;
      const double count = static_cast<double>(s.pixels * own);
      for (int64_t g = 0; g < groups; ++g) {
        const double r = static_cast<double>(rstds[g]);
        double sum = 0, dot = 0;
        for (int64_t k = g * own; k < (g + 1) * own; ++k) {
          const double w = weight ? static_cast<double>(weight[channel + k]) : 1.0;
          sum += w * of.first[k], dot += w * of.second[k];
          of.scale[k] = static_cast<C>(w * r);
        }
        std::fill_n(of.slope + g * own, own, static_cast<C>(-r * r * r * dot / count));
        std::fill_n(of.shift + g * own, own, static_cast<C>(-r * sum / count));
      }
      for_channel_groups<V>(width, [&](int64_t k, auto m, auto registers) {
        constexpr int count = registers;
        V centre[count], scale[count], slope[count], shift[count];
        for (int j = 0; j < count; ++j) {
          centre[j] = load_pack(of.centre + k + j * V::size, m, C(0));
          scale[j] = load_pack(of.scale + k + j * V::size, m, C(0));
          slope[j] = load_pack(of.slope + k + j * V::size, m, C(0));
          shift[j] = load_pack(of.shift + k + j * V::size, m, C(0));
        }
        for (int64_t p = 0, at = base + k; p < s.pixels; ++p, at += s.channels)
          for (int j = 0; j < count; ++j) {
            const V g = load_pack(dy + at + j * V::size, m, C(0));
            const V v = load_pack(x + at + j * V::size, m, C(0)) - centre[j];
            put_pack<stream>(scale[j] * g + (slope[j] * v + shift[j]), dx + at + j * V::size, m);
          }
      });
    });
  };
  with_flag(dx && tiles.streams_to(dx), run);
  for (C* const result : {dweight, dbias})
    for (int64_t c = 0; result && c < s.channels; ++c) {
      const double* const from = of_weight + (result == dbias ? all : 0) + c;
      double sum = 0;
      for (int64_t n = 0; n < s.samples; ++n) sum += from[n * s.channels];
      result[c] = static_cast<C>(sum);
    }
}

}  // namespace fastdl::cpu
