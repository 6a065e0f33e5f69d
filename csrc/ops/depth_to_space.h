// Blocks of pixels to channels and back, and channels dealt out to groups: orders of elements.
#pragma once

#include <string>

#include "core/fwd.h"

namespace fastdl {

// How the channels of the deep side are numbered. DCR: block row, block column, channel. CRD: channel,
// block row, block column. darknet: DCR of the same memory read with b^2 times fewer channels and b
// times as many rows and columns.
// Errors name `op`.
Tensor depth_to_space(const char* op, const Tensor& x, int64_t block, const std::string& mode);
Tensor space_to_depth(const char* op, const Tensor& x, int64_t block, const std::string& mode);

Tensor channel_shuffle(const Tensor& x, int64_t groups);

}  // namespace fastdl
