#include "ops/move.h"

#include <algorithm>

#include "ops/common.h"
#include "ops/copy.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

// Views of x, part i of sizes[i] along dimension d, or of one element without the dimension where
// `drops`. One node for all: its gradient is one join, not a sum over parts.
std::vector<Tensor> parts(const char* op, const Tensor& x, int d, const std::vector<int64_t>& sizes,
                          bool drops) {
  std::vector<Tensor> out;
  out.reserve(sizes.size());
  int64_t at = 0;
  for (const int64_t size : sizes) {
    Dims shape = x.shape(), stride = x.stride();
    shape[d] = size;
    const int64_t offset = x.offset() + (size ? at * stride[d] : 0);
    if (drops) shape.erase(d), stride.erase(d);
    out.push_back(x.view(shape, stride, offset));
    at += size;
  }
  if (Recording r{op, {&x}}; r && !out.empty()) {
    x.storage().viewed = true;
    std::vector<Dims> shapes;
    for (const Tensor& y : out) shapes.push_back(y.shape());
    r.results(out, [d, drops, shapes, dtype = x.dtype(), device = x.device()](Backward& pass) {
      std::vector<Tensor> grads;
      for (size_t i = 0; i < shapes.size(); ++i) {
        const Tensor& g = pass.grad(static_cast<int>(i));
        grads.push_back(g.defined() ? g : full(shapes[i], 0, dtype, device));
      }
      pass.give(0, drops ? stack(grads, d) : cat(grads, d));
    });
  }
  return out;
}

// Pieces of one size; more of them than any program wants are refused before they are made.
std::vector<int64_t> even_sizes(const char* op, const Tensor& x, int64_t n, int64_t size) {
  const int64_t count = n == 0 ? 1 : n / size + (n % size != 0);
  if (count > kMaxWindow)
    throw argument_error(op, text(count, " parts are more than ", kMaxWindow))
        .show("input", x)
        .remedy("use larger parts");
  std::vector<int64_t> sizes(static_cast<size_t>(count), size);
  sizes.back() = n - (count - 1) * size;
  return sizes;
}

}  // namespace

std::vector<Tensor> split(const Tensor& x, int64_t size, int64_t dim) {
  const int d = normalize_dim("split", dim, x.dim());
  if (size == 0 && x.size(d) > 0)
    throw argument_error("split", text("dimension ", d, " has no parts of size 0"))
        .show("tensor", x)
        .remedy("use a size of 1 or more");
  return parts("split", x, d, even_sizes("split", x, x.size(d), size), false);
}

std::vector<Tensor> split(const Tensor& x, const std::vector<int64_t>& sizes, int64_t dim) {
  const int d = normalize_dim("split", dim, x.dim());
  int64_t left = x.size(d);
  bool fits = true;
  for (const int64_t size : sizes)
    if ((fits = fits && size >= 0 && size <= left)) left -= size;
  if (!fits || left != 0)
    throw shape_error("split", text("the sizes do not add up to ", x.size(d), ", dimension ", d))
        .show("tensor", x)
        .remedy("give sizes whose sum is the dimension's");
  return parts("split", x, d, sizes, false);
}

std::vector<Tensor> chunk(const Tensor& x, int64_t chunks, int64_t dim) {
  const int d = normalize_dim("chunk", dim, x.dim());
  const int64_t n = x.size(d);
  if (n == 0)
    return parts("chunk", x, d, std::vector<int64_t>(static_cast<size_t>(chunks), 0), false);
  const int64_t size = n / chunks + (n % chunks != 0);
  return parts("chunk", x, d, even_sizes("chunk", x, n, size), false);
}

std::vector<Tensor> unbind(const Tensor& x, int64_t dim) {
  const int d = normalize_dim("unbind", dim, x.dim());
  if (x.size(d) == 0) return {};
  return parts("unbind", x, d, even_sizes("unbind", x, x.size(d), 1), true);
}

namespace {

// The sizes before, of and behind a dimension.
Dims around(const Tensor& x, int d) {
  Dims out{1, x.size(d), 1};
  for (int i = 0; i < x.dim(); ++i)
    if (i != d) out[i < d ? 0 : 2] *= x.size(i);
  return out;
}

Dims resized(const Tensor& x, int d, int64_t factor) {
  Dims shape = x.shape();
  shape[d] *= factor;
  return shape;
}

}  // namespace

Tensor repeat(const Tensor& input, const Dims& repeats) {
  if (repeats.n < input.dim())
    throw shape_error("repeat", text(repeats.n, " repeats for ", input.dim(), " dimensions"))
        .show("input", input)
        .remedy("give one number for each dimension, or use tile");
  Dims shape = Dims::filled(repeats.n, 1), result = shape;
  for (int i = 0; i < input.dim(); ++i) shape[repeats.n - input.dim() + i] = input.size(i);
  for (int i = 0; i < repeats.n; ++i) result[i] = checked_mul("repeat", shape[i], repeats[i]);
  checked_numel("repeat", result);
  if (result == shape) return clone(reshape(input, shape));
  // One dimension after the other, the innermost first, so that the last copy is the largest.
  Tensor x = reshape(input, shape);
  for (int d = repeats.n - 1; d >= 0; --d) {
    if (repeats[d] == 1) continue;
    const Dims sizes = around(x, d);
    const Tensor once = reshape(x, {sizes[0], 1, sizes[1] * sizes[2]});
    const Tensor often = expand(once, {sizes[0], repeats[d], sizes[1] * sizes[2]});
    x = reshape(contiguous(often), resized(x, d, repeats[d]));
  }
  return x;
}

Tensor tile(const Tensor& x, const Dims& repeats) {
  Dims all = Dims::filled(std::max(x.dim() - repeats.n, 0), 1);
  for (const int64_t r : repeats) all.push(r);
  return repeat(x, all);
}

Tensor repeat_interleave(const Tensor& input, int64_t repeats, std::optional<int64_t> dim) {
  const Tensor x = dim && input.dim() > 0 ? input : reshape(input, {-1});
  const int d = dim && input.dim() > 0 ? normalize_dim("repeat_interleave", *dim, x.dim()) : 0;
  checked_mul("repeat_interleave", x.size(d), repeats);
  const Dims shape = resized(x, d, repeats), sizes = around(x, d);
  checked_numel("repeat_interleave", shape);
  const Tensor once = reshape(x, {sizes[0], sizes[1], 1, sizes[2]});
  return reshape(clone(expand(once, {sizes[0], sizes[1], repeats, sizes[2]})), shape);
}

// A copy: many functions read strides that run backwards, but other libraries do not take them.
Tensor flip(const Tensor& x, const Dims& dims) {
  Window w{Dims::filled(x.dim(), 0), Dims::filled(x.dim(), 1), x.shape()};
  for (const int64_t dim : dims) {
    const int d = normalize_dim("flip", dim, x.dim());
    if (x.dim() == 0 || x.size(d) == 0) continue;
    w.start[d] = x.size(d) - 1, w.step[d] = -1;
  }
  Tensor y = clone_in(slice(detach(x), w), layout_of(x));
  if (Recording r{"flip", {&x}})
    r.result(y, [dims](Backward& pass) { pass.give(0, flip(pass.grad(), dims)); });
  return y;
}

Tensor roll(const Tensor& x, const Dims& shifts, const std::optional<Dims>& dims) {
  if (!dims) {
    if (shifts.n != 1)
      throw argument_error("roll", text(shifts.n, " shifts, and no dims"))
          .show("input", x)
          .remedy("name the dimensions to roll");
    return reshape(roll(reshape(x, {-1}), shifts, Dims{0}), x.shape());
  }
  if (shifts.n != dims->n)
    throw argument_error("roll", text(shifts.n, " shifts for ", dims->n, " dims"))
        .show("input", x)
        .remedy("give one shift for each of the dims");
  Dims shift = Dims::filled(x.dim(), 0), back;  // 0 <= shift < size
  for (int i = 0; i < shifts.n; ++i) {
    const int d = normalize_dim("roll", (*dims)[i], x.dim());
    const int64_t n = x.dim() == 0 || x.size(d) == 0 ? 1 : x.size(d);
    const int64_t steps = (shifts[i] % n + n) % n;
    if (x.dim() > 0) shift[d] = steps;
    back.push(-steps);
  }
  Tensor y = empty_in("roll", layout_of(x), x.shape(), x.dtype(), x.device());
  {
    // What stays in front of the end, and what comes round to the front, in each dimension.
    GradMode off(false);
    const Tensor source = detach(x);
    for (int corner = 0; corner < 1 << x.dim(); ++corner) {
      const Dims ones = Dims::filled(x.dim(), 1);
      Window from{shift, ones, shift}, to = from;
      bool any = true;
      for (int d = 0; d < x.dim(); ++d) {
        const bool round = corner >> d & 1;
        const int64_t stays = x.size(d) - shift[d];
        from.start[d] = round ? stays : 0, to.start[d] = round ? 0 : shift[d];
        from.length[d] = to.length[d] = round ? shift[d] : stays;
        any = any && from.length[d] > 0;
      }
      if (any) copy_(slice(y, to), slice(source, from));
    }
  }
  if (Recording r{"roll", {&x}})
    r.result(y, [back, dims](Backward& pass) { pass.give(0, roll(pass.grad(), back, dims)); });
  return y;
}

Tensor unflatten(const Tensor& x, int64_t dim, const Dims& sizes) {
  const int d = normalize_dim("unflatten", dim, x.dim());
  int64_t known = 1;
  int unknown = 0;
  bool valid = sizes.n > 0;
  for (const int64_t size : sizes) {
    valid = valid && size >= -1;
    if (size == -1)
      ++unknown;
    else
      known = checked_mul("unflatten", known, size);
  }
  if (unknown == 0) valid = valid && known == x.size(d);
  if (unknown > 0) valid = valid && unknown == 1 && known > 0 && x.size(d) % known == 0;
  if (!valid)
    throw shape_error("unflatten",
                      text("dimension ", d, " of size ", x.size(d), " is not ", str(sizes)))
        .show("input", x)
        .remedy("give sizes of 0 or more whose product is the dimension's, and at most one -1");
  Dims shape;
  for (int i = 0; i < x.dim(); ++i) {
    if (i != d) shape.push(x.size(i));
    for (int k = 0; i == d && k < sizes.n; ++k)
      shape.push(sizes[k] == -1 ? x.size(d) / known : sizes[k]);
  }
  return reshape(x, shape);
}

Tensor movedim(const Tensor& x, const Dims& from, const Dims& to) {
  if (from.n != to.n)
    throw argument_error("movedim", text(from.n, " dimensions to ", to.n, " places"))
        .show("input", x)
        .remedy("give one destination for each source");
  if (x.dim() == 0) return permute(x, {});
  Dims order = Dims::filled(x.dim(), -1);
  uint32_t moved = 0;
  for (int i = 0; i < from.n; ++i) {
    const int source = normalize_dim("movedim", from[i], x.dim());
    order[normalize_dim("movedim", to[i], x.dim())] = source;
    moved |= 1u << source;
  }
  int rest = 0;
  for (int i = 0; i < x.dim(); ++i) {
    if (order[i] >= 0) continue;
    while (moved >> rest & 1) ++rest;
    order[i] = rest++;
  }
  return permute(x, order);
}

std::vector<Tensor> meshgrid(const std::vector<Tensor>& tensors, const std::string& indexing) {
  // "xy": the first two dimensions change places.
  const int n = static_cast<int>(tensors.size());
  const bool swaps = indexing == "xy" && n > 1;
  const auto place = [&](int i) { return swaps && i < 2 ? 1 - i : i; };
  Dims shape = Dims::filled(std::min(n, kMaxDims), 1);
  for (int i = kMaxDims; i < n; ++i) shape.push(1);  // refuses
  for (int i = 0; i < n; ++i) {
    if (tensors[static_cast<size_t>(i)].dim() > 1)
      throw shape_error("meshgrid", text("tensors[", i, "] is no vector"))
          .show("input", tensors[static_cast<size_t>(i)])
          .remedy("pass tensors of one dimension");
    shape[place(i)] = tensors[static_cast<size_t>(i)].numel();
  }
  checked_numel("meshgrid", shape);
  std::vector<Tensor> out;
  for (int i = 0; i < n; ++i) {
    Dims own = Dims::filled(n, 1);
    own[place(i)] = shape[place(i)];
    out.push_back(expand(reshape(tensors[static_cast<size_t>(i)], own), shape));
  }
  return out;
}

namespace {

// Where a diagonal starts in rows and columns, and how long it is.
struct Diagonal {
  int rows, columns;
  int64_t row = 0, column = 0, length = 0;
  Diagonal(const char* op, const Dims& shape, int64_t offset, int64_t dim1, int64_t dim2)
      : rows(normalize_dim(op, dim1, shape.n)), columns(normalize_dim(op, dim2, shape.n)) {
    if (shape.n < 2 || rows == columns)
      throw argument_error(op, text("dimensions ", dim1, " and ", dim2, " make no matrix"))
          .show("input", str(shape))
          .remedy("name two different dimensions");
    if (offset >= 0 ? offset >= shape[columns] : offset <= -shape[rows]) return;
    row = offset < 0 ? -offset : 0, column = offset > 0 ? offset : 0;
    length = std::min(shape[rows] - row, shape[columns] - column);
  }
  Tensor of(const Tensor& x) const {
    Dims shape = x.shape(), stride = x.stride();
    const int64_t first = row * stride[rows] + column * stride[columns];
    const int64_t step = stride[rows] + stride[columns];
    for (const int d : {std::max(rows, columns), std::min(rows, columns)})
      shape.erase(d), stride.erase(d);
    shape.push(length), stride.push(step);
    return x.view(shape, stride, x.offset() + (length ? first : 0));
  }
};

}  // namespace

Tensor diagonal(const Tensor& x, int64_t offset, int64_t dim1, int64_t dim2) {
  Tensor y = Diagonal("diagonal", x.shape(), offset, dim1, dim2).of(x);
  if (Recording r{"diagonal", {&x}}) {
    x.storage().viewed = true;
    r.result(y, [=, shape = x.shape()](Backward& pass) {
      pass.give(0, embed_diagonal(pass.grad(), offset, dim1, dim2, shape));
    });
  }
  return y;
}

Tensor embed_diagonal(const Tensor& g, int64_t offset, int64_t dim1, int64_t dim2,
                      const Dims& shape) {
  Tensor y = full(shape, 0, g.dtype(), g.device());
  {
    GradMode off(false);
    copy_(Diagonal("diag", shape, offset, dim1, dim2).of(y), g);
  }
  if (Recording r{"diagonal_backward", {&g}})
    r.result(y, [=](Backward& pass) { pass.give(0, diagonal(pass.grad(), offset, dim1, dim2)); });
  return y;
}

Tensor diag(const Tensor& x, int64_t offset) {
  if (x.dim() == 2) return clone(diagonal(x, offset, 0, 1));
  int64_t n;
  if (offset == INT64_MIN || __builtin_add_overflow(x.size(0), std::abs(offset), &n)) n = INT64_MAX;
  checked_mul("diag", n, n);
  return embed_diagonal(x, offset, 0, 1, {n, n});
}

}  // namespace fastdl
