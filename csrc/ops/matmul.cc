#include "ops/matmul.h"

#include <atomic>

#include "ops/binary.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/epilogue.h"
#include "ops/packed.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

std::atomic<Precision> precision{Precision::highest};

// a[batch..., m, k] times b[batch..., k, n] into c, contiguous; batches broadcast. Batch dimensions
// that merge into one stride run as one call, others in a loop over the rest.
void run(const char* op, const Tensor& a, const Tensor& b, const Tensor& packed,
         const Epilogue& epilogue, const Tensor& c) {
  const int last = c.dim() - 1;
  GemmShape shape{};
  shape.precision = precision;
  shape.m = c.size(last - 1), shape.n = c.size(last), shape.k = a.size(a.dim() - 1);
  shape.a_row = a.stride()[a.dim() - 2], shape.a_col = a.stride()[a.dim() - 1];
  shape.b_row = b.stride()[b.dim() - 2], shape.b_col = b.stride()[b.dim() - 1];
  shape.c_row = shape.n;
  Dims batch, strides[3];
  const Dims as = broadcast_strides(a.shape(), a.stride(), [&] {
    Dims to = c.shape();
    to[last - 1] = a.size(a.dim() - 2), to[last] = a.size(a.dim() - 1);
    return to;
  }());
  const Dims bs = broadcast_strides(b.shape(), b.stride(), [&] {
    Dims to = c.shape();
    to[last - 1] = b.size(b.dim() - 2), to[last] = b.size(b.dim() - 1);
    return to;
  }());
  for (int i = 0; i < last - 1; ++i) {
    batch.push(c.size(i));
    strides[0].push(as[i]), strides[1].push(bs[i]), strides[2].push(c.stride()[i]);
  }
  const Strided<3> walk = make_walk<3>(batch, strides);
  shape.batch = walk.ndim ? walk.size[0] : 1;
  shape.a_batch = walk.stride[0][0], shape.b_batch = walk.stride[1][0],
  shape.c_batch = walk.stride[2][0];
  if (c.numel() == 0) return;
  const auto item = static_cast<int64_t>(item_size(c.dtype()));
  const int64_t calls = walk.numel / shape.batch;
  for (int64_t call = 0; call < calls; ++call) {
    int64_t at[3] = {}, rest = call;
    for (int d = 1; d < walk.ndim; ++d) {
      for (int k = 0; k < 3; ++k) at[k] += rest % walk.size[d] * walk.stride[k][d];
      rest /= walk.size[d];
    }
    launch<gemm>(op, c.device(), c.dtype(), shape.batch * shape.m * shape.n * shape.k, shape,
                 static_cast<const char*>(a.data()) + at[0] * item,
                 static_cast<const char*>(b.data()) + at[1] * item,
                 packed.defined() ? packed.data() : nullptr, epilogue, c.as<char>() + at[2] * item);
  }
}

Tensor turned(const Tensor& x) { return transpose(x, -2, -1); }

// Both operands of rank two or more.
Tensor matrices(const Tensor& a, const Tensor& b) {
  Dims shape = a.shape(), other = b.shape();
  const int64_t m = a.size(a.dim() - 2), n = b.size(b.dim() - 1);
  shape.n -= 2, other.n -= 2;
  shape = broadcast_shapes("matmul", shape, other);
  shape.push(m);
  shape.push(n);
  Tensor c = empty("matmul", shape, a.dtype(), a.device());
  run("matmul", a, b, {}, Epilogue{}, c);
  if (Recording r{"matmul", {&a, &b}})
    r.result(c, [a = Saved(a), b = Saved(b)](Backward& pass) {
      const Tensor x = a.get(pass), y = b.get(pass);
      if (pass.needs(0)) pass.give(0, sum_to(matmul(pass.grad(), turned(y)), x.shape()));
      if (pass.needs(1)) pass.give(1, sum_to(matmul(turned(x), pass.grad()), y.shape()));
    });
  return c;
}

}  // namespace

Precision float32_matmul_precision() { return precision; }
void set_float32_matmul_precision(Precision chosen) { precision = chosen; }

GemmChoice plan_matmul(int64_t batch, int64_t m, int64_t n, int64_t k, bool turned_a, bool turned_b,
                       DType dtype, const Device& device) {
  GemmShape s{};
  s.batch = batch, s.m = m, s.n = n, s.k = k;
  s.a_batch = m * k, s.a_row = turned_a ? 1 : k, s.a_col = turned_a ? m : 1;
  s.b_batch = k * n, s.b_row = turned_b ? 1 : n, s.b_col = turned_b ? k : 1;
  s.c_batch = m * n, s.c_row = n;
  s.precision = precision;
  GemmChoice choice{};
  kernel<gemm_plan>("explain", device, dtype)(context(device), s, choice);
  return choice;
}

Tensor matmul(const Tensor& a, const Tensor& b) {
  // The operator @ comes here without a door.
  check_same_kind("matmul", {{"input", a}, {"other", b}});
  check_floating("matmul", {"input", a});
  if (a.dim() == 0 || b.dim() == 0)
    throw shape_error("matmul", "scalars have no matrix product")
        .show("input", a)
        .show("other", b)
        .remedy("multiply with *");
  const int64_t ka = a.size(a.dim() - 1), kb = b.size(b.dim() == 1 ? 0 : b.dim() - 2);
  if (ka != kb)
    throw shape_error("matmul", text("the inner sizes ", ka, " and ", kb, " differ"))
        .show("input", a)
        .show("other", b)
        .remedy("make input's last size equal other's second to last, perhaps by transposing one");
  // A vector is a row on the left and a column on the right; the added dimension goes again.
  const Tensor y = matrices(a.dim() == 1 ? unsqueeze(a, 0) : a, b.dim() == 1 ? unsqueeze(b, 1) : b);
  const Tensor z = b.dim() == 1 ? squeeze(y, -1) : y;
  return a.dim() == 1 ? squeeze(z, b.dim() == 1 ? -1 : -2) : z;
}

Tensor add_product(const char* op, const Tensor& input, const Tensor& a, const Tensor& b,
                   double beta, double alpha) {
  Dims shape = a.shape();
  shape[a.dim() - 1] = b.size(b.dim() - 1);
  if (broadcast_shapes(op, shape, input.shape()) != shape)
    throw shape_error(op, text("the product is ", str(shape), ", and input does not expand to it"))
        .show("input", input)
        .remedy("pass an input whose sizes are the product's, or 1");
  Tensor y = matmul(a, b);
  if (alpha != 1) y = mul(y, scalar_like(alpha, y));
  if (beta != 0) return add(y, beta == 1 ? input : mul(input, scalar_like(beta, input)));
  Tensor z = y.alias();
  if (Recording r{op, {&y, &input}})
    r.result(z, [from = input.shape()](Backward& pass) {
      const Tensor& g = pass.grad();
      if (pass.needs(0)) pass.give(0, g);
      if (pass.needs(1)) pass.give(1, full(from, 0, g.dtype(), g.device()));
    });
  return z;
}

namespace {

int64_t rows_of(const Tensor& x) {
  int64_t rows = 1;
  for (int i = 0; i < x.dim() - 1; ++i) rows *= x.size(i);
  return rows;
}

// Inner products read a weight as it is (cpu/gemm_skinny.h); below some size there is nothing to gain.
constexpr int64_t kPackRows = 13, kPackSize = 4096;

// The weight as the kernel likes it best, where it can be kept.
Tensor packed_weight(const char* op, const Tensor& weight, int64_t rows) {
  const bool wide = weight.dtype() == DType::f32 || weight.dtype() == DType::f64;
  if (!weight.device().is_cpu() || !wide || rows < kPackRows || weight.numel() < kPackSize)
    return {};
  return kept_packed(weight, {"linear", 0, {}}, [&] {
    const int64_t n = weight.size(0), k = weight.size(1);
    const int64_t columns = (n + kPackedColumns - 1) / kPackedColumns * kPackedColumns;
    Tensor packed = empty(op, {columns * k}, weight.dtype(), weight.device());
    kernel<gemm_pack>(op, weight.device(), weight.dtype())(
        context(weight.device()), k, n, weight.data(), weight.stride()[1], weight.stride()[0],
        packed.mutable_data());
    return packed;
  });
}

// y = activation(x weight^T + bias + residual), not recorded.
Tensor run_linear(const char* op, const Tensor& x, const Tensor& weight, const Tensor& bias,
                  const Tensor& residual, Epilogue epilogue) {
  const int64_t out = weight.size(0), in = weight.size(1);
  Dims shape = x.shape();
  shape[x.dim() - 1] = out;
  check_residual(op, residual, shape);
  const Tensor rows = contiguous(detach(x));
  const Tensor flat_bias = bias.defined() ? contiguous(detach(bias)) : bias;
  const Tensor flat_residual = residual.defined() ? contiguous(detach(residual)) : residual;
  Tensor y = empty(shape, x.dtype(), x.device());
  const int64_t count = rows_of(x);
  if (bias.defined()) epilogue.bias = flat_bias.data();
  if (residual.defined()) epilogue.residual = flat_residual.data();
  run(op, rows.view({count, in}, {in, 1}, rows.offset()),
      weight.view({in, out}, {weight.stride()[1], weight.stride()[0]}, weight.offset()),
      packed_weight(op, weight, count), epilogue, y.view({count, out}, {out, 1}, 0));
  return y;
}

}  // namespace

Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor y = run_linear("linear", x, weight, bias, {}, Epilogue{});
  if (Recording r{"linear", {&x, &weight, &bias}})
    r.result(y, [x = Saved(x), w = Saved(weight)](Backward& pass) {
      const Tensor xs = x.get(pass), ws = w.get(pass);
      const int64_t count = rows_of(xs), out = ws.size(0), in = ws.size(1);
      const Tensor g = reshape(pass.grad(), {count, out});
      if (pass.needs(0)) pass.give(0, reshape(matmul(g, ws), xs.shape()));
      if (pass.needs(1)) pass.give(1, matmul(transpose(g, 0, 1), reshape(xs, {count, in})));
      if (pass.needs(2)) pass.give(2, sum(g, Dims{0}, false));
    });
  return y;
}

Tensor linear_fused(const Tensor& x, const Tensor& weight, const Tensor& bias,
                    const Tensor& residual, const FusedOptions& fused) {
  check_inference("linear_fused", {&x, &weight, &bias, &residual});
  const Activation activation = parse_activation("linear_fused", fused.activation);
  return run_linear("linear_fused", x, weight, bias, residual,
                    {nullptr, nullptr, activation, fused.slope});
}

}  // namespace fastdl
