// Values back to where maxima lay. Threads share out planes; within one the order of the values says
// which of two in one place stays.
#include "ops/unpool.h"

#include <algorithm>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

int64_t grain_for(int64_t count, int64_t cells) {
  return std::max<int64_t>(1, kCostlyGrain / std::max<int64_t>(1, count + cells));
}

// Words of the element's size: nothing is computed.
template <class W>
void forward(const Context& context, int64_t planes, int64_t count, int64_t cells, const void* x_,
             const int64_t* index, void* y_) {
  const W* const x = static_cast<const W*>(x_);
  W* const y = static_cast<W*>(y_);
  context.parallel_for(planes, grain_for(count, cells), [&](int64_t begin, int64_t end) {
    std::fill_n(y + begin * cells, (end - begin) * cells, W(0));
    for (int64_t plane = begin; plane < end; ++plane)
      for (int64_t i = plane * count; i < (plane + 1) * count; ++i)
        y[plane * cells + index[i]] = x[i];
  });
}

template <class W>
void backward(const Context& context, int64_t planes, int64_t count, int64_t cells, const void* dy_,
              const int64_t* index_, void* dx_) {
  context.parallel_for(planes, grain_for(count, cells), [&](int64_t begin, int64_t end) {
    Scratch scratch(context, static_cast<size_t>(cells) * sizeof(int64_t));
    int64_t* const last = scratch.as<int64_t>();  // of the values that went to a cell
    for (int64_t plane = begin; plane < end; ++plane) {
      const W* const dy = static_cast<const W*>(dy_) + plane * cells;
      const int64_t* const index = index_ + plane * count;
      W* const dx = static_cast<W*>(dx_) + plane * count;
      for (int64_t i = 0; i < count; ++i) last[index[i]] = i;
      for (int64_t i = 0; i < count; ++i) dx[i] = last[index[i]] == i ? dy[index[i]] : W(0);
    }
  });
}

}  // namespace

void register_unpool(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<unpool_forward>(dtype_of<T>::value, forward<Bytes<T>>);
    registry.add<unpool_backward>(dtype_of<T>::value, backward<Bytes<T>>);
  });
}

}  // namespace fastdl::cpu
