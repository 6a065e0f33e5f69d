// Pooling of regions. Forward, threads share out the maps of (box, channel); backward, the planes of
// the image: a plane adds up its boxes in their order. The weights of an aligned bin are a product of
// those of its rows and of its columns, which are computed once for all channels.
#include <algorithm>
#include <optional>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"
#include "ops/roi_geometry.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 32768;  // multiply-adds worth a chunk of threads

int64_t grain_for(int64_t work) { return std::max<int64_t>(1, kWork / std::max<int64_t>(1, work)); }

// The elements that a bin's samples read, and the sums of their weights: those of bin b are
// [begin(b), begin(b + 1)).
template <class C>
class Weights {
 public:
  struct Entry {
    int64_t at;
    C weight;
  };

  Weights(const Context& context, const AlignAxis& axis)
      : begin_(context, static_cast<size_t>(axis.bins + 1) * sizeof(int64_t)),
        entries_(context, static_cast<size_t>(axis.bins * most(axis)) * sizeof(Entry)) {
    int64_t* const begin = begin_.as<int64_t>();
    for (int64_t b = 0; b < axis.bins; ++b) {
      begin[b] = count_;
      const Samples in_image = axis.samples(b, -1, static_cast<double>(axis.size));
      for (int64_t i = in_image.first; i < in_image.last; ++i) {
        const Tap tap(axis.position(b, i), axis.size);
        add(begin[b], tap.low, tap.low_weight);
        add(begin[b], tap.high, tap.high_weight);
      }
    }
    begin[axis.bins] = count_;
  }

  const Entry* begin(int64_t b) const { return entries_.template as<Entry>() + index(b); }
  const Entry* end(int64_t b) const { return entries_.template as<Entry>() + index(b + 1); }

 private:
  // Of a bin: samples go forward, and each meets the elements of the last one or later ones, unless
  // the box is inverted.
  static int64_t most(const AlignAxis& a) {
    return a.step > 0 ? std::min(2 * a.count, a.size) : 2 * a.count;
  }
  int64_t index(int64_t b) const { return begin_.as<int64_t>()[b]; }
  void add(int64_t first, int64_t at, double weight) {
    if (weight == 0) return;
    Entry* const entries = entries_.template as<Entry>();
    for (int64_t i = std::max(first, count_ - 2); i < count_; ++i)
      if (entries[i].at == at) {
        entries[i].weight += static_cast<C>(weight);
        return;
      }
    entries[count_++] = {at, static_cast<C>(weight)};
  }

  Scratch begin_, entries_;
  int64_t count_ = 0;
};

template <class C>
struct BoxWeights {
  AlignBox box;
  Weights<C> rows, columns;

  BoxWeights(const Context& context, const RoiShape& s, const double* b)
      : box(s, b), rows(context, box.rows), columns(context, box.columns) {}
  C share() const { return C(1) / static_cast<C>(box.samples_of_bin()); }
};

// kernels

void first_bad(const Context&, const RoiShape& s, const double* boxes, int64_t* position) {
  *position = -1;
  for (int64_t k = s.boxes; k-- > 0;)
    if (!is_good_box(s, boxes + 5 * k)) *position = k;
}

template <class S>
void align_forward(const Context& context, const RoiShape& s, const double* boxes, const void* x_,
                   void* y_) {
  using C = Compute<S>;
  const S* const x = static_cast<const S*>(x_);
  S* const y = static_cast<S*>(y_);
  context.parallel_for(
      s.boxes * s.channels, grain_for(16 * s.p * s.q), [&](int64_t begin, int64_t end) {
        std::optional<BoxWeights<C>> weights;
        for (int64_t i = begin; i < end; ++i) {
          if (i == begin || i % s.channels == 0)
            weights.emplace(context, s, boxes + i / s.channels * 5);
          const C share = weights->share();
          const S* const plane = x + (weights->box.image * s.channels + i % s.channels) * s.h * s.w;
          S* to = y + i * s.p * s.q;
          for (int64_t p = 0; p < s.p; ++p)
            for (int64_t q = 0; q < s.q; ++q) {
              C sum(0);
              for (auto r = weights->rows.begin(p); r < weights->rows.end(p); ++r) {
                C line(0);
                for (auto c = weights->columns.begin(q); c < weights->columns.end(q); ++c)
                  line += c->weight * static_cast<C>(plane[r->at * s.w + c->at]);
                sum += r->weight * line;
              }
              *to++ = S(sum * share);
            }
        }
      });
}

// Calls add(box, first of its gradients in dy, sum) for the boxes of each plane, in order; `prepare`
// makes what the channels of a box share. The sums are dx, or beside it where that is of 16 bits.
template <class S, class Prepare, class F>
void for_planes(const Context& context, const RoiShape& s, const double* boxes, const S* dy, S* dx,
                Prepare prepare, F add) {
  using C = Compute<S>;
  constexpr bool same = std::is_same_v<S, C>;
  const int64_t size = s.h * s.w, map = s.p * s.q;
  const int64_t work = size + 16 * map * (s.boxes / std::max<int64_t>(1, s.images) + 1);
  context.parallel_for(s.images * s.channels, grain_for(work), [&](int64_t begin, int64_t end) {
    Scratch scratch(context, same ? 0 : static_cast<size_t>((end - begin) * size) * sizeof(C));
    C* sums = scratch.as<C>();
    if constexpr (same) sums = dx + begin * size;
    std::fill_n(sums, (end - begin) * size, C(0));
    for (int64_t k = 0; k < s.boxes; ++k) {
      const int64_t image = static_cast<int64_t>(boxes[5 * k]);
      const int64_t first = std::max(begin, image * s.channels);
      const int64_t last = std::min(end, (image + 1) * s.channels);
      if (first >= last) continue;
      const auto box = prepare(boxes + 5 * k);
      for (int64_t i = first; i < last; ++i)
        add(box, dy + (k * s.channels + i - image * s.channels) * map, sums + (i - begin) * size);
    }
    if constexpr (!same) store_block(sums, (end - begin) * size, dx + begin * size, 1);
  });
}

template <class S>
void align_backward(const Context& context, const RoiShape& s, const double* boxes, const void* dy_,
                    void* dx) {
  using C = Compute<S>;
  for_planes(
      context, s, boxes, static_cast<const S*>(dy_), static_cast<S*>(dx),
      [&](const double* box) { return BoxWeights<C>(context, s, box); },
      [&](const BoxWeights<C>& weights, const S* dy, C* sum) {
        for (int64_t p = 0; p < s.p; ++p)
          for (int64_t q = 0; q < s.q; ++q) {
            const C g = static_cast<C>(*dy++) * weights.share();
            for (auto r = weights.rows.begin(p); r < weights.rows.end(p); ++r)
              for (auto c = weights.columns.begin(q); c < weights.columns.end(q); ++c)
                sum[r->at * s.w + c->at] += g * r->weight * c->weight;
          }
      });
}

template <class S>
void pool_forward(const Context& context, const RoiShape& s, const double* boxes, const void* x_,
                  void* y_, int64_t* index) {
  using C = Compute<S>;
  const S* const x = static_cast<const S*>(x_);
  S* const y = static_cast<S*>(y_);
  context.parallel_for(
      s.boxes * s.channels, grain_for(16 * s.p * s.q), [&](int64_t begin, int64_t end) {
        Scratch scratch(context, static_cast<size_t>(s.q) * sizeof(AdaptiveWindow));
        AdaptiveWindow* const columns = scratch.as<AdaptiveWindow>();
        for (int64_t i = begin; i < end; ++i) {
          const PoolBox box(s, boxes + i / s.channels * 5);
          for (int64_t q = 0; q < s.q && (i == begin || i % s.channels == 0); ++q)
            columns[q] = box.columns.window(q);
          const S* const plane = x + (box.image * s.channels + i % s.channels) * s.h * s.w;
          int64_t to = i * s.p * s.q;
          for (int64_t p = 0; p < s.p; ++p) {
            const AdaptiveWindow rows = box.rows.window(p);
            for (int64_t q = 0; q < s.q; ++q, ++to) {
              const AdaptiveWindow across = columns[q];
              const bool empty = rows.length() <= 0 || across.length() <= 0;
              int64_t best_at = empty ? -1 : rows.first * s.w + across.first;
              C best = empty ? C(0) : static_cast<C>(plane[best_at]);
              for (int64_t r = rows.first; r < rows.last; ++r)
                for (int64_t at = r * s.w + across.first; at < r * s.w + across.last; ++at) {
                  const C v = static_cast<C>(plane[at]);
                  if (v <= best || best != best) continue;
                  best = v, best_at = at;  // what is larger, or the first NaN
                }
              y[to] = S(best);
              index[to] = best_at;
            }
          }
        }
      });
}

template <class S>
void pool_backward(const Context& context, const RoiShape& s, const double* boxes, const void* dy_,
                   const int64_t* index, void* dx) {
  using C = Compute<S>;
  const S* const first = static_cast<const S*>(dy_);
  for_planes(
      context, s, boxes, first, static_cast<S*>(dx), [](const double*) { return 0; },
      [&](int, const S* dy, C* sum) {
        const int64_t* const at = index + (dy - first);
        for (int64_t i = 0; i < s.p * s.q; ++i)
          if (at[i] >= 0) sum[at[i]] += static_cast<C>(dy[i]);
      });
}

}  // namespace

void register_roi(Registry& registry) {
  registry.add<roi_first_bad>(DType::f64, first_bad);
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<roi_align_forward>(dtype_of<T>::value, align_forward<T>);
    registry.add<roi_align_backward>(dtype_of<T>::value, align_backward<T>);
    registry.add<roi_pool_forward>(dtype_of<T>::value, pool_forward<T>);
    registry.add<roi_pool_backward>(dtype_of<T>::value, pool_backward<T>);
  });
}

}  // namespace fastdl::cpu
