// Strips: the few rows of an image that a kernel is about to read or has just written, channels last
// and with their padding, small enough to stay in the cache. They are where a tensor with channels
// first is transposed, so that no whole tensor ever is.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/layout.h"
#include "cpu/conv2d_problem.h"
#include "cpu/epilogue.h"
#include "cpu/gemm_pack.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

// A rectangle of the image's plane; it may reach over the edges, where zeros are.
struct Box {
  int64_t row, col, rows, cols;
};

// An image of one sample and group: `channels` of h by w.
template <class T>
struct Image {
  T* data;
  Layout layout;
  int64_t h, w;
  int64_t pixel;  // channels last: elements from a pixel to the next
};

// What a problem reads and writes.
template <class T>
Image<const T> source_image(const ConvProblem<T>& c, int64_t sample, int64_t group) {
  const int64_t plane = c.h * c.w, all = c.groups * c.channels;
  const int64_t channel = group * c.channels * (c.layout == Layout::first ? plane : 1);
  return {c.src + sample * all * plane + channel, c.layout, c.h, c.w, all};
}
template <class T>
Image<T> result_image(const ConvProblem<T>& c, int64_t sample, int64_t group) {
  const int64_t plane = c.p * c.q, all = c.groups * c.filters;
  const int64_t channel = group * c.filters * (c.layout == Layout::first ? plane : 1);
  return {c.dst + sample * all * plane + channel, c.layout, c.p, c.q, all};
}

namespace detail {
template <class T>
void clear_pixels(T* p, int64_t pixels, int64_t channels, int64_t pixel) {
  for (int64_t i = 0; i < pixels; ++i, p += pixel) std::fill_n(p, channels, T(0));
}
}  // namespace detail

// strip[row, col, channel] = image's channels `first` to first + channels in the box. Pixels of the
// strip are `pixel` apart.
template <class T>
void load_strip(const Image<const T>& image, int64_t first, int64_t channels, const Box& box,
                T* strip, int64_t pixel) {
  constexpr int64_t kSize = Vec<T>::size;
  const int64_t top = std::clamp<int64_t>(-box.row, 0, box.rows);
  const int64_t bottom = std::clamp<int64_t>(image.h - box.row, top, box.rows);
  const int64_t left = std::clamp<int64_t>(-box.col, 0, box.cols);
  const int64_t right = std::clamp<int64_t>(image.w - box.col, left, box.cols);
  const int64_t pitch = box.cols * pixel;
  detail::clear_pixels(strip, top * box.cols, channels, pixel);
  detail::clear_pixels(strip + bottom * pitch, (box.rows - bottom) * box.cols, channels, pixel);
  for (int64_t r = top; r < bottom; ++r) {
    detail::clear_pixels(strip + r * pitch, left, channels, pixel);
    detail::clear_pixels(strip + r * pitch + right * pixel, box.cols - right, channels, pixel);
  }
  const int64_t width = right - left;
  if (width <= 0 || bottom <= top || channels <= 0) return;
  if (image.layout == Layout::last) {
    for (int64_t r = top; r < bottom; ++r) {
      const T* s = image.data + ((box.row + r) * image.w + box.col + left) * image.pixel + first;
      T* o = strip + r * pitch + left * pixel;
      if (channels == pixel && channels == image.pixel) {
        memcpy(o, s, static_cast<size_t>(width * channels) * sizeof(T));
        continue;
      }
      for (int64_t c = left; c < right; ++c, s += image.pixel, o += pixel)
        memcpy(o, s, static_cast<size_t>(channels) * sizeof(T));
    }
    return;
  }
  // Whole rows follow each other, so that small planes fill registers too.
  const bool whole = width == image.w;
  const int64_t pieces = whole ? 1 : bottom - top, length = whole ? width * (bottom - top) : width;
  for (int64_t c0 = 0; c0 < channels; c0 += kSize) {
    const int64_t got = std::min(kSize, channels - c0), plane = image.h * image.w;
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const T* const s =
          image.data + (first + c0) * plane + (box.row + top + piece) * image.w + box.col + left;
      T* row = strip + (top + piece) * pitch + left * pixel + c0;
      int64_t col = 0;
      for (int64_t j = 0; j < length; j += kSize) {
        const int64_t n = std::min(kSize, length - j);
        Vec<T> v[kSize];
#pragma GCC unroll 16
        for (int i = 0; i < kSize; ++i)
          v[i] = i >= got ? Vec<T>(T(0))
                          : (n == kSize ? Vec<T>::load(s + i * plane + j)
                                        : Vec<T>::load(s + i * plane + j, n));
        transpose<T>(v);
        alignas(64) T lanes[kSize][kSize];
        const bool straight = n == kSize && got == kSize && col + kSize <= width;
        if (straight) {
          T* const o = row + col * pixel;
#pragma GCC unroll 16
          for (int i = 0; i < kSize; ++i) v[i].store(o + i * pixel);
          col += kSize;
          if (col == width) col = 0, row += pitch;
          continue;
        }
#pragma GCC unroll 16
        for (int i = 0; i < kSize; ++i) v[i].store(lanes[i]);
        for (int64_t i = 0; i < n; ++i) {
          Vec<T>::load(lanes[i]).store(row + col * pixel, got);
          if (++col == width) col = 0, row += pitch;
        }
      }
    }
  }
}

// What is left to do of an epilogue once the product and the bias are in a strip.
template <class T>
struct Finish {
  const T* residual;  // of the image: its element is at the result's offset from `y`
  Activation activation;
  T slope;
};

// Into channels first: image[channel, box] = strip[row, col, channel] for `channels` from `first` on,
// the box inside of the image.
template <class T>
void store_strip(const T* strip, int64_t pixel, int64_t first, int64_t channels, const Box& box,
                 const Image<T>& image, const Finish<T>& finish) {
  constexpr int64_t kSize = Vec<T>::size;
  const bool whole = box.cols == image.w;
  const int64_t pieces = whole ? 1 : box.rows, length = whole ? box.cols * box.rows : box.cols;
  const int64_t plane = image.h * image.w;
  for (int64_t c0 = 0; c0 < channels; c0 += kSize) {
    const int64_t put = std::min(kSize, channels - c0);
    for (int64_t piece = 0; piece < pieces; ++piece) {
      const T* const s = strip + piece * box.cols * pixel + c0;
      const int64_t at = (first + c0) * plane + (box.row + piece) * image.w + box.col;
      for (int64_t j = 0; j < length; j += kSize) {
        const int64_t n = std::min(kSize, length - j);
        Vec<T> v[kSize];
        const T* const p = s + j * pixel;
        if (n == kSize && put == kSize) {
#pragma GCC unroll 16
          for (int i = 0; i < kSize; ++i) v[i] = Vec<T>::load(p + i * pixel);
        } else {
#pragma GCC unroll 16
          for (int i = 0; i < kSize; ++i)
            v[i] = i < n ? Vec<T>::load(p + i * pixel, put) : Vec<T>(T(0));
        }
        transpose<T>(v);
        T* const o = image.data + at + j;
        if (finish.residual || finish.activation != Activation::none) {
#pragma GCC unroll 16
          for (int i = 0; i < kSize; ++i) {
            if (finish.residual && i < put)
              v[i] += Vec<T>::load(finish.residual + at + j + i * plane, n);
            v[i] = activate(v[i], finish.activation, finish.slope);
          }
        }
        if (n == kSize && put == kSize) {
#pragma GCC unroll 16
          for (int i = 0; i < kSize; ++i) v[i].store(o + i * plane);
        } else {
#pragma GCC unroll 16
          for (int i = 0; i < kSize; ++i)
            if (i < put) v[i].store(o + i * plane, n);
        }
      }
    }
  }
}

}  // namespace fastdl::cpu
