// Parameter updates: one launch for up to kSlots parameters, whose addresses travel as an argument
// of the kernel. A block updates one stretch of one parameter, so that one huge parameter and many
// tiny ones are shared out alike: a thread takes kPacks times 16 bytes of each operand, and loads all
// of them before it computes.
#include <algorithm>
#include <cmath>

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/reduce.cuh"
#include "cuda/register.h"
#include "ops/optimizer.h"

namespace fastdl::cuda {
namespace {

constexpr int kSlots = 64;
constexpr int kPacks = 2;
template <class T>
inline constexpr int kPack = static_cast<int>(16 / sizeof(T));
template <class T>
inline constexpr int64_t kChunk = kBlock * kPacks * kPack<T>;

struct SlotList {
  OptimizerSlot slot[kSlots];
  uint32_t first_block[kSlots];
  bool aligned[kSlots];  // all its addresses are, to 16 bytes
  int count;
};

// kernels

// The options as the kernels use them, in the type of the arithmetic. An update is told an element's
// parameter and gradient, and changes what the optimiser keeps for it: `kStates` numbers.
template <class T, bool momentum_>
struct Sgd {
  static constexpr int kStates = momentum_;
  using X = Compute<T>;
  X lr, momentum, fresh, weight_decay;  // fresh: the weight of the new gradient
  bool nesterov, first_step;

  __device__ bool reads_states() const { return !first_step; }
  __device__ X operator()(X p, X grad, X (&state)[2]) const {
    X g = grad + weight_decay * p;
    if constexpr (momentum_) {
      const X b = first_step ? g : momentum * state[0] + fresh * g;
      state[0] = b;
      g = nesterov ? g + momentum * b : b;
    }
    return p - lr * g;
  }
};

template <class T>
struct Adam {
  static constexpr int kStates = 2;
  using X = Compute<T>;
  X beta1, fresh1, beta2, fresh2, eps;
  X step_size;     // lr / (1 - beta1^t)
  X root;          // 1 / sqrt(1 - beta2^t)
  X weight_decay;  // added to the gradient
  X shrink;        // factor of the parameter before the step: 1 - lr * weight decay, or 1

  __device__ static bool reads_states() { return true; }
  __device__ X operator()(X p, X grad, X (&state)[2]) const {
    const X g = grad + weight_decay * p;
    state[0] = beta1 * state[0] + fresh1 * g;
    state[1] = beta2 * state[1] + fresh2 * g * g;
    return shrink * p - step_size * state[0] / (std::sqrt(state[1]) * root + eps);
  }
};

// The first `count` of V elements, in one access where they are all there and aligned.
template <int V, class T>
__device__ inline Pack<T, V> load_some(const T* p, int64_t count, bool aligned) {
  if (aligned && count >= V) return load_pack<V>(p);
  Pack<T, V> out;
#pragma unroll
  for (int v = 0; v < V; ++v) out.v[v] = v < count ? p[v] : T(0.f);
  return out;
}
template <int V, class T>
__device__ inline void store_some(T* p, const Pack<T, V>& pack, int64_t count, bool aligned) {
  if (aligned && count >= V) return store_pack<V>(p, pack);
#pragma unroll
  for (int v = 0; v < V; ++v)
    if (v < count) p[v] = pack.v[v];
}

// The last slot whose first block is not behind this one.
__device__ inline int slot_of_block(const SlotList& list) {
  int first = 0, behind = list.count;
#pragma unroll 1
  while (behind - first > 1) {
    const int middle = (first + behind) / 2;
    if (list.first_block[middle] <= blockIdx.x)
      first = middle;
    else
      behind = middle;
  }
  return first;
}

template <class T, class Update>
__global__ void __launch_bounds__(kBlock)
    update_kernel(const __grid_constant__ SlotList list, const Update update) {
  constexpr int V = kPack<T>, kStates = Update::kStates;
  using X = Compute<T>;
  const int which = slot_of_block(list);
  const OptimizerSlot& slot = list.slot[which];
  const bool aligned = list.aligned[which];
  const int64_t begin =
      (blockIdx.x - list.first_block[which]) * kChunk<T> + int64_t{threadIdx.x} * V;
  T* const param = static_cast<T*>(slot.param) + begin;
  const T* const grad = static_cast<const T*>(slot.grad) + begin;
  T* const state[2] = {static_cast<T*>(slot.first) + begin, static_cast<T*>(slot.second) + begin};
  const bool reads_states = update.reads_states();
  Pack<T, V> p[kPacks], g[kPacks], s[kPacks][2];
#pragma unroll
  for (int j = 0; j < kPacks; ++j) {
    const int64_t at = j * kBlock * V, count = slot.n - begin - at;
    if (count <= 0) continue;
    p[j] = load_some<V>(param + at, count, aligned);
    g[j] = load_some<V>(grad + at, count, aligned);
    for (int k = 0; k < kStates; ++k)
      s[j][k] = reads_states ? load_some<V>(state[k] + at, count, aligned) : p[j];
  }
#pragma unroll
  for (int j = 0; j < kPacks; ++j) {
    const int64_t at = j * kBlock * V, count = slot.n - begin - at;
    if (count <= 0) continue;
#pragma unroll
    for (int v = 0; v < V; ++v) {
      X own[2];
      for (int k = 0; k < kStates; ++k) own[k] = X(s[j][k].v[v]);
      p[j].v[v] = T(update(X(p[j].v[v]), X(g[j].v[v]), own));
      for (int k = 0; k < kStates; ++k) s[j][k].v[v] = T(own[k]);
    }
    store_some<V>(param + at, p[j], count, aligned);
    for (int k = 0; k < kStates; ++k) store_some<V>(state[k] + at, s[j][k], count, aligned);
  }
}

// bad[block]: whether a result of this block is infinite or NaN.
template <class T>
__global__ void __launch_bounds__(kBlock)
    unscale_kernel(const __grid_constant__ SlotList list, const float* scale, uint8_t* bad) {
  using C = Compute<T>;
  const int which = slot_of_block(list);
  const OptimizerSlot& slot = list.slot[which];
  T* const g = static_cast<T*>(slot.param);
  const C factor = C(1) / static_cast<C>(*scale);
  const int64_t begin = (blockIdx.x - list.first_block[which]) * kChunk<T>;
  const int64_t end = min(slot.n, begin + kChunk<T>);
  bool any = false;
  for (int64_t i = begin + threadIdx.x; i < end; i += kBlock) {
    const C v = C(g[i]) * factor;
    g[i] = T(v);
    any = any || !(v - v == C(0));
  }
  const int found = __syncthreads_or(any);
  if (threadIdx.x == 0) bad[blockIdx.x] = static_cast<uint8_t>(found != 0);
}

// One block.
__global__ void __launch_bounds__(kBlock)
    any_kernel(const uint8_t* bad, int64_t count, float* found) {
  bool any = false;
  for (int64_t i = threadIdx.x; i < count; i += kBlock) any = any || bad[i];
  const int all = __syncthreads_or(any);
  if (threadIdx.x == 0) *found = all ? 1.f : 0.f;
}

// launchers

// Calls start(list, blocks, blocks before it) for every list of slots.
template <class T, class F>
void for_lists(const OptimizerSlot* slots, int64_t count, F start) {
  constexpr int64_t kMostBlocks = 1 << 30;
  SlotList list{};
  int64_t blocks = 0, before = 0;
  const auto flush = [&] {
    if (blocks > 0) start(list, blocks, before);
    before += blocks;
    list.count = 0;
    blocks = 0;
  };
  for (int64_t i = 0; i < count; ++i) {
    if (slots[i].n == 0) continue;
    const int64_t more = ceil_div(slots[i].n, kChunk<T>);
    if (list.count == kSlots || blocks + more > kMostBlocks) flush();
    const OptimizerSlot& slot = slots[i];
    list.slot[list.count] = slot;
    list.aligned[list.count] = is_aligned(slot.param, 16) && is_aligned(slot.grad, 16) &&
                               is_aligned(slot.first, 16) && is_aligned(slot.second, 16);
    list.first_block[list.count++] = static_cast<uint32_t>(blocks);
    blocks += more;
  }
  flush();
}

template <class T, class Update>
void run(const Context& context, const Update& update, const OptimizerSlot* slots, int64_t count) {
  for_lists<T>(slots, count, [&](const SlotList& list, int64_t blocks, int64_t) {
    launch(context, update_kernel<T, Update>, dim3(static_cast<unsigned>(blocks)), dim3(kBlock),
           list, update);
  });
}

template <class T>
void unscale_launch(const Context& context, const OptimizerSlot* slots, int64_t count,
                    const float* scale, float* found) {
  int64_t all = 0;
  for (int64_t i = 0; i < count; ++i) all += ceil_div(slots[i].n, kChunk<T>);
  const Scratch bad(context, static_cast<size_t>(all));
  for_lists<T>(slots, count, [&](const SlotList& list, int64_t blocks, int64_t before) {
    launch(context, unscale_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kBlock), list,
           scale, bad.as<uint8_t>() + before);
  });
  launch(context, any_kernel, dim3(1), dim3(kBlock), bad.as<const uint8_t>(), all, found);
}

template <class T, bool momentum>
void run_sgd(const Context& context, const SgdOptions& o, const OptimizerSlot* slots,
             int64_t count) {
  using X = Compute<T>;
  run<T>(context,
         Sgd<T, momentum>{static_cast<X>(o.lr), static_cast<X>(o.momentum),
                          static_cast<X>(1 - o.dampening), static_cast<X>(o.weight_decay),
                          o.nesterov, o.first_step},
         slots, count);
}

template <class T>
void sgd_launch(const Context& context, const SgdOptions& o, const OptimizerSlot* slots,
                int64_t count) {
  const bool momentum = o.momentum != 0 && count > 0 && slots[0].first;
  momentum ? run_sgd<T, true>(context, o, slots, count)
           : run_sgd<T, false>(context, o, slots, count);
}

template <class T>
void adam_launch(const Context& context, const AdamOptions& o, const OptimizerSlot* slots,
                 int64_t count) {
  using X = Compute<T>;
  const double t = static_cast<double>(o.step);
  Adam<T> update{};
  update.beta1 = static_cast<X>(o.beta1);
  update.fresh1 = static_cast<X>(1 - o.beta1);
  update.beta2 = static_cast<X>(o.beta2);
  update.fresh2 = static_cast<X>(1 - o.beta2);
  update.eps = static_cast<X>(o.eps);
  update.step_size = static_cast<X>(o.lr / (1 - std::pow(o.beta1, t)));
  update.root = static_cast<X>(1 / std::sqrt(1 - std::pow(o.beta2, t)));
  update.weight_decay = static_cast<X>(o.decoupled ? 0 : o.weight_decay);
  update.shrink = static_cast<X>(o.decoupled ? 1 - o.lr * o.weight_decay : 1);
  run<T>(context, update, slots, count);
}

}  // namespace

void register_optimizer(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<sgd_update>(dtype_of<T>::value, sgd_launch<T>);
    registry.add<adam_update>(dtype_of<T>::value, adam_launch<T>);
  });
  for_types<BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<unscale_update>(dtype_of<T>::value, unscale_launch<T>);
  });
}

}  // namespace fastdl::cuda
