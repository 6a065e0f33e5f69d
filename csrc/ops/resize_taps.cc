#include "ops/resize_taps.h"

#include <algorithm>
#include <cmath>

namespace fastdl {
namespace {

double ratio(const ResizeAxis& a) {  // inputs per output
  return a.factor > 0 ? 1 / a.factor : static_cast<double>(a.n) / static_cast<double>(a.m);
}

// Without rounding where sizes alone decide: floor(j n / m), or floor((j + 1/2) n / m).
int64_t nearest(const ResizeAxis& a, int64_t j) {
  const bool exact = a.mode == ResizeMode::nearest_exact;
  const int64_t twice = 2 * j + (exact ? 1 : 0);
  const int64_t source = a.factor > 0
                             ? static_cast<int64_t>(static_cast<double>(twice) / 2 / a.factor)
                             : twice * a.n / (2 * a.m);
  return std::min(source, a.n - 1);
}

// The place of output j among the inputs, whose centres are whole numbers.
double position(const ResizeAxis& a, int64_t j) {
  const double at = static_cast<double>(j);
  if (!a.align_corners) return (at + 0.5) * ratio(a) - 0.5;
  return a.m > 1 ? at * static_cast<double>(a.n - 1) / static_cast<double>(a.m - 1) : 0;
}

// Keys, "Cubic convolution interpolation for digital image processing", 1981.
double cubic(double x, double a) {
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0;
}
double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

void add_linear(const ResizeAxis& a, int64_t j, TapLists& lists) {
  const double at = std::max(position(a, j), 0.0);
  const int64_t first = std::min(static_cast<int64_t>(at), a.n - 1);
  const double right = std::clamp(at - static_cast<double>(first), 0.0, 1.0);
  if (first + 1 == a.n) return lists.add(first, 1);
  lists.add(first, 1 - right);
  lists.add(first + 1, right);
}

void add_cubic(const ResizeAxis& a, int64_t j, TapLists& lists) {
  const double at = position(a, j), first = std::floor(at);
  for (int k = -1; k <= 2; ++k)
    lists.add(std::clamp<int64_t>(static_cast<int64_t>(first) + k, 0, a.n - 1),
              cubic(at - first - k, -0.75));
}

// The mean of the inputs from floor(j n / m) up to ceil((j + 1) n / m).
void add_area(const ResizeAxis& a, int64_t j, TapLists& lists) {
  const int64_t first = j * a.n / a.m, last = ((j + 1) * a.n + a.m - 1) / a.m;
  for (int64_t i = first; i < last; ++i) lists.add(i, 1 / static_cast<double>(last - first));
}

// The kernel is as wide as an output where that is wider than an input, and its weights sum to 1.
void add_antialiased(const ResizeAxis& a, int64_t j, TapLists& lists) {
  const bool is_cubic = a.mode == ResizeMode::cubic;
  const double step = a.align_corners && a.m > 1
                          ? static_cast<double>(a.n - 1) / static_cast<double>(a.m - 1)
                      : a.align_corners ? 0
                                        : ratio(a);
  const double wide = std::max(step, 1.0), support = (is_cubic ? 2 : 1) * wide;
  const double centre = step * (static_cast<double>(j) + 0.5);
  const double size = static_cast<double>(a.n);
  const auto first = static_cast<int64_t>(std::clamp(centre - support + 0.5, 0.0, size));
  const auto last = static_cast<int64_t>(std::clamp(centre + support + 0.5, 0.0, size));
  const auto weight = [&](int64_t i) {
    const double x = (static_cast<double>(i) - centre + 0.5) / wide;
    return is_cubic ? cubic(x, -0.5) : triangle(x);
  };
  double sum = 0;
  for (int64_t i = first; i < last; ++i) sum += weight(i);
  for (int64_t i = first; i < last; ++i) lists.add(i, weight(i) / sum);
}

}  // namespace

TapLists taps_of(const ResizeAxis& a) {
  TapLists lists;
  for (int64_t j = 0; j < a.m; ++j) {
    switch (a.mode) {
      case ResizeMode::nearest:
      case ResizeMode::nearest_exact: lists.add(nearest(a, j), 1); break;
      case ResizeMode::area: add_area(a, j, lists); break;
      case ResizeMode::linear:
        a.antialias ? add_antialiased(a, j, lists) : add_linear(a, j, lists);
        break;
      case ResizeMode::cubic:
        a.antialias ? add_antialiased(a, j, lists) : add_cubic(a, j, lists);
        break;
    }
    lists.close();
  }
  return lists;
}

TapLists transposed(const TapLists& lists, int64_t n) {
  TapLists out;
  out.start.assign(static_cast<size_t>(n) + 1, 0);
  out.taps.resize(lists.taps.size());
  for (const Tap& tap : lists.taps) ++out.start[static_cast<size_t>(tap.source) + 1];
  for (size_t i = 1; i < out.start.size(); ++i) out.start[i] += out.start[i - 1];
  std::vector<int64_t> at(out.start.begin(), out.start.end() - 1);
  for (int64_t j = 0; j < lists.outputs(); ++j)
    for (int64_t k = lists.start[static_cast<size_t>(j)];
         k < lists.start[static_cast<size_t>(j) + 1]; ++k) {
      const Tap& tap = lists.taps[static_cast<size_t>(k)];
      out.taps[static_cast<size_t>(at[static_cast<size_t>(tap.source)]++)] = {j, tap.weight};
    }
  return out;
}

}  // namespace fastdl
