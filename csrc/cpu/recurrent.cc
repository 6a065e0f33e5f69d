#include "cpu/recurrent.h"

#include <atomic>
#include <thread>

#include "cpu/gemm_pack.h"
#include "cpu/gemm_tile.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kRowBytes = int64_t{1} << 19;  // of rows that meet all panels
constexpr int64_t kDepth = 1024;                 // longest block of k of a product by columns
constexpr int64_t kResident = 4;                 // panels of it that stay in the cache

constexpr auto no_fetch = [](int64_t) {};

}  // namespace

// kernels

namespace {

// One register of columns: out[p * out_row + lane], zeros beyond `lanes`.
template <class T>
void pack_column(const Weights<T>& w, const T* src, int64_t lanes, T* out, int64_t out_row) {
  constexpr int64_t kSize = Vec<T>::size;
  if (lanes <= 0) {
    for (int64_t p = 0; p < w.k; ++p) Vec<T>(T(0)).store(out + p * out_row);
  } else if (w.by_unit == 1) {
    for (int64_t p = 0; p < w.k; ++p) get(src + p * w.by_k, lanes).store(out + p * out_row);
  } else {
    for (int64_t p0 = 0; p0 < w.k; p0 += kSize) {
      const int64_t kn = std::min(kSize, w.k - p0);
      Vec<T> r[kSize];
      for (int64_t i = 0; i < kSize; ++i)
        r[i] = i < lanes ? get(src + i * w.by_unit + p0, kn) : Vec<T>(T(0));
      transpose<T>(r);
      for (int64_t p = 0; p < kn; ++p) r[p].store(out + (p0 + p) * out_row);
    }
  }
}

template <class T, int R, int G>
void tile(int64_t k, const Left<T>& left, const T* panel, T* sums) {
  constexpr int64_t kSize = Vec<T>::size;
  const T* const a = left.a;
  const int64_t row = left.row, col = left.col, fetch = left.fetch;
  Vec<T> acc[R][G] = {};
  if constexpr (R == 1) {
    // A single row has too few sums to keep the multipliers busy: even and odd k are added up apart.
    Vec<T> odd[1][G] = {};
    const int64_t pairs = k / 2;
    for (int64_t p = 0; p < pairs; ++p) {
      const Vec<T> x(a[2 * p * col]), y(a[(2 * p + 1) * col]);
      const T* const b = panel + 2 * p * G * kSize;
#pragma GCC unroll 8
      for (int g = 0; g < G; ++g) {
        acc[0][g] += x * Vec<T>::load(b + g * kSize);
        odd[0][g] += y * Vec<T>::load(b + (G + g) * kSize);
      }
    }
    for (int g = 0; g < G; ++g) {
      if (k % 2)
        acc[0][g] += Vec<T>(a[(k - 1) * col]) * Vec<T>::load(panel + ((k - 1) * G + g) * kSize);
      acc[0][g] += odd[0][g];
    }
  } else {
    multiply_add<T, R, G>(
        k,
        [=](int64_t p, int r) {
          if (r == 0 && fetch) __builtin_prefetch(a + p * col + fetch);
          return a[p * col + r * row];
        },
        [=](int64_t p, int g) { return Vec<T>::load(panel + (p * G + g) * kSize); }, acc);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int g = 0; g < G; ++g) acc[r][g].store(sums + (r * G + g) * kSize);
}

template <class T>
using CellTile = void (*)(int64_t k, const Left<T>& a, const T* panel, T* sums);

template <class T, int G, int... Rs>
CellTile<T> pick(int64_t rows, std::integer_sequence<int, Rs...>) {
  static constexpr CellTile<T> table[] = {tile<T, Rs + 1, G>...};
  return table[rows - 1];
}

}  // namespace

template <class T, int G>
void multiply_panel(int64_t rows, int64_t k, const Left<T>& a, const T* panel, T* sums) {
  pick<T, G>(rows, std::make_integer_sequence<int, kCellRows<G>>())(k, a, panel, sums);
}

// launchers

template <class T, int G>
void pack_weights(const Context& context, const Weights<T>& w, T* packed, int64_t size) {
  constexpr int64_t kSize = Vec<T>::size;
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, panel_size<T, G>(w)));
  context.parallel_for(panel_count<T, G>(w), grain, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel)
      for (int64_t g = 0; g < G; ++g) {
        const int64_t unit = (w.gate ? panel : panel * G + g) * kSize;
        pack_column(w, w.w + (w.gate ? g * w.gate : 0) + unit * w.by_unit,
                    lane_count<T, G>(w, panel, g), packed + panel * size + g * kSize, G * kSize);
      }
  });
}

template <class T, int G>
void multiply_panels(const Context& context, int64_t rows, const T* a, int64_t a_row,
                     const Panels<T, G>& b, const T* bias, T* out, int64_t out_row) {
  constexpr int64_t kSize = Vec<T>::size;
  const Weights<T>& w = b.w;
  const int64_t panels = b.count;
  // Rows that stay in the second-level cache while the panels pass.
  const int64_t bytes = std::max<int64_t>(1, w.k * kCellRows<G> * static_cast<int64_t>(sizeof(T)));
  const int64_t chunk = std::max<int64_t>(1, kRowBytes / bytes) * kCellRows<G>;
  const int64_t chunks = (rows + chunk - 1) / chunk;
  context.parallel_for(chunks * panels, 1, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t row = job / panels * chunk, panel = job % panels;
      const auto use = [&](int64_t i, const T* sums) {
        T* const o = out + (row + i) * out_row;
        for (int64_t g = 0; g < G; ++g) {
          const int64_t j = first_column<T, G>(w, panel, g), lanes = lane_count<T, G>(w, panel, g);
          const Vec<T> sum = Vec<T>::load(sums + g * kSize);
          put(bias ? sum + get(bias + j, lanes) : sum, o + j, lanes);
        }
      };
      for_each_row<T, G>(std::min(chunk, rows - row), w.k, Left<T>{a + row * a_row, a_row},
                         b.panel(panel), no_fetch, use);
    }
  });
}

// k is cut into blocks of which some panels stay in the second-level cache. A block of them meets a
// line of columns at a time: all rows of a for the first panel, which fetches the next line, and
// again from the cache for the others.
template <class T, int G>
void multiply_columns(const Context& context, int64_t columns, const T* a, int64_t a_row,
                      const Panels<T, G>& b, T* out) {
  constexpr int64_t kSize = Vec<T>::size;
  constexpr int64_t kLine = 64 / sizeof(T), kLines = 16;  // columns that share a line; of a job
  const Weights<T>& w = b.w;
  const int64_t panels = b.count;
  const int64_t depths = std::max<int64_t>(1, (w.k + kDepth - 1) / kDepth);
  const int64_t groups = (panels + kResident - 1) / kResident;
  const int64_t parts = (columns + kLines * kLine - 1) / (kLines * kLine);
  context.parallel_for(groups * parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t first = panels * (job / parts) / groups;
      const int64_t last = panels * (job / parts + 1) / groups;
      const int64_t c0 = job % parts * kLines * kLine, c1 = std::min(columns, c0 + kLines * kLine);
      for (int64_t depth = 0; depth < depths; ++depth) {
        const int64_t p0 = w.k * depth / depths, k = w.k * (depth + 1) / depths - p0;
        for (int64_t c = c0; c < c1; c += kLine)
          for (int64_t panel = first; panel < last; ++panel) {
            const auto use = [&](int64_t i, const T* sums) {
              T* const o = out + (c + i) * w.units;
              for (int64_t g = 0; g < G; ++g) {
                const int64_t j = first_column<T, G>(w, panel, g);
                const int64_t lanes = lane_count<T, G>(w, panel, g);
                const Vec<T> sum = Vec<T>::load(sums + g * kSize);
                put(depth ? get(o + j, lanes) + sum : sum, o + j, lanes);
              }
            };
            for_each_row<T, G>(std::min(kLine, c1 - c), k,
                               Left<T>{a + p0 * a_row + c, 1, a_row, panel == first ? kLine : 0},
                               b.panel(panel) + p0 * G * kSize, no_fetch, use);
          }
      }
    }
  });
}

namespace {

// The steps of one region, which threads join and leave at any time.
struct Region {
  const int64_t begin, steps, parts;
  void (*const body)(void*, int64_t, int64_t);
  void* const arg;
  std::atomic<int64_t> done{0};                // parts, of all steps
  std::atomic<int64_t> taken[kMaxParts] = {};  // how many steps have a taker for the part

  int64_t step_now() const { return done.load(std::memory_order_acquire) / parts; }

  void wait_for(int64_t step) const {
    for (int turn = 0; step_now() < step; ++turn) {
      if (turn > 4096) std::this_thread::yield();  // whoever has the last part lost its core
#if defined(__x86_64__)
      __builtin_ia32_pause();
#endif
    }
  }

  void join(int64_t first_part) {
    for (int64_t step = step_now(); step < steps; step = std::max(step + 1, step_now())) {
      wait_for(step);
      for (int64_t i = 0; i < parts; ++i) {
        const int64_t part = (first_part + i) % parts;
        int64_t expected = step;
        if (taken[part].load(std::memory_order_relaxed) != step ||
            !taken[part].compare_exchange_strong(expected, step + 1, std::memory_order_relaxed))
          continue;
        body(arg, begin + step, part);
        done.fetch_add(1, std::memory_order_acq_rel);
      }
    }
  }
};

}  // namespace

void for_each_step(const Context& context, int64_t steps, int64_t parts, int64_t macs,
                   void (*body)(void*, int64_t, int64_t), void* arg) {
  if (parts <= 0) return;
  const int64_t threads =
      macs < kSharedStepMacs ? 1 : std::min<int64_t>(parts, std::max(1, context.threads));
  const int64_t length = std::max<int64_t>(1, kStepsMacs / std::max<int64_t>(1, macs));
  for (int64_t begin = 0; begin < steps; begin += length) {
    Region region{begin, std::min(length, steps - begin), parts, body, arg};
    const auto join = [](void* r, int64_t thread, int64_t end) {
      auto& [each, count] = *static_cast<std::pair<Region*, int64_t>*>(r);
      for (; thread < end; ++thread) each->join(each->parts * thread / count);
    };
    std::pair<Region*, int64_t> shared{&region, threads};
    // Not parallel_for, which with one thread would not ask for Ctrl-C.
    context.parallel(threads, 1, join, &shared);
  }
}

#define FASTDL_RECURRENT(T, G)                                                        \
  template void pack_weights<T, G>(const Context&, const Weights<T>&, T*, int64_t);   \
  template void multiply_panel<T, G>(int64_t, int64_t, const Left<T>&, const T*, T*); \
  template void multiply_panels<T, G>(const Context&, int64_t, const T*, int64_t,     \
                                      const Panels<T, G>&, const T*, T*, int64_t);    \
  template void multiply_columns<T, G>(const Context&, int64_t, const T*, int64_t,    \
                                       const Panels<T, G>&, T*);
FASTDL_RECURRENT(float, 2)
FASTDL_RECURRENT(float, 3)
FASTDL_RECURRENT(float, 4)
FASTDL_RECURRENT(double, 2)
FASTDL_RECURRENT(double, 3)
FASTDL_RECURRENT(double, 4)
#undef FASTDL_RECURRENT

}  // namespace fastdl::cpu
