// Non-maximum suppression: boxes in the order of their scores, coordinate by coordinate, so that a kept box
// is compared with those behind it in lanes.
#include <algorithm>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"
#include "ops/nms.h"

namespace fastdl::cpu {
namespace {

template <class T>
void sort_by_score(int64_t n, const T* scores, int64_t* order) {
  for (int64_t i = 0; i < n; ++i) order[i] = i;
  std::sort(order, order + n, [scores](int64_t a, int64_t b) {
    const T x = scores[a], y = scores[b];
    const bool x_nan = x != x, y_nan = y != y;
    if (x_nan != y_nan) return x_nan;
    return x_nan || x == y ? a < b : x > y;
  });
}

template <class T>
struct Boxes {
  T *x1, *y1, *x2, *y2, *area;
  int64_t* group;
  uint8_t* gone;

  // Which of [begin, end) box i suppresses.
  void suppress(int64_t i, int64_t begin, int64_t end, T threshold) const {
    const T left = x1[i], top = y1[i], right = x2[i], bottom = y2[i], own = area[i];
    const int64_t mine = group[i];
    for (int64_t j = begin; j < end; ++j) {
      const T width = std::max(T(0), std::min(right, x2[j]) - std::max(left, x1[j]));
      const T height = std::max(T(0), std::min(bottom, y2[j]) - std::max(top, y1[j]));
      const T shared = width * height;
      const bool over = shared / (own + area[j] - shared) > threshold;
      gone[j] = static_cast<uint8_t>(gone[j] | (over & (group[j] == mine)));
    }
  }
};

template <class T>
void nms(const Context& context, int64_t n, const void* boxes_, const void* scores,
         const int64_t* groups, double threshold, int64_t* keep, int64_t* count) {
  constexpr int64_t kPairs = 16384;  // worth a chunk of threads
  const T* const boxes = static_cast<const T*>(boxes_);
  const auto size = static_cast<size_t>(n);
  const Scratch numbers(context, size * 5 * sizeof(T)), whole(context, size * 2 * sizeof(int64_t));
  const Scratch flags(context, size);
  T* const x1 = numbers.as<T>();
  int64_t *const order = whole.as<int64_t>(), *const group = order + n;
  const Boxes<T> sorted{x1, x1 + n, x1 + 2 * n, x1 + 3 * n, x1 + 4 * n, group, flags.as<uint8_t>()};
  sort_by_score(n, static_cast<const T*>(scores), order);
  for (int64_t i = 0; i < n; ++i) {
    const T* const box = boxes + 4 * order[i];
    sorted.x1[i] = box[0], sorted.y1[i] = box[1], sorted.x2[i] = box[2], sorted.y2[i] = box[3];
    sorted.area[i] = (box[2] - box[0]) * (box[3] - box[1]);
    group[i] = groups ? groups[order[i]] : 0;
    sorted.gone[i] = 0;
  }
  int64_t kept = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (sorted.gone[i]) continue;
    keep[kept++] = order[i];
    context.parallel_for(n - i - 1, kPairs, [&](int64_t begin, int64_t end) {
      sorted.suppress(i, i + 1 + begin, i + 1 + end, static_cast<T>(threshold));
    });
  }
  std::fill(keep + kept, keep + n, int64_t{0});
  *count = kept;
}

}  // namespace

void register_nms(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<nms_forward>(dtype_of<T>::value, nms<T>);
  });
}

}  // namespace fastdl::cpu
