// Convolution on CUDA: each of the three products is a ConvForm (cuda/conv2d_form.cuh), computed as
// an implicit matrix product (cuda/conv2d_tiles.cuh) or, where groups have few rows, directly
// (cuda/conv2d_direct.cuh). Channels-last tensors come where the tensor cores of Hopper compute the
// product (cuda/conv2d_plan.h, cuda/conv2d_wgmma.h).
//
// The gradient by the input is a convolution of dy with the transposed filters, one of stride 1 for
// each phase of x's rows and columns modulo the stride, with the taps that reach this phase. Long
// sums with few outputs, such as the gradient by the weight, are cut into parts, which a second
// kernel adds in order. There are no atomics.
#include "ops/conv2d.h"

#include "core/dtype.h"
#include "cuda/conv2d_direct.cuh"
#include "cuda/conv2d_form.cuh"
#include "cuda/conv2d_mma.h"
#include "cuda/conv2d_tiles.cuh"
#include "cuda/conv2d_wgmma.h"
#include "cuda/device.h"
#include "cuda/elementwise.cuh"
#include "cuda/register.h"

namespace fastdl::cuda {
namespace {

template <class T>
struct Same {
  __device__ T operator()(T value) const { return value; }
};
template <class T>
struct Zero {
  __device__ T operator()() const { return T(0.f); }
};

// What is left of an epilogue once the sums and the bias are stored.
template <class T>
struct Rest {
  Finish<T> finish;
  __device__ T operator()(T sum, T residual) const {
    return T(finish(Compute<T>(sum), Compute<T>(0), Compute<T>(residual)));
  }
  __device__ T operator()(T sum) const { return T(finish.activate(Compute<T>(sum))); }
};
template <class T>
void finish_planes(const Context& context, const Conv2dShape& s, const Epilogue& epilogue, T* y) {
  const auto walk = [&](auto dense) {
    dense.ndim = 1;
    dense.numel = dense.size[0] = s.n * s.k * s.p * s.q;
    for (auto& stride : dense.stride) stride[0] = 1;
    return dense;
  };
  const Rest<T> rest{Finish<T>(epilogue)};
  if (epilogue.residual)
    elementwise(context, walk(Strided<3>{}), rest, y, static_cast<const T*>(y),
                rest.finish.residual);
  else if (epilogue.activation != Activation::none)
    elementwise(context, walk(Strided<2>{}), rest, y, static_cast<const T*>(y));
}

// What pixels are that no tap reaches.
template <class T>
void fill_planes(const Context& context, const Conv2dShape& s, Layout layout, const T* bias,
                 T* dx) {
  if (!bias) {
    Strided<1> all;
    all.ndim = 1;
    all.numel = all.size[0] = s.n * s.c * s.h * s.w;
    all.stride[0][0] = 1;
    return elementwise(context, all, Zero<T>{}, dx);
  }
  const bool last = layout == Layout::last;
  const int64_t sizes[] = {last ? s.c : s.h * s.w, last ? s.n * s.h * s.w : s.c, last ? 1 : s.n},
                steps[] = {last ? 1 : 0, last ? 0 : 1, 0};
  Strided<2> walk;
  walk.ndim = last ? 2 : 3;
  walk.numel = 1;
  for (int i = 0; i < walk.ndim; ++i) {
    walk.size[i] = sizes[i];
    walk.stride[0][i] = steps[i];
    walk.stride[1][i] = walk.numel;
    walk.numel *= sizes[i];
  }
  elementwise(context, walk, Same<T>{}, dx, bias);
}

// launchers

constexpr int64_t kEnoughTiles = 128, kEnoughBlocks = 512, kShortest = 512;

// Whether four neighbouring columns are neighbours in memory and aligned.
template <class T>
bool stores_vectors(const ConvSide& side, const int64_t (&sizes)[3], const T* to) {
  constexpr size_t kWide = sizeof(T) == 8 ? 2 : kFragment;
  const auto whole = [](int64_t v) { return v % kFragment == 0; };
  const int64_t planes = side.stride[1] == sizes[2] ? sizes[1] * sizes[2] : sizes[2];
  const int64_t run = side.stride[0] == planes ? sizes[0] * planes : planes;
  return side.stride[2] == 1 && whole(run) && (run > planes || whole(side.stride[0])) &&
         (planes > sizes[2] || whole(side.stride[1])) && whole(side.row) && whole(side.group) &&
         is_aligned(to, kWide * sizeof(T));
}

template <class T, Over over>
ConvPlan plan_of(const ConvForm& form, const T* to, const T* residual) {
  ConvPlan plan{};
  plan.position = Radix(form.position);
  plan.tap = Radix(form.tap);
  plan.height = static_cast<int32_t>(form.axis[0].size);
  plan.width = static_cast<int32_t>(form.axis[1].size);
  for (int i = 0; i < 2; ++i) {
    plan.step[i] = static_cast<int32_t>(form.axis[i].step);
    plan.reach[i] = static_cast<int32_t>(form.axis[i].reach);
    plan.origin[i] = static_cast<int32_t>(form.axis[i].origin);
    plan.x_stride[i] = static_cast<uint32_t>(form.x_stride[i]);
  }
  plan.x_pitch = static_cast<uint32_t>(form.x_pitch);
  plan.x_group = form.x_group;
  plan.y = form.y;
  plan.f = form.f;
  plan.rows = form.rows;
  plan.groups = static_cast<uint32_t>(form.groups);
  const auto& side = over == Over::taps ? form.y : form.f;
  const auto& sizes = over == Over::taps ? form.position : form.tap;
  plan.vector = stores_vectors(side, sizes, to) && stores_vectors(side, sizes, residual);
  return plan;
}

// Cuts the sum into parts, runs `go(grid, plan, partials)` on blocks of the output, and adds the
// parts.
template <class T, Over over, class Go>
void run_parts(const Context& context, ConvPlan plan, int64_t blocks, const Finish<T>& finish,
               T* to, Go go) {
  const KParts parts(summed<over>(plan).size, blocks * plan.groups, kEnoughBlocks, kShortest);
  plan.parts = static_cast<uint32_t>(parts.count);
  plan.chunk = static_cast<uint32_t>(parts.chunk);
  const int64_t elements = plan.groups * plan.rows * columns<over>(plan).size;
  const Scratch scratch(context, plan.parts > 1 ? sizeof(Compute<T>) * plan.parts * elements : 0);
  Compute<T>* const partials = scratch.as<Compute<T>>();
  go(dim3(static_cast<unsigned>(blocks), plan.parts, plan.groups), plan, partials);
  if (plan.parts > 1)
    launch(context, conv_add_parts_kernel<T, over>, loop_grid(elements), dim3(kBlock), plan,
           partials, finish, to);
}

template <class T, int F, Over over>
void run_tiles(const Context& context, ConvPlan plan, const T* x, const T* a,
               const Finish<T>& finish, T* to) {
  const int64_t tiles_m = ceil_div(plan.rows, Tile<T, F>::kSize),
                tiles_n = ceil_div(columns<over>(plan).size, Tile<T, F>::kSize);
  plan.tiles_m = static_cast<uint32_t>(tiles_m);
  plan.tiles_n = static_cast<uint32_t>(tiles_n);
  run_parts<T, over>(context, plan, tiles_m * tiles_n, finish, to,
                     [&](dim3 grid, const ConvPlan& cut, Compute<T>* partials) {
                       launch(context, conv_tiles_kernel<T, F, over>, grid, dim3(kBlock), cut, x, a,
                              finish, to, partials);
                     });
}

// Large tiles where they fill the device and do not compute much more padding than small ones.
template <class T, Over over>
bool suits_large_tiles(const ConvPlan& plan) {
  if (sizeof(T) == 8) return false;
  const int64_t n = columns<over>(plan).size, large = ceil_div(plan.rows, 128) * ceil_div(n, 128),
                small = ceil_div(plan.rows, 64) * ceil_div(n, 64),
                parts = std::max<int64_t>(summed<over>(plan).size / kShortest, 1);
  return large * plan.groups * parts >= kEnoughTiles && large * 3 <= small;
}

// `a` is the operand with rows: filters where the sum is over taps, else dy.
template <class T, Over over>
void run_plan(const Context& context, const ConvPlan& plan, const T* x, const T* a,
              const Finish<T>& finish, T* to) {
  constexpr int64_t kFewRows = 8, kFewTaps = 1024;
  if (plan.rows <= kFewRows) {
    if constexpr (over == Over::positions) {
      const int64_t blocks = plan.rows * ceil_div(plan.tap.size, kDirectTaps);
      return run_parts<T, over>(context, plan, blocks, finish, to,
                                [&](dim3 grid, const ConvPlan& cut, Compute<T>* partials) {
                                  launch(context, conv_direct_positions_kernel<T>, grid,
                                         dim3(kBlock), cut, x, a, finish, to, partials);
                                });
    } else if (plan.tap.size <= kFewTaps) {
      const int64_t rows = plan.rows == 1 ? 1 : 4;
      const dim3 grid(static_cast<unsigned>(ceil_div(plan.position.size, kBlock)),
                      static_cast<unsigned>(ceil_div(plan.rows, rows)), plan.groups);
      return launch(context,
                    rows == 1 ? conv_direct_taps_kernel<T, 1> : conv_direct_taps_kernel<T, 4>, grid,
                    dim3(kBlock), plan, x, a, finish, to);
    }
  }
  if constexpr (sizeof(T) < 8) {
    if (suits_large_tiles<T, over>(plan))
      return run_tiles<T, 2, over>(context, plan, x, a, finish, to);
  }
  run_tiles<T, 1, over>(context, plan, x, a, finish, to);
}

// A form that is cut along what it sums over adds the slices to one another in the output, where
// an activation or a residual cannot be: they have to wait.
bool one_slice(const ConvForm& form) {
  bool one = true;
  for_slices(form, [&](const ConvForm& slice) { one = one && slice.first_taps; });
  return one;
}

template <class T, Over over>
void run_form(const Context& context, const ConvForm& form, const T* x, const T* a,
              const Epilogue& epilogue, T* to) {
  constexpr int64_t kMostGroups = 65535;  // what a grid can count
  for_slices(form, [&](ConvForm slice) {
    constexpr bool taps = over == Over::taps;
    const ConvSide &from = taps ? form.f : form.y, &into = taps ? form.y : form.f;
    const bool first_slice = taps ? slice.first_taps : slice.first_positions;
    for (int64_t first = 0; first < form.groups; first += kMostGroups) {
      slice.groups = std::min(form.groups - first, kMostGroups);
      const int64_t at = (taps ? slice.y_base : slice.f_base) + first * into.group;
      Finish<T> finish(epilogue);
      finish.residual = !first_slice ? to + at : finish.residual ? finish.residual + at : nullptr;
      finish.bias = first_slice && finish.bias ? finish.bias + first * form.rows : nullptr;
      run_plan<T, over>(context, plan_of<T, over>(slice, to + at, finish.residual),
                        x + slice.x_base + first * form.x_group,
                        a + (taps ? slice.f_base : slice.y_base) + first * from.group, finish,
                        to + at);
    }
  });
}

void set(int64_t (&sizes)[3], int64_t outer, int64_t middle, int64_t inner) {
  sizes[0] = outer;
  sizes[1] = middle;
  sizes[2] = inner;
}

ConvForm forward_form(const Conv2dShape& s) {
  const int64_t channels = s.c / s.groups, rows = s.k / s.groups;
  const int64_t plane = s.h * s.w, positions = s.p * s.q, filter = s.r * s.s;
  ConvForm form{};
  form.groups = s.groups;
  form.rows = rows;
  set(form.position, s.n, s.p, s.q);
  set(form.tap, channels, s.r, s.s);
  form.axis[0] = {s.h, s.stride_h, s.dilation_h, -s.pad_h};
  form.axis[1] = {s.w, s.stride_w, s.dilation_w, -s.pad_w};
  form.y = {{s.k * positions, s.q, 1}, positions, rows * positions};
  form.f = {{filter, s.s, 1}, channels * filter, rows * channels * filter};
  form.x_stride[0] = s.c * plane;
  form.x_stride[1] = plane;
  form.x_pitch = s.w;
  form.x_group = channels * plane;
  return form;
}

// The output side of a form whose tensors lie channels last.
ConvForm channels_last(ConvForm form, int64_t channels, int64_t height, int64_t width,
                       int64_t step_h, int64_t step_w) {
  form.y = {{height * width * channels, step_h * width * channels, step_w * channels}, 1, 0};
  form.y_base *= channels;
  return form;
}

// Of channels-last operands: whether Hopper's kernels compute the product, or those of 8.0.
template <class T>
bool on_hopper(const Context& context, const Conv2dShape& s, Conv2dProduct product) {
  return plan_conv2d_cuda(s, product, dtype_of<T>::value, device_facts(context.device)).wgmma;
}

template <class T>
void conv2d_forward_launch(const Context& context, const Conv2dShape& s, Layout layout,
                           const void* x, const void* weight, const void*, const Epilogue& epilogue,
                           void* y) {
  if constexpr (sizeof(T) < 8) {
    if (layout == Layout::last) {
      if (on_hopper<T>(context, s, Conv2dProduct::forward))
        return conv2d_wgmma_forward(context, s, static_cast<const T*>(x),
                                    static_cast<const T*>(weight), epilogue, static_cast<T*>(y));
      return conv_mma_taps(context, channels_last(forward_form(s), s.k, s.p, s.q, 1, 1),
                           s.precision, static_cast<const T*>(x), static_cast<const T*>(weight),
                           epilogue, static_cast<T*>(y));
    }
  }
  const ConvForm form = forward_form(s);
  const bool together = one_slice(form);
  run_form<T, Over::taps>(context, form, static_cast<const T*>(x), static_cast<const T*>(weight),
                          together ? epilogue : Epilogue{epilogue.bias}, static_cast<T*>(y));
  if (!together) finish_planes(context, s, epilogue, static_cast<T*>(y));
}

// x's rows and columns of one phase are y's role, dy is x's, and channels and rows change places.
ConvForm phase_form(const Conv2dShape& s, const Phase& row, const Phase& column) {
  const int64_t channels = s.c / s.groups, rows = s.k / s.groups;
  const int64_t plane = s.h * s.w, positions = s.p * s.q, filter = s.r * s.s;
  ConvForm form{};
  form.groups = s.groups;
  form.rows = channels;
  set(form.position, s.n, row.count, column.count);
  set(form.tap, rows, row.taps, column.taps);
  form.axis[0] = {s.p, 1, row.reach, row.origin};
  form.axis[1] = {s.q, 1, column.reach, column.origin};
  form.y = {{s.c * plane, s.stride_h * s.w, s.stride_w}, plane, channels * plane};
  form.y_base = row.first * s.w + column.first;
  form.f = {
      {channels * filter, row.tap_step * s.s, column.tap_step}, filter, rows * channels * filter};
  form.f_base = row.tap * s.s + column.tap;
  form.x_stride[0] = s.k * positions;
  form.x_stride[1] = positions;
  form.x_pitch = s.q;
  form.x_group = rows * positions;
  return form;
}

// Scatters a phase of x [n, rows, columns, c] among the others.
template <class T>
void spread_phase(const Context& context, const Conv2dShape& s, const Phase& row,
                  const Phase& column, const T* from, T* dx) {
  const int64_t sizes[] = {s.c, column.count, row.count, s.n},
                steps[] = {1, s.stride_w * s.c, s.stride_h * s.w * s.c, s.h * s.w * s.c};
  Strided<2> walk;
  walk.ndim = 4;
  walk.numel = 1;
  for (int i = 0; i < walk.ndim; ++i) {
    walk.size[i] = sizes[i];
    walk.stride[0][i] = walk.numel;
    walk.stride[1][i] = steps[i];
    walk.numel *= sizes[i];
  }
  elementwise(context, walk, Same<T>{}, dx + (row.first * s.w + column.first) * s.c, from);
}

// A channels-last phase: at its place at once where it is all of x.
template <class T>
void run_phase_last(const Context& context, const Conv2dShape& s, const Phase& row,
                    const Phase& column, const T* dy, const T* weight, const T* bias, T* dx) {
  if (row.count == s.h && column.count == s.w)
    return conv2d_wgmma_phase(context, s, row, column, dy, weight, bias, dx);
  const Scratch scratch(context, sizeof(T) * s.n * row.count * column.count * s.c);
  conv2d_wgmma_phase(context, s, row, column, dy, weight, bias, scratch.as<T>());
  spread_phase(context, s, row, column, scratch.as<T>(), dx);
}

template <class T>
void conv2d_backward_data_launch(const Context& context, const Conv2dShape& s, Layout layout,
                                 const void* dy, const void* weight, const void* bias, void* dx) {
  const auto* const from = static_cast<const T*>(dy);
  const auto* const filters = static_cast<const T*>(weight);
  const auto* const add = static_cast<const T*>(bias);
  const PhaseAxis rows = phase_rows(s), columns = phase_columns(s);
  [[maybe_unused]] const bool hopper =
      layout == Layout::last && on_hopper<T>(context, s, Conv2dProduct::input_grad);
  if (!rows.complete() || !columns.complete())
    fill_planes(context, s, layout, add, static_cast<T*>(dx));
  for (int64_t r = 0; r < rows.candidates(); ++r)
    for (int64_t c = 0; c < columns.candidates(); ++c) {
      const Phase row = rows.phase(r), column = columns.phase(c);
      if (row.first >= s.h || column.first >= s.w) continue;
      const ConvForm form = phase_form(s, row, column);
      if constexpr (sizeof(T) < 8) {
        if (layout == Layout::last) {
          if (hopper) {
            run_phase_last(context, s, row, column, from, filters, add, static_cast<T*>(dx));
            continue;
          }
          const ConvForm last = channels_last(form, s.c, s.h, s.w, s.stride_h, s.stride_w);
          conv_mma_taps(context, last, s.precision, from, filters + form.f_base, Epilogue{bias},
                        static_cast<T*>(dx) + last.y_base);
          continue;
        }
      }
      run_form<T, Over::taps>(context, form, from, filters, Epilogue{bias}, static_cast<T*>(dx));
    }
}

// dbias[k] = the sum of dy over samples and positions.
template <class T>
void bias_grad(const Context& context, const Conv2dShape& s, Layout layout, const T* dy, T* dbias) {
  const int64_t plane = s.p * s.q;
  const bool last = layout == Layout::last;
  Strided<2> kept;
  kept.ndim = 1;
  kept.numel = kept.size[0] = s.k;
  kept.stride[0][0] = last ? 1 : plane;
  kept.stride[1][0] = 1;
  Strided<1> reduced;
  reduced.ndim = 2;
  reduced.numel = s.n * plane;
  reduced.size[0] = plane;
  reduced.size[1] = s.n;
  reduced.stride[0][0] = last ? s.k : 1;
  reduced.stride[0][1] = s.k * plane;
  reduce(context, kept, reduced, Sum<T>{}, dy, dbias);
}

template <class T>
void conv2d_backward_weight_launch(const Context& context, const Conv2dShape& s, Layout layout,
                                   const void* x, const void* dy, void* dweight, void* dbias) {
  if (dbias) bias_grad(context, s, layout, static_cast<const T*>(dy), static_cast<T*>(dbias));
  if (layout == Layout::first) {
    if (s.k * s.c > 0)
      run_form<T, Over::positions>(context, forward_form(s), static_cast<const T*>(x),
                                   static_cast<const T*>(dy), Epilogue{}, static_cast<T*>(dweight));
    return;
  }
  if constexpr (sizeof(T) == 2) {
    if (on_hopper<T>(context, s, Conv2dProduct::weight_grad))
      return conv2d_wgmma_weight_grad(context, s, static_cast<const T*>(x),
                                      static_cast<const T*>(dy), static_cast<T*>(dweight));
  }
  if constexpr (sizeof(T) < 8)
    conv_mma_positions(context, forward_form(s), s.precision, static_cast<const T*>(x),
                       static_cast<const T*>(dy), static_cast<T*>(dweight));
}

// Channels last where Hopper's kernels want them so, or where the others on tensor cores compute the
// product and the operand lies so already; all else reads planes. As for matrices, float32 takes
// three TF32 products where the device is faster at them.
template <class T>
void conv2d_layout_launch(const Context& context, const Conv2dShape& s, Conv2dProduct product,
                          Layout given, Layout& layout) {
  const DeviceFacts& device = device_facts(context.device);
  layout = conv2d_layout_cuda(s, product, given, dtype_of<T>::value, device);
  if (layout == Layout::last) return;
  if constexpr (sizeof(T) < 8) {
    const bool by_input = product == Conv2dProduct::input_grad;
    const bool exact = sizeof(T) == 4 && s.precision == Precision::highest;
    const bool fast =
        device.capability >= 80 && (!exact || device.capability == 80 || device.capability == 90);
    const int64_t line = 16 / sizeof(T), product_size = s.n * s.p * s.q * s.k * s.c * s.r * s.s;
    constexpr int64_t kWorth = 1 << 21;
    const ConvForm form = forward_form(s);
    if (given == Layout::last && fast && product_size > 0 && s.c % line == 0 && s.k % line == 0 &&
        (!exact || (product_size >= kWorth && std::min(s.c, s.k) >= 64)) &&
        suits_conv_mma(form, by_input ? s.k : s.c, sizeof(T)) &&
        std::max({s.h, s.w, s.p * s.stride_h, s.q * s.stride_w}) < kMostElements / 4 &&
        std::max(s.n * s.h * s.w * s.c, s.n * s.p * s.q * s.k) < kMostElements)
      layout = Layout::last;
  }
}

}  // namespace

void register_conv2d(Registry& registry) {
  for_types<Half, BFloat16, float, double>([&](auto tag) {
    using T = typename decltype(tag)::type;
    constexpr DType type = dtype_of<T>::value;
    registry.add<conv2d_layout>(type, conv2d_layout_launch<T>);
    registry.add<conv2d_forward>(type, conv2d_forward_launch<T>);
    registry.add<conv2d_backward_data>(type, conv2d_backward_data_launch<T>);
    registry.add<conv2d_backward_weight>(type, conv2d_backward_weight_launch<T>);
  });
}

}  // namespace fastdl::cuda
