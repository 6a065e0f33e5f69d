// Parameter updates, fused: every operand of every parameter is read and written once, in one
// parallel region over all of them laid end to end.
#include "ops/optimizer.h"

#include <atomic>
#include <cmath>

#include "core/dtype.h"
#include "cpu/math.h"
#include "cpu/reduce.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kGrain = 32768;

// Calls body(slot, begin, end) for the part of every parameter that falls into a chunk.
template <class F>
void for_slots(const Context& context, const OptimizerSlot* slots, int64_t count, F body) {
  int64_t total = 0;
  for (int64_t i = 0; i < count; ++i) total += slots[i].n;
  context.parallel_for(total, kGrain, [&](int64_t begin, int64_t end) {
    int64_t first = 0;  // of slot i among all elements
    for (int64_t i = 0; first < end; first += slots[i++].n) {
      const int64_t from = std::max(begin - first, int64_t{0});
      const int64_t to = std::min(end - first, slots[i].n);
      if (from < to) body(slots[i], from, to);
    }
  });
}

// kernels

template <class T>
void sgd(const Context& context, const SgdOptions& o, const OptimizerSlot* slots, int64_t count) {
  using V = Vec<T>;
  const V lr(static_cast<T>(o.lr)), momentum(static_cast<T>(o.momentum));
  const V damp(static_cast<T>(1 - o.dampening)), decay(static_cast<T>(o.weight_decay));
  for_slots(context, slots, count, [&](const OptimizerSlot& s, int64_t begin, int64_t end) {
    T* const p = static_cast<T*>(s.param) + begin;
    const T* const g = static_cast<const T*>(s.grad) + begin;
    T* const b = s.first ? static_cast<T*>(s.first) + begin : nullptr;
    const bool decays = o.weight_decay != 0, heavy = b && o.momentum != 0;
    for_packs<V>(end - begin, [&](int64_t i, auto m) {
      const V w = load_pack(p + i, m, T(0));
      V d = load_pack(g + i, m, T(0));
      if (decays) d += decay * w;
      if (heavy) {
        const V v = o.first_step ? d : momentum * load_pack(b + i, m, T(0)) + damp * d;
        store_pack(v, b + i, m);
        d = o.nesterov ? d + momentum * v : v;
      }
      store_pack(w - lr * d, p + i, m);
    });
  });
}

template <class T>
void adam(const Context& context, const AdamOptions& o, const OptimizerSlot* slots, int64_t count) {
  using V = Vec<T>;
  const double t = static_cast<double>(o.step);
  const V step(static_cast<T>(o.lr / (1 - std::pow(o.beta1, t))));
  const V root(static_cast<T>(1 / std::sqrt(1 - std::pow(o.beta2, t))));
  const V beta1(static_cast<T>(o.beta1)), rest1(static_cast<T>(1 - o.beta1));
  const V beta2(static_cast<T>(o.beta2)), rest2(static_cast<T>(1 - o.beta2));
  const V eps(static_cast<T>(o.eps)), decay(static_cast<T>(o.weight_decay));
  const V shrink(static_cast<T>(1 - o.lr * o.weight_decay));
  const bool l2 = o.weight_decay != 0 && !o.decoupled;
  for_slots(context, slots, count, [&](const OptimizerSlot& s, int64_t begin, int64_t end) {
    T* const p = static_cast<T*>(s.param) + begin;
    const T* const g = static_cast<const T*>(s.grad) + begin;
    T* const m1 = static_cast<T*>(s.first) + begin;
    T* const m2 = static_cast<T*>(s.second) + begin;
    for_packs<V>(end - begin, [&](int64_t i, auto m) {
      V w = load_pack(p + i, m, T(0));
      V d = load_pack(g + i, m, T(0));
      if (l2)
        d += decay * w;
      else if (o.decoupled)
        w *= shrink;
      const V first = beta1 * load_pack(m1 + i, m, T(0)) + rest1 * d;
      const V second = beta2 * load_pack(m2 + i, m, T(0)) + rest2 * d * d;
      store_pack(first, m1 + i, m);
      store_pack(second, m2 + i, m);
      store_pack(w - step * first / (sqrt(second) * root + eps), p + i, m);
    });
  });
}

template <class T>
void unscale(const Context& context, const OptimizerSlot* slots, int64_t count, const float* scale,
             float* found) {
  using C = std::conditional_t<std::is_same_v<T, double>, double, float>;
  const C factor = C(1) / static_cast<C>(*scale);
  std::atomic<bool> any{false};
  for_slots(context, slots, count, [&](const OptimizerSlot& s, int64_t begin, int64_t end) {
    T* const g = static_cast<T*>(s.param);
    C sum(0);  // 0 * x is NaN where x is infinite or NaN
    for (int64_t i = begin; i < end; ++i) {
      const C v = static_cast<C>(g[i]) * factor;
      g[i] = T(v);
      sum += v * C(0);
    }
    if (sum != C(0)) any.store(true, std::memory_order_relaxed);
  });
  *found = any.load(std::memory_order_relaxed) ? 1.f : 0.f;
}

}  // namespace

void register_optimizer(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<sgd_update>(dtype_of<T>::value, sgd<T>);
    registry.add<adam_update>(dtype_of<T>::value, adam<T>);
  });
  for_types<BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<unscale_update>(dtype_of<T>::value, unscale<T>);
  });
}

}  // namespace fastdl::cpu
