// Gated recurrent units on the CPU (equations in ops/gru.h), as ops/lstm_cpu.cc does its cells: the
// input's part of a block of steps is one product, and a tile of h W_hh' has the three gates of its
// hidden units and goes on to h.
//
// Backward, a step's gate gradients are kept as [n, r, z, n by h]: the first three quarters are those
// of the input's sums, the last three those of the recurrent sums, in which n is scaled by r.
#include "ops/gru.h"

#include <algorithm>

#include "cpu/math.h"
#include "cpu/recurrent.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int kGates = 3;
constexpr int kBack = 2;  // registers of hidden units that a tile of the backward pass has

// kernels

// One sample, one register of hidden units. gate: sums of h W_hh'; by_x: the input's part, replaced
// by the activations and the recurrent part of n where `keep`.
template <class T>
inline void cell(int64_t lanes, int64_t hidden, bool keep, const T* gate, T* by_x, const T* bias_n,
                 const T* h_before, T* h) {
  constexpr int64_t kSize = Vec<T>::size;
  const auto by_h = [&](int64_t g) { return Vec<T>::load(gate + g * kSize); };
  const auto input = [&](int64_t g) { return get(by_x + g * hidden, lanes); };
  const Vec<T> r = gate_sigmoid(by_h(0) + input(0)), z = gate_sigmoid(by_h(1) + input(1));
  const Vec<T> recurrent = by_h(2) + get(bias_n, lanes);
  const Vec<T> n = tanh(input(2) + r * recurrent);
  put(n + z * (get(h_before, lanes) - n), h, lanes);
  if (!keep) return;
  put(r, by_x, lanes);
  put(z, by_x + hidden, lanes);
  put(n, by_x + 2 * hidden, lanes);
  put(recurrent, by_x + 3 * hidden, lanes);
}

// One sample, one register of hidden units. dh: the whole gradient of h; carry: its part that goes
// past the gates to the step before.
template <class T>
inline void cell_back(int64_t lanes, int64_t hidden, Vec<T> dh, const T* gates, const T* h_before,
                      T* carry, T* dgates, T* db) {
  const Vec<T> one(T(1));
  const Vec<T> r = get(gates, lanes), z = get(gates + hidden, lanes);
  const Vec<T> n = get(gates + 2 * hidden, lanes), recurrent = get(gates + 3 * hidden, lanes);
  const auto give = [&](int64_t k, Vec<T> d) {
    put(d, dgates + k * hidden, lanes);
    put(get(db + k * hidden, lanes) + d, db + k * hidden, lanes);
  };
  const Vec<T> dn = dh * (one - z) * (one - n * n);
  give(0, dn);
  give(1, dn * recurrent * r * (one - r));
  give(2, dh * (get(h_before, lanes) - n) * z * (one - z));
  give(3, dn * r);
  put(dh * z, carry, lanes);
}

// launchers

template <class T>
void gru_forward_launch(const Context& context, const GruShape& s, const void* x_, const void* h0_,
                        const void* w_ih, const void* w_hh, const void* b_ih_, const void* b_hh_,
                        void* y_, void* gates_) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = 4 * hidden;
  if (s.t <= 0 || state <= 0) return;
  const T* const x = static_cast<const T*>(x_);
  const T* const b_ih = static_cast<const T*>(b_ih_);
  const T* const b_hh = static_cast<const T*>(b_hh_);
  T* const y = static_cast<T*>(y_);
  T* const gates = static_cast<T*>(gates_);
  const Panels<T, kGates> by_x(
      context, {static_cast<const T*>(w_ih), s.input, hidden, 1, s.input, hidden * s.input});
  const Panels<T, kGates> by_h(
      context, {static_cast<const T*>(w_hh), hidden, hidden, 1, hidden, hidden * hidden});
  const int64_t block = steps_per_block<T>(s.t, s.n * wide);
  const Scratch biases(context, static_cast<size_t>(wide) * sizeof(T));
  const Scratch own(context, gates ? 0 : static_cast<size_t>(block * s.n * wide) * sizeof(T));
  T* const bias = biases.as<T>();  // of the input's sums, and of n's recurrent part
  add_or_zero<T>(2 * hidden, b_ih, b_hh, bias);
  add_or_zero<T>(hidden, b_ih ? b_ih + 2 * hidden : nullptr, nullptr, bias + 2 * hidden);
  add_or_zero<T>(hidden, b_hh ? b_hh + 2 * hidden : nullptr, nullptr, bias + 3 * hidden);
  for (int64_t t0 = 0; t0 < s.t; t0 += block) {
    const int64_t steps = std::min(block, s.t - t0);
    T* const sums = gates ? gates + t0 * s.n * wide : own.as<T>();
    multiply_panels<T, kGates>(context, steps * s.n, x + t0 * s.n * s.input, s.input, by_x, bias,
                               sums, wide);
    for_each_panel(
        context, steps, by_h.count, state * kGates * hidden, [&](int64_t step, int64_t panel) {
          const int64_t t = t0 + step, j = panel * kLanes<T>;
          const int64_t lanes = std::min(kLanes<T>, hidden - j);
          const T* const h = t ? y + (t - 1) * state : static_cast<const T*>(h0_);
          T* const by_input = sums + step * s.n * wide + j;
          const auto fetch = [&](int64_t i) {
            for (int64_t g = 0; g < kGates; ++g)
              __builtin_prefetch(by_input + i * wide + g * hidden, 1);
          };
          const auto use = [&](int64_t i, const T* gate) {
            const int64_t at = i * hidden + j;
            cell(lanes, hidden, gates != nullptr, gate, by_input + i * wide, bias + 3 * hidden + j,
                 h + at, y + t * state + at);
          };
          for_each_row<T, kGates>(s.n, hidden, Left<T>{h, hidden}, by_h.panel(panel), fetch, use);
        });
  }
}

// The steps from last to first: dgates of all, dh0, and db, the sums of dgates.
template <class T>
void steps_back(const Context& context, const GruShape& s, const GruSaved& saved,
                const GruGrads& grads, T* dgates, int64_t row, T* db) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = 4 * hidden;
  const T* const h0 = static_cast<const T*>(saved.h0);
  const T* const y = static_cast<const T*>(saved.y);
  const T* const gates = static_cast<const T*>(saved.gates);
  const T* const dy = static_cast<const T*>(grads.dy);
  T* const dh0 = static_cast<T*>(grads.dh0);
  const Panels<T, kBack> by_h(
      context, {static_cast<const T*>(saved.w_hh), kGates * hidden, hidden, hidden, 1, 0});
  for_each_panel(context, s.t + 1, by_h.count, state * by_h.w.k, [&](int64_t step, int64_t panel) {
    const int64_t t = s.t - 1 - step, j0 = panel * kBack * kLanes<T>;
    const T* const before = t > 0 ? y + (t - 1) * state : h0;
    const auto use = [&](int64_t i, const T* through) {
      for (int64_t j = j0; j < std::min(hidden, j0 + kBack * kLanes<T>); j += kLanes<T>) {
        const int64_t lanes = std::min(kLanes<T>, hidden - j), at = i * hidden + j;
        Vec<T> dh = Vec<T>::load(through + j - j0) + get(dh0 + at, lanes);
        if (t < 0) {
          put(dh, dh0 + at, lanes);
          continue;
        }
        if (dy) dh += get(dy + t * state + at, lanes);
        cell_back(lanes, hidden, dh, gates + (t * s.n + i) * wide + j, before + at, dh0 + at,
                  dgates + (t * s.n + i) * row + j, db + j);
      }
    };
    const auto fetch = [&](int64_t i) {  // into the second level: too many for the first
      if (t < 0) return;
      for (int64_t j = j0; j < std::min(hidden, j0 + kBack * kLanes<T>); j += kLanes<T>) {
        for (int64_t g = 0; g < 4; ++g)
          __builtin_prefetch(gates + (t * s.n + i) * wide + g * hidden + j, 0, 2);
        if (dy) __builtin_prefetch(dy + t * state + i * hidden + j, 0, 2);
      }
    };
    // Nothing comes through a step after the last.
    for_each_row<T, kBack>(s.n, step ? by_h.w.k : 0,
                           Left<T>{dgates + (t + 1) * s.n * row + hidden, row}, by_h.panel(panel),
                           fetch, use);
  });
}

template <class T>
void gru_backward_launch(const Context& context, const GruShape& s, const GruSaved& saved,
                         const GruGrads& grads) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = 4 * hidden;
  const int64_t row = padded_row<T>(wide);
  const Scratch scratch(context, static_cast<size_t>(s.t * s.n * row) * sizeof(T));
  const Scratch sums(context, static_cast<size_t>(wide) * sizeof(T));
  T* const dgates = scratch.as<T>();
  T* const db = sums.as<T>();
  T* const db_ih = static_cast<T*>(grads.db_ih);
  T* const db_hh = static_cast<T*>(grads.db_hh);
  copy_or_zero(static_cast<const T*>(grads.dh), state, static_cast<T*>(grads.dh0));
  std::fill(db, db + wide, T(0));
  if (s.t > 0 && state > 0) steps_back(context, s, saved, grads, dgates, row, db);
  std::copy(db + hidden, db + 3 * hidden, db_ih);
  std::copy(db, db + hidden, db_ih + 2 * hidden);
  std::copy(db + hidden, db + wide, db_hh);

  const int64_t rows = s.t * s.n, first = s.t > 0 ? s.n : 0, pair = 2 * hidden, input = s.input;
  const T* const w_ih = static_cast<const T*>(saved.w_ih);
  T* const dw_ih = static_cast<T*>(grads.dw_ih);
  const Panels<T, kBack> by_x(context, {w_ih + pair * input, hidden, input, input, 1, 0},
                              {w_ih, pair, input, input, 1, 0});
  multiply_panels<T, kBack>(context, rows, dgates, row, by_x, nullptr, static_cast<T*>(grads.dx),
                            input);
  {
    const Panels<T, kBack> x(context, {static_cast<const T*>(saved.x), rows, input, input, 1, 0});
    multiply_columns<T, kBack>(context, pair, dgates + hidden, row, x, dw_ih);
    multiply_columns<T, kBack>(context, hidden, dgates, row, x, dw_ih + pair * input);
  }
  const Panels<T, kBack> before(
      context, {static_cast<const T*>(saved.h0), first, hidden, hidden, 1, 0},
      {static_cast<const T*>(saved.y), rows - first, hidden, hidden, 1, 0});
  multiply_columns<T, kBack>(context, kGates * hidden, dgates + hidden, row, before,
                             static_cast<T*>(grads.dw_hh));
}

}  // namespace

void register_gru(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<gru_forward>(dtype_of<T>::value, gru_forward_launch<T>);
    registry.add<gru_backward>(dtype_of<T>::value, gru_backward_launch<T>);
  });
}

}  // namespace fastdl::cpu
