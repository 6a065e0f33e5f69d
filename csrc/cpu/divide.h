#pragma once

#include <cstdint>

namespace fastdl::cpu {

// How many pieces of b cover a; a is not negative.
constexpr int64_t divide_up(int64_t a, int64_t b) { return (a + b - 1) / b; }

}  // namespace fastdl::cpu
