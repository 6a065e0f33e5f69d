#include "ops/random.h"

#include <cmath>
#include <numeric>

#include "autograd/inplace.h"
#include "core/rng.h"
#include "ops/common.h"

namespace fastdl {
namespace {

uint64_t blocks(int64_t n, int64_t per_block) {
  return static_cast<uint64_t>((n + per_block - 1) / per_block);
}

}  // namespace

Tensor uniform_(const Tensor& x, double low, double high, Generator* generator) {
  check_floating("uniform_", {"input", x});
  check_editable("uniform_", x);
  if (!(low <= high) || !std::isfinite(high - low))
    throw argument_error("uniform_", text("no finite range from ", low, " to ", high))
        .remedy("give finite bounds with low <= high");
  if (!x.is_contiguous())
    throw argument_error("uniform_", "the tensor is not contiguous")
        .show("input", x)
        .remedy("fill a contiguous tensor and copy it");
  launch<random_uniform>("uniform_", x.device(), x.dtype(), x.numel(), Seed(generator),
                         Draw(generator, blocks(x.numel(), 4)), x.numel(), low, high,
                         x.mutable_data());
  bump_version(x);
  return x;
}

Tensor normal_(const Tensor& x, double mean, double std, Generator* generator) {
  check_floating("normal_", {"input", x});
  check_editable("normal_", x);
  if (!(std >= 0))
    throw argument_error("normal_", text("std is ", std)).remedy("use a std of 0 or more");
  if (!x.is_contiguous())
    throw argument_error("normal_", "the tensor is not contiguous")
        .show("input", x)
        .remedy("fill a contiguous tensor and copy it");
  launch<random_normal>("normal_", x.device(), x.dtype(), x.numel(), Seed(generator),
                        Draw(generator, blocks(x.numel(), 4)), x.numel(), mean, std,
                        x.mutable_data());
  bump_version(x);
  return x;
}

Tensor uniform(const Dims& shape, double low, double high, DType dtype, const Device& device,
               Generator* generator) {
  return uniform_(empty(shape, dtype, device), low, high, generator);
}

Tensor normal(const Dims& shape, double mean, double std, DType dtype, const Device& device,
              Generator* generator) {
  return normal_(empty(shape, dtype, device), mean, std, generator);
}

Tensor mask_like(const char* op, const Tensor& x, const Dims& shape, double p, double value,
                 Generator* generator) {
  Tensor mask = empty(shape, x.dtype(), x.device());
  launch<random_bernoulli>(op, x.device(), x.dtype(), mask.numel(), Seed(generator),
                           Draw(generator, blocks(mask.numel(), 4)), mask.numel(), p, value,
                           mask.mutable_data());
  return mask;
}

Tensor randint(int64_t low, int64_t high, const Dims& shape, const Device& device,
               Generator* generator) {
  if (low >= high)
    throw argument_error("randint", text("no integers from ", low, " to below ", high))
        .remedy("give low < high");
  Tensor y = empty(shape, DType::i64, device);
  launch<random_integers>("randint", device, DType::i64, y.numel(), Seed(generator),
                          Draw(generator, blocks(y.numel(), 2)), y.numel(), low, high,
                          y.as<int64_t>());
  return y;
}

Tensor randperm(int64_t n, Generator* generator) {
  if (n < 0) throw argument_error("randperm", text("n is ", n)).remedy("use n of 0 or more");
  refuse_capture("randperm", "shuffles on the host", "draw the permutation outside the function");
  Tensor y = empty({n}, DType::i64, Device{});
  auto* p = y.as<int64_t>();
  std::iota(p, p + n, int64_t{0});
  // Fisher and Yates, from the end; one block of the generator per step.
  const uint64_t first = generator->advance(static_cast<uint64_t>(n));
  for (int64_t i = n - 1; i > 0; --i) {
    const PhiloxBlock b = philox(generator->seed, first + static_cast<uint64_t>(i));
    const uint64_t word = uint64_t{b.word[0]} << 32 | b.word[1];
    const auto j = static_cast<int64_t>(
        static_cast<unsigned __int128>(word) * static_cast<uint64_t>(i + 1) >> 64);
    std::swap(p[i], p[j]);
  }
  return y;
}

}  // namespace fastdl
