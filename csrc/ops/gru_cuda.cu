// Gated recurrent units on CUDA (equations in ops/gru.h). The input's part of the gates of all steps
// is one product. The steps run in one persistent kernel (cuda/persistent.cuh) where the device has
// room for its weights; else a step is the product h W_hh' and a kernel for its cells, and backward the
// gradients of its gates and their product with W_hh, added to what goes past the gates. dgates is
// [n, r, z, n by h] as in ops/gru_cpu.cc. 16-bit floats that do not run persistently go through
// float32.
#include "ops/gru.h"

#include <algorithm>

#include "core/dtype.h"
#include "cuda/gru_cells.cuh"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/persistent.cuh"
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

// The steps, two launches each.
template <class T>
void steps_forward(const Context& context, const GruShape& s, const T* h0, const T* w_hh,
                   const T* bias, T* y, T* gates) {
  const int64_t hidden = s.hidden, state = s.n * hidden;
  const Scratch recurrent(context, static_cast<size_t>(kGates * state) * sizeof(T));
  for (int64_t t = 0; t < s.t; ++t) {
    const T* const h = t ? y + (t - 1) * state : h0;
    multiply_gates<T>(context, s.n, hidden, hidden, h, w_hh, bias, recurrent.as<T>(),
                      kGates * hidden);
    launch(context, gru_cell_kernel<T>, loop_grid(state), dim3(kBlock), s.n, hidden,
           recurrent.as<T>(), h, gates + t * 4 * state, y + t * state);
  }
}

// The steps in one launch.
template <class T>
void persistent_forward(const Context& context, const RecurrentPlan& plan, const GruShape& s,
                        const T* h0, const T* w_hh, const T* bias, T* y, T* gates,
                        bool keeps_gates) {
  GruCell<T> cell{};
  cell.steps = static_cast<int>(s.t);
  cell.n = static_cast<int>(s.n);
  cell.hidden = static_cast<int>(s.hidden);
  cell.w = {w_hh, cell.hidden, in_vectors(s.hidden, w_hh, w_hh)};
  cell.bias = bias;
  cell.h0 = h0;
  cell.gates = gates;
  cell.y = y;
  cell.keeps_gates = keeps_gates;
  run_persistent(context, plan, cell, h0);
}

template <class T>
void widened_forward(const Context& context, const GruShape& s, const void* x, const void* h0,
                     const void* w_ih, const void* w_hh, const void* b_ih, const void* b_hh,
                     void* y, void* gates);

template <class T>
void gru_forward_launch(const Context& context, const GruShape& s, const void* x, const void* h0_,
                        const void* w_ih, const void* w_hh_, const void* b_ih, const void* b_hh,
                        void* y_, void* gates_) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = 4 * hidden;
  if (s.t <= 0 || state <= 0) return;
  const RecurrentPlan plan = plan_persistent<GruCell<T>>(context, s.t, s.n, hidden);
  if constexpr (sizeof(T) < sizeof(float))
    if (!plan.persistent)
      return widened_forward<T>(context, s, x, h0_, w_ih, w_hh_, b_ih, b_hh, y_, gates_);
  const T* const h0 = static_cast<const T*>(h0_);
  const T* const w_hh = static_cast<const T*>(w_hh_);
  const T* const bias = static_cast<const T*>(b_hh);
  T* const y = static_cast<T*>(y_);
  const Scratch own(context, gates_ ? 0 : static_cast<size_t>(s.t * s.n * wide) * sizeof(T));
  T* const gates = gates_ ? static_cast<T*>(gates_) : own.as<T>();
  multiply_gates<T>(context, s.t * s.n, hidden, s.input, static_cast<const T*>(x), w_ih, b_ih,
                    gates, wide);
  if constexpr (sizeof(T) <= sizeof(float))
    if (plan.persistent)
      return persistent_forward(context, plan, s, h0, w_hh, bias, y, gates, gates_ != nullptr);
  if constexpr (sizeof(T) >= sizeof(float)) steps_forward(context, s, h0, w_hh, bias, y, gates);
}

// 16 bits where the persistent kernel does not apply: in float32.
template <class T>
void widened_forward(const Context& context, const GruShape& s, const void* x, const void* h0,
                     const void* w_ih, const void* w_hh, const void* b_ih, const void* b_hh,
                     void* y, void* gates) {
  const int64_t state = s.n * s.hidden, wide = kGates * s.hidden;
  Widened<T> f32(context);
  gru_forward_launch<float>(context, s, f32.operand(x, s.t * s.n * s.input), f32.operand(h0, state),
                            f32.operand(w_ih, wide * s.input), f32.operand(w_hh, wide * s.hidden),
                            f32.operand(b_ih, wide), f32.operand(b_hh, wide),
                            f32.result(y, s.t * state), f32.result(gates, 4 * s.t * state));
  f32.give_back();
}

// The steps from last to first: dgates of all, and dh0.
template <class T>
void steps_back(const Context& context, const GruShape& s, const GruSaved& saved,
                const GruGrads& grads, T* dgates) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = 4 * hidden;
  const T* const h0 = static_cast<const T*>(saved.h0);
  const T* const y = static_cast<const T*>(saved.y);
  const T* const gates = static_cast<const T*>(saved.gates);
  const T* const dy = static_cast<const T*>(grads.dy);
  T* const dh0 = static_cast<T*>(grads.dh0);
  launch(context, gru_copy_kernel<T>, loop_grid(state), dim3(kBlock), state,
         static_cast<const T*>(grads.dh), dh0);
  for (int64_t t = s.t - 1; t >= 0; --t) {
    T* const step = dgates + t * s.n * wide;
    launch(context, gru_gate_gradients_kernel<T>, loop_grid(state), dim3(kBlock), s.n, hidden,
           gates + t * s.n * wide, t ? y + (t - 1) * state : h0, dy ? dy + t * state : nullptr, dh0,
           step);
    multiply(context, s.n, hidden, kGates * hidden, step + hidden, wide, 1,
             static_cast<const T*>(saved.w_hh), dh0, true);
  }
}

// The same in one launch.
template <class T>
void persistent_back(const Context& context, const RecurrentPlan& plan, const GruShape& s,
                     const GruSaved& saved, const GruGrads& grads, T* dgates) {
  GruCellBack<T> cell{};
  cell.steps = static_cast<int>(s.t);
  cell.n = static_cast<int>(s.n);
  cell.hidden = static_cast<int>(s.hidden);
  cell.w = {static_cast<const T*>(saved.w_hh), cell.hidden};
  cell.gates = static_cast<const T*>(saved.gates);
  cell.y = static_cast<const T*>(saved.y);
  cell.h0 = static_cast<const T*>(saved.h0);
  cell.dy = static_cast<const T*>(grads.dy);
  cell.dh = static_cast<const T*>(grads.dh);
  cell.dgates = dgates;
  cell.dh0 = static_cast<T*>(grads.dh0);
  run_persistent(context, plan, cell, static_cast<const T*>(nullptr));
}

template <class T>
void widened_backward(const Context& context, const GruShape& s, const GruSaved& saved,
                      const GruGrads& grads);

template <class T>
void gru_backward_launch(const Context& context, const GruShape& s, const GruSaved& saved,
                         const GruGrads& grads) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = 4 * hidden, pair = 2 * hidden;
  const T* const h0 = static_cast<const T*>(saved.h0);
  const T* const y = static_cast<const T*>(saved.y);
  const T* const w_ih = static_cast<const T*>(saved.w_ih);
  const RecurrentPlan plan = plan_persistent<GruCellBack<T>>(context, s.t, s.n, hidden);
  if constexpr (sizeof(T) < sizeof(float))
    if (!plan.persistent) return widened_backward<T>(context, s, saved, grads);
  const Scratch scratch(context, static_cast<size_t>(s.t * s.n * wide) * sizeof(T));
  T* const dgates = scratch.as<T>();
  if (plan.persistent) {
    if constexpr (sizeof(T) <= sizeof(float))
      persistent_back(context, plan, s, saved, grads, dgates);
  } else if (state > 0) {
    if constexpr (sizeof(T) >= sizeof(float)) steps_back(context, s, saved, grads, dgates);
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

template <class T>
void widened_backward(const Context& context, const GruShape& s, const GruSaved& saved,
                      const GruGrads& grads) {
  const int64_t state = s.n * s.hidden, wide = kGates * s.hidden, steps = s.t * s.n;
  Widened<T> f32(context);
  const GruSaved from{
      f32.operand(saved.x, steps * s.input),   f32.operand(saved.h0, state),
      f32.operand(saved.w_ih, wide * s.input), f32.operand(saved.w_hh, wide * s.hidden),
      f32.operand(saved.y, steps * s.hidden),  f32.operand(saved.gates, 4 * steps * s.hidden)};
  const GruGrads to{
      f32.operand(grads.dy, steps * s.hidden), f32.operand(grads.dh, state),
      f32.result(grads.dx, steps * s.input),   f32.result(grads.dh0, state),
      f32.result(grads.dw_ih, wide * s.input), f32.result(grads.dw_hh, wide * s.hidden),
      f32.result(grads.db_ih, wide),           f32.result(grads.db_hh, wide)};
  gru_backward_launch<float>(context, s, from, to);
  f32.give_back();
}

}  // namespace

void register_gru(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<gru_forward>(dtype_of<T>::value, gru_forward_launch<T>);
    registry.add<gru_backward>(dtype_of<T>::value, gru_backward_launch<T>);
  });
}

}  // namespace fastdl::cuda
