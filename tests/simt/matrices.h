// Elements of matrices, for matrices.cc and wgmma.cc.
#pragma once

#include <cstdint>
#include <cstring>

#include "core/half.h"
#include "wrappers.h"

namespace simt {

// Tensor cores read the upper 19 bits of a tf32 register.
inline float element_value(Element type, uint32_t bits) {
  if (type == Element::f16) return fastdl::Half::decode(static_cast<uint16_t>(bits));
  const uint32_t word = type == Element::bf16 ? bits << 16 : bits & ~0x1fffu;
  float value;
  memcpy(&value, &word, sizeof value);
  return value;
}

void require_row(const void* row, const char* what, const void* pc);

}  // namespace simt
