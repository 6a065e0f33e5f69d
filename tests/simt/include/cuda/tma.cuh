// The model of csrc/cuda/tma.cuh; the meaning is in async_copies.cc.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/mbarrier.cuh"
#include "cuda/shared_layout.cuh"

namespace fastdl::cuda {

SIMT_WRAPPER void bulk_load(void* shared, const void* global, uint32_t bytes, Mbarrier& barrier) {
  simt::bulk_load(shared, global, bytes, &barrier);
}
SIMT_WRAPPER void bulk_store(void* global, const void* shared, uint32_t bytes) {
  simt::bulk_store(global, shared, bytes);
}
SIMT_WRAPPER void bulk_commit() { simt::bulk_commit(); }
template <int pending>
SIMT_WRAPPER void bulk_wait() {
  simt::bulk_wait(pending, false);
}
template <int pending>
SIMT_WRAPPER void bulk_wait_read() {
  simt::bulk_wait(pending, true);
}

struct alignas(64) TensorMap {
  simt::TensorMap map;
};

SIMT_WRAPPER void prefetch(const TensorMap&) {}

template <int rank>
SIMT_WRAPPER void tile_load(void* shared, const TensorMap& map, const int (&at)[rank],
                            Mbarrier& barrier) {
  static_assert(2 <= rank && rank <= 5);
  simt::tile_load(shared, map.map, at, rank, &barrier);
}
template <int rank>
SIMT_WRAPPER void tile_load_multicast(void* shared, const TensorMap& map, const int (&at)[rank],
                                      Mbarrier& barrier, uint16_t blocks) {
  static_assert(2 <= rank && rank <= 5);
  simt::tile_load_multicast(shared, map.map, at, rank, &barrier, blocks);
}
SIMT_WRAPPER void im2col_load(void* shared, const TensorMap& map, const int (&at)[4],
                              const uint16_t (&offset)[2], Mbarrier& barrier) {
  simt::im2col_load(shared, map.map, at, offset, &barrier);
}
template <int rank>
SIMT_WRAPPER void tile_store(const TensorMap& map, const int (&at)[rank], const void* shared) {
  static_assert(2 <= rank && rank <= 5);
  simt::tile_store(map.map, at, rank, shared);
}

template <class T>
[[nodiscard]] bool make_tensor_map(const TensorTile& tile, TensorMap& out) {
  simt::TensorMap& map = out.map;
  map = {static_cast<const unsigned char*>(tile.data),
         tile.rank,
         static_cast<int>(sizeof(T)),
         static_cast<int>(tile.swizzle),
         {},
         {},
         {}};
  for (int d = 0; d < TensorTile::kMostDims; ++d) {
    map.size[d] = tile.size[d];
    map.stride[d] = tile.stride[d];
    map.box[d] = tile.box[d];
  }
  return simt::what_is_wrong(map) == nullptr;
}

template <class T>
[[nodiscard]] bool make_im2col_map(const Im2colTile& tile, TensorMap& out) {
  simt::TensorMap& map = out.map;
  map = {static_cast<const unsigned char*>(tile.data),
         4,
         static_cast<int>(sizeof(T)),
         static_cast<int>(tile.swizzle),
         {},
         {},
         {tile.channels, tile.pixels, 1, 1, 1},
         true,
         {tile.lower[0], tile.lower[1]},
         {tile.upper[0], tile.upper[1]},
         {tile.step[0], tile.step[1]}};
  for (int d = 0; d < 4; ++d) {
    map.size[d] = tile.size[d];
    map.stride[d] = tile.stride[d];
  }
  return simt::what_is_wrong(map) == nullptr;
}

}  // namespace fastdl::cuda
