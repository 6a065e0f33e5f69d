// Two-dimensional pooling. Forward, a thread computes one output; backward, one element of dx: it
// looks at the windows that reach over the element and adds up what they send (a gather, so that
// nobody adds to another's sum). Neighbouring threads take neighbours along a row.
// Images in channels-last have kernels of their own (cuda/pool_last.cuh).
#include "ops/pool2d.h"

#include <limits>

#include "core/dtype.h"
#include "cuda/pool_last.cuh"
#include "cuda/pool_windows.cuh"
#include "cuda/reduce.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

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

template <class T, class I>
__global__ void __launch_bounds__(kBlock)
    max_kernel(const __grid_constant__ Cells cells, const __grid_constant__ Windows windows,
               const T* x, T* y, I* index) {
  using C = Compute<T>;
  const Axis &rows = windows.rows, &columns = windows.columns;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    const Cell cell = cells[i];
    const int64_t top = rows.start(cell.row), left = columns.start(cell.column);
    const Range r = rows.taps(top), c = columns.taps(left);
    const int64_t step = columns.dilation.by.divisor;
    const T* const plane = x + cell.plane * windows.inputs();
    C best = -std::numeric_limits<C>::infinity();
    int64_t best_tap = kNoTap<I>;
    for (int64_t tap = r.first; tap < r.last; ++tap) {
      const T* const row = plane + (top + tap * rows.dilation.by.divisor) * columns.size + left;
      for (int64_t t = c.first; t < c.last; ++t) {
        const C v = C(row[t * step]);
        if (best_tap == kNoTap<I>) best_tap = tap * columns.kernel + t;
        if (v <= best || best != best) continue;  // goes on for what is larger, or the first NaN
        best = v, best_tap = tap * columns.kernel + t;
      }
    }
    const int64_t out = cell.plane * windows.outputs() + cell.row * columns.outputs + cell.column;
    y[out] = T(best);
    if (index) index[out] = static_cast<I>(best_tap);
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

// Where in its plane each maximum lies, or -1.
template <class I>
__global__ void __launch_bounds__(kBlock)
    positions_kernel(const __grid_constant__ Cells cells, const __grid_constant__ Windows windows,
                     const I* index, int64_t* positions) {
  const Axis &rows = windows.rows, &columns = windows.columns;
  for (uint32_t i = blockIdx.x * kBlock + threadIdx.x; i < cells.count; i += gridDim.x * kBlock) {
    const Cell cell = cells[i];
    const int64_t at = cell.plane * windows.outputs() + cell.row * columns.outputs + cell.column;
    const int64_t tap = index[at], down = tap / columns.kernel;
    const int64_t row = rows.start(cell.row) + down * rows.dilation.by.divisor;
    const int64_t column =
        columns.start(cell.column) + (tap - down * columns.kernel) * columns.dilation.by.divisor;
    positions[at] = index[at] == kNoTap<I> ? -1 : row * columns.size + column;
  }
}

// What a window sends to the element that is its tap number `tap`.
template <class T, class I>
struct MaxShare {
  const T* dy;
  const I* index;
  __device__ Compute<T> operator()(const Windows&, int64_t out, int64_t, int64_t,
                                   int64_t tap) const {
    return static_cast<int64_t>(index[out]) == tap ? Compute<T>(dy[out]) : Compute<T>(0);
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
      const int64_t tap = rows.tap(cell.row, row) * columns.kernel;
      for (int64_t column = q.first; column < q.last; ++column)
        if (columns.touches(cell.column, column))
          sum += share(windows, out + column, row, column, tap + columns.tap(cell.column, column));
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

// Calls f with a number of the type in which a window's taps are numbered.
template <class F>
void with_taps(const Pool2dShape& s, F f) {
  if (has_byte_taps(s)) return f(uint8_t{});
  f(int32_t{});
}

template <class T>
void max_forward(const Context& context, const Pool2dShape& s, const void* x_, void* y_,
                 void* index_) {
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  with_taps(s, [&](auto number) {
    using I = decltype(number);
    I* const index = static_cast<I*>(index_);
    if (s.layout == Layout::last)
      return launch_last<kVector<T>>(context, s.p, s.q, is_aligned(x, 16), max_last_kernel<T, I>, s,
                                     x, y, index);
    launch_cells(context, s.planes, s.p, s.q, max_kernel<T, I>, s, x, y, index);
  });
}

template <class T>
void max_backward(const Context& context, const Pool2dShape& s, const void* dy_, const void* index_,
                  void* dx_) {
  const T* const dy = static_cast<const T*>(dy_);
  T* const dx = static_cast<T*>(dx_);
  with_taps(s, [&](auto number) {
    using I = decltype(number);
    const I* const index = static_cast<const I*>(index_);
    if (s.layout == Layout::last)
      return launch_last<kVector<T>>(context, s.h, s.w, is_aligned(dy, 16),
                                     gather_last_kernel<T, MaxShareLast<T, I>>, s,
                                     MaxShareLast<T, I>{dy, index}, dx);
    launch_cells(context, s.planes, s.h, s.w, gather_kernel<T, MaxShare<T, I>>, s,
                 MaxShare<T, I>{dy, index}, dx);
  });
}

template <class I>
void max_positions(const Context& context, const Pool2dShape& s, const void* index,
                   int64_t* positions) {
  launch_cells(context, s.planes, s.p, s.q, positions_kernel<I>, s, static_cast<const I*>(index),
               positions);
}

// Global pooling: one window, which is the plane.
bool covers_plane(const Pool2dShape& s) {
  return s.p == 1 && s.q == 1 && s.pad_h == 0 && s.pad_w == 0 && s.kernel_h == s.h &&
         s.kernel_w == s.w && s.dilation_h == 1 && s.dilation_w == 1;
}

template <class T>
void mean_of_planes(const Context& context, const Pool2dShape& s, const T* x, T* y) {
  const int64_t size = s.h * s.w;
  const bool last = s.layout == Layout::last;
  Strided<2> kept;
  kept.numel = s.planes;
  if (last && s.channels < s.planes) {
    kept.ndim = 2;
    kept.size[0] = s.channels, kept.size[1] = s.planes / s.channels;
    kept.stride[0][1] = size * s.channels, kept.stride[1][1] = s.channels;
  } else {
    kept.ndim = 1;
    kept.size[0] = s.planes;
  }
  kept.stride[0][0] = last ? 1 : size, kept.stride[1][0] = 1;
  Strided<1> reduced;
  reduced.ndim = 1;
  reduced.numel = reduced.size[0] = size;
  reduced.stride[0][0] = last ? s.channels : 1;
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
  if (s.layout == Layout::last)
    return launch_last<kVector<T>>(context, s.p, s.q, is_aligned(x, 16), average_last_kernel<T>, s,
                                   x, y);
  launch_cells(context, s.planes, s.p, s.q, average_kernel<T>, s, x, y);
}

template <class T>
void average_backward(const Context& context, const Pool2dShape& s, const void* dy_, void* dx_) {
  const T* const dy = static_cast<const T*>(dy_);
  T* const dx = static_cast<T*>(dx_);
  if (s.layout == Layout::last)
    return launch_last<kVector<T>>(context, s.h, s.w, is_aligned(dy, 16),
                                   gather_last_kernel<T, AverageShareLast<T>>, s,
                                   AverageShareLast<T>{dy}, dx);
  launch_cells(context, s.planes, s.h, s.w, gather_kernel<T, AverageShare<T>>, s,
               AverageShare<T>{dy}, dx);
}

}  // namespace

void register_pool2d(Registry& registry) {
  registry.add<max_pool2d_positions>(DType::u8, max_positions<uint8_t>);
  registry.add<max_pool2d_positions>(DType::i32, max_positions<int32_t>);
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<max_pool2d_forward>(dtype_of<T>::value, max_forward<T>);
    registry.add<max_pool2d_backward>(dtype_of<T>::value, max_backward<T>);
    registry.add<avg_pool2d_forward>(dtype_of<T>::value, average_forward<T>);
    registry.add<avg_pool2d_backward>(dtype_of<T>::value, average_backward<T>);
  });
}

}  // namespace fastdl::cuda
