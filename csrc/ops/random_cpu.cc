// Draws from the counter-based generator (core/rng.h), many Philox blocks at a time.
#include "ops/random.h"

#include <cmath>

#include "core/dtype.h"
#include "core/rng.h"
#include "cpu/math.h"
#include "cpu/reduce.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int kBlocks = 64;                // Philox blocks per batch
constexpr int64_t kGrain = 128 * kBlocks;  // elements per chunk of threads: whole batches

// Words of blocks counter, counter + 1, ...: word[w][b] is word w of the b-th. The rounds run
// across the blocks, which the compiler turns into vector code.
struct Batch {
  alignas(64) uint32_t word[4][kBlocks];

  Batch(uint64_t key, uint64_t counter) {
    for (int b = 0; b < kBlocks; ++b) {
      const uint64_t at = counter + static_cast<uint64_t>(b);
      word[0][b] = static_cast<uint32_t>(at);
      word[1][b] = static_cast<uint32_t>(at >> 32);
      word[2][b] = word[3][b] = 0;
    }
    uint32_t k0 = static_cast<uint32_t>(key), k1 = static_cast<uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round, k0 += 0x9E3779B9u, k1 += 0xBB67AE85u)
      for (int b = 0; b < kBlocks; ++b) {
        const uint64_t p0 = uint64_t{0xD2511F53u} * word[0][b];
        const uint64_t p1 = uint64_t{0xCD9E8D57u} * word[2][b];
        word[0][b] = static_cast<uint32_t>(p1 >> 32) ^ word[1][b] ^ k0;
        word[2][b] = static_cast<uint32_t>(p0 >> 32) ^ word[3][b] ^ k1;
        word[1][b] = static_cast<uint32_t>(p1);
        word[3][b] = static_cast<uint32_t>(p0);
      }
  }
};

// Calls make(batch, out) for every batch, where out[w][b] becomes element 4 b + w of its part of y.
template <class T, class F>
void for_batches(const Context& context, uint64_t seed, uint64_t offset, int64_t n, T* y, F make) {
  using C = Compute<T>;
  context.parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 4 * kBlocks) {
      const Batch batch(seed, offset + static_cast<uint64_t>(i / 4));
      alignas(64) C out[4][kBlocks];
      make(batch, out);
      const int64_t m = std::min<int64_t>(4 * kBlocks, end - i);
      if (m == 4 * kBlocks) {
        for (int b = 0; b < kBlocks; ++b)
          for (int w = 0; w < 4; ++w) y[i + 4 * b + w] = T(out[w][b]);
        continue;
      }
      for (int64_t b = 0; b < m / 4; ++b)
        for (int w = 0; w < 4; ++w) y[i + 4 * b + w] = T(out[w][b]);
      for (int64_t k = m / 4 * 4; k < m; ++k) y[i + k] = T(out[k % 4][k / 4]);
    }
  });
}

// The largest number of T below x, as its compute type.
template <class T>
Compute<T> below(double x) {
  using C = Compute<T>;
  T t = T(static_cast<C>(x));
  if (static_cast<double>(static_cast<C>(t)) < x) return t;
  if constexpr (std::is_same_v<T, C>) {
    return std::nextafter(t, -std::numeric_limits<C>::infinity());
  } else {  // one step towards minus infinity in the order of the bits
    if ((t.bits & 0x7fff) == 0)
      t.bits = 0x8001;
    else
      t.bits = static_cast<uint16_t>(t.bits & 0x8000 ? t.bits + 1 : t.bits - 1);
    return t;
  }
}

// kernels

template <class T>
void uniform(const Context& context, uint64_t seed, uint64_t offset, int64_t n, double low,
             double high, void* y) {
  using C = Compute<T>;
  const C start = static_cast<C>(low), scale = static_cast<C>(high - low);
  // Rounding could reach `high` itself, which the interval leaves out.
  const C last = high > low ? below<T>(high) : start;
  for_batches(context, seed, offset, n, static_cast<T*>(y), [=](const Batch& batch, auto& out) {
    for (int w = 0; w < 4; ++w)
      for (int b = 0; b < kBlocks; ++b) {
        const C v = start + scale * static_cast<C>(uniform_of(batch.word[w][b]));
        out[w][b] = v > last ? last : v;
      }
  });
}

// Box and Muller, 1958. The radius comes from (0, 1], so that its logarithm is finite.
template <class T>
void normal(const Context& context, uint64_t seed, uint64_t offset, int64_t n, double mean,
            double std, void* y) {
  using C = Compute<T>;
  using V = Vec<C>;
  const V centre(static_cast<C>(mean)), deviation(static_cast<C>(std));
  for_batches(context, seed, offset, n, static_cast<T*>(y), [&](const Batch& batch, auto& out) {
    alignas(64) C u[4][kBlocks];
    for (int w = 0; w < 4; ++w)
      for (int b = 0; b < kBlocks; ++b) u[w][b] = static_cast<C>(uniform_of(batch.word[w][b]));
    for (int w = 0; w < 4; w += 2)
      for (int b = 0; b < kBlocks; b += V::size) {
        const V radius = sqrt(log(V(C(1)) - V::load(&u[w][b])) * C(-2));
        const V angle = V::load(&u[w + 1][b]) * static_cast<C>(6.283185307179586477);
        (centre + deviation * (radius * cos(angle))).store(&out[w][b]);
        (centre + deviation * (radius * sin(angle))).store(&out[w + 1][b]);
      }
  });
}

template <class T>
void bernoulli(const Context& context, uint64_t seed, uint64_t offset, int64_t n, double p,
               double value, void* y) {
  using C = Compute<T>;
  const C yes = static_cast<C>(value);
  // uniform < p, in the integers from which the uniform number is made.
  const int32_t limit = static_cast<int32_t>(std::ceil(std::fmin(std::fmax(p, 0), 1) * 0x1p24));
  for_batches(context, seed, offset, n, static_cast<T*>(y), [=](const Batch& batch, auto& out) {
    for (int w = 0; w < 4; ++w)
      for (int b = 0; b < kBlocks; ++b) {
        // 1 or 0 times the value, which vectorises for every width of C
        const int32_t hit = static_cast<int32_t>(batch.word[w][b] >> 8) < limit;
        out[w][b] = static_cast<C>(hit) * yes;
      }
  });
}

void integers(const Context& context, uint64_t seed, uint64_t offset, int64_t n, int64_t low,
              int64_t high, int64_t* y) {
  const uint64_t first = static_cast<uint64_t>(low), range = static_cast<uint64_t>(high) - first;
  context.parallel_for(n, kGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += 2 * kBlocks) {
      const Batch batch(seed, offset + static_cast<uint64_t>(i / 2));
      for (int64_t k = 0; k < std::min<int64_t>(2 * kBlocks, end - i); ++k) {
        const int64_t b = k / 2, w = k % 2 * 2;
        const uint64_t word = uint64_t{batch.word[w][b]} << 32 | batch.word[w + 1][b];
        __extension__ typedef unsigned __int128 Wide;
        const uint64_t top = static_cast<uint64_t>(static_cast<Wide>(word) * range >> 64);
        y[i + k] = static_cast<int64_t>(first + top);
      }
    }
  });
}

}  // namespace

void register_random(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<random_uniform>(dtype_of<T>::value, uniform<T>);
    registry.add<random_normal>(dtype_of<T>::value, normal<T>);
    registry.add<random_bernoulli>(dtype_of<T>::value, bernoulli<T>);
  });
  registry.add<random_integers>(DType::i64, integers);
}

}  // namespace fastdl::cpu
