// Convolution on the CPU: shapes become problems (conv2d_problem_cpu.h), a plan chooses the engine
// (cpu/conv2d_plan.h). The gradient by the weight is a correlation (cpu/conv2d_correlate.h).
#include "ops/conv2d.h"

#include <iterator>

#include "cpu/conv2d_correlate.h"
#include "cpu/conv2d_depthwise.h"
#include "cpu/conv2d_direct.h"
#include "cpu/conv2d_plan.h"
#include "cpu/conv2d_samples.h"
#include "cpu/conv2d_shift.h"
#include "cpu/conv2d_wgrad.h"
#include "cpu/conv2d_winograd.h"
#include "cpu/elementwise.h"
#include "cpu/epilogue.h"
#include "cpu/register.h"
#include "cpu/transpose.h"
#include "ops/conv2d_problem_cpu.h"

namespace fastdl::cpu {
namespace {

// launchers

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

// Channels first and few channels: one shifted product for each part.
template <class T>
void run_shift(const Context& context, const ConvProblem<T>& c) {
  for (int64_t i = 0; i < c.n_parts; ++i) {
    const ConvPart& part = c.parts[i];
    const Window window{c.channels, c.h,        c.w,       part.rows,  part.cols,
                        c.stride_h, c.stride_w, part.taps, part.n_taps};
    shift_conv(context,
               ShiftConv<T>{window, c.samples, c.groups, c.filters, c.src, c.weight, c.w_group,
                            c.w_out, c.w_in, static_cast<const T*>(c.epilogue.bias),
                            c.dst + part.first_row * c.q + part.first_col, c.p * c.q,
                            c.step_h * c.q, c.step_w});
  }
  finish(context, c.epilogue, c.samples * c.groups * c.filters * c.p * c.q, c.dst);
}

// Small planes of many samples.
template <class T>
void run_samples(const Context& context, const ConvProblem<T>& c) {
  samples_conv(context, c);
  finish(context, c.epilogue, c.samples * c.groups * c.filters * c.p * c.q, c.dst);
}

// `c` by the algorithm that its plan chose.
template <class T>
void run(const Context& context, const ConvProblem<T>& c, bool winograd) {
  const ConvAlgorithm chosen = plan_conv(c, winograd).chosen;
  if constexpr (std::is_same_v<T, float>) {
    if (chosen == ConvAlgorithm::winograd2) return winograd_conv<2>(context, c);
    if (chosen == ConvAlgorithm::winograd4) return winograd_conv<4>(context, c);
  }
  if (chosen == ConvAlgorithm::shift) return run_shift(context, c);
  if (chosen == ConvAlgorithm::samples) return run_samples(context, c);
  direct_conv(context, c);
}

// Channels last and several filters a channel is a grouped convolution like any other, and so is none.
bool is_depthwise(const Conv2dShape& s, Layout layout) {
  return s.groups > 1 && s.c == s.groups && s.k > 0 && (layout == Layout::first || s.k == s.c);
}
Depthwise depthwise_of(const Conv2dShape& s) {
  return {s.n, s.c,        s.k / s.c,  s.h,     s.w,     s.r,          s.s,         s.p,
          s.q, s.stride_h, s.stride_w, s.pad_h, s.pad_w, s.dilation_h, s.dilation_w};
}

template <class T>
void conv2d_forward_launch(const Context& context, const Conv2dShape& s, Layout layout,
                           const void* x, const void* weight, const void* packed,
                           const Epilogue& epilogue, void* y) {
  if (is_depthwise(s, layout)) {
    const auto run = layout == Layout::first ? depthwise_forward<T> : depthwise_last_forward<T>;
    return run(context, depthwise_of(s), static_cast<const T*>(x), static_cast<const T*>(weight),
               epilogue, static_cast<T*>(y));
  }
  ForwardProblem<T> forward(context, s, layout);
  ConvProblem<T>& c = forward.problem;
  c.src = static_cast<const T*>(x), c.weight = static_cast<const T*>(weight);
  c.packed = static_cast<const T*>(packed), c.epilogue = epilogue, c.dst = static_cast<T*>(y);
  run(context, c, s.winograd);
}

template <class T>
void conv2d_backward_data_launch(const Context& context, const Conv2dShape& s, Layout layout,
                                 const void* dy, const void* weight, const void* bias, void* dx) {
  Epilogue epilogue;
  epilogue.bias = bias;
  if (is_depthwise(s, layout)) {
    const auto run =
        layout == Layout::first ? depthwise_backward_data<T> : depthwise_last_backward_data<T>;
    return run(context, depthwise_of(s), static_cast<const T*>(dy), static_cast<const T*>(weight),
               epilogue, static_cast<T*>(dx));
  }
  BackwardProblem<T> backward(context, s, layout);
  ConvProblem<T>& c = backward.problem;
  c.src = static_cast<const T*>(dy), c.weight = static_cast<const T*>(weight);
  c.epilogue = epilogue, c.dst = static_cast<T*>(dx);
  run(context, c, s.winograd);
}

// Its size and layout, without operands.
template <class T>
WeightGrad<T> weight_grad_of(const Conv2dShape& s, Layout layout) {
  return {s.n,
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
          nullptr,
          nullptr,
          nullptr,
          nullptr};
}

template <class T>
Conv2dPlan plan_of(const ConvProblem<T>& c, bool winograd) {
  static constexpr const char* names[] = {"shifted product", "direct product",
                                          "Winograd F(2x2, 3x3)", "Winograd F(4x4, 3x3)",
                                          "product, lanes of the samples"};
  static_assert(std::size(names) == kConvAlgorithms && kConvAlgorithms <= kConv2dCandidates);
  const ConvPlan p = plan_conv(c, winograd);
  Conv2dPlan out{};
  for (int i = 0; i < kConvAlgorithms; ++i)
    out.candidates[i] = {names[i], p.cycles[i], p.multiplications[i]};
  out.chosen = static_cast<int>(p.chosen);
  if (p.chosen == ConvAlgorithm::direct) out.packed = direct_packed_size(c);
  if constexpr (std::is_same_v<T, float>) {
    if (p.chosen == ConvAlgorithm::winograd2) out.packed = winograd_packed_size<2>(c);
    if (p.chosen == ConvAlgorithm::winograd4) out.packed = winograd_packed_size<4>(c);
  }
  return out;
}

template <class T>
void conv2d_plan_launch(const Context& context, const Conv2dShape& s, Layout layout,
                        Conv2dProduct product, Conv2dPlan& out) {
  const double positions = static_cast<double>(s.n * s.groups) * static_cast<double>(s.p * s.q);
  const double macs = positions * static_cast<double>(s.k / s.groups) *
                      static_cast<double>(s.c / s.groups * s.r * s.s);
  out = {};
  if (is_depthwise(s, layout)) {
    out.candidates[0] = {"depthwise", macs / Vec<T>::size, macs};
  } else if (product == Conv2dProduct::weight_grad) {
    const WgradCost cost = weight_grad_cost(weight_grad_of<T>(s, layout));
    out.candidates[0] = {"product, lanes of the input's channels", cost.x * positions, macs};
    out.candidates[1] = {"product, lanes of the output's channels", cost.dy * positions, macs};
    out.candidates[2] = {"inner products along the rows", cost.positions * positions, macs};
    out.chosen = static_cast<int>(cost.best());
  } else if (product == Conv2dProduct::forward) {
    out = plan_of(ForwardProblem<T>(context, s, layout).problem, s.winograd);
  } else {
    out = plan_of(BackwardProblem<T>(context, s, layout).problem, s.winograd);
  }
}

template <class T>
void conv2d_pack_launch(const Context& context, const Conv2dShape& s, Layout layout,
                        const void* weight, void* packed) {
  ForwardProblem<T> forward(context, s, layout);
  ConvProblem<T>& c = forward.problem;
  c.weight = static_cast<const T*>(weight);
  T* const to = static_cast<T*>(packed);
  const ConvAlgorithm chosen = plan_conv(c, s.winograd).chosen;
  if constexpr (std::is_same_v<T, float>) {
    if (chosen == ConvAlgorithm::winograd2) return winograd_pack<2>(context, c, to);
    if (chosen == ConvAlgorithm::winograd4) return winograd_pack<4>(context, c, to);
  }
  direct_pack(context, c, to);
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
  WeightGrad<T> g = weight_grad_of<T>(s, layout);
  g.x = static_cast<const T*>(x), g.dy = static_cast<const T*>(dy);
  g.dweight = static_cast<T*>(dweight), g.dbias = static_cast<T*>(dbias);
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
    registry.add<conv2d_plan>(type, conv2d_plan_launch<T>);
    registry.add<conv2d_pack>(type, conv2d_pack_launch<T>);
    registry.add<conv2d_backward_weight>(type, conv2d_backward_weight_launch<T>);
  });
}

}  // namespace fastdl::cpu
