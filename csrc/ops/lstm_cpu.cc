// Long short-term memory on the CPU (equations in ops/lstm.h).
//
// Forward, in blocks of steps whose gates stay in cache: the input's part of all gates of a block is
// one product; what is left for a step is h W_hh', with the weights packed so that a tile of the
// product has all four gates of its hidden units, and goes on to c and h (cpu/recurrent.h).
// Backward: a step forms dh for a range of hidden units from the next step's gate gradients and
// goes on to this step's; afterwards the gradients by x and the weights are products over all steps
// (Appleyard, Kocisky and Blunsom, "Optimizing performance of recurrent neural networks on GPUs",
// 2016, describe both groupings).
#include "ops/lstm.h"

#include <algorithm>

#include "cpu/math.h"
#include "cpu/recurrent.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int kGates = 4;
constexpr int kBack = 2;  // registers of hidden units that a tile of the backward pass has

// kernels

// One sample, one register of hidden units. gate: sums of h W_hh'; by_x: the input's part, replaced
// by the activations where `keep`. c may be c_before.
template <class T>
inline void cell(int64_t lanes, int64_t hidden, bool keep, const T* gate, T* by_x,
                 const T* c_before, T* c, T* h) {
  constexpr int64_t kSize = Vec<T>::size;
  const auto sum = [&](int64_t g) {
    return Vec<T>::load(gate + g * kSize) + get(by_x + g * hidden, lanes);
  };
  const Vec<T> i = gate_sigmoid(sum(0)), f = gate_sigmoid(sum(1));
  const Vec<T> g = tanh(sum(2)), o = gate_sigmoid(sum(3));
  const Vec<T> next = f * get(c_before, lanes) + i * g;
  put(next, c, lanes);
  put(o * tanh(next), h, lanes);
  if (!keep) return;
  put(i, by_x, lanes);
  put(f, by_x + hidden, lanes);
  put(g, by_x + 2 * hidden, lanes);
  put(o, by_x + 3 * hidden, lanes);
}

// One sample, one register of hidden units. dh: the whole gradient of h. dc is this step's on entry,
// where only the part through the next c is in it, and the step before's on return.
template <class T>
inline void cell_back(int64_t lanes, int64_t hidden, Vec<T> dh, const T* gates, const T* c_before,
                      const T* c, T* dc, T* dgates, T* db) {
  const Vec<T> one(T(1));
  const Vec<T> i = get(gates, lanes), f = get(gates + hidden, lanes);
  const Vec<T> g = get(gates + 2 * hidden, lanes), o = get(gates + 3 * hidden, lanes);
  const Vec<T> squashed = tanh(get(c, lanes));
  const Vec<T> dcell = get(dc, lanes) + dh * o * (one - squashed * squashed);
  const auto give = [&](int64_t k, Vec<T> d) {
    put(d, dgates + k * hidden, lanes);
    put(get(db + k * hidden, lanes) + d, db + k * hidden, lanes);
  };
  give(0, dcell * g * i * (one - i));
  give(1, dcell * get(c_before, lanes) * f * (one - f));
  give(2, dcell * i * (one - g * g));
  give(3, dh * squashed * o * (one - o));
  put(dcell * f, dc, lanes);
}

// launchers

template <class T>
void lstm_forward_launch(const Context& context, const LstmShape& s, const void* x_,
                         const void* h0_, const void* c0_, const void* w_ih, const void* w_hh,
                         const void* b_ih, const void* b_hh, void* y_, void* c_, void* gates_,
                         void* cells_) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = kGates * hidden;
  if (s.t <= 0 || state <= 0) return;
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const T* const c0 = static_cast<const T*>(c0_);
  T* const c_now = static_cast<T*>(c_);
  T* const gates = static_cast<T*>(gates_);
  T* const cells = static_cast<T*>(cells_);
  const Panels<T, kGates> by_x(
      context, {static_cast<const T*>(w_ih), s.input, hidden, 1, s.input, hidden * s.input});
  const Panels<T, kGates> by_h(
      context, {static_cast<const T*>(w_hh), hidden, hidden, 1, hidden, hidden * hidden});
  const int64_t block = steps_per_block<T>(s.t, s.n * wide);
  const Scratch both(context, static_cast<size_t>(wide) * sizeof(T));
  const Scratch own(context, gates ? 0 : static_cast<size_t>(block * s.n * wide) * sizeof(T));
  T* const bias = both.as<T>();
  add_or_zero(wide, static_cast<const T*>(b_ih), static_cast<const T*>(b_hh), bias);
  for (int64_t t0 = 0; t0 < s.t; t0 += block) {
    const int64_t steps = std::min(block, s.t - t0);
    T* const sums = gates ? gates + t0 * s.n * wide : own.as<T>();
    multiply_panels<T, kGates>(context, steps * s.n, x + t0 * s.n * s.input, s.input, by_x, bias,
                               sums, wide);
    for_each_panel(
        context, steps, by_h.count, s.n * hidden * wide, [&](int64_t step, int64_t panel) {
          const int64_t t = t0 + step, j = panel * kLanes<T>;
          const int64_t lanes = std::min(kLanes<T>, hidden - j);
          const T* const h = t ? y + (t - 1) * state : static_cast<const T*>(h0_);
          const T* const before = !cells ? c_now : t ? cells + (t - 1) * state : c0;
          T* const c = cells ? cells + t * state : c_now;
          T* const by_input = sums + step * s.n * wide + j;
          const auto fetch = [&](int64_t i) {
            for (int64_t g = 0; g < kGates; ++g)
              __builtin_prefetch(by_input + i * wide + g * hidden, 1);
            __builtin_prefetch(before + i * hidden + j);
          };
          const auto use = [&](int64_t i, const T* gate) {
            const int64_t at = i * hidden + j;
            cell(lanes, hidden, gates != nullptr, gate, by_input + i * wide, before + at, c + at,
                 y + t * state + at);
          };
          for_each_row<T, kGates>(s.n, hidden, Left<T>{h, hidden}, by_h.panel(panel), fetch, use);
        });
  }
}

template <class T>
void lstm_backward_launch(const Context& context, const LstmShape& s, const LstmSaved& saved,
                          const LstmGrads& grads) {
  const int64_t hidden = s.hidden, state = s.n * hidden, wide = kGates * hidden;
  const T* const h0 = static_cast<const T*>(saved.h0);
  const T* const c0 = static_cast<const T*>(saved.c0);
  const T* const y = static_cast<const T*>(saved.y);
  const T* const gates = static_cast<const T*>(saved.gates);
  const T* const cells = static_cast<const T*>(saved.cells);
  const T* const dy = static_cast<const T*>(grads.dy);
  const T* const dh_last = static_cast<const T*>(grads.dh);
  T* const dh0 = static_cast<T*>(grads.dh0);
  T* const dc0 = static_cast<T*>(grads.dc0);
  T* const db = static_cast<T*>(grads.db);
  const Panels<T, kBack> by_h(context,
                              {static_cast<const T*>(saved.w_hh), wide, hidden, hidden, 1, 0});
  const int64_t row = padded_row<T>(wide);
  const Scratch scratch(context, static_cast<size_t>(s.t * s.n * row) * sizeof(T));
  T* const dgates = scratch.as<T>();

  // dc0 serves as the running gradient of c.
  copy_or_zero(static_cast<const T*>(grads.dc), state, dc0);
  if (s.t <= 0) copy_or_zero(dh_last, state, dh0);
  std::fill(db, db + wide, T(0));
  if (s.t > 0 && state > 0) {
    for_each_panel(context, s.t + 1, by_h.count, state * wide, [&](int64_t step, int64_t panel) {
      const int64_t t = s.t - 1 - step, j0 = panel * kBack * kLanes<T>;
      const T* const before = t > 0 ? cells + (t - 1) * state : c0;
      const auto use = [&](int64_t i, const T* through) {
        for (int64_t j = j0; j < std::min(hidden, j0 + kBack * kLanes<T>); j += kLanes<T>) {
          const int64_t lanes = std::min(kLanes<T>, hidden - j), at = i * hidden + j;
          Vec<T> dh = Vec<T>::load(through + j - j0);
          if (t < 0) {
            put(dh, dh0 + at, lanes);
            continue;
          }
          if (step == 0 && dh_last) dh += get(dh_last + at, lanes);
          if (dy) dh += get(dy + t * state + at, lanes);
          cell_back(lanes, hidden, dh, gates + (t * s.n + i) * wide + j, before + at,
                    cells + t * state + at, dc0 + at, dgates + (t * s.n + i) * row + j, db + j);
        }
      };
      const auto fetch = [&](int64_t i) {  // into the second level: too many for the first
        if (t < 0) return;
        for (int64_t j = j0; j < std::min(hidden, j0 + kBack * kLanes<T>); j += kLanes<T>) {
          for (int64_t g = 0; g < kGates; ++g)
            __builtin_prefetch(gates + (t * s.n + i) * wide + g * hidden + j, 0, 2);
          __builtin_prefetch(before + i * hidden + j, 0, 2);
          if (dy) __builtin_prefetch(dy + t * state + i * hidden + j, 0, 2);
        }
      };
      // Nothing comes through a step after the last.
      for_each_row<T, kBack>(s.n, step ? wide : 0, Left<T>{dgates + (t + 1) * s.n * row, row},
                             by_h.panel(panel), fetch, use);
    });
  }
  const int64_t rows = s.t * s.n, first = s.t > 0 ? s.n : 0, input = s.input;
  const Panels<T, kBack> by_x(context,
                              {static_cast<const T*>(saved.w_ih), wide, input, input, 1, 0});
  multiply_panels<T, kBack>(context, rows, dgates, row, by_x, nullptr, static_cast<T*>(grads.dx),
                            input);
  {
    const Panels<T, kBack> x(context, {static_cast<const T*>(saved.x), rows, input, input, 1, 0});
    multiply_columns<T, kBack>(context, wide, dgates, row, x, static_cast<T*>(grads.dw_ih));
  }
  const Panels<T, kBack> before(context, {h0, first, hidden, hidden, 1, 0},
                                {y, rows - first, hidden, hidden, 1, 0});
  multiply_columns<T, kBack>(context, wide, dgates, row, before, static_cast<T*>(grads.dw_hh));
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
