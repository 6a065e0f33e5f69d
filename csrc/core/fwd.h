// Names without definitions: an op's header can promise Tensors to the layers above while its
// kernel files, which include the same header, never see one.
#pragma once

#include <cstdint>

namespace fastdl {
class Tensor;
struct Dims;
struct Device;
struct Generator;
}  // namespace fastdl
