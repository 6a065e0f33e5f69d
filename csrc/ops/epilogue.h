// The epilogue of fused ops, as they are called (core/epilogue.h says what kernels are given).
#pragma once

#include <string>

#include "core/epilogue.h"
#include "core/fwd.h"

namespace fastdl {

struct FusedOptions {
  std::string activation = "none";  // "none", "relu" or "leaky_relu"
  double slope = 0.01;              // of leaky_relu
};

// Throws ArgumentError for an unknown name.
Activation parse_activation(const char* op, const std::string& name);

// Throws ShapeError unless the residual, if there is one, has the result's shape.
void check_residual(const char* op, const Tensor& residual, const Dims& shape);

// Fused ops have no gradient: throws AutogradError where one of the operands would record one.
void check_inference(const char* op, std::initializer_list<const Tensor*> operands);

}  // namespace fastdl
