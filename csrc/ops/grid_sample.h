// Sampling images and volumes at the points of a grid.
#pragma once

#include <string>

#include "core/fwd.h"
#include "core/kernel.h"
#include "core/shape.h"

namespace fastdl {

enum class GridMode : int { bilinear, nearest, bicubic };
enum class GridPadding : int { zeros, border, reflection };

// x[samples, channels, pixels], grid[samples, points, dims] and y[samples, channels, points], all
// contiguous. size[d] belongs to coordinate d of a point, the innermost dimension of x first; pixels
// are 1 to 2^30.
struct GridShape {
  int64_t samples, channels, points, pixels;
  int dims;  // 2, or 3 but for bicubic
  int64_t size[3];
  GridMode mode;
  GridPadding padding;
  bool align_corners;
};

// Coordinates of any value are legal. float and double.
FASTDL_KERNEL(grid_sample_forward, const GridShape& shape, const void* x, const void* grid,
              void* y);
// Sums over the points run in their order. The grid's gradient is for bilinear and bicubic alone.
FASTDL_KERNEL(grid_sample_backward_input, const GridShape& shape, const void* dy, const void* grid,
              void* dx);
FASTDL_KERNEL(grid_sample_backward_grid, const GridShape& shape, const void* dy, const void* x,
              const void* grid, void* dgrid);

Tensor grid_sample(const Tensor& x, const Tensor& grid, const std::string& mode,
                   const std::string& padding_mode, bool align_corners);
// theta[N, 2, 3] to [N, H, W, 2] for size [N, C, H, W]; theta[N, 3, 4] to [N, D, H, W, 3].
Tensor affine_grid(const Tensor& theta, const Dims& size, bool align_corners);

}  // namespace fastdl
