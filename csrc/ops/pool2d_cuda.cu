// Two-dimensional pooling. Forward, a thread computes one output; backward, one element of dx: it
// looks at the windows that reach over the element and adds up what they send (a gather, so that
// nobody adds to another's sum). Neighbouring threads take neighbours along a row.
//
// Taps and windows are found from their first and last, so that no loop tests for the border.
#include "ops/pool2d.h"

#include <algorithm>
#include <limits>

#include "core/dtype.h"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

// n / d; the divisors are at most kMaxWindow, the rare n that Divisor cannot hold is divided.
struct LongDivisor {
  Divisor by;
  explicit LongDivisor(int64_t d) : by(static_cast<uint32_t>(d)) {}
  __device__ int64_t quotient(int64_t n) const {
    return n <= INT32_MAX ? by.quotient(static_cast<uint32_t>(n)) : n / by.divisor;
  }
  __device__ int64_t quotient_up(int64_t n) const { return quotient(n + by.divisor - 1); }
};

struct Range {
  int64_t first, last;  // [first, last)
};

// Rows or columns: how windows lie along one of the two dimensions.
struct Axis {
  int64_t size, outputs, kernel, pad;
  LongDivisor stride, dilation;

  __device__ int64_t start(int64_t output) const { return output * stride.by.divisor - pad; }

  // The taps of a window at `start` that fall into [-margin, size + margin).
  __device__ Range taps(int64_t start, int64_t margin = 0) const {
    const int64_t before = -margin - start, room = size + margin - start;
    return {before > 0 ? min(dilation.quotient_up(before), kernel) : 0,
            room > 0 ? min(dilation.quotient_up(room), kernel) : 0};
  }

  // How many taps count as elements in an average.
  __device__ int64_t counted(int64_t output, bool include_pad) const {
    const Range inside = taps(start(output), include_pad ? pad : 0);
    return max(inside.last - inside.first, int64_t{1});
  }

  // The outputs whose windows reach from at or before element i to at or behind it ...
  __device__ Range windows(int64_t i) const {
    const int64_t end = i + pad, begin = end - (kernel - 1) * dilation.by.divisor;
    return {begin > 0 ? stride.quotient_up(begin) : 0, min(stride.quotient(end) + 1, outputs)};
  }
  // ... and whether such a window has a tap there.
  __device__ bool touches(int64_t i, int64_t output) const {
    if (dilation.by.divisor == 1) return true;
    const int64_t distance = i - start(output);
    return distance == dilation.quotient(distance) * dilation.by.divisor;
  }
};

struct Windows {
  Axis rows, columns;
  bool include_pad;
  double same_divisor;  // or 0

  explicit Windows(const Pool2dShape& s)
      : rows{s.h, s.p, s.kernel_h, s.pad_h, LongDivisor(s.stride_h), LongDivisor(s.dilation_h)},
        columns{s.w, s.q, s.kernel_w, s.pad_w, LongDivisor(s.stride_w), LongDivisor(s.dilation_w)},
        include_pad(s.count_include_pad),
        same_divisor(s.divisor) {}

  __device__ int64_t inputs() const { return rows.size * columns.size; }  // of a plane
  __device__ int64_t outputs() const { return rows.outputs * columns.outputs; }
  template <class C>
  __device__ C divisor(int64_t p, int64_t q) const {
    if (same_divisor != 0) return static_cast<C>(same_divisor);
    return static_cast<C>(rows.counted(p, include_pad)) *
           static_cast<C>(columns.counted(q, include_pad));
  }
};

struct Cell {
  int64_t column, row, plane;
};

// The cells of a slice of [planes, height, width]. The "operands" of the walk are the coordinates.
struct Cells {
  Index<3> index;
  Cell origin;
  uint32_t count;
  __device__ Cell operator[](uint32_t i) const {
    int64_t at[3];
    index.offsets(i, at);
    return {origin.column + at[0], origin.row + at[1], origin.plane + at[2]};
  }
};

// kernels

template <class T>
__global__ void __launch_bounds__(kBlock)
    max_kernel(const __grid_constant__ Cells cells, const __grid_constant__ Windows windows,
               const T* x, T* y, int64_t* index) {
  using C = Compute<T>;
  const Axis &rows = windows.rows, &columns = windows.columns;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    const Cell cell = cells[i];
    const int64_t top = rows.start(cell.row), left = columns.start(cell.column);
    const Range r = rows.taps(top), c = columns.taps(left);
    const int64_t step = columns.dilation.by.divisor;
    const T* const plane = x + cell.plane * windows.inputs();
    C best = -std::numeric_limits<C>::infinity();
    int64_t best_at = -1;
    for (int64_t tap = r.first; tap < r.last; ++tap) {
      const int64_t row = (top + tap * rows.dilation.by.divisor) * columns.size + left;
      for (int64_t at = row + c.first * step; at < row + c.last * step; at += step) {
        const C v = C(plane[at]);
        if (best_at < 0) best_at = at;
        if (v <= best || best != best) continue;  // goes on for what is larger, or the first NaN
        best = v, best_at = at;
      }
    }
    const int64_t out = cell.plane * windows.outputs() + cell.row * columns.outputs + cell.column;
    y[out] = T(best);
    index[out] = best_at;
  }
}

template <class T>
__global__ void __launch_bounds__(kBlock)
    average_kernel(const __grid_constant__ Cells cells, const __grid_constant__ Windows windows,
                   const T* x, T* y) {
  using C = Compute<T>;
  const Axis &rows = windows.rows, &columns = windows.columns;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    const Cell cell = cells[i];
    const int64_t top = rows.start(cell.row), left = columns.start(cell.column);
    const Range r = rows.taps(top), c = columns.taps(left);
    const int64_t step = columns.dilation.by.divisor;
    const T* const plane = x + cell.plane * windows.inputs();
    C sum = C(0);
    for (int64_t tap = r.first; tap < r.last; ++tap) {
      const int64_t row = (top + tap * rows.dilation.by.divisor) * columns.size + left;
      for (int64_t at = row + c.first * step; at < row + c.last * step; at += step)
        sum += C(plane[at]);
    }
    const int64_t out = cell.plane * windows.outputs() + cell.row * columns.outputs + cell.column;
    y[out] = T(sum / windows.divisor<C>(cell.row, cell.column));
  }
}

// What a window sends to the element at `position` of its plane.
template <class T>
struct MaxShare {
  const T* dy;
  const int64_t* index;
  __device__ Compute<T> operator()(const Windows&, int64_t out, int64_t, int64_t,
                                   int64_t position) const {
    return index[out] == position ? Compute<T>(dy[out]) : Compute<T>(0);
  }
};

template <class T>
struct AverageShare {
  const T* dy;
  __device__ Compute<T> operator()(const Windows& windows, int64_t out, int64_t p, int64_t q,
                                   int64_t) const {
    return Compute<T>(dy[out]) / windows.divisor<Compute<T>>(p, q);
  }
};

template <class T, class Share>
__global__ void __launch_bounds__(kBlock)
    gather_kernel(const __grid_constant__ Cells cells, const __grid_constant__ Windows windows,
                  const Share share, T* dx) {
  const Axis &rows = windows.rows, &columns = windows.columns;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    const Cell cell = cells[i];
    const Range p = rows.windows(cell.row), q = columns.windows(cell.column);
    const int64_t position = cell.row * columns.size + cell.column;
    Compute<T> sum(0);
    for (int64_t row = p.first; row < p.last; ++row) {
      if (!rows.touches(cell.row, row)) continue;
      const int64_t out = cell.plane * windows.outputs() + row * columns.outputs;
      for (int64_t column = q.first; column < q.last; ++column)
        if (columns.touches(cell.column, column))
          sum += share(windows, out + column, row, column, position);
    }
    dx[cell.plane * windows.inputs() + position] = T(sum);
  }
}

// A mean over whole planes is a reduction of rows (a reducer of cuda/reduce.cuh).
template <class T>
struct PlaneMean {
  using Acc = Compute<T>;
  Acc size;
  __device__ Acc init() const { return Acc(0); }
  __device__ Acc add(Acc acc, T x, int64_t) const { return acc + Acc(x); }
  __device__ Acc combine(Acc a, Acc b) const { return a + b; }
  __device__ T finish(Acc acc) const { return T(acc / size); }
  static __device__ Acc shuffle(Acc acc, int mask) { return shuffle_xor(acc, mask); }
};

// launchers

// One thread for each cell of [planes, height, width].
template <class... P, class... A>
void launch_cells(const Context& context, int64_t planes, int64_t height, int64_t width,
                  void (*kernel)(Cells, Windows, P...), const Pool2dShape& shape,
                  const A&... arguments) {
  Strided<3> walk;
  walk.ndim = 3;
  walk.numel = planes * height * width;
  const int64_t size[3] = {width, height, planes};
  for (int d = 0; d < 3; ++d) walk.size[d] = size[d], walk.stride[d][d] = 1;
  for_slices(walk, [&](const Strided<3>& slice, const int64_t (&origin)[3]) {
    const Cells cells{
        Index<3>(slice), {origin[0], origin[1], origin[2]}, static_cast<uint32_t>(slice.numel)};
    launch(context, kernel, loop_grid(slice.numel), dim3(kBlock), cells, Windows(shape),
           arguments...);
  });
}

template <class T>
void max_forward(const Context& context, const Pool2dShape& s, const void* x, void* y,
                 void* index) {
  launch_cells(context, s.planes, s.p, s.q, max_kernel<T>, s, static_cast<const T*>(x),
               static_cast<T*>(y), static_cast<int64_t*>(index));
}

template <class T>
void max_backward(const Context& context, const Pool2dShape& s, const void* dy, const void* index,
                  void* dx) {
  launch_cells(context, s.planes, s.h, s.w, gather_kernel<T, MaxShare<T>>, s,
               MaxShare<T>{static_cast<const T*>(dy), static_cast<const int64_t*>(index)},
               static_cast<T*>(dx));
}

// Global pooling: one window, which is the plane.
bool covers_plane(const Pool2dShape& s) {
  return s.p == 1 && s.q == 1 && s.pad_h == 0 && s.pad_w == 0 && s.kernel_h == s.h &&
         s.kernel_w == s.w && s.dilation_h == 1 && s.dilation_w == 1;
}

template <class T>
void mean_of_planes(const Context& context, const Pool2dShape& s, const T* x, T* y) {
  const int64_t size = s.h * s.w;
  Strided<2> kept;
  kept.ndim = 1;
  kept.numel = kept.size[0] = s.planes;
  kept.stride[0][0] = size, kept.stride[1][0] = 1;
  Strided<1> reduced;
  reduced.ndim = 1;
  reduced.numel = reduced.size[0] = size;
  reduced.stride[0][0] = 1;
  reduce(
      context, kept, reduced,
      PlaneMean<T>{static_cast<Compute<T>>(s.divisor != 0 ? s.divisor : static_cast<double>(size))},
      x, y);
}

template <class T>
void average_forward(const Context& context, const Pool2dShape& s, const void* x_, void* y_) {
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  if (covers_plane(s)) return mean_of_planes(context, s, x, y);
  launch_cells(context, s.planes, s.p, s.q, average_kernel<T>, s, x, y);
}

template <class T>
void average_backward(const Context& context, const Pool2dShape& s, const void* dy, void* dx) {
  launch_cells(context, s.planes, s.h, s.w, gather_kernel<T, AverageShare<T>>, s,
               AverageShare<T>{static_cast<const T*>(dy)}, static_cast<T*>(dx));
}

}  // namespace

void register_pool2d(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<max_pool2d_forward>(dtype_of<T>::value, max_forward<T>);
    registry.add<max_pool2d_backward>(dtype_of<T>::value, max_backward<T>);
    registry.add<avg_pool2d_forward>(dtype_of<T>::value, average_forward<T>);
    registry.add<avg_pool2d_backward>(dtype_of<T>::value, average_backward<T>);
  });
}

}  // namespace fastdl::cuda
