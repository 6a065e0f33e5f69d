// Convolution on the CPU. The forward pass and the gradient by the input are one product
// (cpu/conv2d_shift.h): the gradient by the input is a convolution of dy with the transposed
// filters, one of stride 1 for each phase of x's rows and columns modulo the stride, with the taps
// that reach this phase. The gradient by the weight is a correlation (cpu/conv2d_correlate.h).
#include "ops/conv2d.h"

#include "cpu/conv2d_correlate.h"
#include "cpu/conv2d_depthwise.h"
#include "cpu/conv2d_shift.h"
#include "cpu/conv2d_wgrad.h"
#include "cpu/elementwise.h"
#include "cpu/epilogue.h"
#include "cpu/register.h"
#include "cpu/transpose.h"

namespace fastdl::cpu {
namespace {

// launchers

class Taps {
 public:
  Taps(const Context& context, const Conv2dShape& s)
      : scratch_(context, static_cast<size_t>(s.r * s.s) * sizeof(Tap)), tap_(scratch_.as<Tap>()) {}

  void add(int64_t row, int64_t col, int64_t weight) { tap_[count_++] = {row, col, weight}; }
  void clear() { count_ = 0; }
  const Tap* data() const { return tap_; }
  int64_t size() const { return count_; }

 private:
  Scratch scratch_;
  Tap* tap_;
  int64_t count_ = 0;
};

Window forward_window(const Conv2dShape& s, Taps& taps) {
  for (int64_t r = 0; r < s.r; ++r)
    for (int64_t c = 0; c < s.s; ++c)
      taps.add(r * s.dilation_h - s.pad_h, c * s.dilation_w - s.pad_w, r * s.s + c);
  return {s.c / s.groups, s.h, s.w, s.p, s.q, s.stride_h, s.stride_w, taps.data(), taps.size()};
}

// Samples of a rows by b columns, transposed.
template <class T>
void transpose_samples(const Context& context, int64_t n, int64_t a, int64_t b, const T* x, T* y) {
  context.parallel_for(n, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      transpose(a, b, reinterpret_cast<const Bytes<T>*>(x) + i * a * b, b,
                reinterpret_cast<Bytes<T>*>(y) + i * a * b, a, false);
  });
}

// An operand in channels first, for kernels that know no other layout.
template <class T>
class First {
 public:
  First(const Context& context, Layout layout, int64_t n, int64_t channels, int64_t plane,
        const void* x)
      : context_(context),
        n_(n),
        channels_(channels),
        plane_(plane),
        scratch_(context, layout == Layout::last
                              ? static_cast<size_t>(n * channels * plane) * sizeof(T)
                              : 0),
        data_(layout == Layout::last ? scratch_.as<T>()
                                     : const_cast<T*>(static_cast<const T*>(x))) {}

  T* read(const void* x) const {
    if (data_ != x)
      transpose_samples(context_, n_, plane_, channels_, static_cast<const T*>(x), data_);
    return data_;
  }
  T* data() const { return data_; }
  void write(void* x) const {
    if (data_ != x) transpose_samples(context_, n_, channels_, plane_, data_, static_cast<T*>(x));
  }

 private:
  const Context& context_;
  int64_t n_, channels_, plane_;
  Scratch scratch_;
  T* data_;
};

// The epilogue's part after the bias, where the product's kernel does not do it.
template <class T>
void finish(const Context& context, const Epilogue& e, int64_t size, T* y) {
  if (!e.residual && e.activation == Activation::none) return;
  const T* const residual = static_cast<const T*>(e.residual);
  context.parallel_for(size, kCheapGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i += Vec<T>::size) {
      const int64_t lanes = std::min<int64_t>(Vec<T>::size, end - i);
      Vec<T> v = Vec<T>::load(y + i, lanes);
      if (residual) v += Vec<T>::load(residual + i, lanes);
      activate(v, e.activation, static_cast<T>(e.slope)).store(y + i, lanes);
    }
  });
}

// Channels last and several filters a channel is a grouped convolution like any other.
bool is_depthwise(const Conv2dShape& s, Layout layout) {
  return s.groups > 1 && s.c == s.groups && (layout == Layout::first || s.k == s.c);
}
Depthwise depthwise_of(const Conv2dShape& s) {
  return {s.n, s.c,        s.k / s.c,  s.h,     s.w,     s.r,          s.s,         s.p,
          s.q, s.stride_h, s.stride_w, s.pad_h, s.pad_w, s.dilation_h, s.dilation_w};
}

template <class T>
void conv2d_forward_launch(const Context& context, const Conv2dShape& s, Layout layout,
                           const void* x, const void* weight, const void*, const Epilogue& epilogue,
                           void* y) {
  if (is_depthwise(s, layout)) {
    const auto run = layout == Layout::first ? depthwise_forward<T> : depthwise_last_forward<T>;
    return run(context, depthwise_of(s), static_cast<const T*>(x), static_cast<const T*>(weight),
               epilogue, static_cast<T*>(y));
  }
  const First<T> xs(context, layout, s.n, s.c, s.h * s.w, x);
  const First<T> ys(context, layout, s.n, s.k, s.p * s.q, y);
  Taps taps(context, s);
  const Window window = forward_window(s, taps);
  const int64_t m = s.k / s.groups, filter = window.channels * s.r * s.s;
  shift_conv(context,
             ShiftConv<T>{window, s.n, s.groups, m, xs.read(x), static_cast<const T*>(weight),
                          m * filter, filter, s.r * s.s, static_cast<const T*>(epilogue.bias),
                          ys.data(), s.p * s.q, s.q, 1});
  ys.write(y);
  finish(context, epilogue, s.n * s.k * s.p * s.q, static_cast<T*>(y));
}

// The output rows that are congruent to `phase`, and a tap's row for the first of them.
struct Phase {
  int64_t stride, pad, dilation;

  int64_t count(int64_t size, int64_t phase) const { return (size - phase + stride - 1) / stride; }
  bool reaches(int64_t tap, int64_t phase) const {
    return (phase + pad - tap * dilation) % stride == 0;
  }
  int64_t source(int64_t tap, int64_t phase) const {
    return (phase + pad - tap * dilation) / stride;
  }
};

template <class T>
void conv2d_backward_data_launch(const Context& context, const Conv2dShape& s, Layout layout,
                                 const void* dy, const void* weight, void* dx) {
  if (is_depthwise(s, layout)) {
    const auto run =
        layout == Layout::first ? depthwise_backward_data<T> : depthwise_last_backward_data<T>;
    return run(context, depthwise_of(s), static_cast<const T*>(dy), static_cast<const T*>(weight),
               static_cast<T*>(dx));
  }
  const First<T> gs(context, layout, s.n, s.k, s.p * s.q, dy);
  const First<T> xs(context, layout, s.n, s.c, s.h * s.w, dx);
  const T* const source = gs.read(dy);
  const int64_t m = s.c / s.groups, channels = s.k / s.groups, filter = s.r * s.s;
  const Phase rows{s.stride_h, s.pad_h, s.dilation_h}, cols{s.stride_w, s.pad_w, s.dilation_w};
  Taps taps(context, s);
  for (int64_t a = 0; a < std::min(s.stride_h, s.h); ++a)
    for (int64_t b = 0; b < std::min(s.stride_w, s.w); ++b) {
      taps.clear();
      for (int64_t r = 0; r < s.r; ++r)
        for (int64_t c = 0; c < s.s; ++c)
          if (rows.reaches(r, a) && cols.reaches(c, b))
            taps.add(rows.source(r, a), cols.source(c, b), r * s.s + c);
      const Window window{channels, s.p, s.q,         rows.count(s.h, a), cols.count(s.w, b),
                          1,        1,   taps.data(), taps.size()};
      shift_conv(context,
                 ShiftConv<T>{window, s.n, s.groups, m, source, static_cast<const T*>(weight),
                              channels * m * filter, filter, m * filter, nullptr,
                              xs.data() + a * s.w + b, s.h * s.w, s.stride_h * s.w, s.stride_w});
    }
  xs.write(dx);
}

template <class T>
void conv2d_backward_weight_launch(const Context& context, const Conv2dShape& s, Layout layout,
                                   const void* x, const void* dy, void* dweight, void* dbias) {
  if (is_depthwise(s, layout)) {
    const auto run =
        layout == Layout::first ? depthwise_backward_weight<T> : depthwise_last_backward_weight<T>;
    return run(context, depthwise_of(s), static_cast<const T*>(x), static_cast<const T*>(dy),
               static_cast<T*>(dweight), static_cast<T*>(dbias));
  }
  const WeightGrad<T> g{s.n,
                        s.groups,
                        s.c / s.groups,
                        s.h,
                        s.w,
                        s.k / s.groups,
                        s.p,
                        s.q,
                        s.r,
                        s.s,
                        s.stride_h,
                        s.stride_w,
                        s.pad_h,
                        s.pad_w,
                        s.dilation_h,
                        s.dilation_w,
                        layout == Layout::last,
                        static_cast<const T*>(x),
                        static_cast<const T*>(dy),
                        static_cast<T*>(dweight),
                        static_cast<T*>(dbias)};
  const WgradLanes lanes = weight_grad_cost(g).best();
  if (lanes != WgradLanes::positions) return weight_grad(context, g, lanes);
  const First<T> xs(context, layout, s.n, s.c, s.h * s.w, x);
  const First<T> gs(context, layout, s.n, s.k, s.p * s.q, dy);
  Taps taps(context, s);
  const Window window = forward_window(s, taps);
  correlate_conv(context,
                 CorrelateConv<T>{window, s.n, s.groups, s.k / s.groups, xs.read(x), gs.read(dy),
                                  static_cast<T*>(dweight), static_cast<T*>(dbias)});
}

}  // namespace

void register_conv2d(Registry& registry) {
  for_types<float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr DType type = dtype_of<T>::value;
    registry.add<conv2d_forward>(type, conv2d_forward_launch<T>);
    registry.add<conv2d_backward_data>(type, conv2d_backward_data_launch<T>);
    registry.add<conv2d_backward_weight>(type, conv2d_backward_weight_launch<T>);
  });
}

}  // namespace fastdl::cpu
