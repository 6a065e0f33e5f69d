// Ties the op layer to what lies below it.
#pragma once

namespace fastdl {

// Gives autograd the few ops that it needs (autograd/arithmetic.h). Once, at start.
void register_ops();

}  // namespace fastdl
