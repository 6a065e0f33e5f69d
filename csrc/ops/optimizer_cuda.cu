// Parameter updates: one launch for up to kSlots parameters, whose addresses travel as an argument
// of the kernel. A block updates one stretch of kChunk elements of one parameter.
#include <algorithm>
#include <cmath>

#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/math.cuh"
#include "cuda/register.h"
#include "ops/optimizer.h"

namespace fastdl::cuda {
namespace {

constexpr int kSlots = 64;
constexpr int64_t kChunk = 4 * kBlock;

struct SlotList {
  OptimizerSlot slot[kSlots];
  uint32_t first_block[kSlots];
  int count;
};

// kernels

// The options as the kernels use them, in the type of the arithmetic.
template <class T>
struct Sgd {
  using X = Compute<T>;
  X lr, momentum, fresh, weight_decay;  // fresh: the weight of the new gradient
  bool nesterov, first_step;

  __device__ void operator()(const OptimizerSlot& s, int64_t i) const {
    T* const p = static_cast<T*>(s.param) + i;
    X g = X(static_cast<const T*>(s.grad)[i]) + weight_decay * X(*p);
    if (s.first && momentum != X(0)) {
      T* const buffer = static_cast<T*>(s.first) + i;
      const X b = first_step ? g : momentum * X(*buffer) + fresh * g;
      *buffer = T(b);
      g = nesterov ? g + momentum * b : b;
    }
    *p = T(X(*p) - lr * g);
  }
};

template <class T>
struct Adam {
  using X = Compute<T>;
  X beta1, fresh1, beta2, fresh2, eps;
  X step_size;     // lr / (1 - beta1^t)
  X root;          // 1 / sqrt(1 - beta2^t)
  X weight_decay;  // added to the gradient
  X shrink;        // factor of the parameter before the step: 1 - lr * weight decay, or 1

  __device__ void operator()(const OptimizerSlot& s, int64_t i) const {
    T* const p = static_cast<T*>(s.param) + i;
    T* const first = static_cast<T*>(s.first) + i;
    T* const second = static_cast<T*>(s.second) + i;
    const X g = X(static_cast<const T*>(s.grad)[i]) + weight_decay * X(*p);
    const X m = beta1 * X(*first) + fresh1 * g;
    const X v = beta2 * X(*second) + fresh2 * g * g;
    *first = T(m);
    *second = T(v);
    *p = T(shrink * X(*p) - step_size * m / (std::sqrt(v) * root + eps));
  }
};

template <class Update>
__global__ void __launch_bounds__(kBlock)
    update_kernel(const __grid_constant__ SlotList list, const Update update) {
  int which = 0;
  while (which + 1 < list.count && blockIdx.x >= list.first_block[which + 1]) ++which;
  const OptimizerSlot& slot = list.slot[which];
  const int64_t begin = (blockIdx.x - list.first_block[which]) * kChunk;
  const int64_t end = min(slot.n, begin + kChunk);
  for (int64_t i = begin + threadIdx.x; i < end; i += kBlock) update(slot, i);
}

// bad[block]: whether a result of this block is infinite or NaN.
template <class T>
__global__ void __launch_bounds__(kBlock)
    unscale_kernel(const __grid_constant__ SlotList list, const float* scale, uint8_t* bad) {
  using C = Compute<T>;
  int which = 0;
  while (which + 1 < list.count && blockIdx.x >= list.first_block[which + 1]) ++which;
  const OptimizerSlot& slot = list.slot[which];
  T* const g = static_cast<T*>(slot.param);
  const C factor = C(1) / static_cast<C>(*scale);
  const int64_t begin = (blockIdx.x - list.first_block[which]) * kChunk;
  const int64_t end = min(slot.n, begin + kChunk);
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
template <class F>
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
    const int64_t more = ceil_div(slots[i].n, kChunk);
    if (list.count == kSlots || blocks + more > kMostBlocks) flush();
    list.slot[list.count] = slots[i];
    list.first_block[list.count++] = static_cast<uint32_t>(blocks);
    blocks += more;
  }
  flush();
}

template <class Update>
void run(const Context& context, const Update& update, const OptimizerSlot* slots, int64_t count) {
  for_lists(slots, count, [&](const SlotList& list, int64_t blocks, int64_t) {
    launch(context, update_kernel<Update>, dim3(static_cast<unsigned>(blocks)), dim3(kBlock), list,
           update);
  });
}

template <class T>
void unscale_launch(const Context& context, const OptimizerSlot* slots, int64_t count,
                    const float* scale, float* found) {
  int64_t all = 0;
  for (int64_t i = 0; i < count; ++i) all += ceil_div(slots[i].n, kChunk);
  const Scratch bad(context, static_cast<size_t>(all));
  for_lists(slots, count, [&](const SlotList& list, int64_t blocks, int64_t before) {
    launch(context, unscale_kernel<T>, dim3(static_cast<unsigned>(blocks)), dim3(kBlock), list,
           scale, bad.as<uint8_t>() + before);
  });
  launch(context, any_kernel, dim3(1), dim3(kBlock), bad.as<const uint8_t>(), all, found);
}

template <class T>
void sgd_launch(const Context& context, const SgdOptions& o, const OptimizerSlot* slots,
                int64_t count) {
  using X = Compute<T>;
  const Sgd<T> update{static_cast<X>(o.lr),
                      static_cast<X>(o.momentum),
                      static_cast<X>(1 - o.dampening),
                      static_cast<X>(o.weight_decay),
                      o.nesterov,
                      o.first_step};
  run(context, update, slots, count);
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
  run(context, update, slots, count);
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
