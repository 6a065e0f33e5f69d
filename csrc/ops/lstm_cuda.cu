// Long short-term memory on CUDA (equations in ops/lstm.h).
//
// Forward: the input's part of all gates of all steps is one large product. What is left for a step
// is h W_hh', which is small and waits for the step before: all steps run in one persistent kernel
// (cuda/persistent.cuh) where the device has room for its weights, else a kernel a step forms the four
// gates of a tile of samples and hidden units and goes on to c and h with them. Backward: a step is
// the gradients of its gates, element by element, and their product with W_hh, in the persistent
// kernel or gate by gate; afterwards the gradients by x and the weights are products over all steps
// (Appleyard, Kocisky and Blunsom, "Optimizing performance of recurrent neural networks on GPUs",
// 2016, describe both groupings). 16-bit floats that do not run persistently go through float32.
#include "ops/lstm.h"

#include <algorithm>

#include "core/dtype.h"
#include "cuda/elementwise.cuh"
#include "cuda/lstm_cells.cuh"
#include "cuda/math.cuh"
#include "cuda/persistent.cuh"
#include "cuda/recurrent.cuh"
#include "cuda/register.h"
#include "cuda/small_product.cuh"

namespace fastdl::cuda {
namespace {

constexpr int kGates = kRowsPerThread;

// kernels

// Where a thread stands in a step of n samples. A block has 8 R samples and `columns` of the hidden
// units.
template <class T, int R>
struct Place {
  int row;                 // that it loads
  int64_t sample0, unit0;  // of the block
  int64_t sample;          // whose sums it gets
  bool has_sample;

  __device__ Place(int64_t n, int64_t hidden, int columns) {
    using S = SmallTile<T, R>;
    const uint32_t tiles = static_cast<uint32_t>(ceil_div(hidden, columns));
    row = static_cast<int>(threadIdx.x) / S::kVectors;
    sample0 = static_cast<int64_t>(blockIdx.x / tiles) * S::kSamples;
    unit0 = static_cast<int64_t>(blockIdx.x % tiles) * columns;
    sample = sample0 + threadIdx.x / S::kUnits;
    has_sample = threadIdx.x / S::kUnits < S::kSamples && sample < n;
  }

  // The row that it loads of x[n, step].
  __device__ const T* sample_row(const T* x, int64_t n, int64_t step) const {
    const bool exists = row < SmallTile<T, R>::kSamples && sample0 + row < n;
    return exists ? x + (sample0 + row) * step : nullptr;
  }
};

// One step of the cell.
template <class T>
struct Step {
  int64_t n, hidden;
  bool vector;        // whether rows of h and w can be read in vectors
  const T *h, *c;     // before
  const T *w, *bias;  // bias may be null
  T* gates;           // [n, 4 hidden]: the input's part before, activations after
  T *c_next, *h_next;
};

// A block has 8 hidden units: a thread's four sums are the gates of one.
template <class T, int R>
__global__ void __launch_bounds__(kBlock, 2) lstm_step_kernel(const __grid_constant__ Step<T> p) {
  using S = SmallTile<T, R>;
  alignas(16) __shared__ T shared[S::kShared];
  const Place<T, R> place(p.n, p.hidden, S::kUnits);
  const int gate_of_row = place.row / S::kUnits;
  const int64_t unit_of_row = place.unit0 + place.row % S::kUnits;
  const T* const w_row =
      unit_of_row < p.hidden ? p.w + (gate_of_row * p.hidden + unit_of_row) * p.hidden : nullptr;

  // Read first, so that it is here when the sums are.
  const int64_t i = place.sample, j = place.unit0 + threadIdx.x % S::kUnits;
  const bool active = place.has_sample && j < p.hidden;
  T* const gates = p.gates + i * kGates * p.hidden + j;
  T c = 0, gate[kGates] = {}, bias[kGates] = {};
  if (active) {
    c = p.c[i * p.hidden + j];
#pragma unroll
    for (int g = 0; g < kGates; ++g) {
      gate[g] = gates[g * p.hidden];
      if (p.bias) bias[g] = p.bias[g * p.hidden + j];
    }
  }
  T sums[kGates];
  multiply_small<T, R>(place.sample_row(p.h, p.n, p.hidden), w_row, p.hidden, p.vector, shared,
                       sums);
  if (!active) return;
#pragma unroll
  for (int g = 0; g < kGates; ++g) {
    gate[g] += sums[g] + bias[g];
    gate[g] = g == 2 ? std::tanh(gate[g]) : sigmoid(Value<T>(gate[g])).v;
    gates[g * p.hidden] = gate[g];
  }
  c = gate[1] * c + gate[0] * gate[2];
  p.c_next[i * p.hidden + j] = c;
  p.h_next[i * p.hidden + j] = gate[3] * std::tanh(c);
}

// parts[g, i, j] = the products of dgates[n, 4 hidden] and w[hidden, 4 hidden] over the columns of
// gate g, which is blockIdx.y. A block has 32 hidden units.
template <class T, int R>
__global__ void __launch_bounds__(kBlock, 2)
    lstm_step_back_kernel(int64_t n, int64_t hidden, bool vector, const T* dgates, const T* w,
                          T* parts) {
  using S = SmallTile<T, R>;
  alignas(16) __shared__ T shared[S::kShared];
  const Place<T, R> place(n, hidden, S::kRows);
  const int64_t wide = kGates * hidden, gate = blockIdx.y;
  const int64_t unit_of_row = place.unit0 + place.row;
  const T* const w_row = unit_of_row < hidden ? w + unit_of_row * wide + gate * hidden : nullptr;
  T sums[kGates];
  multiply_small<T, R>(place.sample_row(dgates + gate * hidden, n, wide), w_row, hidden, vector,
                       shared, sums);
  if (!place.has_sample) return;
#pragma unroll
  for (int k = 0; k < kGates; ++k) {
    const int64_t j = place.unit0 + k * S::kUnits + threadIdx.x % S::kUnits;
    if (j < hidden) parts[(gate * n + place.sample) * hidden + j] = sums[k];
  }
}

// The gradient of a step's h but for that by y: of the last h, or what comes through the next step.
template <class T>
struct HiddenGradient {
  const T* last;   // may be null
  const T* parts;  // [gate, n, hidden], or null
  int64_t state;

  __device__ T at(int64_t i) const {
    T sum = last ? last[i] : T(0);
    if (parts)
#pragma unroll
      for (int g = 0; g < kGates; ++g) sum += parts[g * state + i];
    return sum;
  }
};

// The gradients of a step's gates. dy and dc may be null; dc_before may be dc. Block of (32 units, 8
// samples).
template <class T>
__global__ void __launch_bounds__(kBlock)
    lstm_gate_gradients_kernel(int64_t n, int64_t hidden, const T* gates, const T* c_before,
                               const T* c, HiddenGradient<T> dh, const T* dy, const T* dc,
                               T* dc_before, T* dgates) {
  const int64_t j = static_cast<int64_t>(blockIdx.x) * kWarp + threadIdx.x;
  if (j >= hidden) return;
  const int64_t samples = static_cast<int64_t>(gridDim.y) * blockDim.y;
  for (int64_t s = static_cast<int64_t>(blockIdx.y) * blockDim.y + threadIdx.y; s < n;
       s += samples) {
    const int64_t at = s * hidden + j, at_gate = s * kGates * hidden + j;
    const T i = gates[at_gate], f = gates[at_gate + hidden];
    const T g = gates[at_gate + 2 * hidden], o = gates[at_gate + 3 * hidden];
    const T before = c_before[at], squashed = std::tanh(c[at]);
    const T by_h = dh.at(at) + (dy ? dy[at] : T(0));
    const T by_c = (dc ? dc[at] : T(0)) + by_h * o * (1 - squashed * squashed);
    dgates[at_gate] = by_c * g * i * (1 - i);
    dgates[at_gate + hidden] = by_c * before * f * (1 - f);
    dgates[at_gate + 2 * hidden] = by_c * i * (1 - g * g);
    dgates[at_gate + 3 * hidden] = by_h * squashed * o * (1 - o);
    dc_before[at] = by_c * f;
  }
}

// dh0 and dc0, after the first step; dc may be dc0, or null.
template <class T>
__global__ void __launch_bounds__(kBlock)
    lstm_initial_gradients_kernel(HiddenGradient<T> dh, const T* dc, T* dh0, T* dc0) {
  const int64_t threads = static_cast<int64_t>(gridDim.x) * kBlock;
  for (int64_t i = static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x; i < dh.state;
       i += threads) {
    dh0[i] = dh.at(i);
    dc0[i] = dc ? dc[i] : T(0);
  }
}

struct Same {
  template <class T>
  __device__ T operator()(T x) const {
    return x;
  }
};

// launchers

// Calls f with the R of the tile for n samples.
template <class T, class F>
void with_tile(int64_t n, F&& f) {
  if (n <= SmallTile<T, 1>::kSamples)
    f(std::integral_constant<int, 1>{});
  else
    f(std::integral_constant<int, 4>{});
}

template <class T, int R>
unsigned tiles_of(int64_t n, int64_t hidden, int columns) {
  return static_cast<unsigned>(ceil_div(hidden, columns) * ceil_div(n, SmallTile<T, R>::kSamples));
}

// The steps, one launch each.
template <class T>
void steps_forward(const Context& context, const LstmShape& s, const T* h0, const T* c0,
                   const T* w_hh, const T* bias, T* y, T* c, T* gates, T* cells) {
  const int64_t state = s.n * s.hidden;
  Step<T> step{};
  step.n = s.n;
  step.hidden = s.hidden;
  step.w = w_hh;
  step.bias = bias;
  for (int64_t t = 0; t < s.t; ++t) {
    step.h = t ? y + (t - 1) * state : h0;
    step.c = !cells ? c : t ? cells + (t - 1) * state : c0;
    step.gates = gates + t * kGates * state;
    step.c_next = cells ? cells + t * state : c;
    step.h_next = y + t * state;
    step.vector = in_vectors(s.hidden, step.h, w_hh);
    with_tile<T>(s.n, [&](auto r) {
      constexpr int R = decltype(r)::value;
      const unsigned tiles = tiles_of<T, R>(s.n, s.hidden, SmallTile<T, R>::kUnits);
      launch(context, lstm_step_kernel<T, R>, dim3(tiles), dim3(kBlock), step);
    });
  }
}

// The steps in one launch.
template <class T>
void persistent_forward(const Context& context, const RecurrentPlan& plan, const LstmShape& s,
                        const T* h0, const T* c0, const T* w_hh, const T* bias, T* y, T* c,
                        T* gates, T* cells) {
  LstmCell<T> cell{};
  cell.steps = static_cast<int>(s.t);
  cell.n = static_cast<int>(s.n);
  cell.hidden = static_cast<int>(s.hidden);
  cell.w = {w_hh, cell.hidden, in_vectors(s.hidden, w_hh, w_hh)};
  cell.bias = bias;
  cell.c0 = cells ? c0 : c;
  cell.gates = gates;
  cell.cells = cells;
  cell.c = c;
  cell.y = y;
  run_persistent(context, plan, cell, h0);
}

template <class T>
void widened_forward(const Context& context, const LstmShape& s, const void* x, const void* h0,
                     const void* c0, const void* w_ih, const void* w_hh, const void* b_ih,
                     const void* b_hh, void* y, void* c, void* gates, void* cells);

template <class T>
void lstm_forward_launch(const Context& context, const LstmShape& s, const void* x, const void* h0_,
                         const void* c0_, const void* w_ih, const void* w_hh_, const void* b_ih,
                         const void* b_hh, void* y_, void* c_, void* gates_, void* cells_) {
  const int64_t state = s.n * s.hidden, wide = kGates * s.hidden;
  if (s.t <= 0 || state <= 0) return;
  const RecurrentPlan plan = plan_persistent<LstmCell<T>>(context, s.t, s.n, s.hidden);
  if constexpr (sizeof(T) < sizeof(float))
    if (!plan.persistent)
      return widened_forward<T>(context, s, x, h0_, c0_, w_ih, w_hh_, b_ih, b_hh, y_, c_, gates_,
                                cells_);
  const T* const h0 = static_cast<const T*>(h0_);
  const T* const c0 = static_cast<const T*>(c0_);
  const T* const w_hh = static_cast<const T*>(w_hh_);
  T* const y = static_cast<T*>(y_);
  T* const c = static_cast<T*>(c_);
  T* const cells = static_cast<T*>(cells_);
  const Scratch own(context, gates_ ? 0 : static_cast<size_t>(s.t * s.n * wide) * sizeof(T));
  T* const gates = gates_ ? static_cast<T*>(gates_) : own.as<T>();
  GemmArguments by_x{1, s.t * s.n, wide, s.input};
  by_x.a_row = by_x.b_col = s.input;
  by_x.a_col = by_x.b_row = 1;
  by_x.c_row = wide;
  gemm(context, by_x, static_cast<const T*>(x), static_cast<const T*>(w_ih), Epilogue{b_ih}, gates);

  const T* const bias = static_cast<const T*>(b_hh);
  if constexpr (sizeof(T) <= sizeof(float))
    if (plan.persistent)
      return persistent_forward(context, plan, s, h0, c0, w_hh, bias, y, c, gates, cells);
  if constexpr (sizeof(T) >= sizeof(float))
    steps_forward(context, s, h0, c0, w_hh, bias, y, c, gates, cells);
}

// 16 bits where the persistent kernel does not apply: in float32.
template <class T>
void widened_forward(const Context& context, const LstmShape& s, const void* x, const void* h0,
                     const void* c0, const void* w_ih, const void* w_hh, const void* b_ih,
                     const void* b_hh, void* y, void* c, void* gates, void* cells) {
  const int64_t state = s.n * s.hidden, wide = kGates * s.hidden;
  Widened<T> f32(context);
  lstm_forward_launch<float>(context, s, f32.operand(x, s.t * s.n * s.input),
                             f32.operand(h0, state), f32.operand(c0, state),
                             f32.operand(w_ih, wide * s.input), f32.operand(w_hh, wide * s.hidden),
                             f32.operand(b_ih, wide), f32.operand(b_hh, wide),
                             f32.result(y, s.t * state), f32.operand_and_result(c, state),
                             f32.result(gates, s.t * s.n * wide), f32.result(cells, s.t * state));
  f32.give_back();
}

// to[j, i] = from[i, j]
template <class T>
void transpose(const Context& context, int64_t rows, int64_t cols, const T* from, T* to) {
  Strided<2> walk;
  walk.ndim = 2;
  walk.numel = rows * cols;
  walk.size[0] = rows, walk.size[1] = cols;
  walk.stride[0][0] = cols, walk.stride[0][1] = 1;
  walk.stride[1][0] = 1, walk.stride[1][1] = rows;
  elementwise(context, walk, Same{}, to, from);
}

// The steps from last to first: dgates of all, dh0 and dc0.
template <class T>
void steps_back(const Context& context, const LstmShape& s, const LstmSaved& saved,
                const LstmGrads& grads, T* dgates) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = kGates * hidden;
  const T* const c0 = static_cast<const T*>(saved.c0);
  const T* const gates = static_cast<const T*>(saved.gates);
  const T* const cells = static_cast<const T*>(saved.cells);
  const T* const dy = static_cast<const T*>(grads.dy);
  T* const dc0 = static_cast<T*>(grads.dc0);
  const Scratch turned(context, static_cast<size_t>(wide * hidden) * sizeof(T));
  const Scratch by_gate(context, static_cast<size_t>(kGates * state) * sizeof(T));
  T* const w = turned.as<T>();  // [hidden, 4 hidden], so that sums run along rows
  T* const parts = by_gate.as<T>();
  if (s.t > 0) transpose(context, wide, hidden, static_cast<const T*>(saved.w_hh), w);

  HiddenGradient<T> dh{static_cast<const T*>(grads.dh), nullptr, state};
  const T* dc = static_cast<const T*>(grads.dc);
  const dim3 block(kWarp, kBlock / kWarp);
  const dim3 grid(static_cast<unsigned>(ceil_div(hidden, block.x)),
                  static_cast<unsigned>(std::min<int64_t>(ceil_div(s.n, block.y), 65535)));
  for (int64_t t = s.t - 1; t >= 0; --t) {
    T* const step = dgates + t * kGates * state;
    launch(context, lstm_gate_gradients_kernel<T>, grid, block, s.n, hidden,
           gates + t * kGates * state, t ? cells + (t - 1) * state : c0, cells + t * state, dh,
           dy ? dy + t * state : nullptr, dc, dc0, step);
    with_tile<T>(s.n, [&](auto r) {
      constexpr int R = decltype(r)::value;
      const dim3 tiles(tiles_of<T, R>(s.n, hidden, SmallTile<T, R>::kRows), kGates);
      launch(context, lstm_step_back_kernel<T, R>, tiles, dim3(kBlock), s.n, hidden,
             in_vectors(hidden, step, w), step, w, parts);
    });
    dh = {nullptr, parts, state};
    dc = dc0;
  }
  launch(context, lstm_initial_gradients_kernel<T>, loop_grid(state), dim3(kBlock), dh, dc,
         static_cast<T*>(grads.dh0), dc0);
}

// The same in one launch.
template <class T>
void persistent_back(const Context& context, const RecurrentPlan& plan, const LstmShape& s,
                     const LstmSaved& saved, const LstmGrads& grads, T* dgates) {
  LstmCellBack<T> cell{};
  cell.steps = static_cast<int>(s.t);
  cell.n = static_cast<int>(s.n);
  cell.hidden = static_cast<int>(s.hidden);
  cell.w = {static_cast<const T*>(saved.w_hh), cell.hidden};
  cell.gates = static_cast<const T*>(saved.gates);
  cell.cells = static_cast<const T*>(saved.cells);
  cell.c0 = static_cast<const T*>(saved.c0);
  cell.dy = static_cast<const T*>(grads.dy);
  cell.dh = static_cast<const T*>(grads.dh);
  cell.dc = static_cast<const T*>(grads.dc);
  cell.dgates = dgates;
  cell.dh0 = static_cast<T*>(grads.dh0);
  cell.dc0 = static_cast<T*>(grads.dc0);
  run_persistent(context, plan, cell, static_cast<const T*>(nullptr));
}

template <class T>
void widened_backward(const Context& context, const LstmShape& s, const LstmSaved& saved,
                      const LstmGrads& grads);

template <class T>
void lstm_backward_launch(const Context& context, const LstmShape& s, const LstmSaved& saved,
                          const LstmGrads& grads) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = kGates * hidden;
  const Scratch scratch(context, static_cast<size_t>(s.t * kGates * state) * sizeof(T));
  T* const dgates = scratch.as<T>();
  const RecurrentPlan plan = plan_persistent<LstmCellBack<T>>(context, s.t, s.n, hidden);
  if constexpr (sizeof(T) < sizeof(float))
    if (!plan.persistent) return widened_backward<T>(context, s, saved, grads);
  if (plan.persistent) {
    if constexpr (sizeof(T) <= sizeof(float))
      persistent_back(context, plan, s, saved, grads, dgates);
  } else if (state > 0) {
    if constexpr (sizeof(T) >= sizeof(float)) steps_back(context, s, saved, grads, dgates);
  }
  const int64_t rows = s.t * s.n, later = std::max<int64_t>(rows - s.n, 0);
  multiply(context, rows, s.input, wide, dgates, wide, 1, static_cast<const T*>(saved.w_ih),
           static_cast<T*>(grads.dx));
  multiply(context, wide, s.input, rows, dgates, 1, wide, static_cast<const T*>(saved.x),
           static_cast<T*>(grads.dw_ih));
  T* const dw_hh = static_cast<T*>(grads.dw_hh);
  multiply(context, wide, hidden, later, dgates + kGates * state, 1, wide,
           static_cast<const T*>(saved.y), dw_hh);
  multiply(context, wide, hidden, s.t > 0 ? s.n : 0, dgates, 1, wide,
           static_cast<const T*>(saved.h0), dw_hh, true);
  sum_rows(context, rows, wide, dgates, wide, static_cast<T*>(grads.db));
}

template <class T>
void widened_backward(const Context& context, const LstmShape& s, const LstmSaved& saved,
                      const LstmGrads& grads) {
  const int64_t state = s.n * s.hidden, wide = kGates * s.hidden, steps = s.t * s.n;
  Widened<T> f32(context);
  const LstmSaved from{f32.operand(saved.x, steps * s.input),
                       f32.operand(saved.h0, state),
                       f32.operand(saved.c0, state),
                       f32.operand(saved.w_ih, wide * s.input),
                       f32.operand(saved.w_hh, wide * s.hidden),
                       f32.operand(saved.y, steps * s.hidden),
                       f32.operand(saved.gates, steps * wide),
                       f32.operand(saved.cells, steps * s.hidden)};
  const LstmGrads to{f32.operand(grads.dy, steps * s.hidden),
                     f32.operand(grads.dh, state),
                     f32.operand(grads.dc, state),
                     f32.result(grads.dx, steps * s.input),
                     f32.result(grads.dh0, state),
                     f32.result(grads.dc0, state),
                     f32.result(grads.dw_ih, wide * s.input),
                     f32.result(grads.dw_hh, wide * s.hidden),
                     f32.result(grads.db, wide)};
  lstm_backward_launch<float>(context, s, from, to);
  f32.give_back();
}

}  // namespace

void register_lstm(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<lstm_forward>(dtype_of<T>::value, lstm_forward_launch<T>);
    registry.add<lstm_backward>(dtype_of<T>::value, lstm_backward_launch<T>);
  });
}

}  // namespace fastdl::cuda
