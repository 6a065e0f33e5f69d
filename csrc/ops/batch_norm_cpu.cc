// Batch normalisation over x[n, c, inner], together with the activation and the addition that may
// follow it.
//
// In images whose channels lie apart (inner > 1), a channel that fits in the caches is worked on
// from beginning to end: the sums (cpu/channel_sums.h), then the result, which reads the channel
// for the second time from the cache. Memory is thus read once and written once. Elsewhere the sums
// of all channels come first, and memory is read twice.
#include "ops/batch_norm.h"

#include <tuple>

#include "core/dtype.h"
#include "cpu/channel_sums.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 32768;                       // elements worth a chunk of threads
constexpr int64_t kCached = int64_t{4} << 20;          // bytes of a channel that the caches keep
constexpr int64_t kFewChannels = 8;                    // not enough for threads to have one each
constexpr int64_t kManyChannels = 32, kPipelined = 4;  // channels that a chunk takes, if there are

int64_t grain(int64_t work) { return std::max<int64_t>(1, kWork / std::max<int64_t>(work, 1)); }

// Calls line(flat offset, first channel, elements) for runs whose elements have one channel each
// (inner = 1) or all the same one.
template <class Line>
void for_lines(const Context& context, const Channels& s, Line line) {
  const int64_t length = s.inner > 1 ? s.inner : s.c, lines = s.inner > 1 ? s.n * s.c : s.n;
  if (length == 0) return;
  context.parallel_for(lines, grain(length + 16), [&](int64_t begin, int64_t end) {
    int64_t channel = s.inner > 1 ? begin % s.c : 0;
    for (int64_t i = begin; i < end; ++i) {
      line(i * length, channel, length);
      if (s.inner > 1 && ++channel == s.c) channel = 0;
    }
    stream_end();
  });
}

// The two sums per channel: rows(channel, begin, end, total) adds those of samples, columns(channel,
// width, begin, end, a, b) makes those of neighbouring channels, merge(total, elements, a, b) adds
// up chunks in order, finish(channel, total) takes the sums, and line then makes the result.
template <class Total, class Rows, class Columns, class Merge, class Finish, class Line>
void for_channels(const Context& context, const Channels& s, int64_t bytes, Rows rows,
                  Columns columns, Merge merge, Finish finish, Line line) {
  if (s.inner > 1 && s.c >= kFewChannels && s.n * s.inner * bytes <= kCached) {
    // Two channels at a time: while one is read for its sums, the one before it is written, so that
    // memory is busy in both directions.
    const int64_t together =
        std::max(s.c >= kManyChannels ? kPipelined : int64_t{1}, grain(s.n * s.inner));
    const int64_t step = std::max<int64_t>(1, kChannelBlock / s.inner);
    return context.parallel_for(s.c, together, [&](int64_t begin, int64_t end) {
      for (int64_t c = begin; c <= end; ++c) {
        Total total;
        for (int64_t i = 0; i < s.n; i += step) {
          const int64_t j = std::min(s.n, i + step);
          if (c < end) rows(c, i, j, total);
          if (c > begin)
            for (int64_t r = i; r < j; ++r) line((r * s.c + c - 1) * s.inner, c - 1, s.inner);
        }
        if (c < end) finish(c, total);
      }
      stream_end();
    });
  }
  const Cut part = cut_samples(s);
  const int64_t width = std::min(s.c, kChannelTile);
  const int64_t tiles = s.inner > 1 ? s.c : (s.c + kChannelTile - 1) / kChannelTile;
  Scratch scratch(context, static_cast<size_t>(2 * s.c * part.chunks) * sizeof(double));
  double* const first = scratch.as<double>();
  double* const second = first + s.c * part.chunks;
  context.parallel_for(
      tiles * part.chunks, grain(part.rows * (s.inner > 1 ? s.inner : width)),
      [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          const int64_t chunk = item % part.chunks, tile = item / part.chunks;
          const int64_t i = chunk * part.rows, j = std::min(s.n, i + part.rows);
          if (s.inner > 1) {
            Total total;
            rows(tile, i, j, total);
            std::tie(first[chunk * s.c + tile], second[chunk * s.c + tile]) = total.sums();
            continue;
          }
          const int64_t channel = tile * kChannelTile, at = chunk * s.c + channel;
          columns(channel, std::min(kChannelTile, s.c - channel), i, j, &first[at], &second[at]);
        }
      });
  for (int64_t c = 0; c < s.c; ++c) {
    Total total;
    for (int64_t k = 0; k < part.chunks; ++k)
      merge(total, std::min(part.rows, s.n - k * part.rows) * s.inner, first[k * s.c + c],
            second[k * s.c + c]);
    finish(c, total);
  }
  for_lines(context, s, line);
}

// Whether a result of these shapes is streamed.
template <class S>
bool streams_lines(const Channels& s, const S* y) {
  const int64_t item = sizeof(S), line = (s.inner > 1 ? s.inner : s.c) * item;
  return streams(y, s.n * s.c * s.inner * item, line);
}

// kernels

// y = activation((x - mean) * scale + shift + residual) of one line.
template <class S, Activation activation, bool stream, bool each>
void normal_line(const S* x, const S* residual, S* y, int64_t n, const Compute<S>* mean,
                 const Compute<S>* scale, const Compute<S>* shift, Compute<S> slope) {
  using C = Compute<S>;
  using V = Vec<C>;
  const V m0(*mean), k0(*scale), b0(*shift);
  const auto run = [&](auto adds) {
    for_packs<V>(n, [&](int64_t i, auto count) {
      const auto of = [&](V all, const C* one) {
        return each ? load_pack(one + i, count, C(0)) : all;
      };
      V v = (load_pack(x + i, count, C(0)) - of(m0, mean)) * of(k0, scale) + of(b0, shift);
      if constexpr (adds) v += load_pack(residual + i, count, C(0));
      put_pack<stream>(activate(v, activation, slope), y + i, count);
    });
  };
  with_flag(residual != nullptr, run);
}

// dx = a * g + b * (x - mean) + d of one line, g being the gradient through the activation, which
// is also the residual's.
template <class S, Activation activation, bool stream, bool each>
void gradient_line(const S* x, const Incoming<S, activation>& incoming, int64_t at, S* dx,
                   S* dresidual, int64_t n, const Compute<S>* mean, const Compute<S>* a,
                   const Compute<S>* b, const Compute<S>* d) {
  using C = Compute<S>;
  using V = Vec<C>;
  const V m0(*mean), a0(*a), b0(*b), d0(*d);
  for_packs<V>(n, [&](int64_t i, auto count) {
    const auto of = [&](V all, const C* one) {
      return each ? load_pack(one + i, count, C(0)) : all;
    };
    const V g = incoming.load(at + i, count);
    if (dresidual) put_pack<stream>(g, dresidual + at + i, count);
    if (!dx) return;
    const V v = load_pack(x + at + i, count, C(0)) - of(m0, mean);
    put_pack<stream>(of(a0, a) * g + (of(b0, b) * v + of(d0, d)), dx + at + i, count);
  });
}

// launchers

// Calls f(line), line(flat offset, channel, elements) being normal_line over the tensors.
template <class S, class F>
void with_normal_line(const Channels& s, const S* x, const Epilogue& e, S* y,
                      const Compute<S>* mean, const Compute<S>* scale, const Compute<S>* shift,
                      F f) {
  const S* const residual = static_cast<const S*>(e.residual);
  const auto slope = static_cast<Compute<S>>(e.slope);
  with_activation(e.activation, [&](auto activation) {
    with_flag(streams_lines(s, y), [&](auto stream) {
      with_flag(s.inner == 1, [&](auto each) {
        f([&, residual, slope](int64_t at, int64_t c, int64_t n) {
          normal_line<S, activation, stream, each>(x + at, residual ? residual + at : nullptr,
                                                   y + at, n, mean + c, scale + c, shift + c,
                                                   slope);
        });
      });
    });
  });
}

template <class S>
void forward(const Context& context, const BatchNormShape& shape, double eps, const void* x_,
             const void* weight_, const Epilogue& epilogue, void* y_, void* mean_, void* variance_,
             void* rstd_) {
  using C = Compute<S>;
  const Channels s{shape.n, shape.c, shape.inner};
  const S* const x = static_cast<const S*>(x_);
  const C* const weight = static_cast<const C*>(weight_);
  const C* const bias = static_cast<const C*>(epilogue.bias);
  C* const mean = static_cast<C*>(mean_);
  C* const variance = static_cast<C*>(variance_);
  C* const rstd = static_cast<C*>(rstd_);
  Scratch scratch(context, static_cast<size_t>(2 * s.c) * sizeof(C));
  C* const scale = scratch.as<C>();
  C* const shift = scale + s.c;
  with_normal_line(s, x, epilogue, static_cast<S*>(y_), mean, scale, shift, [&](auto line) {
    for_channels<Moments>(
        context, s, 2 * sizeof(S),
        [&](int64_t c, int64_t begin, int64_t end, Moments& total) {
          add_row_moments(s, x + c * s.inner, begin, end, total);
        },
        [&](int64_t c, int64_t width, int64_t begin, int64_t end, double* m, double* q) {
          column_moments(s, x + c, width, begin, end, m, q);
        },
        [](Moments& total, int64_t count, double m, double q) {
          total.merge(static_cast<double>(count), m, q);
        },
        [&](int64_t c, const Moments& total) {
          mean[c] = static_cast<C>(total.mean);
          variance[c] = static_cast<C>(total.count > 0 ? total.squares / total.count : 0.0);
          rstd[c] = static_cast<C>(1 / std::sqrt(static_cast<double>(variance[c]) + eps));
          scale[c] = weight ? rstd[c] * weight[c] : rstd[c];
          shift[c] = bias ? bias[c] : C(0);
        },
        line);
  });
}

template <class S>
void apply(const Context& context, const BatchNormShape& shape, const void* x, const void* mean,
           const void* rstd_, const void* weight_, const Epilogue& epilogue, void* y) {
  using C = Compute<S>;
  const Channels s{shape.n, shape.c, shape.inner};
  const C* const rstd = static_cast<const C*>(rstd_);
  const C* const weight = static_cast<const C*>(weight_);
  const C* const bias = static_cast<const C*>(epilogue.bias);
  Scratch scratch(context, static_cast<size_t>(2 * s.c) * sizeof(C));
  C* const scale = scratch.as<C>();
  C* const shift = scale + s.c;
  for (int64_t c = 0; c < s.c; ++c) {
    scale[c] = weight ? rstd[c] * weight[c] : rstd[c];
    shift[c] = bias ? bias[c] : C(0);
  }
  with_normal_line(s, static_cast<const S*>(x), epilogue, static_cast<S*>(y),
                   static_cast<const C*>(mean), scale, shift,
                   [&](auto line) { for_lines(context, s, line); });
}

template <class S>
void backward(const Context& context, const BatchNormShape& shape, const BatchNormGradient& g) {
  using C = Compute<S>;
  const Channels s{shape.n, shape.c, shape.inner};
  const S* const x = static_cast<const S*>(g.x);
  const C* const mean = static_cast<const C*>(g.mean);
  const C* const rstd = static_cast<const C*>(g.rstd);
  const C* const weight = static_cast<const C*>(g.weight);
  S* const dx = static_cast<S*>(g.dx);
  S* const dresidual = static_cast<S*>(g.dresidual);
  C* const dweight = static_cast<C*>(g.dweight);
  C* const dbias = static_cast<C*>(g.dbias);

  Scratch scratch(context, static_cast<size_t>(3 * s.c) * sizeof(C));
  C* const a = scratch.as<C>();
  C* const b = a + s.c;
  C* const d = b + s.c;
  for (int64_t c = 0; c < s.c; ++c) a[c] = weight ? rstd[c] * weight[c] : rstd[c], b[c] = d[c] = 0;
  const bool sums = g.training || dweight || dbias, elements = dx || dresidual;
  const double count = static_cast<double>(s.n * s.inner);
  const bool large = (!dx || streams_lines(s, dx)) && (!dresidual || streams_lines(s, dresidual));
  with_activation(g.activation, [&](auto activation) {
    const Incoming<S, activation> incoming{static_cast<const S*>(g.dy), static_cast<const S*>(g.y),
                                           static_cast<C>(g.slope)};
    with_flag(large, [&](auto stream) {
      with_flag(s.inner == 1, [&](auto each) {
        const auto line = [&](int64_t at, int64_t c, int64_t n) {
          if (elements)
            gradient_line<S, activation, stream, each>(x, incoming, at, dx, dresidual, n, mean + c,
                                                       a + c, b + c, d + c);
        };
        if (!sums) return for_lines(context, s, line);
        for_channels<Dots>(
            context, s, (g.y ? 4 : 3) * sizeof(S),
            [&](int64_t c, int64_t begin, int64_t end, Dots& total) {
              add_row_dots(s, x, incoming, c * s.inner, mean[c], begin, end, total);
            },
            [&](int64_t c, int64_t width, int64_t begin, int64_t end, double* sum, double* dot) {
              column_dots(s, x, incoming, c, mean + c, width, begin, end, sum, dot);
            },
            [](Dots& total, int64_t, double sum, double dot) { total.g += sum, total.g_x += dot; },
            [&](int64_t c, const Dots& total) {
              if (dweight) dweight[c] = static_cast<C>(total.g_x * rstd[c]);
              if (dbias) dbias[c] = static_cast<C>(total.g);
              if (!g.training || count == 0) return;
              b[c] = static_cast<C>(-a[c] * total.g_x * rstd[c] * rstd[c] / count);
              d[c] = static_cast<C>(-a[c] * total.g / count);
            },
            line);
      });
    });
  });
}

}  // namespace

void register_batch_norm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<batch_norm_forward>(dtype_of<T>::value, forward<T>);
    registry.add<batch_norm_apply>(dtype_of<T>::value, apply<T>);
    registry.add<batch_norm_backward>(dtype_of<T>::value, backward<T>);
  });
}

}  // namespace fastdl::cpu
