// Vec<T>: one hardware register of T, in compiler vector extensions, so that one source serves
// AVX-512, AVX2, SSE2 and NEON. A formula written over Vec<float> also compiles over float.
#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "core/half.h"

namespace fastdl::cpu {

#if defined(__AVX512F__)
inline constexpr int kVecBytes = 64;
#elif defined(__AVX2__)
inline constexpr int kVecBytes = 32;
#else
inline constexpr int kVecBytes = 16;
#endif

inline constexpr bool kMaskedAccess = kVecBytes >= 32;  // partial loads cost what whole ones do

namespace detail {
template <class T>
struct lanes;
template <>
struct lanes<float> {
  typedef float Native __attribute__((vector_size(kVecBytes)));
  typedef int32_t Mask __attribute__((vector_size(kVecBytes)));
};
template <>
struct lanes<double> {
  typedef double Native __attribute__((vector_size(kVecBytes)));
  typedef int64_t Mask __attribute__((vector_size(kVecBytes)));
};

typedef uint32_t Bits32 __attribute__((vector_size(kVecBytes)));
typedef uint16_t Bits16 __attribute__((vector_size(kVecBytes / 2)));

// The first n of a register's elements; where the instruction set has masks, masked-out elements
// are neither read nor written, and the price is that of a whole register.
#if defined(__AVX512F__)
inline __m512 load_part(const float* p, int64_t n) {
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << n) - 1), p);
}
inline __m512d load_part(const double* p, int64_t n) {
  return _mm512_maskz_loadu_pd(static_cast<__mmask8>((1u << n) - 1), p);
}
inline __m512 load_part(const float* p, int64_t n, __m512 fill) {
  return _mm512_mask_loadu_ps(fill, static_cast<__mmask16>((1u << n) - 1), p);
}
inline __m512d load_part(const double* p, int64_t n, __m512d fill) {
  return _mm512_mask_loadu_pd(fill, static_cast<__mmask8>((1u << n) - 1), p);
}
inline void store_part(float* p, int64_t n, __m512 v) {
  _mm512_mask_storeu_ps(p, static_cast<__mmask16>((1u << n) - 1), v);
}
inline void store_part(double* p, int64_t n, __m512d v) {
  _mm512_mask_storeu_pd(p, static_cast<__mmask8>((1u << n) - 1), v);
}
#elif defined(__AVX2__)
inline __m256i part_mask(const float*, int64_t n) {
  return _mm256_cmpgt_epi32(_mm256_set1_epi32(static_cast<int>(n)),
                            _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
}
inline __m256i part_mask(const double*, int64_t n) {
  return _mm256_cmpgt_epi64(_mm256_set1_epi64x(n), _mm256_setr_epi64x(0, 1, 2, 3));
}
inline __m256 load_part(const float* p, int64_t n) {
  return _mm256_maskload_ps(p, part_mask(p, n));
}
inline __m256d load_part(const double* p, int64_t n) {
  return _mm256_maskload_pd(p, part_mask(p, n));
}
inline __m256 load_part(const float* p, int64_t n, __m256 fill) {
  const __m256i m = part_mask(p, n);
  return _mm256_blendv_ps(fill, _mm256_maskload_ps(p, m), _mm256_castsi256_ps(m));
}
inline __m256d load_part(const double* p, int64_t n, __m256d fill) {
  const __m256i m = part_mask(p, n);
  return _mm256_blendv_pd(fill, _mm256_maskload_pd(p, m), _mm256_castsi256_pd(m));
}
inline void store_part(float* p, int64_t n, __m256 v) {
  _mm256_maskstore_ps(p, part_mask(p, n), v);
}
inline void store_part(double* p, int64_t n, __m256d v) {
  _mm256_maskstore_pd(p, part_mask(p, n), v);
}
#endif

// Whole registers to aligned addresses, past the caches.
#if defined(__AVX512F__)
inline void stream(float* p, __m512 v) { _mm512_stream_ps(p, v); }
inline void stream(double* p, __m512d v) { _mm512_stream_pd(p, v); }
#elif defined(__AVX2__)
inline void stream(float* p, __m256 v) { _mm256_stream_ps(p, v); }
inline void stream(double* p, __m256d v) { _mm256_stream_pd(p, v); }
#elif defined(__SSE2__)
inline void stream(float* p, __m128 v) { _mm_stream_ps(p, v); }
inline void stream(double* p, __m128d v) { _mm_stream_pd(p, v); }
#else
template <class T, class V>
inline void stream(T* p, V v) {
  memcpy(p, &v, sizeof v);
}
#endif
}  // namespace detail

template <class T>
struct Vec {
  static constexpr int size = kVecBytes / sizeof(T);
  using Scalar = T;
  using Native = typename detail::lanes<T>::Native;
  using Mask = typename detail::lanes<T>::Mask;  // all ones where true

  Native v;

  Vec() = default;
  Vec(Native native) : v(native) {}
  Vec(T scalar) : v(scalar - Native{}) {}  // broadcasts

  static Vec load(const T* p) {
    Native n;
    memcpy(&n, p, sizeof n);
    return n;
  }
  void store(T* p) const { memcpy(p, &v, sizeof v); }
  // Past the caches, to an address that is a multiple of the register's size. See cpu/stream.h.
  void stream(T* p) const { detail::stream(p, v); }
  template <bool streams>
  void put(T* p) const {
    streams ? stream(p) : store(p);
  }

  // The first n <= size elements; the rest read as zero, or as `fill`, and are not written.
  static Vec load(const T* p, int64_t n) {
#if defined(__AVX2__)
    return Native(detail::load_part(p, n));
#else
    return load(p, n, T(0));
#endif
  }
  static Vec load(const T* p, int64_t n, T fill) {
#if defined(__AVX2__)
    return Native(detail::load_part(p, n, Vec(fill).v));
#else
    T buffer[size];
    for (int i = 0; i < size; ++i) buffer[i] = i < n ? p[i] : fill;
    return load(buffer);
#endif
  }
  void store(T* p, int64_t n) const {
#if defined(__AVX2__)
    detail::store_part(p, n, v);
#else
    T buffer[size];
    store(buffer);
    memcpy(p, buffer, static_cast<size_t>(n) * sizeof(T));
#endif
  }

  friend Vec operator+(Vec a, Vec b) { return a.v + b.v; }
  friend Vec operator-(Vec a, Vec b) { return a.v - b.v; }
  friend Vec operator*(Vec a, Vec b) { return a.v * b.v; }
  friend Vec operator/(Vec a, Vec b) { return a.v / b.v; }
  friend Vec operator-(Vec a) { return -a.v; }
  Vec& operator+=(Vec b) { return v += b.v, *this; }
  Vec& operator*=(Vec b) { return v *= b.v, *this; }

  friend Mask operator<(Vec a, Vec b) { return a.v < b.v; }
  friend Mask operator<=(Vec a, Vec b) { return a.v <= b.v; }
  friend Mask operator>(Vec a, Vec b) { return a.v > b.v; }
  friend Mask operator>=(Vec a, Vec b) { return a.v >= b.v; }
  friend Mask operator==(Vec a, Vec b) { return a.v == b.v; }
  friend Mask operator!=(Vec a, Vec b) { return a.v != b.v; }
};

template <class T>
inline Vec<T> select(typename Vec<T>::Mask m, Vec<T> a, Vec<T> b) {
  return Vec<T>(typename Vec<T>::Native(m ? a.v : b.v));
}

// The same with a number on either side.
template <class T>
inline Vec<T> select(typename Vec<T>::Mask m, typename Vec<T>::Scalar a, Vec<T> b) {
  return select(m, Vec<T>(a), b);
}
template <class T>
inline Vec<T> select(typename Vec<T>::Mask m, Vec<T> a, typename Vec<T>::Scalar b) {
  return select(m, a, Vec<T>(b));
}

// Folds the lanes to one value, halves first: in a fixed order, so that sums have the same bits
// everywhere. `f` takes and returns vectors.
template <class T, class F>
inline T fold_lanes(Vec<T> a, F f) {
  constexpr int size = Vec<T>::size;
  typename Vec<T>::Mask lane;
  for (int i = 0; i < size; ++i) lane[i] = i;
#pragma GCC unroll 8
  for (int width = size / 2; width > 0; width /= 2)
    a = f(a, Vec<T>(typename Vec<T>::Native(__builtin_shuffle(a.v, (lane + width) & (size - 1)))));
  return a.v[0];
}

template <class T>
inline T sum_lanes(Vec<T> a) {
  return fold_lanes(a, [](Vec<T> x, Vec<T> y) { return x + y; });
}

// Loads that convert: 16-bit storage is widened to float on the way in and rounded on the way out.
template <class S>
inline Vec<float> load_as_float(const S* p) {
#if defined(__AVX2__)
  if constexpr (std::is_same_v<S, Half>) {
#if defined(__AVX512F__)
    return _mm512_maskz_cvtph_ps(static_cast<__mmask16>(-1),
                                 _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
#else
    return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
#endif
  }
#endif
  if constexpr (std::is_same_v<S, BFloat16>) {
    detail::Bits16 narrow;
    memcpy(&narrow, p, sizeof narrow);
    return Vec<float>::Native(__builtin_convertvector(narrow, detail::Bits32) << 16);
  } else {
    float buffer[Vec<float>::size];
    for (int i = 0; i < Vec<float>::size; ++i) buffer[i] = static_cast<float>(p[i]);
    return Vec<float>::load(buffer);
  }
}
template <class S>
inline void store_from_float(Vec<float> v, S* p) {
#if defined(__AVX2__)
  if constexpr (std::is_same_v<S, Half>) {
#if defined(__AVX512F__)
    return _mm256_storeu_si256(
        reinterpret_cast<__m256i*>(p),
        _mm512_maskz_cvtps_ph(static_cast<__mmask16>(-1), v.v, _MM_FROUND_TO_NEAREST_INT));
#else
    return _mm_storeu_si128(reinterpret_cast<__m128i*>(p),
                            _mm256_cvtps_ph(v.v, _MM_FROUND_TO_NEAREST_INT));
#endif
  }
#endif
  if constexpr (std::is_same_v<S, BFloat16>) {
    const detail::Bits32 u = (detail::Bits32)v.v, nan = (detail::Bits32)(v.v != v.v);
    const detail::Bits32 rounded = (u + 0x7fffu + ((u >> 16) & 1u)) >> 16;
    const detail::Bits32 quiet = (u >> 16) | 0x40u;
    const auto narrow = __builtin_convertvector((rounded & ~nan) | (quiet & nan), detail::Bits16);
    memcpy(static_cast<void*>(p), &narrow, sizeof narrow);
  } else {
    float buffer[Vec<float>::size];
    v.store(buffer);
    for (int i = 0; i < Vec<float>::size; ++i) p[i] = S(buffer[i]);
  }
}

}  // namespace fastdl::cpu
