// Cross entropy of rows of logits, fused: one read of x forward, one backward.
#include "core/dtype.h"
#include "cpu/register.h"
#include "cpu/softmax_row.h"
#include "ops/loss.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 16384;  // elements worth a chunk of threads

// kernels

template <class T>
void forward(const Context& context, int64_t rows, int64_t classes, const void* x_,
             const int64_t* target, int64_t ignored, void* loss_, void* lse_) {
  using V = Vec<T>;
  const T* const x = static_cast<const T*>(x_);
  T* const loss = static_cast<T*>(loss_);
  T* const lse = static_cast<T*>(lse_);
  context.parallel_for(
      rows, std::max<int64_t>(1, kWork / (classes + 8)), [&](int64_t begin, int64_t end) {
        // Maxima and sums of a block of rows first, so that its logarithms are taken together.
        constexpr int64_t kBlock = 64;
        alignas(64) T max[kBlock], sum[kBlock];
        for (int64_t r = begin; r < end; r += kBlock) {
          const int64_t n = std::min(kBlock, end - r);
          for (int64_t k = 0; k < n; k += V::size)
            row_statistics(std::min<int64_t>(V::size, n - k), classes, x + (r + k) * classes,
                           max + k, sum + k, [](int64_t, int64_t, int64_t, V, V) {});
          for_packs<V>(n, [&](int64_t k, auto m) {
            const V log_sum = log(load_pack(sum + k, m, T(1)));
            store_pack(log_sum, sum + k, m);
            store_pack(load_pack(max + k, m, T(0)) + log_sum, lse + r + k, m);
          });
          // x[target] is taken relative to the maximum, where rounding hurts least.
          for (int64_t k = 0; k < n; ++k) {
            const int64_t t = target[r + k];
            loss[r + k] = t == ignored ? T(0) : sum[k] - (x[(r + k) * classes + t] - max[k]);
          }
        }
      });
}

template <class T>
void backward(const Context& context, int64_t rows, int64_t classes, const void* x_,
              const int64_t* target, int64_t ignored, const void* lse_, const void* dloss_,
              int64_t dloss_stride, void* dx_) {
  using V = Vec<T>;
  const T* const x = static_cast<const T*>(x_);
  const T* const lse = static_cast<const T*>(lse_);
  const T* const dloss = static_cast<const T*>(dloss_);
  T* const dx = static_cast<T*>(dx_);
  context.parallel_for(rows, std::max<int64_t>(1, kWork / (classes + 8)),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t r = begin; r < end; ++r) {
                           const T* const from = x + r * classes;
                           T* const to = dx + r * classes;
                           if (target[r] == ignored) {
                             std::fill_n(to, classes, T(0));
                             continue;
                           }
                           const T g = dloss[r * dloss_stride];
                           for_packs<V>(classes, [&](int64_t i, auto m) {
                             store_pack(exp(load_pack(from + i, m, T(0)) - lse[r]) * g, to + i, m);
                           });
                           to[target[r]] -= g;
                         }
                       });
}

}  // namespace

void register_loss(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<cross_entropy_forward>(dtype_of<T>::value, forward<T>);
    registry.add<cross_entropy_backward>(dtype_of<T>::value, backward<T>);
  });
}

}  // namespace fastdl::cpu
