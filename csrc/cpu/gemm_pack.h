// Packing: a strided operand becomes a panel out[p * ld + w], p along k and w across, padded with
// zeros to ld, so that the tile loop reads consecutive memory whatever the operand's strides and
// storage type were.
#pragma once

#include <algorithm>
#include <cstdint>
#include <type_traits>
#include <utility>

#include "cpu/vec.h"

namespace fastdl::cpu {

template <class T, class S>
[[gnu::always_inline]] inline Vec<T> load_wide(const S* p, int64_t n) {
  if constexpr (std::is_same_v<T, S>) {
    return n == Vec<T>::size ? Vec<T>::load(p) : Vec<T>::load(p, n);
  } else {
    if (n == Vec<T>::size) return load_as_float(p);
    S buffer[Vec<T>::size] = {};
    memcpy(buffer, p, static_cast<size_t>(n) * sizeof(S));
    return load_as_float(buffer);
  }
}

namespace detail {
// One stage of a transposition by halves: exchanges the off-diagonal W x W blocks.
template <int W, class T, int... L>
[[gnu::always_inline]] inline void exchange(Vec<T>& a, Vec<T>& b,
                                            std::integer_sequence<int, L...>) {
  constexpr int n = Vec<T>::size;
  const Vec<T> low = __builtin_shufflevector(a.v, b.v, ((L & W) ? n + L - W : L)...);
  b = __builtin_shufflevector(a.v, b.v, ((L & W) ? n + L : L + W)...);
  a = low;
}
template <int W, class T>
[[gnu::always_inline]] inline void transpose_from(Vec<T> (&r)[Vec<T>::size]) {
  if constexpr (W < Vec<T>::size) {
#pragma GCC unroll 16
    for (int i = 0; i < Vec<T>::size; ++i)
      if (!(i & W)) exchange<W>(r[i], r[i + W], std::make_integer_sequence<int, Vec<T>::size>());
    transpose_from<2 * W>(r);
  }
}
}  // namespace detail

// Lane i of register j becomes lane j of register i.
template <class T>
[[gnu::always_inline]] inline void transpose(Vec<T> (&r)[Vec<T>::size]) {
  detail::transpose_from<1>(r);
}

template <class T, class S>
inline void pack_panel(int64_t k, int64_t width, const S* src, int64_t stride_w, int64_t stride_k,
                       T* out, int64_t ld) {
  constexpr int64_t kSize = Vec<T>::size;
  for (int64_t w0 = 0; w0 < ld; w0 += kSize) {
    const int64_t put = std::min(kSize, ld - w0);
    const int64_t got = std::clamp<int64_t>(width - w0, 0, put);
    const S* const s = src + w0 * stride_w;
    T* const o = out + w0;
    if (got == 0) {
      for (int64_t p = 0; p < k; ++p) Vec<T>(T(0)).store(o + p * ld, put);
    } else if (stride_w == 1) {
      if (got == kSize)
        for (int64_t p = 0; p < k; ++p) load_wide<T>(s + p * stride_k, kSize).store(o + p * ld);
      else
        for (int64_t p = 0; p < k; ++p) load_wide<T>(s + p * stride_k, got).store(o + p * ld, put);
    } else if (stride_k == 1 && k >= (kMaskedAccess ? 4 : kSize)) {
      for (int64_t p0 = 0; p0 < k; p0 += kSize) {
        const int64_t kn = std::min(kSize, k - p0);
        Vec<T> r[kSize];
        for (int64_t w = 0; w < kSize; ++w) {
          // More rows than the hardware follows: 10 % where the operand comes from memory.
          __builtin_prefetch(s + w * stride_w + p0 + 8 * kSize);
          r[w] = w < got ? load_wide<T>(s + w * stride_w + p0, kn) : Vec<T>(T(0));
        }
        transpose<T>(r);
        if (put == kSize && kn == kSize)
          for (int64_t p = 0; p < kSize; ++p) r[p].store(o + (p0 + p) * ld);
        else
          for (int64_t p = 0; p < kn; ++p) r[p].store(o + (p0 + p) * ld, put);
      }
    } else {
      for (int64_t p = 0; p < k; ++p) {
        for (int64_t w = 0; w < got; ++w) o[p * ld + w] = T(s[p * stride_k + w * stride_w]);
        for (int64_t w = got; w < put; ++w) o[p * ld + w] = T(0);
      }
    }
  }
}

}  // namespace fastdl::cpu
