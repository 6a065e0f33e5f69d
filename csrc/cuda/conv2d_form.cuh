// The geometry of convolution. All three products are one trilinear form,
//
//   sum of  y[k, (n, p, q)]  *  f[k, (c, r, s)]  *  x[n, c, row, column]
//     with  row = p * step + r * reach + origin,  column = q * step + s * reach + origin,
//
// where x is zero outside its planes. The forward pass computes y: its columns are the positions
// (n, p, q), and it sums over the taps (c, r, s). The gradient by the weight computes f: its
// columns are the taps, and it sums over the positions. The gradient by the input is again a sum
// over taps, with dy in the place of x (ops/conv2d_cuda.cu).
//
// x's address is the sum of a part that depends on the position and one that depends on the tap:
// each is computed from its index by multiplications (cuda/index.cuh), in 32 bits but for offsets.
#pragma once

#include <algorithm>
#include <cstdlib>
#include <numeric>

#include "core/half.h"
#include "cuda/index.cuh"
#include "cuda/launch.cuh"

namespace fastdl::cuda {

// What a product sums over.
enum class Over { taps, positions };

// Strides, in elements, of y by (n, p, q) or of f by (c, r, s), and by row and group.
struct ConvSide {
  int64_t stride[3], row, group;
};

// Rows of a plane, or columns.
struct ConvAxis {
  int64_t size;                 // of x
  int64_t step, reach, origin;  // see above
};

// The form as the host sees it, of any size.
struct ConvForm {
  int64_t groups, rows;  // rows k of one group
  int64_t position[3], tap[3];
  ConvAxis axis[2];
  ConvSide y, f;
  int64_t x_stride[2], x_pitch, x_group;  // by n and c; from row to row
  int64_t x_base = 0, y_base = 0, f_base = 0;
  bool first_taps = true, first_positions = true;  // else the product adds to what is there
};

// device side

struct Digits {
  uint32_t outer, middle, inner;
};

// i = (outer * middle's size + middle) * inner's size + inner, for i < size <= kMostElements.
struct Radix {
  uint32_t size = 0;
  Divisor middle, inner;

  Radix() = default;
  explicit Radix(const int64_t (&sizes)[3])
      : size(static_cast<uint32_t>(sizes[0] * sizes[1] * sizes[2])) {
    if (size == 0) return;
    middle = Divisor(static_cast<uint32_t>(sizes[1]));
    inner = Divisor(static_cast<uint32_t>(sizes[2]));
  }

  __device__ Digits digits(uint32_t i) const {
    const uint32_t rest = inner.quotient(i), outer = middle.quotient(rest);
    return {outer, rest - outer * middle.divisor, i - rest * inner.divisor};
  }
};

__device__ inline int64_t offset_of(const ConvSide& side, const Digits& d) {
  return d.outer * side.stride[0] + d.middle * side.stride[1] + d.inner * side.stride[2];
}

// What a position or a tap adds to an address in x. Offsets wrap around; where row and column are
// in the plane, the sum of two does not.
struct Place {
  uint32_t offset;
  int32_t row, column;
};

// One launch of a product: a form whose indices, coordinates and offsets in x (of one group) fit 32
// bits.
struct ConvPlan {
  Radix position, tap;
  int32_t height, width, step[2], reach[2], origin[2];
  uint32_t x_stride[2], x_pitch;
  int64_t x_group;
  ConvSide y, f;
  int64_t rows;
  uint32_t groups, parts, chunk;  // chunk: of the sum in one part
  uint32_t tiles_m, tiles_n;      // of the tiled kernel
  bool vector;                    // four neighbouring columns are stored at once

  __device__ Place at_position(const Digits& d) const {
    return place(d.outer * x_stride[0], static_cast<int>(d.middle) * step[0] + origin[0],
                 static_cast<int>(d.inner) * step[1] + origin[1]);
  }
  __device__ Place at_tap(const Digits& d) const {
    return place(d.outer * x_stride[1], static_cast<int>(d.middle) * reach[0],
                 static_cast<int>(d.inner) * reach[1]);
  }
  __device__ Place place(uint32_t plane, int32_t row, int32_t column) const {
    return {plane + static_cast<uint32_t>(row) * x_pitch + static_cast<uint32_t>(column), row,
            column};
  }
  template <class T>
  __device__ T value(const T* x, const Place& position, const Place& tap) const {
    const bool inside =
        static_cast<uint32_t>(position.row + tap.row) < static_cast<uint32_t>(height) &&
        static_cast<uint32_t>(position.column + tap.column) < static_cast<uint32_t>(width);
    return inside ? x[position.offset + tap.offset] : T(0.f);
  }
};

// What is summed over, what the columns of the output are, and the operands with rows: the given
// one and the output.
template <Over over>
FASTDL_HD inline const Radix& summed(const ConvPlan& p) {
  return over == Over::taps ? p.tap : p.position;
}
template <Over over>
FASTDL_HD inline const Radix& columns(const ConvPlan& p) {
  return over == Over::taps ? p.position : p.tap;
}
template <Over over>
FASTDL_HD inline const ConvSide& given(const ConvPlan& p) {
  return over == Over::taps ? p.f : p.y;
}
template <Over over>
FASTDL_HD inline const ConvSide& output(const ConvPlan& p) {
  return over == Over::taps ? p.y : p.f;
}

// host side

namespace detail {

inline int64_t product(const int64_t (&sizes)[3]) { return sizes[0] * sizes[1] * sizes[2]; }

// The same form over [begin, end) of one dimension; 0, 1, 2 are (n, p, q) and 3, 4, 5 (c, r, s).
inline ConvForm cut(ConvForm form, int dimension, int64_t begin, int64_t end) {
  const bool taps = dimension >= 3;
  const int d = dimension % 3;
  (taps ? form.tap : form.position)[d] = end - begin;
  (taps ? form.f_base : form.y_base) += begin * (taps ? form.f : form.y).stride[d];
  if (begin > 0) (taps ? form.first_taps : form.first_positions) = false;
  if (d == 0) {
    form.x_base += begin * form.x_stride[taps];
  } else {
    ConvAxis& axis = form.axis[d - 1];
    axis.origin += begin * (taps ? axis.reach : axis.step);
  }
  return form;
}

// The dimension along which a form is too large, or -1.
inline int too_large(const ConvForm& form) {
  const auto largest = [](const int64_t (&sizes)[3]) {
    return static_cast<int>(std::max_element(sizes, sizes + 3) - sizes);
  };
  if (product(form.position) > kMostElements) return largest(form.position);
  if (product(form.tap) > kMostElements) return 3 + largest(form.tap);
  // How far x is read along each dimension: in coordinates, then in memory.
  int64_t span[6];
  for (int d = 0; d < 3; ++d) {
    span[d] = (form.position[d] - 1) * (d ? form.axis[d - 1].step : form.x_stride[0]);
    span[d + 3] = (form.tap[d] - 1) * (d ? std::abs(form.axis[d - 1].reach) : form.x_stride[1]);
  }
  for (int d = 1; d < 3; ++d)
    if (span[d] + span[d + 3] > kMostElements) return span[d] > span[d + 3] ? d : d + 3;
  span[1] *= form.x_pitch;
  span[4] *= form.x_pitch;
  const int d = static_cast<int>(std::max_element(span, span + 6) - span);
  return std::accumulate(span, span + 6, int64_t{0}) > kMostElements && span[d] > 0 ? d : -1;
}

// Drops what the form does not reach at the beginning of an axis, so that coordinates are small;
// returns how much.
inline int64_t clip(ConvAxis& axis, int64_t positions, int64_t taps) {
  const int64_t ahead = (positions - 1) * axis.step, aside = (taps - 1) * axis.reach;
  const int64_t low = axis.origin + std::min<int64_t>(aside, 0);
  const int64_t high = axis.origin + ahead + std::max<int64_t>(aside, 0);
  if (high < 0 || low >= axis.size) {  // zeros throughout
    axis.size = axis.origin = 0;
    return 0;
  }
  const int64_t base = std::max<int64_t>(low, 0);
  axis.size = std::min(axis.size, high + 1) - base;
  axis.origin -= base;
  return base;
}

}  // namespace detail

// Calls f(slice) for forms that ConvPlan can hold and that add up to `form`, in order; nearly
// always there is one. kMostElements bounds their indices, coordinates and offsets.
template <class F>
void for_slices(ConvForm form, const F& f) {
  for (auto* const sizes : {&form.position, &form.tap})
    if (detail::product(*sizes) == 0) (*sizes)[0] = 0, (*sizes)[1] = (*sizes)[2] = 1;
  const int dimension = detail::too_large(form);
  if (dimension < 0) {
    form.x_base += detail::clip(form.axis[0], form.position[1], form.tap[1]) * form.x_pitch;
    form.x_base += detail::clip(form.axis[1], form.position[2], form.tap[2]);
    return f(form);
  }
  const int64_t size = dimension < 3 ? form.position[dimension] : form.tap[dimension - 3];
  for_slices(detail::cut(form, dimension, 0, size / 2), f);
  for_slices(detail::cut(form, dimension, size / 2, size), f);
}

}  // namespace fastdl::cuda
