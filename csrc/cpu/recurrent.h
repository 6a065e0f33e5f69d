// What the recurrent layers share: products of a few rows with weights packed once for a whole
// sequence, whose sums go straight on to the gates, and the walk over the steps.
//
// A panel is the weights of kLanes hidden units: k rows of G registers. In the forward pass
// register g holds gate g of those units, so that a tile of R samples by G registers ends with all
// that the cells of R x kLanes units need; backward the registers are consecutive units. A tile runs
// over all of k without a stop: panels come from the second-level cache once per R rows, which a
// tile of 28 multiply-adds for G + R loads leaves time for, and sums never go to memory.
#pragma once

#include <algorithm>
#include <cstdint>

#include "core/context.h"
#include "cpu/vec.h"

namespace fastdl::cpu {

// Rows of a tile: R * G sums, G registers of weights and one of the rows' values fit the registers.
template <int G>
inline constexpr int kCellRows = ((kVecBytes == 64 ? 31 : 15) - G) / G;

template <class T>
inline constexpr int64_t kLanes = Vec<T>::size;

inline constexpr int64_t kMaxParts = 64;                      // of a step
inline constexpr int64_t kStepsMacs = int64_t{1} << 30;       // between two looks at Ctrl-C
inline constexpr int64_t kSharedStepMacs = int64_t{1} << 16;  // a step worth a second thread

// ---- weights ----

// Where the k x (G * kLanes) weights of a panel lie in a matrix. The registers of panel p are `gate`
// elements apart, or consecutive units if gate is 0.
template <class T>
struct Weights {
  const T* w;
  int64_t k, units;       // in all panels
  int64_t by_k, by_unit;  // strides; one of them is 1
  int64_t gate;
};

template <class T, int G>
int64_t panel_count(const Weights<T>& w) {
  const int64_t units = w.gate ? kLanes<T> : G * kLanes<T>;
  return (w.units + units - 1) / units;
}
template <class T, int G>
int64_t panel_size(const Weights<T>& w) {
  return w.k * G * kLanes<T>;
}

// Where register g of a panel begins among the columns of all gates, and how many of its lanes count.
template <class T, int G>
int64_t first_column(const Weights<T>& w, int64_t panel, int64_t g) {
  return w.gate ? g * w.units + panel * kLanes<T> : (panel * G + g) * kLanes<T>;
}
template <class T, int G>
int64_t lane_count(const Weights<T>& w, int64_t panel, int64_t g) {
  const int64_t unit = (w.gate ? panel : panel * G + g) * kLanes<T>;
  return std::clamp<int64_t>(w.units - unit, 0, kLanes<T>);
}

// Packs w into panels that lie `size` elements apart, and of which it fills the first rows; padded
// with zeros across.
template <class T, int G>
void pack_weights(const Context& context, const Weights<T>& w, T* packed, int64_t size);

// All panels of a matrix, or of two that lie one below the other.
template <class T, int G>
class Panels {
 public:
  Panels(const Context& context, const Weights<T>& top, const Weights<T>& rest = {})
      : w(below(top, rest.k)),
        count(panel_count<T, G>(w)),
        size(panel_size<T, G>(w)),
        memory_(context, static_cast<size_t>(count * size) * sizeof(T)) {
    pack_weights<T, G>(context, top, memory_.as<T>(), size);
    if (rest.k > 0)
      pack_weights<T, G>(context, rest, memory_.as<T>() + top.k * G * kLanes<T>, size);
  }
  const T* panel(int64_t i) const { return memory_.as<T>() + i * size; }

  const Weights<T> w;  // its place is that of the first matrix
  const int64_t count, size;

 private:
  static Weights<T> below(Weights<T> top, int64_t k) { return top.k += k, top; }

  const Scratch memory_;
};

// ---- products ----

// The left factor of a product, its row r and column p at a[r * row + p * col]. a[p * col + fetch] is
// asked for on the way, unless `fetch` is 0: what is read next, where the hardware does not foresee it.
template <class T>
struct Left {
  const T* a;
  int64_t row, col = 1;
  int64_t fetch = 0;
};

// sums[r, G * kLanes] = row r of a, k long, times the panel; rows <= kCellRows<G>.
template <class T, int G>
void multiply_panel(int64_t rows, int64_t k, const Left<T>& a, const T* panel, T* sums);

// Calls use(i, sums of row i) for all n rows of a times the panel, in groups of nearly equal size, and
// fetch(i) for the rows of a group before it is multiplied.
template <class T, int G, class P, class F>
inline void for_each_row(int64_t n, int64_t k, Left<T> a, const T* panel, P&& fetch, F&& use) {
  alignas(64) T sums[kCellRows<G> * G * kLanes<T>];
  const T* const first = a.a;
  const int64_t groups = (n + kCellRows<G> - 1) / kCellRows<G>;
  for (int64_t group = 0, i = 0; group < groups; ++group) {
    const int64_t end = n * (group + 1) / groups;
    for (int64_t r = i; r < end; ++r) fetch(r);
    a.a = first + i * a.row;
    multiply_panel<T, G>(end - i, k, a, panel, sums);
    for (const T* row = sums; i < end; ++i, row += G * kLanes<T>) use(i, row);
  }
}

// out[rows, gates * units] = a[rows, k], whose rows are a_row apart, times all panels, and + bias
// [gates * units] unless it is null; on all threads. Rows of out are out_row apart.
template <class T, int G>
void multiply_panels(const Context& context, int64_t rows, const T* a, int64_t a_row,
                     const Panels<T, G>& b, const T* bias, T* out, int64_t out_row);

// out[columns, units] = a[k, columns]' times all panels, on all threads: the gradient by weights is
// that of the gates times what the weights were multiplied by. b.w.gate is 0.
template <class T, int G>
void multiply_columns(const Context& context, int64_t columns, const T* a, int64_t a_row,
                      const Panels<T, G>& b, T* out);

// ---- steps ----

// Calls body(step, part) for `parts` <= kMaxParts parts of every step, on all threads; a step starts
// when the one before has ended. A thread keeps to its share of the parts, whose weights are in its
// cache, and then helps with what others have not begun, so that a thread that sleeps holds up one
// part. `macs`: the multiply-adds of a step.
void for_each_step(const Context& context, int64_t steps, int64_t parts, int64_t macs,
                   void (*body)(void*, int64_t step, int64_t part), void* arg);

template <class F>
void for_each_step(const Context& context, int64_t steps, int64_t parts, int64_t macs, F&& body) {
  using Body = std::remove_reference_t<F>;
  for_each_step(
      context, steps, parts, macs,
      [](void* f, int64_t step, int64_t part) { (*static_cast<Body*>(f))(step, part); }, &body);
}

// The same with a step's panels as its parts: body(step, panel).
template <class F>
void for_each_panel(const Context& context, int64_t steps, int64_t panels, int64_t macs, F&& body) {
  const int64_t parts = std::min(panels, kMaxParts);
  for_each_step(context, steps, parts, macs, [&](int64_t step, int64_t part) {
    const int64_t end = panels * (part + 1) / parts;
    for (int64_t panel = panels * part / parts; panel < end; ++panel) body(step, panel);
  });
}

// How many steps make a block whose gates, `row` elements a step, fit the second-level cache.
template <class T>
int64_t steps_per_block(int64_t steps, int64_t row) {
  constexpr int64_t kBytes = int64_t{1} << 18;
  return std::clamp<int64_t>(kBytes / (row * static_cast<int64_t>(sizeof(T))), 1, steps);
}

// A distance of rows at which the rows of a tile do not meet in one set of the first-level cache.
template <class T>
int64_t padded_row(int64_t n) {
  return (n + kLanes<T> - 1) / kLanes<T> * kLanes<T> + kLanes<T>;
}

// out = a + b, either of which may be null.
template <class T>
void add_or_zero(int64_t n, const T* a, const T* b, T* out) {
  for (int64_t i = 0; i < n; ++i) out[i] = (a ? a[i] : T(0)) + (b ? b[i] : T(0));
}

template <class T>
void copy_or_zero(const T* from, int64_t n, T* to) {
  if (from)
    std::copy(from, from + n, to);
  else
    std::fill(to, to + n, T(0));
}

// ---- registers of cells ----

// The first `lanes` elements, of a unit's neighbours.
template <class T>
inline Vec<T> get(const T* p, int64_t lanes) {
  return lanes == Vec<T>::size ? Vec<T>::load(p) : Vec<T>::load(p, lanes);
}
template <class T>
inline void put(Vec<T> x, T* p, int64_t lanes) {
  if (lanes == Vec<T>::size)
    x.store(p);
  else
    x.store(p, lanes);
}

}  // namespace fastdl::cpu
