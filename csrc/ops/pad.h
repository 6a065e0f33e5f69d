// A border around a tensor: of one value, or of the tensor's own elements.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "core/fwd.h"

namespace fastdl {

// `sizes` has pairs (before, after), that of the last dimension first; negative ones crop. mode:
// constant (`value`), reflect, replicate, circular.
Tensor pad(const Tensor& x, const std::vector<int64_t>& sizes, const std::string& mode,
           std::optional<double> value);

}  // namespace fastdl
