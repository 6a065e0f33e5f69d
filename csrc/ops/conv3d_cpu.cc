// Frames of volumes side by side, and added together again. Whole planes are moved or added.
#include "ops/conv3d.h"

#include <algorithm>
#include <cstring>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

// Calls f(row) for every row of so many elements.
template <class F>
void for_rows(const Context& context, int64_t rows, int64_t elements, const F& f) {
  context.parallel_for(rows, std::max<int64_t>(1, kCheapGrain / elements),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t row = begin; row < end; ++row) f(row);
                       });
}

// launchers

template <class T>
void gather_launch(const Context& context, const FrameShape& s, const void* x, void* columns) {
  const size_t bytes = static_cast<size_t>(s.plane) * sizeof(T);
  for_rows(context, s.n * s.outputs * s.c, s.taps * s.plane, [&](int64_t row) {
    const int64_t image = row / s.c, n = image / s.outputs;
    const int64_t first = image % s.outputs * s.stride - s.pad;
    const T* const from = static_cast<const T*>(x) + (n * s.c + row % s.c) * s.frames * s.plane;
    T* to = static_cast<T*>(columns) + row * s.taps * s.plane;
    for (int64_t t = 0; t < s.taps; ++t, to += s.plane) {
      const int64_t frame = first + t * s.dilation;
      if (frame >= 0 && frame < s.frames)
        memcpy(to, from + frame * s.plane, bytes);
      else
        memset(to, 0, bytes);
    }
  });
}

template <class T>
void sum_launch(const Context& context, const FrameShape& s, const void* columns, const void* bias,
                void* x) {
  for_rows(context, s.n * s.c * s.frames, s.taps * s.plane, [&](int64_t row) {
    const int64_t volume = row / s.frames, n = volume / s.c, c = volume % s.c;
    T* const to = static_cast<T*>(x) + row * s.plane;
    bool empty = !bias;
    if (bias) std::fill_n(to, s.plane, static_cast<const T*>(bias)[c]);
    for (int64_t t = 0; t < s.taps; ++t) {
      const int64_t start = row % s.frames + s.pad - t * s.dilation, output = start / s.stride;
      if (start < 0 || start % s.stride != 0 || output >= s.outputs) continue;
      const T* const from = static_cast<const T*>(columns) +
                            (((n * s.outputs + output) * s.c + c) * s.taps + t) * s.plane;
      if (empty)
        std::copy_n(from, s.plane, to);
      else
        for (int64_t i = 0; i < s.plane; ++i) to[i] += from[i];
      empty = false;
    }
    if (empty) std::fill_n(to, s.plane, T(0));
  });
}

}  // namespace

void register_conv3d(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<frames_gather>(dtype_of<T>::value, gather_launch<T>);
    registry.add<frames_sum>(dtype_of<T>::value, sum_launch<T>);
  });
}

}  // namespace fastdl::cpu
