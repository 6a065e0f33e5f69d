// Non-maximum suppression. The scores are sorted (cuda/sort.cuh), a bit for every pair of boxes says
// whether the first suppresses the second, and one block walks over the boxes, 64 at a time.
#include "core/dtype.h"
#include "cuda/launch.cuh"
#include "cuda/register.h"
#include "cuda/sort.cuh"
#include "ops/nms.h"

namespace fastdl::cuda {
namespace {

constexpr int kBits = 64;

__device__ inline int64_t first_item() {
  return static_cast<int64_t>(blockIdx.x) * kBlock + threadIdx.x;
}
__device__ inline int64_t items_together() { return static_cast<int64_t>(gridDim.x) * kBlock; }

// Words that rise as the numbers fall; NaN comes first, and both zeros are one.
template <class Word, class T>
__device__ inline Word falling_key(T score) {
  constexpr Word sign = Word(1) << (sizeof(Word) * 8 - 1);
  if (score != score) return 0;
  const Word bits = ::fastdl::detail::bits_as<Word>(score + T(0));
  const Word rising = bits & sign ? static_cast<Word>(~bits) : static_cast<Word>(bits | sign);
  return static_cast<Word>(~rising);
}

template <class T, class Word>
__global__ void __launch_bounds__(kBlock) keys_kernel(int64_t n, const T* scores, Word* keys) {
  for (int64_t i = first_item(); i < n; i += items_together())
    keys[i] = falling_key<Word>(scores[i]);
}

template <class T>
struct Box {
  T x1, y1, x2, y2, area;
  int64_t group;
};

template <class T, class Word>
__global__ void __launch_bounds__(kBlock)
    order_kernel(int64_t n, const T* boxes, const int64_t* groups, const Word* order,
                 Box<T>* sorted) {
  for (int64_t i = first_item(); i < n; i += items_together()) {
    const T* const b = boxes + 4 * static_cast<int64_t>(order[i]);
    sorted[i] = {
        b[0], b[1], b[2], b[3], (b[2] - b[0]) * (b[3] - b[1]), groups ? groups[order[i]] : 0};
  }
}

template <class T>
__device__ inline bool suppresses(const Box<T>& a, const Box<T>& b, T threshold) {
  if (a.group != b.group) return false;
  const T width = max(T(0), min(a.x2, b.x2) - max(a.x1, b.x1));
  const T height = max(T(0), min(a.y2, b.y2) - max(a.y1, b.y1));
  const T shared = width * height;
  return shared / (a.area + b.area - shared) > threshold;
}

// Bit k of mask[i, w] says whether box i suppresses box w * 64 + k, which is behind it.
template <class T>
__global__ void __launch_bounds__(kBlock)
    pairs_kernel(int64_t n, int64_t words, const Box<T>* sorted, T threshold, uint64_t* mask) {
  for (int64_t e = first_item(); e < n * words; e += items_together()) {
    const int64_t w = e / n, i = e - w * n;  // neighbouring threads read the same other boxes
    if (w < i / kBits) continue;
    const Box<T> box = sorted[i];
    uint64_t bits = 0;
    for (int64_t j = max(w * kBits, i + 1); j < min((w + 1) * kBits, n); ++j)
      if (suppresses(box, sorted[j], threshold)) bits |= uint64_t{1} << (j - w * kBits);
    mask[i * words + w] = bits;
  }
}

// One block. gone[w] has a bit for every suppressed box of word w.
template <class Word>
__global__ void __launch_bounds__(kBlock)
    walk_kernel(int64_t n, int64_t words, const uint64_t* mask, const Word* order, uint64_t* gone,
                int64_t* keep, int64_t* count) {
  __shared__ uint64_t kept;
  int64_t found = 0;
  for (int64_t w = threadIdx.x; w < words; w += kBlock) gone[w] = 0;
  __syncthreads();
  for (int64_t w = 0; w < words; ++w) {
    const int64_t first = w * kBits, last = min(first + kBits, n);
    if (threadIdx.x == 0) {
      uint64_t bits = 0, suppressed = gone[w];
      for (int64_t i = first; i < last; ++i) {
        if (suppressed >> (i - first) & 1) continue;
        bits |= uint64_t{1} << (i - first);
        suppressed |= mask[i * words + w];
        keep[found++] = static_cast<int64_t>(order[i]);
      }
      kept = bits;
    }
    __syncthreads();
    for (int64_t v = w + 1 + threadIdx.x; v < words; v += kBlock) {
      uint64_t suppressed = gone[v];
      for (int64_t i = first; i < last; ++i)
        if (kept >> (i - first) & 1) suppressed |= mask[i * words + v];
      gone[v] = suppressed;
    }
    __syncthreads();
  }
  if (threadIdx.x == 0) *count = found;
}

__global__ void none_kernel(int64_t* count) { *count = 0; }

template <class T, class Word>
void nms(const Context& context, int64_t n, const void* boxes, const void* scores,
         const int64_t* groups, double threshold, int64_t* keep, int64_t* count) {
  if (n == 0) return launch(context, none_kernel, dim3(1), dim3(1), count);
  const int64_t words = ceil_div(n, kBits);
  constexpr uint64_t limit = sizeof(Word) == 4 ? uint64_t{1} << 32 : 0;  // 0 for 2^64
  KeySort<Word> order(context, n, limit);
  const dim3 block(kBlock);
  launch(context, keys_kernel<T, Word>, loop_grid(n), block, n, static_cast<const T*>(scores),
         order.keys());
  order.sort();
  const Scratch sorted(context, static_cast<size_t>(n) * sizeof(Box<T>));
  const Scratch mask(context, static_cast<size_t>(n * words) * sizeof(uint64_t));
  const Scratch gone(context, static_cast<size_t>(words) * sizeof(uint64_t));
  launch(context, order_kernel<T, Word>, loop_grid(n), block, n, static_cast<const T*>(boxes),
         groups, order.positions(), sorted.as<Box<T>>());
  launch(context, pairs_kernel<T>, loop_grid(n * words), block, n, words, sorted.as<Box<T>>(),
         static_cast<T>(threshold), mask.as<uint64_t>());
  launch(context, walk_kernel<Word>, dim3(1), block, n, words, mask.as<uint64_t>(),
         order.positions(), gone.as<uint64_t>(), keep, count);
}

}  // namespace

void register_nms(Registry& registry) {
  registry.add<nms_forward>(DType::f32, nms<float, uint32_t>);
  registry.add<nms_forward>(DType::f64, nms<double, uint64_t>);
}

}  // namespace fastdl::cuda
