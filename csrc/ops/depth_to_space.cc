#include "ops/depth_to_space.h"

#include "ops/common.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// An image [..., c, h, w].
struct Image {
  int64_t batch = 1, c, h, w;

  Image(const char* op, const Tensor& x)
      : c(x.size(x.dim() - 3)), h(x.size(x.dim() - 2)), w(x.size(x.dim() - 1)) {
    for (int i = 0; i + 3 < x.dim(); ++i) batch = checked_mul(op, batch, x.size(i));
  }
};

void check_divides(const char* op, const Tensor& x, const char* what, int64_t size,
                   int64_t divisor) {
  if (size % divisor != 0)
    throw shape_error(op, text(size, " ", what, " are no multiple of ", divisor))
        .show("input", x)
        .remedy("use another block or number of groups, or pad the input");
}

Tensor with_image(const Tensor& x, const Tensor& like, int64_t c, int64_t h, int64_t w) {
  Dims shape = like.shape();
  const int d = shape.n;
  shape[d - 3] = c, shape[d - 2] = h, shape[d - 1] = w;
  return reshape(x, shape);
}

}  // namespace

Tensor depth_to_space(const char* op, const Tensor& x, int64_t b, const std::string& mode) {
  const Image i(op, x);
  const int64_t cells = b * b;
  check_divides(op, x, "channels", i.c, cells);
  const int64_t c = i.c / cells, h = checked_mul(op, i.h, b), w = checked_mul(op, i.w, b);
  if (mode == "darknet") {
    check_divides(op, x, "output channels", c, cells);
    const Tensor wide = depth_to_space(op, with_image(x, x, c, h, w), b, "DCR");
    return with_image(wide, x, c, h, w);
  }
  const Tensor y = mode == "DCR"
                       ? permute(reshape(x, {i.batch, b, b, c, i.h, i.w}), {0, 3, 4, 1, 5, 2})
                       : permute(reshape(x, {i.batch, c, b, b, i.h, i.w}), {0, 1, 4, 2, 5, 3});
  return with_image(y, x, c, h, w);
}

Tensor space_to_depth(const char* op, const Tensor& x, int64_t b, const std::string& mode) {
  const Image i(op, x);
  check_divides(op, x, "rows", i.h, b);
  check_divides(op, x, "columns", i.w, b);
  const int64_t c = checked_mul(op, i.c, b * b), h = i.h / b, w = i.w / b;
  if (mode == "darknet") {
    check_divides(op, x, "channels", i.c, b * b);
    const Tensor wide =
        with_image(x, x, i.c / (b * b), checked_mul(op, i.h, b), checked_mul(op, i.w, b));
    return with_image(space_to_depth(op, wide, b, "DCR"), x, c, h, w);
  }
  const Tensor cells = reshape(x, {i.batch, i.c, h, b, w, b});
  return with_image(permute(cells, mode == "DCR" ? Dims{0, 3, 5, 1, 2, 4} : Dims{0, 1, 3, 5, 2, 4}),
                    x, c, h, w);
}

Tensor channel_shuffle(const Tensor& x, int64_t groups) {
  check_divides("channel_shuffle", x, "channels", x.size(1), groups);
  int64_t inner = 1;
  for (int i = 2; i < x.dim(); ++i) inner = checked_mul("channel_shuffle", inner, x.size(i));
  const Tensor parts = reshape(x, {x.size(0), groups, x.size(1) / groups, inner});
  return reshape(transpose(parts, 1, 2), x.shape());
}

}  // namespace fastdl
