// Gated recurrent units on CUDA (equations in ops/gru.h). The input's part of the gates of all steps is
// one product; a step is the product h W_hh' and a kernel for its cells. Backward, a step is the
// gradients of its gates and their product with W_hh, added to what goes past the gates; dgates is
// [n, r, z, n by h] as in ops/gru_cpu.cc.
#include "ops/gru.h"

#include <algorithm>

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/recurrent.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

constexpr int kGates = 3;

// kernels

// One step of n samples. gates[n, 4 hidden]: the input's part before, and r, z, n and the recurrent
// part of n after. by_h[n, 3 hidden] has W_hh h + b_hh.
template <class T>
__global__ void __launch_bounds__(kBlock)
    gru_cell_kernel(int64_t n, int64_t hidden, const T* by_h, const T* h_before, T* gates, T* h) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; at < n * hidden;
       at += threads) {
    const int64_t i = at / hidden, j = at % hidden;
    T* const g = gates + i * 4 * hidden + j;
    const T* const b = by_h + i * kGates * hidden + j;
    const T r = sigmoid(Value<T>(g[0] + b[0])).v;
    const T z = sigmoid(Value<T>(g[hidden] + b[hidden])).v;
    const T recurrent = b[2 * hidden];
    const T fresh = std::tanh(g[2 * hidden] + r * recurrent);
    h[at] = fresh + z * (h_before[at] - fresh);
    g[0] = r;
    g[hidden] = z;
    g[2 * hidden] = fresh;
    g[3 * hidden] = recurrent;
  }
}

// The gradients of a step's gates; dy may be null. carry: the gradient of h but for that by y before,
// and its part that goes past the gates after.
template <class T>
__global__ void __launch_bounds__(kBlock)
    gru_gate_gradients_kernel(int64_t n, int64_t hidden, const T* gates, const T* h_before,
                              const T* dy, T* carry, T* dgates) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t at = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; at < n * hidden;
       at += threads) {
    const int64_t first = at / hidden * 4 * hidden + at % hidden;
    const T r = gates[first], z = gates[first + hidden];
    const T fresh = gates[first + 2 * hidden], recurrent = gates[first + 3 * hidden];
    const T dh = carry[at] + (dy ? dy[at] : T(0));
    const T dn = dh * (1 - z) * (1 - fresh * fresh);
    dgates[first] = dn;
    dgates[first + hidden] = dn * recurrent * r * (1 - r);
    dgates[first + 2 * hidden] = dh * (h_before[at] - fresh) * z * (1 - z);
    dgates[first + 3 * hidden] = dn * r;
    carry[at] = dh * z;
  }
}

// to = from, or zeros where that is null.
template <class T>
__global__ void __launch_bounds__(kBlock) gru_copy_kernel(int64_t n, const T* from, T* to) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < n; i += threads)
    to[i] = from ? from[i] : T(0);
}

// launchers

// c[m, 3 hidden] = a[m, k] w' + bias, rows of c c_row apart.
template <class T>
void multiply_gates(const Context& context, int64_t m, int64_t hidden, int64_t k, const T* a,
                    const void* w, const void* bias, T* c, int64_t c_row) {
  GemmArguments g{1, m, kGates * hidden, k};
  g.a_row = g.b_col = k;
  g.a_col = g.b_row = 1;
  g.c_row = c_row;
  gemm(context, g, a, static_cast<const T*>(w), Epilogue{bias}, c);
}

template <class T>
void gru_forward_launch(const Context& context, const GruShape& s, const void* x, const void* h0,
                        const void* w_ih, const void* w_hh, const void* b_ih, const void* b_hh,
                        void* y_, void* gates_) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = 4 * hidden;
  if (s.t <= 0 || state <= 0) return;
  T* const y = static_cast<T*>(y_);
  const Scratch own(context, gates_ ? 0 : static_cast<size_t>(s.t * s.n * wide) * sizeof(T));
  const Scratch recurrent(context, static_cast<size_t>(kGates * state) * sizeof(T));
  T* const gates = gates_ ? static_cast<T*>(gates_) : own.as<T>();
  multiply_gates<T>(context, s.t * s.n, hidden, s.input, static_cast<const T*>(x), w_ih, b_ih,
                    gates, wide);
  for (int64_t t = 0; t < s.t; ++t) {
    const T* const h = t ? y + (t - 1) * state : static_cast<const T*>(h0);
    multiply_gates<T>(context, s.n, hidden, hidden, h, w_hh, b_hh, recurrent.as<T>(),
                      kGates * hidden);
    launch(context, gru_cell_kernel<T>, loop_grid(state), dim3(kBlock), s.n, hidden,
           recurrent.as<T>(), h, gates + t * s.n * wide, y + t * state);
  }
}

template <class T>
void gru_backward_launch(const Context& context, const GruShape& s, const GruSaved& saved,
                         const GruGrads& grads) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = 4 * hidden, pair = 2 * hidden;
  const T* const h0 = static_cast<const T*>(saved.h0);
  const T* const y = static_cast<const T*>(saved.y);
  const T* const w_ih = static_cast<const T*>(saved.w_ih);
  const T* const gates = static_cast<const T*>(saved.gates);
  const T* const dy = static_cast<const T*>(grads.dy);
  T* const dh0 = static_cast<T*>(grads.dh0);
  const Scratch scratch(context, static_cast<size_t>(s.t * s.n * wide) * sizeof(T));
  T* const dgates = scratch.as<T>();
  if (state > 0)
    launch(context, gru_copy_kernel<T>, loop_grid(state), dim3(kBlock), state,
           static_cast<const T*>(grads.dh), dh0);
  for (int64_t t = s.t - 1; t >= 0 && state > 0; --t) {
    T* const step = dgates + t * s.n * wide;
    launch(context, gru_gate_gradients_kernel<T>, loop_grid(state), dim3(kBlock), s.n, hidden,
           gates + t * s.n * wide, t ? y + (t - 1) * state : h0, dy ? dy + t * state : nullptr, dh0,
           step);
    multiply(context, s.n, hidden, kGates * hidden, step + hidden, wide, 1,
             static_cast<const T*>(saved.w_hh), dh0, true);
  }
  const int64_t rows = s.t * s.n, later = std::max<int64_t>(rows - s.n, 0);
  const T* const x = static_cast<const T*>(saved.x);
  T* const dx = static_cast<T*>(grads.dx);
  T* const dw_ih = static_cast<T*>(grads.dw_ih);
  T* const dw_hh = static_cast<T*>(grads.dw_hh);
  T* const db_ih = static_cast<T*>(grads.db_ih);
  multiply(context, rows, s.input, pair, dgates + hidden, wide, 1, w_ih, dx);
  multiply(context, rows, s.input, hidden, dgates, wide, 1, w_ih + pair * s.input, dx, true);
  multiply(context, pair, s.input, rows, dgates + hidden, 1, wide, x, dw_ih);
  multiply(context, hidden, s.input, rows, dgates, 1, wide, x, dw_ih + pair * s.input);
  multiply(context, kGates * hidden, hidden, later, dgates + s.n * wide + hidden, 1, wide, y,
           dw_hh);
  multiply(context, kGates * hidden, hidden, s.t > 0 ? s.n : 0, dgates + hidden, 1, wide, h0, dw_hh,
           true);
  sum_rows(context, rows, pair, dgates + hidden, wide, db_ih);
  sum_rows(context, rows, hidden, dgates, wide, db_ih + pair);
  sum_rows(context, rows, kGates * hidden, dgates + hidden, wide, static_cast<T*>(grads.db_hh));
}

}  // namespace

void register_gru(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<gru_forward>(dtype_of<T>::value, gru_forward_launch<T>);
    registry.add<gru_backward>(dtype_of<T>::value, gru_backward_launch<T>);
  });
}

}  // namespace fastdl::cuda
