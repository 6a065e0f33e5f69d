// Rows of the function table: making tensors.
#include "autograd/variable.h"
#include "bindings/interop.h"
#include "bindings/signature.h"
#include "core/backend.h"
#include "ops/common.h"
#include "ops/copy.h"
#include "ops/move.h"

namespace fastdl::bindings {
namespace {

Tensor finish(Tensor t, bool wants_grad) {
  if (wants_grad) set_requires_grad(t, true);
  return t;
}

Tensor filled(const Dims& shape, double value, std::optional<DType> dtype,
              std::optional<Device> device, bool wants_grad) {
  const Device d = device.value_or(Device{});
  require_device(d);
  return finish(full(shape, value, dtype.value_or(DType::f32), d), wants_grad);
}

// A fresh tensor of x's shape, laid out like x.
Tensor laid_out_like(const Tensor& x, const Tensor& fresh) {
  return fresh.view(x.shape(), strides_in(layout_of(x), x.shape()), 0);
}

Tensor like(const Tensor& x, double value, std::optional<DType> dtype,
            std::optional<Device> device) {
  return laid_out_like(
      x, filled(x.shape(), value, dtype.value_or(x.dtype()), device.value_or(x.device()), false));
}

#define FASTDL_PLACE "dtype: DTypeLike | None = None, device: DeviceLike | None = None"
using MaybeDType = std::optional<DType>;
using MaybeDevice = std::optional<Device>;

void define_filled(FunctionTable& t) {
  t.function("tensor(data: Any, " FASTDL_PLACE ", requires_grad: bool = False) -> Tensor", "",
             "A tensor with a copy of `data`: numbers, nested lists, or any array.\n\nPython "
             "floats give float32, ints int64, bools bool; arrays keep their dtype.",
             [](PyObject* data, MaybeDType dtype, MaybeDevice device, bool wants_grad) {
               return finish(tensor_from_data(data, dtype, device), wants_grad);
             });
  t.function("zeros(shape: Shape, " FASTDL_PLACE ", requires_grad: bool = False) -> Tensor", "",
             "Zeros; float32 by default.",
             [](const Dims& shape, MaybeDType dtype, MaybeDevice device, bool wants_grad) {
               return filled(shape, 0, dtype, device, wants_grad);
             });
  t.function("ones(shape: Shape, " FASTDL_PLACE ", requires_grad: bool = False) -> Tensor", "",
             "Ones; float32 by default.",
             [](const Dims& shape, MaybeDType dtype, MaybeDevice device, bool wants_grad) {
               return filled(shape, 1, dtype, device, wants_grad);
             });
  t.function("full(shape: Shape, value: float, " FASTDL_PLACE
             ", requires_grad: bool = False) -> Tensor",
             "", "One value everywhere; float32 by default.",
             [](const Dims& shape, double value, MaybeDType dtype, MaybeDevice device,
                bool wants_grad) { return filled(shape, value, dtype, device, wants_grad); });
  t.function(
      "empty(shape: Shape, " FASTDL_PLACE
      ", requires_grad: bool = False, pin_memory: bool = False) -> Tensor",
      "",
      "A tensor whose elements are whatever the memory held.\n\nWith pin_memory, in page-locked "
      "memory of the CPU (see Tensor.pin_memory).",
      [](const Dims& shape, MaybeDType dtype, MaybeDevice device, bool wants_grad, bool pinned) {
        const Device d = device.value_or(Device{});
        require_device(d);
        const DType kind = dtype.value_or(DType::f32);
        if (pinned && !d.is_cpu())
          throw Error(ErrorKind::device, "empty", "only memory of the CPU can be pinned")
              .remedy("leave out pin_memory, or use device='cpu'");
        return finish(pinned ? empty_pinned(shape, kind) : empty(shape, kind, d), wants_grad);
      });
  t.function("zeros_like(input: Tensor, " FASTDL_PLACE ") -> Tensor", "",
             "Zeros of the input's shape, dtype and device.",
             [](const Tensor& x, MaybeDType dtype, MaybeDevice device) {
               return like(x, 0, dtype, device);
             });
  t.function("ones_like(input: Tensor, " FASTDL_PLACE ") -> Tensor", "",
             "Ones of the input's shape, dtype and device.",
             [](const Tensor& x, MaybeDType dtype, MaybeDevice device) {
               return like(x, 1, dtype, device);
             });
  t.function("full_like(input: Tensor, value: float, " FASTDL_PLACE ") -> Tensor", "",
             "One value in the input's shape, dtype and device.",
             [](const Tensor& x, double value, MaybeDType dtype, MaybeDevice device) {
               return like(x, value, dtype, device);
             });
  t.function("empty_like(input: Tensor, " FASTDL_PLACE ") -> Tensor", "",
             "A tensor like the input, its elements not set.",
             [](const Tensor& x, MaybeDType dtype, MaybeDevice device) {
               return empty_in(layout_of(x), x.shape(), dtype.value_or(x.dtype()),
                               device.value_or(x.device()));
             });
  t.function(
      "arange(start: float, end: float | None = None, step: float = 1, " FASTDL_PLACE ") -> Tensor",
      "",
      "start, start + step, ... below end; with one argument, 0 to below it.\nint64 where all "
      "three are ints, else float32.",
      [](PyObject* start, PyObject* end, PyObject* step, MaybeDType dtype, MaybeDevice device) {
        const bool ints =
            PyLong_Check(start) && PyLong_Check(step) && (end == Py_None || PyLong_Check(end));
        const bool one = end == Py_None;
        const double first = from_python<double>(start, {"arange", "start"});
        const double last = one ? first : from_python<double>(end, {"arange", "end"});
        const double by = from_python<double>(step, {"arange", "step"});
        for (const double number : {first, last, by})
          if (ints && std::abs(number) > 0x1p53)
            throw argument_error("arange", text("a bound or step of ", number, " is not exact"))
                .remedy("use integers of at most 2^53, and add the rest");
        const Device d = device.value_or(Device{});
        require_device(d);
        return arange(one ? 0 : first, last, by, dtype.value_or(ints ? DType::i64 : DType::f32), d);
      });
  t.function(
      "linspace(start: float, end: float, steps: int, " FASTDL_PLACE ") -> Tensor", "steps: 0..",
      "`steps` numbers evenly spaced from start to end, both included; float32 by default.\n\n"
      "Raises ArgumentError where a bound is not finite.",
      [](double start, double end, int64_t steps, MaybeDType dtype, MaybeDevice device) {
        const Device d = device.value_or(Device{});
        require_device(d);
        return linspace(start, end, steps, dtype.value_or(DType::f32), d);
      });
  t.function(
      "eye(n: int, m: int | None = None, " FASTDL_PLACE ") -> Tensor", "n, m: 0..",
      "The matrix [n, m] with ones on its diagonal and zeros elsewhere; square and float32 by "
      "default.",
      [](int64_t n, std::optional<int64_t> m, MaybeDType dtype, MaybeDevice device) {
        const Tensor y = filled({n, m.value_or(n)}, 0, dtype, device, false);
        fill_(diagonal(y, 0, 0, 1), 1);
        return y;
      });
}

}  // namespace

void define_creation_functions(FunctionTable& t) {
  define_filled(t);
  t.function("from_numpy(array: Any) -> Tensor", "",
             "A tensor that shares the array's memory (read-only if the array is).",
             [](const Tensor& x) { return x.alias(); });
  t.function(
      "from_dlpack(array: Any) -> Tensor", "",
      "A tensor that shares the memory of anything with __dlpack__: PyTorch, CuPy, JAX, NumPy.",
      [](PyObject* o) { return tensor_from_dlpack(o); });
}

}  // namespace fastdl::bindings
