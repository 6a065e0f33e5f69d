#include "ops/copy.h"

#include <cmath>
#include <cstring>

#include "autograd/inplace.h"
#include "ops/common.h"
#include "ops/reduce.h"
#include "ops/shape.h"

namespace fastdl {
namespace {

uint64_t bits_of(double value, DType dtype) {
  uint64_t bits = 0;
  with_dtype(dtype, [&](auto tag) {
    using T = typename decltype(tag)::type;
    T v;
    if constexpr (std::is_same_v<T, bool>)
      v = value != 0;
    else if constexpr (std::is_integral_v<T>)
      v = static_cast<T>(static_cast<int64_t>(value));
    else
      v = static_cast<T>(
          static_cast<std::conditional_t<std::is_same_v<T, double>, double, float>>(value));
    memcpy(&bits, &v, sizeof v);
  });
  return bits;
}

void convert_into(const Tensor& to, const Tensor& from) {
  launch<convert>("copy", to.device(), to.dtype(), to.numel(), from.dtype(),
                  walk_over(to.shape(), from, to), from.data(), to.mutable_data());
}

// Bytes between devices; both contiguous, of one dtype and size. With `may_run_on` the host does
// not wait for a copy from or to pinned memory, which must then outlive it.
void transfer(const Tensor& to, const Tensor& from, bool may_run_on) {
  refuse_capture("to", "copies between devices, which a replay would not do again",
                 "make the tensors on their device outside of the captured function");
  const Tensor& host = to.device().is_cpu() ? to : from;
  may_run_on = may_run_on && is_pinned(host.storage());
  copy_bytes(to.device(), to.mutable_data(), from.device(), from.data(),
             static_cast<size_t>(to.numel()) * item_size(to.dtype()), may_run_on);
  const Device gpu = to.device().is_cpu() ? from.device() : to.device();
  if (may_run_on) use_on(host.storage(), current_stream(gpu));
  if (!from.device().is_cpu() && from.device() != gpu) use_on(from.storage(), current_stream(gpu));
}

}  // namespace

Tensor clone_in(const Tensor& x, Layout layout) {
  Tensor y = empty_in("clone", layout, x.shape(), x.dtype(), x.device());
  convert_into(y, x);
  if (Recording r{"clone", {&x}}) r.result(y, [](Backward& pass) { pass.give(0, pass.grad()); });
  return y;
}

Tensor clone(const Tensor& x) { return clone_in(x, Layout::first); }

Tensor in_layout(const Tensor& x, Layout layout) {
  if (lies_in(layout, x)) return x;
  if (layout == Layout::last) check_dim("contiguous", {"input", x}, 4, "[N, C, H, W]");
  return clone_in(x, layout);
}

Tensor contiguous(const Tensor& x) { return x.is_contiguous() ? x : clone(x); }

Tensor cast(const Tensor& x, DType dtype) {
  if (x.dtype() == dtype) return x;
  Tensor y = empty_in("to", layout_of(x), x.shape(), dtype, x.device());
  convert_into(y, x);
  if (!is_floating(dtype)) return y;
  if (Recording r{"to", {&x}})
    r.result(y, [from = x.dtype()](Backward& pass) { pass.give(0, cast(pass.grad(), from)); });
  return y;
}

Tensor to_device(const Tensor& x, const Device& device, bool non_blocking) {
  if (x.device() == device) return x;
  require_device(device);
  Tensor y = non_blocking && device.is_cpu() ? empty_pinned(x.shape(), x.dtype())
                                             : empty("to", x.shape(), x.dtype(), device);
  transfer(y, contiguous(detach(x)), non_blocking);
  if (Recording r{"to", {&x}})
    r.result(y,
             [from = x.device()](Backward& pass) { pass.give(0, to_device(pass.grad(), from)); });
  return y;
}

Tensor pin_memory(const Tensor& x) {
  if (!x.device().is_cpu())
    throw Error(ErrorKind::device, "pin_memory", "only memory of the CPU can be pinned")
        .show("input", x)
        .remedy("use .cpu() first");
  if (is_pinned(x.storage())) return x;
  Tensor y = empty_pinned(x.shape(), x.dtype());
  convert_into(y, x);
  if (Recording r{"pin_memory", {&x}})
    r.result(y, [](Backward& pass) { pass.give(0, pass.grad()); });
  return y;
}

Tensor copy_(const Tensor& to, const Tensor& from) {
  if (broadcast_shapes("copy_", to.shape(), from.shape()) != to.shape())
    throw shape_error("copy_", "the source does not fit")
        .show("input", to)
        .show("source", from)
        .remedy("make the shapes equal, or the source broadcastable to the target");
  check_editable("copy_", to);
  // The source may overlap the target (x[1:] = x[:-1]): then it is read completely first.
  Tensor source = detach(from);
  if (source.device() != to.device()) source = to_device(source, to.device());
  if (&source.storage() == &to.storage()) source = clone(source);
  convert_into(to, source);
  bump_version(to);
  if (Recording r{"copy_", {&to, &from}})
    r.result(
        to, [shape = from.shape(), dtype = from.dtype(), device = from.device()](Backward& pass) {
          if (pass.needs(0))
            pass.give(0, full(pass.grad().shape(), 0, pass.grad().dtype(), pass.grad().device()));
          if (pass.needs(1))
            pass.give(1, to_device(cast(sum_to(pass.grad(), shape), dtype), device));
        });
  return to;
}

Tensor fill_(const Tensor& x, double value) {
  check_editable("fill_", x);
  launch<fill>("fill_", x.device(), x.dtype(), x.numel(), walk_over(x.shape(), x),
               bits_of(value, x.dtype()), x.mutable_data());
  bump_version(x);
  // The old values are gone, and with them their history.
  if (Recording r{"fill_", {&x}})
    r.result(x, [](Backward& pass) {
      pass.give(0, full(pass.grad().shape(), 0, pass.grad().dtype(), pass.grad().device()));
    });
  return x;
}

Tensor full(const Dims& shape, double value, DType dtype, const Device& device) {
  Tensor y = empty(shape, dtype, device);
  const uint64_t bits = bits_of(value, dtype);
  if (y.numel() == 1 && device.is_cpu())
    on_host([to = y.mutable_data(), bits, size = item_size(dtype)] { memcpy(to, &bits, size); });
  else
    launch<fill>("full", device, dtype, y.numel(), walk_over(shape, y), bits, y.mutable_data());
  return y;
}

Tensor arange(double start, double end, double step, DType dtype, const Device& device) {
  const double count = std::ceil((end - start) / step);
  if (!(step != 0) || !std::isfinite(count))
    throw argument_error("arange", text("no range from ", start, " to ", end, " by ", step))
        .remedy("use finite bounds and a step that is not 0");
  if (count > 4e18) checked_mul("arange", int64_t{1} << 62, 4);
  const int64_t n = count > 0 ? static_cast<int64_t>(count) : 0;
  Tensor y = empty({n}, dtype, device);
  launch<arange_fill>("arange", device, dtype, n, n, start, step, y.mutable_data());
  return y;
}

Tensor linspace(double start, double end, int64_t steps, DType dtype, const Device& device) {
  if (!std::isfinite(start) || !std::isfinite(end))
    throw argument_error("linspace", text("no numbers from ", start, " to ", end))
        .remedy("use finite bounds");
  Tensor y = empty("linspace", {steps}, dtype, device);
  const auto gaps = static_cast<double>(steps > 1 ? steps - 1 : 1);
  const double gap = end / gaps - start / gaps;  // apart, as the difference may overflow
  if (steps > 0)
    launch<arange_fill>("linspace", device, dtype, steps, steps, start, gap, y.mutable_data());
  // The last one is `end` itself, whatever the others round to.
  if (steps > 1) fill_(narrow(y, 0, steps - 1, 1), end);
  return y;
}

}  // namespace fastdl
