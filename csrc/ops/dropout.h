// Noise that training adds: dropout and its relatives, all compositions of a draw (ops/random.h) and
// elementwise ops. A mask depends on the generator and on the input's shape, never on its layout.
#pragma once

#include "core/fwd.h"

namespace fastdl {

struct Dropping {
  double p = 0.5;  // the probability of being dropped
  bool training = true;
  Generator* generator = nullptr;
};

// Zeroes elements at random and scales the rest by 1 / (1 - p): each element for itself, or whole
// slices, whose number is that of the first `lead` dimensions.
Tensor dropout(const Tensor& x, const Dropping& drop);
Tensor dropout_slices(const char* op, const Tensor& x, int lead, const Dropping& drop);

// Dropped elements become what SELU tends to, and an affine function follows that keeps mean 0 and
// variance 1 (Klambauer et al., 2017).
Tensor alpha_dropout(const Tensor& x, const Dropping& drop);
Tensor feature_alpha_dropout(const Tensor& x,
                             const Dropping& drop);  // whole channels of [N, C, ...]

// x + normal(0, std), and x * normal(1, sqrt(p / (1 - p))).
Tensor gaussian_noise(const Tensor& x, double std, bool training, Generator* generator);
Tensor gaussian_dropout(const Tensor& x, const Dropping& drop);

}  // namespace fastdl
