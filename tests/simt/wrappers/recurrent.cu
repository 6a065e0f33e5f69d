// Blocks that wait for one another; the product whose weights stay in a block; and the plan of a
// recurrent layer.
#include <cmath>
#include <cstring>

#include "cuda/grid_barrier.cuh"
#include "cuda/kept_product.cuh"
#include "cuda/recurrent_cells.cuh"
#include "cuda/shared.cuh"
#include "wrappers/check.h"

using namespace fastdl;
using namespace fastdl::cuda;
using namespace simt_test;

namespace {

// ---- Each step, each block adds up what all blocks wrote in the step before.

constexpr int kBlocks = 5, kThreads = 64;

__global__ void add_up(int* values, uint32_t* counters, int* y, int steps) {
  const int thread = static_cast<int>(threadIdx.x), block = static_cast<int>(blockIdx.x);
  int mine = block + thread;
  for (int step = 0; step < steps; ++step) {
    int* const buffer = values + step % 2 * kBlocks * kThreads;
    buffer[block * kThreads + thread] = mine;
    __syncthreads();
    if (thread == 0) publish(counters + block, static_cast<uint32_t>(step + 1));
    await(counters, kBlocks, static_cast<uint32_t>(step + 1));
    mine = 0;
    for (int b = 0; b < kBlocks; ++b) mine += buffer[b * kThreads + thread] % 97 + b;
  }
  y[block * kThreads + thread] = mine;
}

// ---- out[row, sample] of 16 R rows, of a block that has W warps and C chunks in registers

template <class T, int R, int W, int C>
__global__ void __launch_bounds__(W* kWarp)
    multiply_kept(const T* w, const T* x, float* out, int chunks, int tiles) {
  using Product = KeptProduct<T, R, W, C>;
  const int width = chunks * Product::kChunk;
  const int lane = static_cast<int>(threadIdx.x) % kWarp,
            warp = static_cast<int>(threadIdx.x) / kWarp;
  const Product product(chunks, dynamic_shared(), [&](int r, int row, int k) {
    return load_pack<Product::kPerLane>(w + (r * 16 + row) * width + k);
  });
  for (int tile = 0; tile < tiles; ++tile) {
    float part[R][4];
    product.multiply(x + tile * width * kTileSamples, part);
    for (int r = 0; r < R; ++r)
      for (int e = 0; e < 4; ++e) {
        const Position at = position_c(lane, e);
        out[(((tile * W + warp) * R + r) * 16 + at.row) * kTileSamples + at.column] = part[r][e];
      }
  }
}

template <class T, int R, int W, int C>
void test_kept(int chunks, float scale) {
  constexpr int kTiles = 2, kChunk = KeptProduct<T, R, W, C>::kChunk;
  const int width = chunks * kChunk;
  // Floats have more bits than a tensor core takes.
  const auto w = filled<T>(static_cast<size_t>(R * 16 * width), [&](int64_t i) {
    return small_value(i) * (sizeof(T) == 4 ? scale : 1);
  });
  const auto x = filled<T>(static_cast<size_t>(kTiles * width * kTileSamples),
                           [&](int64_t i) { return small_value(i + 5); });
  const DeviceArray<T> dw(w), dx(x);
  const DeviceArray<float> out(static_cast<size_t>(kTiles * W * R * 16 * kTileSamples));
  const int share = (chunks + W - 1) / W;
  const auto kept = static_cast<size_t>(std::max(share - C, 0)) * W * R * 1024;
  launch(context(), multiply_kept<T, R, W, C>, LaunchShape{dim3(1), dim3(W * kWarp), kept},
         dw.data(), dx.data(), out.data(), chunks, kTiles);
  const auto parts = out.host();
  for (int tile = 0; tile < kTiles; ++tile)
    for (int row = 0; row < R * 16; ++row)
      for (int sample = 0; sample < kTileSamples; ++sample) {
        double is = 0, should = 0;
        for (int warp = 0; warp < W; ++warp)
          is += parts[static_cast<size_t>(((tile * W + warp) * R * 16 + row) * kTileSamples +
                                          sample)];
        for (int k = 0; k < width; ++k) {
          const int64_t chunk = int64_t{tile} * chunks + k / kChunk;
          const int64_t at = (chunk * kTileSamples + sample) * kChunk + k % kChunk;
          should += double(float(w[static_cast<size_t>(row * width + k)])) *
                    double(float(x[static_cast<size_t>(at)]));
        }
        // A GPU drops bits when it adds; without the rests of floats a sum would be off by 2^-11.
        const double bound = sizeof(T) == 4 ? 4e-6 * width : 0;
        require(std::fabs(is - should) <= bound, "kept product", row * kTileSamples + sample);
      }
}

// ---- the functions of gates in 16 bits

__global__ void gate_functions_of(int n, const float* x, float* s, float* t) {
  const int i = static_cast<int>(threadIdx.x);
  for (int k = i; k < n; k += kThreads) {
    s[k] = logistic<Half>(x[k]);
    t[k] = squashed<Half>(x[k]);
  }
}

}  // namespace

PROGRAM(gate_functions) {
  constexpr int kNumbers = 2000;
  const auto x = filled<float>(kNumbers, [](int64_t i) {  // up to 70, down to 1e-6, of both signs
    const double size = std::exp(std::log(70.0) + (std::log(1e-6) - std::log(70.0)) *
                                                      static_cast<double>(i / 2) / (kNumbers / 2));
    return static_cast<float>(i % 2 ? size : -size);
  });
  const DeviceArray<float> dx(x), ds(x.size()), dt(x.size());
  launch(context(), gate_functions_of, dim3(1), dim3(kThreads), kNumbers, dx.data(), ds.data(),
         dt.data());
  const auto s = ds.host(), t = dt.host();
  const auto near = [](double is, double should) {
    return std::fabs(is - should) <= 0x1p-16 * std::fabs(should);
  };
  for (size_t i = 0; i < x.size(); ++i) {
    require(near(s[i], 1 / (1 + std::exp(-double{x[i]}))), "logistic", static_cast<long>(i));
    require(near(t[i], std::tanh(double{x[i]})), "tanh", static_cast<long>(i));
  }
  const DeviceArray<float> ends(std::vector<float>{INFINITY, -INFINITY, 0.0f});
  launch(context(), gate_functions_of, dim3(1), dim3(kThreads), 3, ends.data(), ds.data(),
         dt.data());
  require_equal<float>({ds.host()[0], ds.host()[1], ds.host()[2]}, {1.0f, 0.0f, 0.5f},
                       "ends of logistic");
  require_equal<float>({dt.host()[0], dt.host()[1], dt.host()[2]}, {1.0f, -1.0f, 0.0f},
                       "ends of tanh");
}

PROGRAM(blocks_await_each_other) {
  constexpr int kSteps = 7;
  int* const y = device_array<int>(kBlocks * kThreads);
  LaunchShape shape{dim3(kBlocks), dim3(kThreads)};
  shape.cooperative = true;
  launch(context(), add_up, shape, device_array<int>(2 * kBlocks * kThreads),
         device_array<uint32_t>(kBlocks), y, kSteps);
  std::vector<int> should(kBlocks * kThreads);
  for (int thread = 0; thread < kThreads; ++thread) {
    std::vector<int> mine(kBlocks);
    for (int b = 0; b < kBlocks; ++b) mine[static_cast<size_t>(b)] = b + thread;
    for (int step = 0; step < kSteps; ++step) {
      int sum = 0;
      for (int b = 0; b < kBlocks; ++b) sum += mine[static_cast<size_t>(b)] % 97 + b;
      mine.assign(kBlocks, sum);
    }
    for (int b = 0; b < kBlocks; ++b)
      should[static_cast<size_t>(b * kThreads + thread)] = mine[static_cast<size_t>(b)];
  }
  expect_equal(y, should);
}

// Chunks: fewer than warps; as many as fit into registers; some, and more than one batch, in shared
// memory; a last warp with less.
PROGRAM(kept_product) {
  for (const int chunks : {1, 2, 3, 8, 21}) {
    test_kept<Half, 4, 2, 1>(chunks, 1);
    test_kept<BFloat16, 3, 2, 2>(chunks, 1);
    test_kept<Half, 1, 3, 4>(chunks, 1);
    test_kept<float, 4, 2, 1>(chunks, 1 + 0x1p-11f);
    test_kept<float, 1, 2, 8>(chunks, 1 + 0x1p-11f);
  }
}

PROGRAM(recurrent_plans) {
  const DeviceFacts h100{90, 132, 227 << 10}, a100{80, 108, 163 << 10};
  const auto plan = [](int64_t n, int64_t hidden, size_t item, int gates, const DeviceFacts& device,
                       int64_t steps = 1000) {
    const int values = gates == 1 ? 4 : 1;
    return plan_recurrent({steps, n, hidden, item, gates, values}, device,
                          Persistent::where_it_pays);
  };
  const RecurrentPlan half = plan(16, 768, 2, 4, h100), back = plan(16, 768, 2, 1, h100);
  require(half.persistent && half.unit_blocks == 48 && half.groups == 2 && half.tiles == 1, "half");
  require(half.kept == 0 && half.chunks == 24, "half: all weights in registers");
  require(back.persistent && back.kept == 0 && back.chunks == 96, "half, backward");
  require(plan(16, 768, 4, 4, h100).persistent, "float");
  require(plan(16, 768, 4, 1, h100).persistent, "float, backward");
  require(plan(16, 768, 4, 4, a100).persistent, "float on 108 multiprocessors");
  require(plan(16, 1024, 4, 4, h100).persistent, "float, 1024 units");
  require(!plan(16, 1024, 4, 4, a100).persistent, "float, 1024 units, less shared memory");
  require(!plan(16, 2200, 2, 4, h100).persistent, "more units than multiprocessors have");
  const RecurrentPlan many = plan(100, 1024, 2, 4, h100);
  require(many.groups == 2 && many.tiles == 7 && many.all_tiles == 13, "tiles in groups");
  require(plan(1000, 100, 2, 4, h100).groups == 18, "no group without tiles");
  require(!plan(1, 768, 2, 4, h100, 2).persistent, "few steps");
  require(!plan(1, 768, 8, 4, h100).persistent, "float64");
  require(!strcmp(plan(1, 768, 8, 4, h100).why, "float64"), "why");
}
