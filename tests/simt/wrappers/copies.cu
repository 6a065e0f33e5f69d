// mbarriers, bulk and tensor copies, clusters and distributed shared memory, against loops.
#include "cuda/cluster.cuh"
#include "cuda/shared.cuh"
#include "cuda/tma.cuh"
#include "wrappers/check.h"

using namespace fastdl;
using namespace fastdl::cuda;
using namespace simt_test;

namespace {

constexpr int kThreads = 64;

// ---- bulk copies through a ring of stages: thread 0 loads, all double the numbers, thread 0
// stores.

constexpr int kStages = 3, kChunk = 256;  // floats

__global__ void __launch_bounds__(kThreads)
    double_by_bulk_copies(const float* x, float* y, int chunks) {
  float (*const in)[kChunk] = reinterpret_cast<float (*)[kChunk]>(dynamic_shared());
  float (*const out)[kChunk] = in + kStages;
  __shared__ Mbarrier full[kStages];
  const int thread = static_cast<int>(threadIdx.x);
  const auto load = [&](int chunk) {
    Mbarrier& barrier = full[chunk % kStages];
    barrier.arrive_expect(sizeof in[0]);
    bulk_load(in[chunk % kStages], x + chunk * kChunk, sizeof in[0], barrier);
  };
  if (thread == 0) {
    for (Mbarrier& barrier : full) barrier.init(1);
    fence_mbarrier_init();
    for (int chunk = 0; chunk < kStages && chunk < chunks; ++chunk) load(chunk);
  }
  __syncthreads();
  for (int chunk = 0; chunk < chunks; ++chunk) {
    const int stage = chunk % kStages;
    full[stage].wait(chunk / kStages % 2);
    if (thread == 0) bulk_wait_read<kStages - 1>();  // out[stage] was read
    __syncthreads();
    for (int i = thread; i < kChunk; i += kThreads) out[stage][i] = 2 * in[stage][i];
    fence_proxy_async();
    __syncthreads();
    if (thread == 0) {
      bulk_store(y + chunk * kChunk, out[stage], sizeof out[0]);
      bulk_commit();
      if (chunk + kStages < chunks) load(chunk + kStages);
    }
  }
  if (thread == 0) bulk_wait_read<0>();  // the rest completes with the kernel
}

}  // namespace

PROGRAM(bulk_copies) {
  constexpr int kChunks = 8;
  auto x = filled<float>(kChunks * kChunk, small_value);
  const DeviceArray<float> dx(x), dy(x.size());
  launch(context(), double_by_bulk_copies,
         LaunchShape{dim3(1), dim3(kThreads), 2 * kStages * kChunk * 4}, dx.data(), dy.data(),
         kChunks);
  for (float& v : x) v *= 2;
  require_equal(dy.host(), x, "bulk copies");
}

namespace {

// ---- tensor copies

// The box at `at` as it lies in shared memory, and stored again at `to`.
template <int rank>
struct Corner {
  int at[rank];
};

template <int rank>
__global__ void __launch_bounds__(kThreads)
    box_through_shared(const __grid_constant__ TensorMap from, const __grid_constant__ TensorMap to,
                       Corner<rank> source, Corner<rank> target, uint32_t bytes, uint8_t* raw) {
  unsigned char* const tile = dynamic_shared();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    prefetch(from);
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(bytes);
    tile_load(tile, from, source.at, full);
  }
  __syncthreads();
  full.wait(0);
  for (uint32_t i = threadIdx.x; i < bytes; i += kThreads) raw[i] = tile[i];
  if (threadIdx.x == 0) {
    tile_store(to, target.at, tile);
    bulk_commit();
    bulk_wait<0>();
  }
}

template <class T, int rank>
struct BoxTest {
  uint64_t size[rank];
  uint32_t box[rank];
  Swizzle swizzle;
  Corner<rank> source, target;
};

// Loads a box that sticks out of the tensor, looks at every byte of the tile, stores it elsewhere.
template <class T, int rank>
void test_box(const BoxTest<T, rank>& test) {
  TensorTile tile{};
  tile.rank = rank;
  tile.swizzle = test.swizzle;
  size_t elements = 1, in_box = 1;
  for (int d = 0; d < rank; ++d) {
    tile.size[d] = test.size[d];
    tile.box[d] = test.box[d];
    // Rows are 16 bytes apart at least, and never touch one another.
    if (d) tile.stride[d] = (elements * sizeof(T) + 15) / 16 * 16 + 16;
    elements = (d ? tile.stride[d] / sizeof(T) : 1) * test.size[d];
    in_box *= test.box[d];
  }
  const auto x = filled<T>(elements, [](int64_t i) { return small_value(i) + 0.25f; });
  const DeviceArray<T> dx(x), dy(filled<T>(elements, [](int64_t) { return -1.f; }));
  const DeviceArray<uint8_t> draw(in_box * sizeof(T));
  TensorMap from, to;
  tile.data = dx.data();
  require(make_tensor_map<T>(tile, from), "make_tensor_map");
  tile.data = dy.data();
  require(make_tensor_map<T>(tile, to), "make_tensor_map");
  const uint32_t bytes = static_cast<uint32_t>(in_box * sizeof(T));
  launch(context(), box_through_shared<rank>, LaunchShape{dim3(1), dim3(kThreads), bytes}, from, to,
         test.source, test.target, bytes, draw.data());

  const std::vector<uint8_t> raw = draw.host();
  auto y = filled<T>(elements, [](int64_t) { return -1.f; });
  for (size_t i = 0; i < in_box; ++i) {
    size_t rest = i, from_index = 0, to_index = 0;
    bool exists = true, fits = true;
    for (int d = 0; d < rank; ++d) {
      const int64_t within = static_cast<int64_t>(rest % test.box[d]);
      rest /= test.box[d];
      const size_t step = d ? tile.stride[d] / sizeof(T) : 1;
      const int64_t source = test.source.at[d] + within, target = test.target.at[d] + within;
      exists &= 0 <= source && source < static_cast<int64_t>(test.size[d]);
      fits &= 0 <= target && target < static_cast<int64_t>(test.size[d]);
      from_index += static_cast<size_t>(source) * step;
      to_index += static_cast<size_t>(target) * step;
    }
    const T should = exists ? x[from_index] : T(0.f);
    T is;
    memcpy(&is, raw.data() + swizzled(test.swizzle, static_cast<uint32_t>(i * sizeof(T))),
           sizeof is);
    require(is == should, "tile_load", static_cast<long>(i));
    if (fits) y[to_index] = should;
  }
  const std::vector<T> stored = dy.host();
  for (size_t i = 0; i < elements; ++i)
    require(stored[i] == y[i], "tile_store", static_cast<long>(i));
}

}  // namespace

PROGRAM(tensor_copies_2d) {
  test_box<float, 2>({{100, 30}, {32, 16}, Swizzle::none, {{8, 3}}, {{64, 10}}});
  test_box<float, 2>({{100, 30}, {32, 16}, Swizzle::b128, {{-5, -3}}, {{80, 20}}});
  test_box<float, 2>({{100, 30}, {16, 24}, Swizzle::b64, {{90, 20}}, {{-7, -9}}});
  test_box<float, 2>({{100, 30}, {8, 16}, Swizzle::b32, {{200, 0}}, {{0, 0}}});
  test_box<Half, 2>({{72, 40}, {64, 32}, Swizzle::b128, {{16, 16}}, {{0, 0}}});
  test_box<BFloat16, 2>({{72, 40}, {16, 32}, Swizzle::b32, {{60, 30}}, {{4, 4}}});
  test_box<double, 2>({{20, 10}, {8, 4}, Swizzle::b64, {{15, 8}}, {{0, 1}}});
}

PROGRAM(tensor_copies_of_higher_rank) {
  test_box<float, 3>({{20, 9, 5}, {16, 3, 2}, Swizzle::b64, {{8, -1, 4}}, {{0, 2, 1}}});
  test_box<Half, 4>({{40, 5, 6, 3}, {32, 2, 3, 2}, Swizzle::b64, {{-3, 4, 2, 1}}, {{20, 0, 5, 0}}});
  test_box<float, 5>(
      {{12, 3, 4, 3, 2}, {8, 2, 2, 2, 2}, Swizzle::b32, {{4, 1, 3, -1, 1}}, {{0, 0, 0, 0, 0}}});
}

// What the driver refuses.
PROGRAM(wrong_tensor_maps) {
  const DeviceArray<float> data(4096);
  const TensorTile good{data.data(), 2, {64, 64}, {0, 256}, {32, 16}, Swizzle::b128};
  TensorMap map;
  require(make_tensor_map<float>(good, map), "a good map");
  const auto refuses = [&](TensorTile tile, const char* what) {
    require(!make_tensor_map<float>(tile, map), what);
  };
  TensorTile t = good;
  t.data = data.data() + 1;
  refuses(t, "address");
  t = good, t.stride[1] = 260;
  refuses(t, "stride");
  t = good, t.box[1] = 257;
  refuses(t, "box");
  t = good, t.box[0] = 33;
  refuses(t, "row of the box");
  t = good, t.box[0] = 16;
  refuses(t, "row of the swizzle");
  t = good, t.rank = 6;
  refuses(t, "rank");
  t = good, t.size[1] = 0;
  refuses(t, "size");
}

namespace {

// ---- im2col

struct Im2colTest {
  int channels, width, height, images;
  int kernel[2], pad[2], stride[2], dilation[2];  // w, h
  uint32_t box, pixels;
  Swizzle swizzle;
  int first_channel, first, tap[2];  // first: the position

  int outputs(int d) const {
    const int size = d ? height : width;
    return (size + 2 * pad[d] - dilation[d] * (kernel[d] - 1) - 1) / stride[d] + 1;
  }
};

__global__ void __launch_bounds__(kThreads)
    pixels_through_shared(const __grid_constant__ TensorMap map, Corner<4> at, uint16_t offset_w,
                          uint16_t offset_h, uint32_t bytes, uint8_t* raw) {
  unsigned char* const tile = dynamic_shared();
  __shared__ Mbarrier full;
  if (threadIdx.x == 0) {
    full.init(1);
    fence_mbarrier_init();
    full.arrive_expect(bytes);
    im2col_load(tile, map, at.at, {offset_w, offset_h}, full);
  }
  __syncthreads();
  full.wait(0);
  for (uint32_t i = threadIdx.x; i < bytes; i += kThreads) raw[i] = tile[i];
}

// Against the definition of a convolution: position p meets, by tap t, pixel p stride + t dilation - pad.
template <class T>
void test_im2col(const Im2colTest& t) {
  const size_t pitch = static_cast<size_t>(t.channels) + 16 / sizeof(T);  // of a pixel
  const size_t row = pitch * static_cast<size_t>(t.width);
  const size_t image = row * static_cast<size_t>(t.height);
  const auto x = filled<T>(image * static_cast<size_t>(t.images),
                           [](int64_t i) { return small_value(i) + 0.25f; });
  const DeviceArray<T> dx(x);
  Im2colTile tile{};
  tile.data = dx.data();
  const int sizes[] = {t.channels, t.width, t.height, t.images};
  const size_t strides[] = {0, pitch, row, image};
  for (int d = 0; d < 4; ++d) {
    tile.size[d] = static_cast<uint64_t>(sizes[d]);
    tile.stride[d] = strides[d] * sizeof(T);
  }
  for (int d = 0; d < 2; ++d) {
    tile.lower[d] = -t.pad[d];
    tile.upper[d] = t.pad[d] - (t.kernel[d] - 1) * t.dilation[d];
    tile.step[d] = static_cast<uint32_t>(t.stride[d]);
  }
  tile.channels = t.box;
  tile.pixels = t.pixels;
  tile.swizzle = t.swizzle;
  TensorMap map;
  require(make_im2col_map<T>(tile, map), "make_im2col_map");
  const int q = t.outputs(0), p = t.outputs(1);
  const Corner<4> at{{t.first_channel, t.first % q * t.stride[0] - t.pad[0],
                      t.first / q % p * t.stride[1] - t.pad[1], t.first / q / p}};
  const uint32_t bytes = t.box * t.pixels * static_cast<uint32_t>(sizeof(T));
  const DeviceArray<uint8_t> draw(bytes);
  launch(context(), pixels_through_shared, LaunchShape{dim3(1), dim3(kThreads), bytes}, map, at,
         static_cast<uint16_t>(t.tap[0] * t.dilation[0]),
         static_cast<uint16_t>(t.tap[1] * t.dilation[1]), bytes, draw.data());
  const std::vector<uint8_t> raw = draw.host();
  for (uint32_t i = 0; i < t.pixels * t.box; ++i) {
    const int position = t.first + static_cast<int>(i / t.box);
    const int c = t.first_channel + static_cast<int>(i % t.box);
    const int w = position % q * t.stride[0] + t.tap[0] * t.dilation[0] - t.pad[0];
    const int h = position / q % p * t.stride[1] + t.tap[1] * t.dilation[1] - t.pad[1];
    const int n = position / q / p;
    const bool exists =
        0 <= w && w < t.width && 0 <= h && h < t.height && n < t.images && c < t.channels;
    const T should = exists ? x[static_cast<size_t>(n) * image + static_cast<size_t>(h) * row +
                                static_cast<size_t>(w) * pitch + static_cast<size_t>(c)]
                            : T(0.f);
    T is;
    memcpy(&is, raw.data() + swizzled(t.swizzle, i * static_cast<uint32_t>(sizeof(T))), sizeof is);
    require(is == should, "im2col_load", static_cast<long>(i));
  }
}

}  // namespace

PROGRAM(im2col_copies) {
  // 3 x 3, from the middle of one image into the next; sides that differ.
  test_im2col<Half>(
      {64, 9, 7, 2, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 64, 64, Swizzle::b128, 0, 40, {0, 0}});
  test_im2col<Half>(
      {64, 9, 7, 2, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 64, 64, Swizzle::b128, 0, 40, {2, 1}});
  // Steps that do not divide the sides, other paddings, beyond the last channel and the last image.
  test_im2col<Half>(
      {72, 11, 8, 3, {3, 2}, {1, 0}, {2, 3}, {1, 1}, 64, 32, Swizzle::b128, 64, 30, {2, 1}});
  test_im2col<float>(
      {36, 10, 13, 2, {5, 3}, {4, 2}, {2, 1}, {2, 3}, 32, 40, Swizzle::b128, 32, 17, {4, 2}});
  test_im2col<float>(
      {8, 8, 8, 1, {1, 1}, {0, 0}, {2, 2}, {1, 1}, 8, 16, Swizzle::b32, 0, 0, {0, 0}});
  // A start beyond all images is all zeros.
  test_im2col<BFloat16>(
      {16, 4, 4, 1, {3, 3}, {1, 1}, {1, 1}, {1, 1}, 16, 8, Swizzle::none, 0, 16, {1, 1}});
}

PROGRAM(wrong_im2col_maps) {
  const DeviceArray<Half> data(65536);
  const Im2colTile good{
      data.data(), {64, 8, 8, 2}, {0, 128, 1024, 8192}, {-1, -1}, {-1, -1}, {1, 1}, 64,
      64,          Swizzle::b128};
  TensorMap map;
  require(make_im2col_map<Half>(good, map), "a good map");
  const auto refuses = [&](const Im2colTile& tile, const char* what) {
    require(!make_im2col_map<Half>(tile, map), what);
  };
  Im2colTile t = good;
  t.data = data.data() + 1;
  refuses(t, "address");
  t = good, t.stride[1] = 136;
  refuses(t, "stride");
  t = good, t.lower[1] = -129;
  refuses(t, "corner");
  t = good, t.step[0] = 9;
  refuses(t, "step");
  t = good, t.channels = 32;
  refuses(t, "channels");
  t = good, t.pixels = 1025;
  refuses(t, "pixels");
  t = good, t.upper[0] = -9;
  refuses(t, "empty box");
}

namespace {

// ---- clusters

constexpr unsigned kCluster = 4;

// Each block writes to its right neighbour and reads from its left one.
__global__ void __launch_bounds__(kThreads) pass_around(const int* x, int* y) {
  int* const mine = reinterpret_cast<int*>(dynamic_shared());
  int* const inbox = mine + kThreads;
  const uint32_t rank = cluster_rank(), size = cluster_size();
  const unsigned thread = threadIdx.x, i = blockIdx.x * kThreads + thread;
  mine[thread] = x[i];
  remote_shared(inbox, (rank + 1) % size)[thread] = 10 * x[i];
  cluster_sync();
  y[i] = inbox[thread] + remote_shared(mine, (rank + size - 1) % size)[kThreads - 1 - thread];
  cluster_sync();  // before anybody's shared memory goes
}

// Block 0 loads a box into all blocks; the others tell it when they have read it.
__global__ void __launch_bounds__(kThreads)
    multicast(const __grid_constant__ TensorMap map, float* y, int rounds) {
  constexpr uint32_t kBytes = 32 * 8 * 4;
  unsigned char* const tile = dynamic_shared();
  Mbarrier* const full = reinterpret_cast<Mbarrier*>(tile + kBytes);
  Mbarrier* const empty = full + 1;
  const uint32_t rank = cluster_rank();
  if (threadIdx.x == 0) {
    full->init(1);
    empty->init(kCluster);
    fence_mbarrier_init();
  }
  cluster_sync();
  for (int round = 0; round < rounds; ++round) {
    if (threadIdx.x == 0) {
      full->arrive_expect(kBytes);
      if (rank == 0) {
        empty->wait<Scope::cluster>(static_cast<uint32_t>(round + 1) % 2);
        tile_load_multicast(tile, map, {0, round * 8}, *full, (1u << kCluster) - 1);
      }
    }
    full->wait(static_cast<uint32_t>(round) % 2);
    for (unsigned i = threadIdx.x; i < 256; i += kThreads)
      y[(blockIdx.x * static_cast<unsigned>(rounds) + static_cast<unsigned>(round)) * 256 + i] =
          reinterpret_cast<const float*>(tile)[i];
    __syncthreads();
    if (threadIdx.x == 0) empty->arrive_remote(0);
  }
  cluster_sync();
}

}  // namespace

PROGRAM(distributed_shared_memory) {
  constexpr unsigned kBlocks = 2 * kCluster;
  const auto x = filled<int>(kBlocks * kThreads, [](int64_t i) { return i * i % 1000; });
  const DeviceArray<int> dx(x), dy(x.size());
  launch(context(), pass_around,
         LaunchShape{dim3(kBlocks), dim3(kThreads), 2 * kThreads * sizeof(int), kCluster},
         dx.data(), dy.data());
  std::vector<int> y(x.size());
  for (size_t b = 0; b < kBlocks; ++b)
    for (size_t t = 0; t < kThreads; ++t) {
      const size_t left = b / kCluster * kCluster + (b + kCluster - 1) % kCluster;
      y[b * kThreads + t] = 10 * x[left * kThreads + t] + x[left * kThreads + kThreads - 1 - t];
    }
  require_equal(dy.host(), y, "distributed shared memory");
}

PROGRAM(multicast_to_a_cluster) {
  constexpr int kRounds = 5;
  const auto x = filled<float>(32 * 8 * kRounds, small_value);
  const DeviceArray<float> dx(x), dy(kCluster * x.size());
  TensorMap map;
  require(make_tensor_map<float>(
              {dx.data(), 2, {32, 8 * kRounds}, {0, 128}, {32, 8}, Swizzle::none}, map),
          "make_tensor_map");
  launch(context(), multicast, LaunchShape{dim3(kCluster), dim3(kThreads), 1024 + 16, kCluster},
         map, dy.data(), kRounds);
  std::vector<float> y;
  for (unsigned b = 0; b < kCluster; ++b) y.insert(y.end(), x.begin(), x.end());
  require_equal(dy.host(), y, "multicast");
}

namespace {

// A consumer that tries, and does something else meanwhile.
__global__ void __launch_bounds__(kThreads) poll_barrier(int* y) {
  __shared__ Mbarrier ready;
  __shared__ int value;
  if (threadIdx.x == 0) {
    ready.init(32);
    fence_mbarrier_init();
  }
  __syncthreads();
  if (threadIdx.x < 32) {
    if (threadIdx.x == 0) value = 7;
    __syncwarp();
    ready.arrive();
  } else {
    int tries = 1;
    while (!ready.try_wait(0)) ++tries;
    y[threadIdx.x - 32] = tries > 0 ? value : 0;
  }
  __syncthreads();
  if (threadIdx.x == 0) ready.invalidate();
}

}  // namespace

PROGRAM(try_wait) {
  const DeviceArray<int> dy(32);
  launch(context(), poll_barrier, dim3(1), dim3(kThreads), dy.data());
  require_equal(dy.host(), std::vector<int>(32, 7), "try_wait");
}
