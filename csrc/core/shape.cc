#include "core/shape.h"

#include "core/error.h"

namespace fastdl {

void Dims::push(int64_t v) {
  if (n == kMaxDims)
    throw Error(ErrorKind::shape, "tensor", text("more than ", kMaxDims, " dimensions"))
        .remedy("flatten some dimensions first");
  d[n++] = v;
}

void Dims::insert(int at, int64_t v) {
  push(0);
  for (int i = n - 1; i > at; --i) d[i] = d[i - 1];
  d[at] = v;
}

void Dims::erase(int at) {
  for (int i = at; i + 1 < n; ++i) d[i] = d[i + 1];
  --n;
}

std::string str(const Dims& dims) {
  std::string out = "[";
  for (int i = 0; i < dims.n; ++i) out += (i ? ", " : "") + std::to_string(dims[i]);
  return out + "]";
}

int64_t checked_mul(const char* op, int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product) || product > (int64_t{1} << 62))
    throw Error(ErrorKind::shape, op, text("size ", a, " * ", b, " overflows"))
        .remedy("use smaller sizes");
  return product;
}

int64_t checked_numel(const char* op, const Dims& shape) {
  int64_t count = 1;
  bool empty = false;
  for (int64_t size : shape) {
    if (size < 0)
      throw Error(ErrorKind::shape, op, text("negative size in shape ", str(shape)))
          .remedy("give sizes of 0 or more");
    empty = empty || size == 0;
    if (size > 0) count = checked_mul(op, count, size);
  }
  return empty ? 0 : count;
}

Dims contiguous_strides(const Dims& shape) {
  Dims stride = shape;
  int64_t step = 1;
  for (int i = shape.n - 1; i >= 0; --i) {
    stride[i] = step;
    step *= shape[i] > 0 ? shape[i] : 1;
  }
  return stride;
}

bool is_contiguous(const Dims& shape, const Dims& stride) {
  int64_t step = 1;
  for (int i = shape.n - 1; i >= 0; --i) {
    if (shape[i] == 0) return true;
    if (shape[i] != 1 && stride[i] != step) return false;
    step *= shape[i];
  }
  return true;
}

int normalize_dim(const char* op, int64_t dim, int ndim) {
  const int64_t bound = ndim > 0 ? ndim : 1;  // a scalar answers to dims 0 and -1
  if (dim < -bound || dim >= bound)
    throw Error(ErrorKind::index, op,
                text("dim ", dim, " is out of range for ", ndim, " dimensions"))
        .remedy(text("use a dim from ", -bound, " to ", bound - 1));
  return static_cast<int>(dim < 0 ? dim + bound : dim);
}

Dims broadcast_shapes(const char* op, const Dims& a, const Dims& b) {
  if (a == b) return a;
  Dims out = Dims::filled(a.n > b.n ? a.n : b.n, 1);
  for (int i = 1; i <= out.n; ++i) {
    const int64_t x = i <= a.n ? a[a.n - i] : 1, y = i <= b.n ? b[b.n - i] : 1;
    if (x != y && x != 1 && y != 1)
      throw Error(ErrorKind::shape, op,
                  text("shapes do not broadcast: sizes ", x, " and ", y, " at dimension ", -i))
          .show("input", str(a))
          .show("other", str(b))
          .remedy("make the sizes equal, or one of them 1");
    out[out.n - i] = x == 1 ? y : x;
  }
  return out;
}

Dims broadcast_strides(const Dims& shape, const Dims& stride, const Dims& to) {
  Dims out = Dims::filled(to.n, 0);
  const int lead = to.n - shape.n;
  for (int i = 0; i < shape.n; ++i)
    out[lead + i] = shape[i] == 1 && to[lead + i] != 1 ? 0 : stride[i];
  return out;
}

template <int N>
Strided<N> make_walk(const Dims& shape, const Dims (&strides)[N]) {
  Strided<N> walk;
  for (int i = shape.n - 1; i >= 0; --i) {
    walk.numel *= shape[i];
    if (shape[i] == 1) continue;
    if (walk.ndim > 0) {
      const int last = walk.ndim - 1;
      bool merges = true;
      for (int k = 0; k < N; ++k)
        merges = merges && strides[k][i] == walk.stride[k][last] * walk.size[last];
      if (merges) {
        walk.size[last] *= shape[i];
        continue;
      }
    }
    walk.size[walk.ndim] = shape[i];
    for (int k = 0; k < N; ++k) walk.stride[k][walk.ndim] = strides[k][i];
    ++walk.ndim;
  }
  return walk;
}

template Strided<1> make_walk(const Dims&, const Dims (&)[1]);
template Strided<2> make_walk(const Dims&, const Dims (&)[2]);
template Strided<3> make_walk(const Dims&, const Dims (&)[3]);
template Strided<4> make_walk(const Dims&, const Dims (&)[4]);

}  // namespace fastdl
