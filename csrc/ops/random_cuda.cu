// Draws from the counter-based generator (core/rng.h): one thread per Philox block, so that an
// element's number depends on its index alone and is the one that the CPU draws.
#include <cmath>
#include <limits>

#include "core/dtype.h"
#include "core/rng.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "ops/random.h"

namespace fastdl::cuda {
namespace {

// kernels (each makes `kCount` elements out of one block)

template <class T>
struct Uniform {
  static constexpr int kCount = 4;
  using X = Compute<T>;
  X low, scale, last;
  __device__ void operator()(const PhiloxBlock& block, T (&y)[kCount]) const {
    for (int i = 0; i < kCount; ++i) {
      const X v = low + scale * X(uniform_of(block.word[i]));
      y[i] = T(v > last ? last : v);
    }
  }
};

// Box and Muller, 1958. The radius comes from (0, 1], so that its logarithm is finite.
template <class T>
struct Normal {
  static constexpr int kCount = 4;
  using X = Compute<T>;
  X mean, deviation;
  __device__ void operator()(const PhiloxBlock& block, T (&y)[kCount]) const {
    for (int i = 0; i < kCount; i += 2) {
      const X radius = std::sqrt(X(-2) * std::log(X(1) - X(uniform_of(block.word[i]))));
      const X angle = X(6.283185307179586477) * X(uniform_of(block.word[i + 1]));
      y[i] = T(mean + deviation * (radius * std::cos(angle)));
      y[i + 1] = T(mean + deviation * (radius * std::sin(angle)));
    }
  }
};

template <class T>
struct Bernoulli {
  static constexpr int kCount = 4;
  uint32_t limit;  // uniform < p, in the integers from which the uniform number is made
  T value;
  __device__ void operator()(const PhiloxBlock& block, T (&y)[kCount]) const {
    for (int i = 0; i < kCount; ++i) y[i] = block.word[i] >> 8 < limit ? value : T(0.f);
  }
};

struct Integers {
  static constexpr int kCount = 2;
  uint64_t low, range;
  __device__ void operator()(const PhiloxBlock& block, int64_t (&y)[kCount]) const {
    for (int i = 0; i < kCount; ++i) {
      // The upper 64 bits of (word 2i, word 2i + 1) * range, by halves of 32.
      const uint64_t r0 = range & 0xffffffffu, r1 = range >> 32;
      const uint64_t w1 = block.word[2 * i], w0 = block.word[2 * i + 1];
      const uint64_t middle = w1 * r0 + (w0 * r0 >> 32);
      const uint64_t cross = w0 * r1 + (middle & 0xffffffffu);
      y[i] = static_cast<int64_t>(low + w1 * r1 + (middle >> 32) + (cross >> 32));
    }
  }
};

template <class Draw, class T>
__global__ void __launch_bounds__(kBlock)
    random_kernel(uint64_t seed, uint64_t offset, int64_t n, Draw draw, bool vector, T* y) {
  constexpr int kCount = Draw::kCount;
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i * kCount < n;
       i += threads) {
    Pack<T, kCount> out;
    draw(philox(seed, offset + static_cast<uint64_t>(i)), out.v);
    T* const to = y + i * kCount;
    if (vector && (i + 1) * kCount <= n) {
      store_pack<kCount>(to, out);
    } else {
      for (int v = 0; v < kCount; ++v)
        if (i * kCount + v < n) to[v] = out.v[v];
    }
  }
}

// launchers

template <class Draw, class T>
void run(const Context& context, uint64_t seed, uint64_t offset, int64_t n, const Draw& draw,
         T* y) {
  if (n == 0) return;
  const bool vector = is_aligned(y, sizeof(T) * Draw::kCount);
  launch(context, random_kernel<Draw, T>, loop_grid(ceil_div(n, Draw::kCount)), dim3(kBlock), seed,
         offset, n, draw, vector, y);
}

// The largest number of T below x.
template <class T>
T below(double x) {
  T t = T(static_cast<Compute<T>>(x));
  if (static_cast<double>(Compute<T>(t)) < x) return t;
  if constexpr (std::is_same_v<T, Compute<T>>) {
    return std::nextafter(t, -std::numeric_limits<T>::infinity());
  } else {  // the order of 16-bit floats is that of their bits, sign and magnitude
    if ((t.bits & 0x7fff) == 0)
      t.bits = 0x8001;
    else
      t.bits = static_cast<uint16_t>(t.bits & 0x8000 ? t.bits + 1 : t.bits - 1);
    return t;
  }
}

template <class T>
void uniform_launch(const Context& context, uint64_t seed, uint64_t offset, int64_t n, double low,
                    double high, void* y) {
  using X = Compute<T>;
  const X start = static_cast<X>(low);
  // Rounding could reach `high` itself, which the interval leaves out.
  const Uniform<T> draw{start, static_cast<X>(high - low), high > low ? X(below<T>(high)) : start};
  run(context, seed, offset, n, draw, static_cast<T*>(y));
}

template <class T>
void normal_launch(const Context& context, uint64_t seed, uint64_t offset, int64_t n, double mean,
                   double std, void* y) {
  using X = Compute<T>;
  const Normal<T> draw{static_cast<X>(mean), static_cast<X>(std)};
  run(context, seed, offset, n, draw, static_cast<T*>(y));
}

template <class T>
void bernoulli_launch(const Context& context, uint64_t seed, uint64_t offset, int64_t n, double p,
                      double value, void* y) {
  const double limit = std::ceil(std::fmin(std::fmax(p, 0), 1) * 16777216);  // 2^24
  const Bernoulli<T> draw{static_cast<uint32_t>(limit), T(static_cast<Compute<T>>(value))};
  run(context, seed, offset, n, draw, static_cast<T*>(y));
}

void integers_launch(const Context& context, uint64_t seed, uint64_t offset, int64_t n, int64_t low,
                     int64_t high, int64_t* y) {
  const uint64_t first = static_cast<uint64_t>(low);
  run(context, seed, offset, n, Integers{first, static_cast<uint64_t>(high) - first}, y);
}

}  // namespace

void register_random(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<random_uniform>(dtype_of<T>::value, uniform_launch<T>);
    registry.add<random_normal>(dtype_of<T>::value, normal_launch<T>);
    registry.add<random_bernoulli>(dtype_of<T>::value, bernoulli_launch<T>);
  });
  registry.add<random_integers>(DType::i64, integers_launch);
}

}  // namespace fastdl::cuda
