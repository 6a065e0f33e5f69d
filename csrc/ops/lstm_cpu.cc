// Long short-term memory on the CPU (equations in ops/lstm.h).
//
// Forward: the input's part of all gates of all steps is one large product. What is left for a
// step is h W_hh', with W_hh packed once: a chunk takes a range of hidden units, forms their four
// gates and goes on to c and h while they are in cache, so that a step is one parallel loop.
// Backward: a step forms dh for a range of hidden units from the next step's gate gradients and
// goes on to this step's; afterwards the gradients by x and the weights are products over all steps
// (Appleyard, Kocisky and Blunsom, "Optimizing performance of recurrent neural networks on GPUs",
// 2016, describe both groupings).
#include "ops/lstm.h"

#include <algorithm>

#include "cpu/gemm.h"
#include "cpu/math.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

// kernels

template <class T>
inline Vec<T> get(const T* p, int64_t lanes) {
  return lanes == Vec<T>::size ? Vec<T>::load(p) : Vec<T>::load(p, lanes);
}
template <class T>
inline void put(Vec<T> x, T* p, int64_t lanes) {
  if (lanes == Vec<T>::size)
    x.store(p);
  else
    x.store(p, lanes);
}

// For one sample and n hidden units: gates hold sums before and activations after.
template <class T>
void forward_gates(int64_t n, int64_t hidden, T* gates, const T* c_before, T* c, T* h) {
  constexpr int64_t kSize = Vec<T>::size;
  for (int64_t j = 0; j < n; j += kSize) {
    const int64_t lanes = std::min(kSize, n - j);
    T* const g0 = gates + j;
    const Vec<T> i = sigmoid(get(g0, lanes)), f = sigmoid(get(g0 + hidden, lanes));
    const Vec<T> g = tanh(get(g0 + 2 * hidden, lanes)), o = sigmoid(get(g0 + 3 * hidden, lanes));
    const Vec<T> cell = f * get(c_before + j, lanes) + i * g;
    put(i, g0, lanes);
    put(f, g0 + hidden, lanes);
    put(g, g0 + 2 * hidden, lanes);
    put(o, g0 + 3 * hidden, lanes);
    put(cell, c + j, lanes);
    put(o * tanh(cell), h + j, lanes);
  }
}

// dh has what comes through the next step; dy and dh_last, where not null, are added. dc is this
// step's on entry, where only the part through c is in it, and the step before's on return.
template <class T>
void backward_gates(int64_t n, int64_t hidden, const T* gates, const T* c_before, const T* c,
                    const T* dh_next, const T* dy, const T* dh_last, T* dc, T* dgates) {
  constexpr int64_t kSize = Vec<T>::size;
  const Vec<T> one(T(1));
  for (int64_t j = 0; j < n; j += kSize) {
    const int64_t lanes = std::min(kSize, n - j);
    const T* const g0 = gates + j;
    const Vec<T> i = get(g0, lanes), f = get(g0 + hidden, lanes);
    const Vec<T> g = get(g0 + 2 * hidden, lanes), o = get(g0 + 3 * hidden, lanes);
    const Vec<T> squashed = tanh(get(c + j, lanes));
    Vec<T> dh = dh_next ? get(dh_next + j, lanes) : Vec<T>(T(0));
    if (dy) dh += get(dy + j, lanes);
    if (dh_last) dh += get(dh_last + j, lanes);
    const Vec<T> dcell = get(dc + j, lanes) + dh * o * (one - squashed * squashed);
    T* const d0 = dgates + j;
    put(dcell * g * i * (one - i), d0, lanes);
    put(dcell * get(c_before + j, lanes) * f * (one - f), d0 + hidden, lanes);
    put(dcell * i * (one - g * g), d0 + 2 * hidden, lanes);
    put(dh * squashed * o * (one - o), d0 + 3 * hidden, lanes);
    put(dcell * f, dc + j, lanes);
  }
}

// launchers

// How many panels of hidden units make a chunk of a step with `macs` multiply-adds per panel.
int64_t panel_grain(int64_t macs) {
  return std::max<int64_t>(1, kChunkMacs / 2 / std::max<int64_t>(1, macs));
}

template <class T>
void lstm_forward_launch(const Context& context, const LstmShape& s, const void* x_,
                         const void* h0_, const void* c0_, const void* w_ih, const void* w_hh_,
                         const void* b_ih, const void* b_hh_, void* y_, void* gates_,
                         void* cells_) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t hidden = s.hidden, state = s.n * hidden;
  if (s.t <= 0 || state <= 0) return;
  const T* const w_hh = static_cast<const T*>(w_hh_);
  const T* const b_hh = static_cast<const T*>(b_hh_);
  T* const y = static_cast<T*>(y_);
  T* const gates = static_cast<T*>(gates_);
  T* const cells = static_cast<T*>(cells_);
  gemm(context, Gemm<T>{s.t * s.n, 4 * hidden, s.input, static_cast<const T*>(x_), s.input, 1,
                        static_cast<const T*>(w_ih), 1, s.input, gates, 4 * hidden,
                        static_cast<const T*>(b_ih)});
  const int64_t panels = packed_panels<T>(hidden), panel_size = kCols * hidden;
  Scratch scratch(context, static_cast<size_t>(4 * panels * panel_size) * sizeof(T));
  T* const packed = scratch.as<T>();
  for (int64_t gate = 0; gate < 4; ++gate)
    pack_panels(context, hidden, hidden, w_hh + gate * hidden * hidden, 1, hidden,
                packed + gate * panels * panel_size);
  for (int64_t t = 0; t < s.t; ++t) {
    const T* const h = t ? y + (t - 1) * state : static_cast<const T*>(h0_);
    const T* const c = t ? cells + (t - 1) * state : static_cast<const T*>(c0_);
    T* const step = gates + t * 4 * state;
    context.parallel_for(
        panels, panel_grain(4 * s.n * panel_size), [&](int64_t begin, int64_t end) {
          for (int64_t panel = begin; panel < end; ++panel) {
            const int64_t j = panel * kCols, n = std::min(kCols, hidden - j);
            for (int64_t gate = 0; gate < 4; ++gate)
              gemm_panel(Gemm<T>{s.n, n, hidden, h, hidden, 1,
                                 packed + (gate * panels + panel) * panel_size, 0, 0,
                                 step + gate * hidden + j, 4 * hidden,
                                 b_hh ? b_hh + gate * hidden + j : nullptr, true});
            for (int64_t i = 0; i < s.n; ++i)
              forward_gates(n, hidden, step + i * 4 * hidden + j, c + i * hidden + j,
                            cells + t * state + i * hidden + j, y + t * state + i * hidden + j);
          }
        });
  }
}

// out[j] = sum over i < rows of x[i, j].
template <class T>
void sum_rows(const Context& context, int64_t rows, int64_t cols, const T* x, T* out) {
  constexpr int64_t kSize = Vec<T>::size;
  const int64_t blocks = (cols + kSize - 1) / kSize;
  const int64_t grain = std::max<int64_t>(4, 16384 / std::max<int64_t>(1, rows));
  context.parallel_for(blocks, grain, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin * kSize; j < std::min(end * kSize, cols); j += kSize) {
      const int64_t lanes = std::min(kSize, cols - j);
      Vec<T> sum(T(0));
      for (int64_t i = 0; i < rows; ++i) sum += get(x + i * cols + j, lanes);
      put(sum, out + j, lanes);
    }
  });
}

template <class T>
void copy_or_zero(const T* from, int64_t n, T* to) {
  if (from)
    std::copy(from, from + n, to);
  else
    std::fill(to, to + n, T(0));
}

template <class T>
void lstm_backward_launch(const Context& context, const LstmShape& s, const LstmSaved& saved,
                          const LstmGrads& grads) {
  constexpr int64_t kCols = kTileCols<T>;
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = 4 * hidden;
  const T* const h0 = static_cast<const T*>(saved.h0);
  const T* const c0 = static_cast<const T*>(saved.c0);
  const T* const w_hh = static_cast<const T*>(saved.w_hh);
  const T* const y = static_cast<const T*>(saved.y);
  const T* const gates = static_cast<const T*>(saved.gates);
  const T* const cells = static_cast<const T*>(saved.cells);
  const T* const dy = static_cast<const T*>(grads.dy);
  const T* const dh_last = static_cast<const T*>(grads.dh);
  T* const dh0 = static_cast<T*>(grads.dh0);
  T* const dc0 = static_cast<T*>(grads.dc0);
  const int64_t panels = packed_panels<T>(hidden), panel_size = kCols * wide;
  Scratch scratch(context, static_cast<size_t>(s.t * 4 * state + panels * panel_size) * sizeof(T));
  T* const packed = scratch.as<T>();
  T* const dgates = packed + panels * panel_size;

  // dh0 and dc0 serve as the running gradients of h and c.
  copy_or_zero(static_cast<const T*>(grads.dc), state, dc0);
  if (s.t <= 0) copy_or_zero(dh_last, state, dh0);
  if (s.t > 0 && state > 0) {
    pack_panels(context, wide, hidden, w_hh, hidden, 1, packed);
    for (int64_t t = s.t - 1; t >= -1; --t) {
      const T* const next = t < s.t - 1 ? dgates + (t + 1) * 4 * state : nullptr;
      const T* const c_before = t > 0 ? cells + (t - 1) * state : c0;
      context.parallel_for(panels, panel_grain(s.n * panel_size), [&](int64_t begin, int64_t end) {
        for (int64_t panel = begin; panel < end; ++panel) {
          const int64_t j = panel * kCols, n = std::min(kCols, hidden - j);
          if (next)
            gemm_panel(Gemm<T>{s.n, n, wide, next, wide, 1, packed + panel * panel_size, 0, 0,
                               dh0 + j, hidden});
          if (t < 0) continue;
          for (int64_t i = 0; i < s.n; ++i) {
            const int64_t at = i * hidden + j, row = (t * s.n + i) * wide + j;
            backward_gates(n, hidden, gates + row, c_before + at, cells + t * state + at,
                           next ? dh0 + at : nullptr, dy ? dy + t * state + at : nullptr,
                           dh_last && !next ? dh_last + at : nullptr, dc0 + at, dgates + row);
          }
        }
      });
    }
  }
  const int64_t rows = s.t * s.n, later = std::max<int64_t>(rows - s.n, 0);
  const T* const x = static_cast<const T*>(saved.x);
  const T* const w_ih = static_cast<const T*>(saved.w_ih);
  gemm(context, Gemm<T>{rows, s.input, wide, dgates, wide, 1, w_ih, s.input, 1,
                        static_cast<T*>(grads.dx), s.input});
  gemm(context, Gemm<T>{wide, s.input, rows, dgates, 1, wide, x, s.input, 1,
                        static_cast<T*>(grads.dw_ih), s.input});
  T* const dw_hh = static_cast<T*>(grads.dw_hh);
  gemm(context,
       Gemm<T>{wide, hidden, later, dgates + 4 * state, 1, wide, y, hidden, 1, dw_hh, hidden});
  gemm(context, Gemm<T>{wide, hidden, s.t > 0 ? s.n : 0, dgates, 1, wide, h0, hidden, 1, dw_hh,
                        hidden, nullptr, true});
  sum_rows(context, rows, wide, dgates, static_cast<T*>(grads.db));
}

}  // namespace

void register_lstm(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<lstm_forward>(dtype_of<T>::value, lstm_forward_launch<T>);
    registry.add<lstm_backward>(dtype_of<T>::value, lstm_backward_launch<T>);
  });
}

}  // namespace fastdl::cpu
