// The walk shared by all elementwise kernels: rows of the innermost dimension, in order.
//
// A kernel is a loop over plain contiguous arrays of the type in which it computes. Operands that
// are such arrays are passed to it as they are. Any other operand (strided, broadcast, or 16-bit
// floats, which compute in float) goes through a buffer in the first-level cache, block by block,
// so that one compiled loop serves every layout and gives the same bits in all of them.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <tuple>
#include <type_traits>
#include <utility>

#include "core/context.h"
#include "core/half.h"
#include "core/numbers.h"
#include "core/strided.h"
#include "cpu/stream.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

// The type in which arithmetic on T is done.
template <class T>
struct compute_type {
  using type = T;
};
template <>
struct compute_type<Half> {
  using type = float;
};
template <>
struct compute_type<BFloat16> {
  using type = float;
};
template <class T>
using Compute = typename compute_type<T>::type;

// The unsigned integer as wide as T: what only moves elements need not know their type.
template <class T>
using Bytes =
    std::conditional_t<sizeof(T) == 1, uint8_t,
                       std::conditional_t<sizeof(T) == 2, uint16_t,
                                          std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>>>;

// Elements of work per chunk of threads: some tens of microseconds.
inline constexpr int64_t kCheapGrain = 65536, kCostlyGrain = 16384;

// Converts n elements between storage and compute type, either end strided.
template <class S>
inline void load_block(const S* x, int64_t stride, int64_t n, Compute<S>* to) {
  int64_t i = 0;
  if constexpr (!std::is_same_v<S, Compute<S>>) {
    constexpr int size = Vec<float>::size;
    if (stride == 1)
      for (; i + size <= n; i += size) load_as_float(x + i).store(to + i);
  } else if (stride == 2) {  // every other column, real and imaginary parts: worth a vector loop
    for (; i < n; ++i) to[i] = x[2 * i];
  } else if (stride == -1) {  // what was turned round
    for (; i < n; ++i) to[i] = x[-i];
  }
  for (; i < n; ++i) to[i] = static_cast<Compute<S>>(x[i * stride]);
}

template <class S>
inline void store_block(const Compute<S>* from, int64_t n, S* y, int64_t stride) {
  int64_t i = 0;
  if constexpr (!std::is_same_v<S, Compute<S>>) {
    constexpr int size = Vec<float>::size;
    if (stride == 1)
      for (; i + size <= n; i += size) store_from_float(Vec<float>::load(from + i), y + i);
  }
  for (; i < n; ++i) y[i * stride] = S(from[i]);
}

// Where the row that holds flat element `flat` starts in every operand, and how far in it is.
template <int N>
class RowWalk {
 public:
  RowWalk(const Strided<N>& walk, int64_t flat) : walk_(walk) {
    const int64_t length = walk.ndim ? walk.size[0] : 1;
    column_ = walk.ndim > 1 ? flat % length : flat;
    int64_t row = walk.ndim > 1 ? flat / length : 0;
    for (int d = 1; d < walk.ndim; ++d) {
      index_[d] = row % walk.size[d];
      row /= walk.size[d];
      for (int k = 0; k < N; ++k) offset_[k] += index_[d] * walk.stride[k][d];
    }
  }

  int64_t column() const { return column_; }  // of the element given; 0 after next()
  int64_t offset(int k) const { return offset_[k] + column_ * walk_.stride[k][0]; }

  void next() {
    column_ = 0;
    for (int d = 1; d < walk_.ndim; ++d) {
      for (int k = 0; k < N; ++k) offset_[k] += walk_.stride[k][d];
      if (++index_[d] < walk_.size[d]) return;
      index_[d] = 0;
      for (int k = 0; k < N; ++k) offset_[k] -= walk_.stride[k][d] * walk_.size[d];
    }
  }

 private:
  const Strided<N>& walk_;
  int64_t column_;
  int64_t index_[kMaxDims] = {};
  int64_t offset_[N] = {};
};

template <class Out, class... In>
class Elementwise {
 public:
  static constexpr int N = sizeof...(In) + 1;
  // y[i] = f(x[i]...) for i < n; y may be one of the x. With numbers, or without.
  class Loop {
   public:
    using Plain = void (*)(int64_t n, Compute<Out>* y, const Compute<In>*... x);
    using Numbered = void (*)(const Numbers&, int64_t n, Compute<Out>* y, const Compute<In>*... x);
    Loop(Plain plain = nullptr) : plain_(plain) {}
    Loop(Numbered numbered, const Numbers& numbers) : numbered_(numbered), numbers_(&numbers) {}
    explicit operator bool() const { return plain_ || numbered_; }
    void operator()(int64_t n, Compute<Out>* y, const Compute<In>*... x) const {
      if (numbered_) return numbered_(*numbers_, n, y, x...);
      plain_(n, y, x...);
    }

   private:
    Plain plain_ = nullptr;
    Numbered numbered_ = nullptr;
    const Numbers* numbers_ = nullptr;
  };
  struct Loops {
    Loop loop;
    Loop stream;  // the same past the caches, into an aligned y that is none of the x
    Loops(Loop loop = {}, Loop stream = {}) : loop(loop), stream(stream) {}
    Loops(typename Loop::Plain loop, typename Loop::Plain stream = nullptr)
        : loop(loop), stream(stream) {}
  };

  // Strides in the order of the inputs, then the output.
  static void run(const Context& context, const Strided<N>& walk, int64_t grain, Loops loops,
                  Out* y, const In*... x) {
    const Loop loop = loops.loop;
    bool direct = kSameTypes;
    for (int k = 0; k < N; ++k) direct &= walk.ndim == 0 || walk.stride[k][0] == 1;
    if (walk.ndim > 1 || !direct) {
      context.parallel_for(walk.numel, grain, [&](int64_t begin, int64_t end) {
        Elementwise(walk, loop, direct, y, x...).chunk(begin, end);
      });
    } else if constexpr (kSameTypes) {
      if (walk.numel <= grain) return loop(walk.numel, y, x...);
      const bool in_place = ((static_cast<const void*>(x) == static_cast<const void*>(y)) || ...);
      if (!in_place && loops.stream && streams(y, walk.numel * static_cast<int64_t>(sizeof(Out))))
        return context.parallel_for(walk.numel, grain, [&](int64_t begin, int64_t end) {
          loops.stream(end - begin, y + begin, x + begin...);
          stream_end();
        });
      context.parallel_for(walk.numel, grain, [&](int64_t begin, int64_t end) {
        loop(end - begin, y + begin, x + begin...);
      });
    }
  }

 private:
  static constexpr bool kSameTypes =
      std::is_same_v<Out, Compute<Out>> && (std::is_same_v<In, Compute<In>> && ...);
  static constexpr int64_t kBlock = 1024;
  using Inputs = std::index_sequence_for<In...>;

  Elementwise(const Strided<N>& walk, Loop loop, bool direct, Out* y, const In*... x)
      : walk_(walk), loop_(loop), direct_(direct), y_(y), x_(x...) {}

  void chunk(int64_t begin, int64_t end) {
    RowWalk<N> at(walk_, begin);
    const int64_t length = walk_.ndim ? walk_.size[0] : 1;
    while (begin < end) {
      const int64_t n = std::min(length - at.column(), end - begin);
      row(at, n, Inputs());
      begin += n;
      at.next();
    }
  }

  template <size_t... k>
  void row(const RowWalk<N>& at, int64_t n, std::index_sequence<k...>) {
    if constexpr (kSameTypes)
      if (direct_) return loop_(n, y_ + at.offset(N - 1), std::get<k>(x_) + at.offset(k)...);
    for (int64_t i = 0; i < n; i += kBlock) {
      const int64_t m = std::min(kBlock, n - i);
      Out* const y = y_ + at.offset(N - 1) + i * walk_.stride[N - 1][0];
      if (std::is_same_v<Out, Compute<Out>> && walk_.stride[N - 1][0] == 1) {
        loop_(m, reinterpret_cast<Compute<Out>*>(y), input<k>(at, i, m)...);
      } else {
        loop_(m, result_, input<k>(at, i, m)...);
        store_block(result_, m, y, walk_.stride[N - 1][0]);
      }
    }
  }

  // Elements [i, i + m) of operand k's row.
  template <size_t k>
  auto input(const RowWalk<N>& at, int64_t i, int64_t m) {
    using S = std::tuple_element_t<k, std::tuple<In...>>;
    const int64_t stride = walk_.stride[k][0];
    const S* const x = std::get<k>(x_) + at.offset(k);
    if constexpr (std::is_same_v<S, Compute<S>>)
      if (stride == 1) return x + i;
    Compute<S>* const to = std::get<k>(buffer_).element;
    if (stride != 0)
      load_block(x + i * stride, stride, m, to);
    else if (i == 0)
      std::fill_n(to, m, static_cast<Compute<S>>(*x));
    return static_cast<const Compute<S>*>(to);
  }

  template <class C>
  struct alignas(64) Buffer {
    C element[kBlock];
    Buffer() {}  // left as it is: nothing is read before it was written
  };

  const Strided<N>& walk_;
  const Loop loop_;
  const bool direct_;
  Out* const y_;
  const std::tuple<const In*...> x_;
  std::tuple<Buffer<Compute<In>>...> buffer_;
  alignas(64) Compute<Out> result_[kBlock];
};

}  // namespace fastdl::cpu
