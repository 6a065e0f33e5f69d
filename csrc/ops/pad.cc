#include "ops/pad.h"

#include <algorithm>

#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

enum class Mode { constant, reflect, replicate, circular };

// What lies around each dimension of x. Negative numbers crop.
struct Border {
  Mode mode;
  Dims before, after;
  double value = 0;

  bool crops() const {
    bool any = false;
    for (const int64_t n : before) any = any || n < 0;
    for (const int64_t n : after) any = any || n < 0;
    return any;
  }
  Border turned() const {  // undoes itself: what was added is cropped
    Border out = *this;
    out.value = 0;
    for (int d = 0; d < before.n; ++d) out.before[d] = -before[d], out.after[d] = -after[d];
    return out;
  }
};

// `length` neighbours of y from `to` on: those of x from `from` on by `step` (1, -1, or 0), or the
// border's value.
struct Piece {
  int64_t to, length, from, step;
  bool filled;
};
struct Pieces {
  int n = 0;
  Piece piece[3];
};

// The pieces of one dimension of n elements. Element j of y reads element j - before of x, which
// lies in front of x, in it, or behind it.
Pieces pieces(Mode mode, int64_t n, int64_t before, int64_t after) {
  Pieces out;
  const int64_t first = -before, end = n + after;
  const auto add = [&](int64_t low, int64_t high, int64_t from, int64_t step, bool filled) {
    low = std::max(low, first), high = std::min(high, end);
    if (low < high) out.piece[out.n++] = {low - first, high - low, from, step, filled};
  };
  const bool filled = mode == Mode::constant;
  const int64_t low = std::max<int64_t>(first, 0), past = std::max(first, n);
  add(low, n, low, 1, false);  // first, as gradients begin with it
  switch (mode) {
    case Mode::constant:
    case Mode::replicate:
      add(first, 0, 0, 0, filled);
      add(past, end, n - 1, 0, filled);
      break;
    case Mode::reflect:
      add(first, 0, before, -1, false);
      add(past, end, 2 * (n - 1) - past, -1, false);
      break;
    case Mode::circular:  // of what is left where the other side is cropped
      add(first, 0, std::min(n, end) - before, 1, false);
      add(past, end, low, 1, false);
      break;
  }
  return out;
}

// Calls block(to, from, filled) for blocks that cover y, each a window of y and one of x. Where the
// border is a value, what lies outside in one dimension is one block in those that follow.
template <class F>
void visit(const Dims& shape, const Border& border, const F& block) {
  Dims result = shape;
  Pieces all[kMaxDims];
  for (int d = 0; d < shape.n; ++d) {
    all[d] = pieces(border.mode, shape[d], border.before[d], border.after[d]);
    result[d] += border.before[d] + border.after[d];
  }
  for (int d = 0; d < shape.n; ++d)
    if (all[d].n == 0) return;  // no elements
  const Dims zeros = Dims::filled(shape.n, 0), ones = Dims::filled(shape.n, 1);
  Window to{zeros, ones, result}, from{zeros, ones, shape};
  int at[kMaxDims] = {}, d = 0;
  do {
    bool filled = false;
    for (d = 0; d < shape.n && !filled; ++d) {
      const Piece& p = all[d].piece[at[d]];
      to.start[d] = p.to, to.length[d] = p.length;
      from.start[d] = p.from, from.step[d] = p.step, from.length[d] = p.length;
      filled = p.filled;
    }
    for (int rest = d; rest < shape.n; ++rest) to.start[rest] = 0, to.length[rest] = result[rest];
    block(to, from, filled);
    while (--d >= 0 && ++at[d] == all[d].n) at[d] = 0;
  } while (d >= 0);
}

Tensor run(const Tensor& x, const Border& border);

// The gradient of x: each element's and those of its images in the border, in the order of `visit`.
Tensor run_backward(const Tensor& g, const Dims& shape, const Border& border) {
  Tensor dx = border.crops() || g.numel() == 0
                  ? full(shape, 0, g.dtype(), g.device())
                  : empty_in("pad", layout_of(g), shape, g.dtype(), g.device());
  {
    GradMode off(false);
    const Tensor source = detach(g);
    visit(shape, border, [&](const Window& to, const Window& from, bool) {
      Tensor part = slice(source, to);
      Window own = from;
      Dims repeated;
      bool inside = true;
      for (int d = 0; d < shape.n; ++d) {
        inside =
            inside && from.step[d] == 1 && to.start[d] == std::max<int64_t>(border.before[d], 0);
        if (from.step[d] == 0) repeated.push(d), own.length[d] = own.step[d] = 1;
      }
      if (repeated.n) part = sum(part, repeated, true);
      const Tensor mine = slice(dx, own);
      inside ? copy_(mine, part) : binary_(Binary::add, mine, part);
    });
  }
  if (Recording r{"pad_backward", {&g}})
    r.result(dx, [border](Backward& pass) { pass.give(0, run(pass.grad(), border)); });
  return dx;
}

Tensor run(const Tensor& x, const Border& border) {
  Dims shape = x.shape();
  for (int d = 0; d < shape.n; ++d) shape[d] += border.before[d] + border.after[d];
  Tensor y = empty_in("pad", layout_of(x), shape, x.dtype(), x.device());
  {
    GradMode off(false);
    const Tensor source = detach(x);
    visit(x.shape(), border, [&](const Window& to, const Window& from, bool filled) {
      const Tensor part = slice(y, to);
      filled ? fill_(part, border.value) : copy_(part, slice(source, from));
    });
  }
  if (Recording r{"pad", {&x}})
    r.result(y, [border, from = x.shape()](Backward& pass) {
      const Tensor& g = pass.grad();
      if (border.mode != Mode::constant) return pass.give(0, run_backward(g, from, border));
      if (border.crops()) return pass.give(0, run(g, border.turned()));
      pass.give(0, slice(g, {border.before, Dims::filled(from.n, 1), from}));
    });
  return y;
}

// How far the mode can reach out of n elements.
int64_t reach(Mode mode, int64_t n, int64_t before, int64_t after) {
  if (mode == Mode::reflect) return n > 0 ? n - 1 : 0;
  if (mode == Mode::circular)
    return std::max<int64_t>(n + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0), 0);
  return mode == Mode::replicate && n == 0 ? 0 : kMaxWindow;
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<int64_t>& sizes, const std::string& name,
           std::optional<double> value) {
  const Mode mode = name == "reflect"     ? Mode::reflect
                    : name == "replicate" ? Mode::replicate
                    : name == "circular"  ? Mode::circular
                                          : Mode::constant;
  if (value && mode != Mode::constant)
    throw argument_error("pad", text("mode '", name, "' takes no value"))
        .show("input", x)
        .remedy("leave it out, or use mode='constant'");
  if (sizes.size() % 2 != 0 || sizes.size() / 2 > static_cast<size_t>(x.dim()))
    throw argument_error("pad", text(sizes.size(), " numbers for ", x.dim(), " dimensions"))
        .show("input", x)
        .remedy("give a pair (before, after) for each dimension, the last dimension's first");
  Border border{mode, Dims::filled(x.dim(), 0), Dims::filled(x.dim(), 0), value.value_or(0)};
  Dims shape = x.shape();
  for (size_t i = 0; i < sizes.size() / 2; ++i) {
    const int d = x.dim() - 1 - static_cast<int>(i);
    const int64_t n = x.size(d), before = sizes[2 * i], after = sizes[2 * i + 1];
    border.before[d] = before, border.after[d] = after;
    shape[d] = n + before + after;
    const int64_t most = reach(mode, n, before, after);
    if (shape[d] < 0 || before > most || after > most)
      throw shape_error("pad", text("a border of ", before, " and ", after,
                                    " does not fit dimension ", d, " of size ", n))
          .show("input", x)
          .show("mode", name)
          .remedy(shape[d] < 0 ? "crop no more than there is"
                               : text("use at most ", most, " on each side, or another mode"));
  }
  checked_numel("pad", shape);
  return run(x, border);
}

}  // namespace fastdl
