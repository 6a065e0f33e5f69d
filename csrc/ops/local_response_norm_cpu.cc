// Local response normalisation across channels. A few pixels of all channels are taken at a time, so
// that the channels of a window are in the first-level cache, however far apart they lie in memory.
#include "ops/local_response_norm.h"

#include <algorithm>

#include "core/dtype.h"
#include "cpu/reduce.h"
#include "cpu/register.h"
#include "cpu/slots.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 16384;                        // elements worth a chunk of threads
constexpr int64_t kTile = 32768;                        // elements that stay in the caches
constexpr int64_t kFewPixels = 64, kManyPixels = 1024;  // of a tile

// A tile's channels: channel c of its `pixels` is at c * stride.
struct Tile {
  int64_t channels, stride, pixels;
};

// s of channel c and the pixels [i, i + m).
template <class S, class M>
inline Vec<Compute<S>> scale_of(const ResponseShape& s, const Tile& t, const S* x, int64_t c,
                                int64_t i, M m) {
  using C = Compute<S>;
  using V = Vec<C>;
  V sum(C(0));
  const int64_t last = std::min(t.channels - 1, c + s.after);
  for (int64_t j = std::max<int64_t>(0, c - s.before); j <= last; ++j) {
    const V v = load_pack(x + j * t.stride + i, m, C(0));
    sum += v * v;
  }
  return sum * static_cast<C>(s.alpha) + static_cast<C>(s.k);
}

template <class C>
inline Vec<C> power(Vec<C> scale, double exponent) {
  return exp(log(scale) * static_cast<C>(exponent));
}

// kernels

template <class S>
void normal_tile(const ResponseShape& s, const Tile& t, const S* x, S* y) {
  using C = Compute<S>;
  using V = Vec<C>;
  for (int64_t c = 0; c < t.channels; ++c)
    for_packs<V>(t.pixels, [&](int64_t i, auto m) {
      const V v = load_pack(x + c * t.stride + i, m, C(0));
      store_pack(v * power<C>(scale_of(s, t, x, c, i, m), -s.beta), y + c * t.stride + i, m);
    });
}

// `terms`, of the tile's size, are dy x / s^(beta + 1).
template <class S>
void gradient_tile(const ResponseShape& s, const Tile& t, const S* x, const S* dy, S* dx,
                   Compute<S>* terms) {
  using C = Compute<S>;
  using V = Vec<C>;
  for (int64_t c = 0; c < t.channels; ++c)
    for_packs<V>(t.pixels, [&](int64_t i, auto m) {
      const int64_t at = c * t.stride + i;
      const V scale = scale_of(s, t, x, c, i, m), g = load_pack(dy + at, m, C(0));
      const V direct = g * power<C>(scale, -s.beta);
      store_pack(direct * load_pack(x + at, m, C(0)) / scale, terms + c * t.pixels + i, m);
    });
  const C factor = static_cast<C>(-2 * s.alpha * s.beta);
  for (int64_t c = 0; c < t.channels; ++c)
    for_packs<V>(t.pixels, [&](int64_t i, auto m) {
      const int64_t at = c * t.stride + i, last = std::min(t.channels - 1, c + s.before);
      V sum(C(0));
      for (int64_t j = std::max<int64_t>(0, c - s.after); j <= last; ++j)
        sum += load_pack(terms + j * t.pixels + i, m, C(0));
      const V g = load_pack(dy + at, m, C(0));
      const V direct = g * power<C>(scale_of(s, t, x, c, i, m), -s.beta);
      store_pack(direct + load_pack(x + at, m, C(0)) * sum * factor, dx + at, m);
    });
}

// launchers

// How the tensor is cut into tiles of up to `pixels` of one sample.
struct Tiles {
  const ResponseShape& s;
  int64_t per_sample, pixels, grain;

  explicit Tiles(const ResponseShape& shape) : s(shape) {
    const int64_t channels = std::max<int64_t>(s.c, 1);
    const int64_t most = std::clamp(kTile / channels / 64 * 64, kFewPixels, kManyPixels);
    per_sample = (s.inner + most - 1) / most;
    pixels = per_sample ? (s.inner + per_sample - 1) / per_sample : 0;
    grain = std::max<int64_t>(1, kWork / (channels * pixels + 1));
  }
  int64_t count() const { return s.n * per_sample; }
  int64_t chunks() const { return (count() + grain - 1) / grain; }
  Tile tile(int64_t i) const {
    return {s.c, s.inner, std::min(pixels, s.inner - i % per_sample * pixels)};
  }
  int64_t offset(int64_t i) const {
    return i / per_sample * s.c * s.inner + i % per_sample * pixels;
  }
};

template <class S>
void forward(const Context& context, const ResponseShape& s, const void* x_, void* y_) {
  const S* const x = static_cast<const S*>(x_);
  S* const y = static_cast<S*>(y_);
  const Tiles tiles(s);
  context.parallel_for(tiles.count(), tiles.grain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      normal_tile(s, tiles.tile(i), x + tiles.offset(i), y + tiles.offset(i));
  });
}

template <class S>
void backward(const Context& context, const ResponseShape& s, const void* x_, const void* dy_,
              void* dx_) {
  using C = Compute<S>;
  const S* const x = static_cast<const S*>(x_);
  const S* const dy = static_cast<const S*>(dy_);
  S* const dx = static_cast<S*>(dx_);
  const Tiles tiles(s);
  Slots slots(context, tiles.chunks(), static_cast<size_t>(s.c * tiles.pixels) * sizeof(C));
  context.parallel_for(tiles.count(), tiles.grain, [&](int64_t begin, int64_t end) {
    const Slots::Lease terms(slots);
    for (int64_t i = begin; i < end; ++i) {
      const int64_t at = tiles.offset(i);
      gradient_tile(s, tiles.tile(i), x + at, dy + at, dx + at, terms.template as<C>());
    }
  });
}

}  // namespace

void register_local_response_norm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<local_response_forward>(dtype_of<T>::value, forward<T>);
    registry.add<local_response_backward>(dtype_of<T>::value, backward<T>);
  });
}

}  // namespace fastdl::cpu
