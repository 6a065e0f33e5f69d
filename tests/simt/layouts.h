// What the PTX ISA manual says about the places of matrix elements, in its own words and apart from
// csrc: which lane holds which element of a fragment, where a swizzle puts a byte, what a matrix
// descriptor describes, and which bytes a tensor copy moves. Plain functions, for the model and for
// tests against the manual's tables.
#pragma once

#include <cstddef>
#include <cstdint>

namespace simt {

struct Place {
  int row, column;
};

// ---- register fragments ("Matrix fragments for mma.m16n8k16 with floating point type", "...
// mma.m16n8k8", "... mma.m8n8k4")

constexpr int group_id(int lane) { return lane >> 2; }
constexpr int thread_in_group(int lane) { return lane % 4; }

constexpr Place a_16bit(int lane, int i) {
  const bool upper = (0 <= i && i < 2) || (4 <= i && i < 6);
  return {upper ? group_id(lane) : group_id(lane) + 8,
          thread_in_group(lane) * 2 + (i & 1) + (i < 4 ? 0 : 8)};
}
constexpr Place b_16bit(int lane, int i) {
  return {thread_in_group(lane) * 2 + (i & 1) + (i < 2 ? 0 : 8), group_id(lane)};
}
constexpr Place a_tf32(int lane, int i) {
  return {i == 0 || i == 2 ? group_id(lane) : group_id(lane) + 8,
          i == 0 || i == 1 ? thread_in_group(lane) : thread_in_group(lane) + 4};
}
constexpr Place b_tf32(int lane, int i) {
  return {i == 0 ? thread_in_group(lane) : thread_in_group(lane) + 4, group_id(lane)};
}
constexpr Place a_f64(int lane, int) { return {group_id(lane), thread_in_group(lane)}; }
constexpr Place b_f64(int lane, int) { return {thread_in_group(lane), group_id(lane)}; }
constexpr Place c_f64(int lane, int i) {
  return {group_id(lane), thread_in_group(lane) * 2 + (i & 1)};
}
constexpr Place c_f32(int lane, int i) {
  return {i < 2 ? group_id(lane) : group_id(lane) + 8, thread_in_group(lane) * 2 + (i & 1)};
}

// "Register fragments" of wgmma: 16 rows a warp, and pairs of columns that return every 8.
constexpr Place wgmma_d(int thread, int i) {
  const Place p = c_f32(thread % 32, i % 4);
  return {thread / 32 * 16 + p.row, i / 4 * 8 + p.column};
}

// ---- swizzles ("Swizzling modes"): of 2^bits chunks of 16 bytes; bits = 0: none. The lines of the
// pattern are told apart by address bits 7 and up.
constexpr uint64_t swizzle_address(uint64_t address, int bits) {
  const uint64_t mask = (uint64_t{1} << bits) - 1;
  const uint64_t chunk = address >> 4 & mask, line = address >> 7 & mask;
  return (address & ~(mask << 4)) | (chunk ^ line) << 4;
}

// ---- matrix descriptors ("Matrix descriptor format" of wgmma)

struct SharedMatrix {
  uint32_t start, leading, stride;  // bytes
  int base_offset;
  int swizzle_bits;
};
constexpr SharedMatrix decode_descriptor(uint64_t bits) {
  const auto field = [bits](int at) { return static_cast<uint32_t>(bits >> at & 0x3fff) << 4; };
  constexpr int kBits[] = {0, 3, 2, 1};  // 0: none, 1: 128 bytes, 2: 64 bytes, 3: 32 bytes
  return {field(0), field(16), field(32), static_cast<int>(bits >> 49 & 7), kBits[bits >> 62]};
}

// The address of element (mn, k), of `size` bytes ("Canonical layouts": the table's CuTe layouts
// with its T elements being 16 bytes).
constexpr uint32_t element_address(const SharedMatrix& m, bool mn_major, int size, int mn, int k) {
  const int t = 16 / size, width = 1 << m.swizzle_bits;  // width in chunks
  const bool swizzled = m.swizzle_bits > 0;
  uint64_t offset = 0;
  const auto add = [&offset](int count, uint64_t stride) {
    offset += static_cast<uint64_t>(count) * stride;
  };
  const auto bytes = static_cast<uint64_t>(size);
  const auto row = static_cast<uint64_t>(width) * 16;
  if (mn_major) {
    add(mn % t, bytes);
    add(mn / t % width, 16);
    add(mn / (t * width), swizzled ? m.leading : m.stride);
    add(k % 8, row);
    add(k / 8, swizzled ? m.stride : m.leading);
  } else {
    add(mn % 8, row);
    add(mn / 8, m.stride);
    add(k % t, bytes);
    add(k / t, swizzled ? 16 : m.leading);
  }
  return static_cast<uint32_t>(swizzle_address(m.start + offset, m.swizzle_bits));
}

// ---- tensor copies ("Tensors", "Tiled mode"): act(box offset, tensor offset or -1, bytes) for
// every run of a box; runs outside of the tensor have -1. Sizes in elements, strides and offsets
// in bytes.

struct Box {
  int rank, element;
  const uint64_t *size, *stride;
  const uint32_t* box;
};
template <class F>
void for_runs(const Box& b, const int* at, F act) {
  const int64_t length = b.box[0], first = at[0], size = static_cast<int64_t>(b.size[0]);
  const auto clamp = [length](int64_t x) { return x < 0 ? 0 : x > length ? length : x; };
  const int64_t begin = clamp(-first),
                end = clamp(size - first) < begin ? begin : clamp(size - first);
  int64_t rows = 1;
  for (int d = 1; d < b.rank; ++d) rows *= b.box[d];
  for (int64_t row = 0; row < rows; ++row) {
    int64_t rest = row, offset = 0;
    bool inside = true;
    for (int d = 1; d < b.rank; ++d) {
      const int64_t i = at[d] + rest % b.box[d];
      rest /= b.box[d];
      inside &= 0 <= i && i < static_cast<int64_t>(b.size[d]);
      offset += i * static_cast<int64_t>(b.stride[d]);
    }
    const auto run = [&](int64_t from, int64_t to, bool exists) {
      if (from < to)
        act((row * length + from) * b.element,
            exists ? offset + (first + from) * b.element : int64_t{-1}, (to - from) * b.element);
    };
    if (!inside) {
      run(0, length, false);
      continue;
    }
    run(0, begin, false);
    run(begin, end, true);
    run(end, length, false);
  }
}

// ---- im2col ("im2col mode"): act(box offset, tensor offset or -1, bytes) for every run of the
// `pixels` pixels of `channels` channels. Dimensions are c, w, h, n; those of corners, steps and
// offsets w, h. The corner of the filter walks through the bounding box; the offset is added then.

struct Im2colBox {
  int element;
  const uint64_t *size, *stride;
  const int *lower, *upper;
  const uint32_t* step;
  uint32_t channels, pixels;

  int64_t last(int d) const {  // of the bounding box
    return static_cast<int64_t>(size[1 + d]) - 1 + upper[d];
  }
};
template <class F>
void for_pixels(const Im2colBox& b, const int* at, const uint16_t* offset, F act) {
  const uint32_t one[] = {b.channels, 1, 1, 1};
  int corner[] = {at[1], at[2], at[3]};
  for (uint32_t pixel = 0; pixel < b.pixels; ++pixel) {
    const int where[] = {at[0], corner[0] + offset[0], corner[1] + offset[1], corner[2]};
    const int64_t begin = int64_t{pixel} * b.channels * b.element;
    for_runs(Box{4, b.element, b.size, b.stride, one}, where,
             [&](int64_t to, int64_t from, int64_t bytes) { act(begin + to, from, bytes); });
    for (int d = 0;; ++d) {
      if (d == 2) {
        ++corner[2];
        break;
      }
      corner[d] += static_cast<int>(b.step[d]);
      if (corner[d] <= b.last(d)) break;
      corner[d] = b.lower[d];
    }
  }
}

}  // namespace simt
