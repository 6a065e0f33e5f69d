// Copies between global and shared memory by the copy engine (TMA, sm_90): runs of bytes and boxes
// of tensors. One thread starts them for all.
//
// A load reports its bytes to a barrier, on which the readers wait. Stores are gathered into
// groups, on which the thread that started them waits. What threads wrote to shared memory is seen
// by a store after fence_proxy_async by the writers and a barrier.
#pragma once

#include <cuda.h>
#include <cuda_runtime.h>

#include <cstdint>

#include "cuda/mbarrier.cuh"
#include "cuda/shared_layout.cuh"

namespace fastdl::cuda {

// `bytes` and both addresses are multiples of 16 ("cp.async.bulk").
__device__ inline void bulk_load(void* shared, const void* global, uint32_t bytes,
                                 Mbarrier& barrier) {
  FASTDL_SM90_ASM(
      "cp.async.bulk.shared::cluster.global.mbarrier::complete_tx::bytes [%0], [%1], %2, [%3];" ::
          "r"(shared_address(shared)),
      "l"(__cvta_generic_to_global(global)), "r"(bytes), "r"(shared_address(&barrier)) : "memory");
}
__device__ inline void bulk_store(void* global, const void* shared, uint32_t bytes) {
  FASTDL_SM90_ASM("cp.async.bulk.global.shared::cta.bulk_group [%0], [%1], %2;" ::"l"(
                      __cvta_generic_to_global(global)),
                  "r"(shared_address(shared)), "r"(bytes) : "memory");
}

// The thread's stores since the last call become one group ("cp.async.bulk.commit_group").
__device__ inline void bulk_commit() {
  FASTDL_SM90_ASM("cp.async.bulk.commit_group;" :: : "memory");
}
// Until all of the thread's groups but the `pending` latest are complete, or at least have read
// their shared memory, which may then be written anew ("cp.async.bulk.wait_group").
template <int pending>
__device__ inline void bulk_wait() {
  FASTDL_SM90_ASM("cp.async.bulk.wait_group %0;" ::"n"(pending) : "memory");
}
template <int pending>
__device__ inline void bulk_wait_read() {
  FASTDL_SM90_ASM("cp.async.bulk.wait_group.read %0;" ::"n"(pending) : "memory");
}

// A TensorTile in the form that the engine reads. Given to kernels as `const __grid_constant__
// TensorMap`: the instructions take its address in constant memory.
struct TensorMap {
  CUtensorMap map;
};

__device__ inline void prefetch(const TensorMap& map) {
  FASTDL_SM90_ASM("prefetch.tensormap [%0];" ::"l"(&map) : "memory");
}

// The box that begins at element `at` (dimension 0 first; it may stick out on any side), in rows of
// box[0] elements. The tile is aligned to 128 bytes, with a swizzle to its period. The bytes that
// the barrier counts are those of the whole box ("cp.async.bulk.tensor").
template <int rank>
__device__ inline void tile_load(void* shared, const TensorMap& map, const int (&at)[rank],
                                 Mbarrier& barrier) {
#define FASTDL_TMA(dims, coordinates, ...)                                                \
  FASTDL_SM90_ASM(                                                                        \
      "cp.async.bulk.tensor." dims                                                        \
      ".shared::cluster.global.tile.mbarrier::complete_tx::bytes [%0], [%1, " coordinates \
      "], [%2];" ::"r"(shared_address(shared)),                                           \
      "l"(&map), "r"(shared_address(&barrier)), __VA_ARGS__ : "memory")
  static_assert(2 <= rank && rank <= 5);
  if constexpr (rank == 2)
    FASTDL_TMA("2d", "{%3, %4}", "r"(at[0]), "r"(at[1]));
  else if constexpr (rank == 3)
    FASTDL_TMA("3d", "{%3, %4, %5}", "r"(at[0]), "r"(at[1]), "r"(at[2]));
  else if constexpr (rank == 4)
    FASTDL_TMA("4d", "{%3, %4, %5, %6}", "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]));
  else
    FASTDL_TMA("5d", "{%3, %4, %5, %6, %7}", "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]),
               "r"(at[4]));
#undef FASTDL_TMA
}

// The same, into all blocks of the cluster whose bit is set in `blocks`: each gets the box at this
// offset of its shared memory and the bytes reported to its own barrier at this offset.
template <int rank>
__device__ inline void tile_load_multicast(void* shared, const TensorMap& map,
                                           const int (&at)[rank], Mbarrier& barrier,
                                           uint16_t blocks) {
#define FASTDL_TMA(dims, coordinates, ...)                                    \
  FASTDL_SM90_ASM("cp.async.bulk.tensor." dims                                \
                  ".shared::cluster.global.tile.mbarrier::complete_tx::bytes" \
                  ".multicast::cluster [%0], [%1, " coordinates               \
                  "], [%2], %3;" ::"r"(shared_address(shared)),               \
                  "l"(&map), "r"(shared_address(&barrier)), "h"(blocks), __VA_ARGS__ : "memory")
  static_assert(2 <= rank && rank <= 5);
  if constexpr (rank == 2)
    FASTDL_TMA("2d", "{%4, %5}", "r"(at[0]), "r"(at[1]));
  else if constexpr (rank == 3)
    FASTDL_TMA("3d", "{%4, %5, %6}", "r"(at[0]), "r"(at[1]), "r"(at[2]));
  else if constexpr (rank == 4)
    FASTDL_TMA("4d", "{%4, %5, %6, %7}", "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]));
  else
    FASTDL_TMA("5d", "{%4, %5, %6, %7, %8}", "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]),
               "r"(at[4]));
#undef FASTDL_TMA
}

// The pixels of an Im2colTile's map from channel at[0] on, the window's corner being at w = at[1],
// h = at[2] of image at[3] at first; the tap is offset[0] columns and offset[1] rows further.
__device__ inline void im2col_load(void* shared, const TensorMap& map, const int (&at)[4],
                                   const uint16_t (&offset)[2], Mbarrier& barrier) {
  FASTDL_SM90_ASM(
      "cp.async.bulk.tensor.4d.shared::cluster.global.im2col.mbarrier::complete_tx::bytes [%0], "
      "[%1, {%3, %4, %5, %6}], [%2], {%7, %8};" ::"r"(shared_address(shared)),
      "l"(&map), "r"(shared_address(&barrier)), "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]),
      "h"(offset[0]), "h"(offset[1]) : "memory");
}

// The way back; part of a bulk group.
template <int rank>
__device__ inline void tile_store(const TensorMap& map, const int (&at)[rank], const void* shared) {
#define FASTDL_TMA(dims, coordinates, ...)                                                        \
  FASTDL_SM90_ASM("cp.async.bulk.tensor." dims                                                    \
                  ".global.shared::cta.tile.bulk_group [%0, " coordinates "], [%1];" ::"l"(&map), \
                  "r"(shared_address(shared)), __VA_ARGS__ : "memory")
  static_assert(2 <= rank && rank <= 5);
  if constexpr (rank == 2)
    FASTDL_TMA("2d", "{%2, %3}", "r"(at[0]), "r"(at[1]));
  else if constexpr (rank == 3)
    FASTDL_TMA("3d", "{%2, %3, %4}", "r"(at[0]), "r"(at[1]), "r"(at[2]));
  else if constexpr (rank == 4)
    FASTDL_TMA("4d", "{%2, %3, %4, %5}", "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]));
  else
    FASTDL_TMA("5d", "{%2, %3, %4, %5, %6}", "r"(at[0]), "r"(at[1]), "r"(at[2]), "r"(at[3]),
               "r"(at[4]));
#undef FASTDL_TMA
}

namespace detail {

template <class T>
struct tensor_map_type;
template <>
struct tensor_map_type<Half> {
  static constexpr CUtensorMapDataType value = CU_TENSOR_MAP_DATA_TYPE_FLOAT16;
};
template <>
struct tensor_map_type<BFloat16> {
  static constexpr CUtensorMapDataType value = CU_TENSOR_MAP_DATA_TYPE_BFLOAT16;
};
template <>
struct tensor_map_type<float> {
  static constexpr CUtensorMapDataType value = CU_TENSOR_MAP_DATA_TYPE_FLOAT32;
};
template <>
struct tensor_map_type<double> {
  static constexpr CUtensorMapDataType value = CU_TENSOR_MAP_DATA_TYPE_FLOAT64;
};

constexpr CUtensorMapSwizzle tensor_map_swizzle(Swizzle swizzle) {
  constexpr CUtensorMapSwizzle kSwizzles[] = {CU_TENSOR_MAP_SWIZZLE_NONE, CU_TENSOR_MAP_SWIZZLE_32B,
                                              CU_TENSOR_MAP_SWIZZLE_64B,
                                              CU_TENSOR_MAP_SWIZZLE_128B};
  return kSwizzles[static_cast<int>(swizzle)];
}

// The encoders belong to the driver, which is asked for them at run time: the library is not linked
// with libcuda and loads on machines without one. Null where the driver has none.
inline void* driver_function(const char* name) {
  void* function = nullptr;
  cudaDriverEntryPointQueryResult found;
#if CUDART_VERSION >= 12050
  const cudaError_t error =
      cudaGetDriverEntryPointByVersion(name, &function, 12000, cudaEnableDefault, &found);
#else
  const cudaError_t error = cudaGetDriverEntryPoint(name, &function, cudaEnableDefault, &found);
#endif
  if (error != cudaSuccess) cudaGetLastError();
  const bool usable = error == cudaSuccess && found == cudaDriverEntryPointSuccess;
  return usable ? function : nullptr;
}

}  // namespace detail

// False where the driver has no tensor maps or refuses this one, as it does where an address, a
// stride or a box is not as TensorTile says. On the host.
template <class T>
[[nodiscard]] bool make_tensor_map(const TensorTile& tile, TensorMap& out) {
  static const auto encode = reinterpret_cast<decltype(&cuTensorMapEncodeTiled)>(
      detail::driver_function("cuTensorMapEncodeTiled"));
  if (!encode) return false;
  if (tile.swizzle != Swizzle::none && tile.box[0] * sizeof(T) != swizzle_width(tile.swizzle))
    return false;
  const cuuint32_t every[TensorTile::kMostDims] = {1, 1, 1, 1, 1};
  cuuint64_t size[TensorTile::kMostDims], stride[TensorTile::kMostDims];
  for (int d = 0; d < TensorTile::kMostDims; ++d) {
    size[d] = tile.size[d];
    stride[d] = tile.stride[d];
  }
  return encode(&out.map, detail::tensor_map_type<T>::value, static_cast<cuuint32_t>(tile.rank),
                const_cast<void*>(tile.data), size, stride + 1, tile.box, every,
                CU_TENSOR_MAP_INTERLEAVE_NONE, detail::tensor_map_swizzle(tile.swizzle),
                CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

// The same for im2col_load. Arrays of corners begin with w, as those of sizes do with c.
template <class T>
[[nodiscard]] bool make_im2col_map(const Im2colTile& tile, TensorMap& out) {
  static const auto encode = reinterpret_cast<decltype(&cuTensorMapEncodeIm2col)>(
      detail::driver_function("cuTensorMapEncodeIm2col"));
  if (!encode) return false;
  if (tile.swizzle != Swizzle::none && tile.channels * sizeof(T) != swizzle_width(tile.swizzle))
    return false;
  const cuuint32_t steps[] = {1, tile.step[0], tile.step[1], 1};
  cuuint64_t size[4], stride[4];
  for (int d = 0; d < 4; ++d) {
    size[d] = tile.size[d];
    stride[d] = tile.stride[d];
  }
  return encode(&out.map, detail::tensor_map_type<T>::value, 4, const_cast<void*>(tile.data), size,
                stride + 1, tile.lower, tile.upper, tile.channels, tile.pixels, steps,
                CU_TENSOR_MAP_INTERLEAVE_NONE, detail::tensor_map_swizzle(tile.swizzle),
                CU_TENSOR_MAP_L2_PROMOTION_L2_128B,
                CU_TENSOR_MAP_FLOAT_OOB_FILL_NONE) == CUDA_SUCCESS;
}

}  // namespace fastdl::cuda
