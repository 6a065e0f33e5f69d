// Draws by weight. With replacement they are independent of each other; without it a row is one
// chain, in which the chunk of the category that was drawn is summed anew.
#include "ops/sample.h"

#include <algorithm>

#include "core/dtype.h"
#include "core/weighted.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

// kernels

template <class T>
void first_outside_launch(const Context& context, int64_t n, const void* x_, double low,
                          double high, int64_t* position) {
  const T* const x = static_cast<const T*>(x_);
  const auto inside = [&](int64_t i) {
    const double v = static_cast<double>(static_cast<Compute<T>>(x[i]));
    return v >= low && v <= high;
  };
  const int64_t chunks = (n + kCheapGrain - 1) / kCheapGrain;
  const Scratch scratch(context, static_cast<size_t>(chunks) * sizeof(int64_t));
  int64_t* const first = scratch.as<int64_t>();  // of a chunk, or n
  context.parallel_for(n, kCheapGrain, [&](int64_t begin, int64_t end) {
    int64_t i = begin;
    while (i < end && inside(i)) ++i;
    first[begin / kCheapGrain] = i < end ? i : n;
  });
  *position = -1;
  for (int64_t c = 0; c < chunks && *position < 0; ++c)
    if (first[c] < n) *position = first[c];
}

template <class T>
void sum_weights(const T* weights, int64_t n, double* before) {
  before[0] = 0;
  for (int64_t c = 0; c < weight_chunks(n); ++c)
    before[c + 1] = before[c] + weight_of_chunk(weights, n, c);
}

template <class T>
void draw_with_replacement(const Context& context, uint64_t seed, uint64_t offset, int64_t rows,
                           int64_t n, int64_t samples, const T* weights, int64_t* y) {
  const int64_t sums = weight_chunks(n) + 1;
  const Scratch scratch(context, static_cast<size_t>(rows * sums) * sizeof(double));
  double* const before = scratch.as<double>();
  context.parallel_for(rows, std::max<int64_t>(1, kCostlyGrain / std::max<int64_t>(1, n)),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t r = begin; r < end; ++r)
                           sum_weights(weights + r * n, n, before + r * sums);
                       });
  context.parallel_for(rows * samples, 256, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t r = i / samples;
      const double u = fine_uniform(philox(seed, offset + static_cast<uint64_t>(i)));
      y[i] = weighted_choice(weights + r * n, n, before + r * sums, u);
    }
  });
}

template <class T>
void draw_without_replacement(const Context& context, uint64_t seed, uint64_t offset, int64_t rows,
                              int64_t n, int64_t samples, const T* weights, int64_t* y) {
  const int64_t chunks = weight_chunks(n);
  const int64_t work = n + samples * (2 * kWeightChunk + chunks);
  context.parallel_for(
      rows, std::max<int64_t>(1, kCostlyGrain / work), [&](int64_t begin, int64_t end) {
        const Scratch left_scratch(context, static_cast<size_t>(n) * sizeof(T));
        const Scratch sums_scratch(context, static_cast<size_t>(2 * chunks + 1) * sizeof(double));
        T* const left = left_scratch.template as<T>();
        double *const sums = sums_scratch.template as<double>(), *const before = sums + chunks;
        for (int64_t r = begin; r < end; ++r) {
          std::copy_n(weights + r * n, n, left);
          for (int64_t c = 0; c < chunks; ++c) sums[c] = weight_of_chunk(left, n, c);
          sum_weights(left, n, before);
          for (int64_t i = r * samples; i < (r + 1) * samples; ++i) {
            const double u = fine_uniform(philox(seed, offset + static_cast<uint64_t>(i)));
            y[i] = weighted_removal(left, n, sums, before, u);
          }
        }
      });
}

template <class T>
void multinomial_launch(const Context& context, uint64_t seed, uint64_t offset, int64_t rows,
                        int64_t n, int64_t samples, bool replacement, const void* weights,
                        int64_t* y) {
  const auto draw = replacement ? draw_with_replacement<T> : draw_without_replacement<T>;
  draw(context, seed, offset, rows, n, samples, static_cast<const T*>(weights), y);
}

}  // namespace

void register_sample(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<first_outside>(dtype_of<T>::value, first_outside_launch<T>);
  });
  registry.add<multinomial_forward>(DType::f32, multinomial_launch<float>);
  registry.add<multinomial_forward>(DType::f64, multinomial_launch<double>);
}

}  // namespace fastdl::cpu
