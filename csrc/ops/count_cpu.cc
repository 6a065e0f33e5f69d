// Counting. Parts of the input have counts of their own, which are added up bin by bin; where the cuts
// are depends on sizes alone, and sums of integers on nothing.
#include "ops/count.h"

#include <algorithm>
#include <type_traits>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 32768;  // elements worth a part
constexpr int64_t kMostParts = 64;

// What Bins take T for.
template <class T>
using Wide = std::conditional_t<std::is_integral_v<T>, int64_t, double>;

template <class T>
void count_part(const Bins& bins, const T* x, int64_t n, int64_t* counts) {
  std::fill_n(counts, bins.count, 0);
  for (int64_t i = 0; i < n; ++i)
    if (const int64_t bin = bins.of(static_cast<Wide<T>>(static_cast<Compute<T>>(x[i]))); bin >= 0)
      ++counts[bin];
}

template <class T>
void count_launch(const Context& context, int64_t n, const Bins& bins, const void* x_,
                  int64_t* counts) {
  const T* const x = static_cast<const T*>(x_);
  // A part is at least as long as its counts, so that these take no more memory than the input.
  const int64_t part = std::max({kWork, bins.count, (n + kMostParts - 1) / kMostParts});
  const int64_t parts = (n + part - 1) / part;
  if (parts <= 1) return count_part(bins, x, n, counts);
  const Scratch scratch(context, static_cast<size_t>(parts * bins.count) * sizeof(int64_t));
  int64_t* const own = scratch.as<int64_t>();
  context.parallel_for(n, part, [&](int64_t begin, int64_t end) {
    count_part(bins, x + begin, end - begin, own + begin / part * bins.count);
  });
  context.parallel_for(bins.count, kWork / parts, [&](int64_t begin, int64_t end) {
    std::copy(own + begin, own + end, counts + begin);
    for (int64_t p = 1; p < parts; ++p)
      for (int64_t b = begin; b < end; ++b) counts[b] += own[p * bins.count + b];
  });
}

}  // namespace

void register_count(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<count_forward>(dtype_of<T>::value, count_launch<T>);
  });
}

}  // namespace fastdl::cpu
