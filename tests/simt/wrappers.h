// What the model's wrappers (include/cuda) ask of the machine: matrices, asynchronous copies,
// barriers in shared memory, clusters.
#pragma once

#include <cstddef>
#include <cstdint>

#include "simt.h"

// Wrappers vanish into the kernel, so that messages name the kernel's line.
#define SIMT_WRAPPER __attribute__((always_inline)) inline

namespace simt {

// ---- matrices.cc

enum class Element { f16, bf16, tf32, f64 };

void mma(Element type, void* c, const void* a, const void* b, Site site);
void load_matrix(uint32_t* r, int count, bool transposed, const void* row, Site site);
void store_matrix(void* row, const uint32_t* r, int count, bool transposed, Site site);
uint32_t to_tf32(float x);

// ---- wgmma.cc

struct Wgmma {
  Element type;
  int n;
  bool a_in_registers;
  bool a_mn_major, b_mn_major;
  uint64_t a_descriptor, b_descriptor;
  uint32_t a[4];
  bool accumulate;
};
uint32_t shared_address(const void* p);
void wgmma_fence(Site site);
void wgmma(const Wgmma& operation, float* d, Site site);
void wgmma_commit(Site site);
void wgmma_wait(int pending, Site site);
void set_registers(int count, Site site);

// ---- async_copies.cc

void copy_async(void* shared, const void* global, int bytes, int existing);
void copy_commit();
void copy_wait(int pending);

struct TensorMap {
  const unsigned char* data;
  int rank, element, swizzle_bits;
  uint64_t size[5], stride[5];
  uint32_t box[5];
  // With im2col, box[0] channels of box[1] pixels.
  bool im2col;
  int lower[2], upper[2];
  uint32_t step[2];
};
// Null if the map is as the driver wants it.
const char* what_is_wrong(const TensorMap& map);

void bulk_load(void* shared, const void* global, uint32_t bytes, void* barrier);
void bulk_store(void* global, const void* shared, uint32_t bytes);
void bulk_commit();
void bulk_wait(int pending, bool only_reads);
void tile_load(void* shared, const TensorMap& map, const int* at, int rank, void* barrier);
void im2col_load(void* shared, const TensorMap& map, const int* at, const uint16_t* offset,
                 void* barrier);
void tile_load_multicast(void* shared, const TensorMap& map, const int* at, int rank, void* barrier,
                         unsigned blocks);
void tile_store(const TensorMap& map, const int* at, int rank, const void* shared);

// ---- mbarriers.cc

void mbarrier_init(void* barrier, uint32_t arrivals);
void mbarrier_invalidate(void* barrier);
void mbarrier_arrive(void* barrier);
void mbarrier_expect(void* barrier, uint32_t bytes);  // without arriving
bool mbarrier_try_wait(void* barrier, uint32_t parity, Site site);
void mbarrier_wait(void* barrier, uint32_t parity, Site site);
void fence_mbarrier_init();

// ---- clusters.cc

void cluster_arrive();
void cluster_wait(Site site);
void* remote_shared(const void* shared, unsigned rank);

// ---- grid_barrier.cc

void publish(uint32_t* counter, uint32_t step);
void await(const uint32_t* counter, uint32_t step, Site site);

}  // namespace simt
