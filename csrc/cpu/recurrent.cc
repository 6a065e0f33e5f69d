#include "cpu/recurrent.h"

#include <atomic>
#include <thread>

#include "cpu/gemm.h"
#include "cpu/gemm_pack.h"
#include "cpu/gemm_tile.h"

namespace fastdl::cpu {

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
void tile(int64_t k, const T* a, int64_t a_row, const T* panel, T* sums) {
  constexpr int64_t kSize = Vec<T>::size;
  Vec<T> acc[R][G] = {};
  if constexpr (R == 1) {
    // A single row has too few sums to keep the multipliers busy: even and odd k are added up apart.
    Vec<T> odd[1][G] = {};
    const int64_t pairs = k / 2;
    for (int64_t p = 0; p < pairs; ++p) {
      const Vec<T> x(a[2 * p]), y(a[2 * p + 1]);
      const T* const b = panel + 2 * p * G * kSize;
#pragma GCC unroll 8
      for (int g = 0; g < G; ++g) {
        acc[0][g] += x * Vec<T>::load(b + g * kSize);
        odd[0][g] += y * Vec<T>::load(b + (G + g) * kSize);
      }
    }
    for (int g = 0; g < G; ++g) {
      if (k % 2) acc[0][g] += Vec<T>(a[k - 1]) * Vec<T>::load(panel + ((k - 1) * G + g) * kSize);
      acc[0][g] += odd[0][g];
    }
  } else {
    multiply_add<T, R, G>(
        k, [=](int64_t p, int r) { return a[p + r * a_row]; },
        [=](int64_t p, int g) { return Vec<T>::load(panel + (p * G + g) * kSize); }, acc);
  }
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r)
#pragma GCC unroll 8
    for (int g = 0; g < G; ++g) acc[r][g].store(sums + (r * G + g) * kSize);
}

template <class T>
using CellTile = void (*)(int64_t k, const T* a, int64_t a_row, const T* panel, T* sums);

template <class T, int G, int... Rs>
CellTile<T> pick(int64_t rows, std::integer_sequence<int, Rs...>) {
  static constexpr CellTile<T> table[] = {tile<T, Rs + 1, G>...};
  return table[rows - 1];
}

}  // namespace

template <class T, int G>
void multiply_panel(int64_t rows, int64_t k, const T* a, int64_t a_row, const T* panel, T* sums) {
  pick<T, G>(rows, std::make_integer_sequence<int, kCellRows<G>>())(k, a, a_row, panel, sums);
}

// launchers

template <class T, int G>
void pack_weights(const Context& context, const Weights<T>& w, T* packed) {
  constexpr int64_t kSize = Vec<T>::size;
  const int64_t size = panel_size<T, G>(w);
  const int64_t grain = std::max<int64_t>(1, 65536 / std::max<int64_t>(1, size));
  context.parallel_for(panel_count<T, G>(w), grain, [&](int64_t begin, int64_t end) {
    for (int64_t panel = begin; panel < end; ++panel)
      for (int64_t g = 0; g < G; ++g) {
        const int64_t unit = (w.gate ? panel : panel * G + g) * kSize;
        pack_column(w, w.w + (w.gate ? g * w.gate : 0) + unit * w.by_unit,
                    std::min(kSize, w.units - unit), packed + panel * size + g * kSize, G * kSize);
      }
  });
}

template <class T, int G>
void multiply_panels(const Context& context, int64_t rows, const T* x, const Weights<T>& w,
                     const T* packed, const T* bias, T* out, int64_t out_row) {
  constexpr int64_t kSize = Vec<T>::size;
  const int64_t panels = panel_count<T, G>(w), size = panel_size<T, G>(w);
  const int64_t groups = kChunkMacs / std::max<int64_t>(1, size * kCellRows<G>);
  const int64_t chunk = std::max<int64_t>(1, groups) * kCellRows<G>;
  const int64_t chunks = (rows + chunk - 1) / chunk;
  context.parallel_for(panels * chunks, 1, [&](int64_t begin, int64_t end) {
    for (int64_t job = begin; job < end; ++job) {
      const int64_t panel = job / chunks, row = job % chunks * chunk, unit = panel * kSize;
      const int64_t lanes = std::min(kSize, w.units - unit);
      T* const o = out + row * out_row + unit;
      for_each_row<T, G>(
          std::min(chunk, rows - row), w.k, x + row * w.k, w.k, packed + panel * size,
          [&](int64_t i, const T* sums) {
            for (int64_t g = 0; g < G; ++g)
              put(Vec<T>::load(sums + g * kSize) + get(bias + g * w.units + unit, lanes),
                  o + i * out_row + g * w.units, lanes);
          });
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

#define FASTDL_RECURRENT(T, G)                                                              \
  template void pack_weights<T, G>(const Context&, const Weights<T>&, T*);                  \
  template void multiply_panel<T, G>(int64_t, int64_t, const T*, int64_t, const T*, T*);    \
  template void multiply_panels<T, G>(const Context&, int64_t, const T*, const Weights<T>&, \
                                      const T*, const T*, T*, int64_t);
FASTDL_RECURRENT(float, 2)
FASTDL_RECURRENT(float, 3)
FASTDL_RECURRENT(float, 4)
FASTDL_RECURRENT(double, 2)
FASTDL_RECURRENT(double, 3)
FASTDL_RECURRENT(double, 4)
#undef FASTDL_RECURRENT

}  // namespace fastdl::cpu
