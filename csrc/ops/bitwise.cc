#include "ops/bitwise.h"

#include "ops/common.h"

namespace fastdl {
namespace {

const char* name_of(Bitwise op) {
  static constexpr const char* names[] = {
#define F(name, value) #name,
      FASTDL_BITWISE(F)
#undef F
  };
  return names[static_cast<int>(op)];
}

void check_bits(const char* op, const Operand& o, bool shifts) {
  const DType dtype = o.tensor.dtype();
  if (is_floating(dtype) || (shifts && dtype == DType::boolean))
    throw Error(ErrorKind::dtype, op,
                text(o.name, " is not a tensor of integers", shifts ? "" : " or bools"))
        .show(o.name, o.tensor)
        .remedy("convert it with .long(), or compare first, as in x > 0, to get a mask");
}

}  // namespace

Tensor bitwise(Bitwise op, const Tensor& a, const Tensor& b) {
  const char* const name = name_of(op);
  const bool shifts = op == Bitwise::bitwise_left_shift || op == Bitwise::bitwise_right_shift;
  check_same_kind(name, {{"input", a}, {"other", b}});
  check_bits(name, {"input", a}, shifts);
  const Dims shape = broadcast_shapes(name, a.shape(), b.shape());
  Tensor y = empty_in(name, common_layout(shape, a, b), shape, a.dtype(), a.device());
  launch<bitwise_forward>(name, a.device(), a.dtype(), y.numel(), op, walk_over(shape, a, b, y),
                          a.data(), b.data(), y.mutable_data());
  return y;
}

Tensor bitwise_not(const Tensor& x) {
  check_bits("bitwise_not", {"input", x}, false);
  const double ones = x.dtype() == DType::boolean ? 1 : x.dtype() == DType::u8 ? 255 : -1;
  return bitwise_xor(x, scalar_like(ones, x));
}

#define F(name, value) \
  Tensor name(const Tensor& a, const Tensor& b) { return bitwise(Bitwise::name, a, b); }
FASTDL_BITWISE(F)
#undef F

}  // namespace fastdl
