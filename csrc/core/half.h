// The two 16-bit float types, as storage: arithmetic happens in float. A GPU has instructions for
// the conversions, which round the same way (a NaN may get other bits).
#pragma once

#include <cstdint>
#include <cstring>

#ifdef __CUDACC__
#define FASTDL_HD __host__ __device__
#else
#define FASTDL_HD
#endif

namespace fastdl {

namespace detail {
template <class To, class From>
FASTDL_HD inline To bits_as(From x) {
  static_assert(sizeof(To) == sizeof(From));
  To y;
  memcpy(&y, &x, sizeof y);
  return y;
}
}  // namespace detail

// IEEE 754 binary16, round to nearest even.
struct Half {
  uint16_t bits;

  Half() = default;
  FASTDL_HD Half(float f) : bits(encode(f)) {}
  FASTDL_HD operator float() const { return decode(bits); }

  FASTDL_HD static uint16_t encode(float f) {
#ifdef __CUDA_ARCH__
    uint16_t h;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(f));
    return h;
#else
    // Scaling by 2^112 and back lets the FPU do the rounding of normal and subnormal results alike
    // (the method of Fabian Giesen's "float->half variants", 2016).
    uint32_t u = detail::bits_as<uint32_t>(f);
    const uint32_t sign = (u >> 16) & 0x8000u;
    u &= 0x7fffffffu;
    if (u >= 0x47800000u)  // 65536 and above, infinity, NaN
      return static_cast<uint16_t>(sign | (u > 0x7f800000u ? 0x7e00u : 0x7c00u));
    if (u < 0x38800000u) {                                      // below 2^-14: subnormal or zero
      const float magic = detail::bits_as<float>(0x3f000000u);  // 0.5
      const uint32_t r = detail::bits_as<uint32_t>(detail::bits_as<float>(u) + magic);
      return static_cast<uint16_t>(sign | (r - 0x3f000000u));
    }
    const uint32_t odd = (u >> 13) & 1u;
    return static_cast<uint16_t>(sign | ((u - 0x38000000u + 0xfffu + odd) >> 13));
#endif
  }

  FASTDL_HD static float decode(uint16_t h) {
#ifdef __CUDA_ARCH__
    float f;
    asm("cvt.f32.f16 %0, %1;" : "=f"(f) : "h"(h));
    return f;
#else
    const uint32_t sign = static_cast<uint32_t>(h & 0x8000u) << 16;
    const uint32_t exponent = (h >> 10) & 0x1fu, mantissa = h & 0x3ffu;
    if (exponent == 0x1fu) return detail::bits_as<float>(sign | 0x7f800000u | (mantissa << 13));
    if (exponent == 0) {
      const float tiny = static_cast<float>(mantissa) * 5.9604644775390625e-8f;  // 2^-24
      return sign ? -tiny : tiny;
    }
    return detail::bits_as<float>(sign | ((exponent + 112u) << 23) | (mantissa << 13));
#endif
  }
};

// The upper half of a float32, round to nearest even.
struct BFloat16 {
  uint16_t bits;

  BFloat16() = default;
  FASTDL_HD BFloat16(float f) : bits(encode(f)) {}
  FASTDL_HD operator float() const {
    return detail::bits_as<float>(static_cast<uint32_t>(bits) << 16);
  }

  FASTDL_HD static uint16_t encode(float f) {
#ifdef __CUDA_ARCH__
    uint16_t h;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(h) : "f"(f));
    return h;
#else
    const uint32_t u = detail::bits_as<uint32_t>(f);
    if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<uint16_t>((u >> 16) | 0x40u);  // NaN
    return static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
#endif
  }
};

}  // namespace fastdl
