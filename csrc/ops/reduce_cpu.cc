// Reductions over any set of dimensions.
//
// Three loops do all of it. Where the kept dimension is the contiguous one, whole rows are added to
// each other (`columns`); elsewhere each result is the fold of a run of elements, gathered into a
// buffer if they are not contiguous (`run`). Both fold pairwise (cpu/reduce.h). Results of a few
// elements each are made a register full at a time (`short_runs`). A long reduction is
// cut into chunks whose partial results are reduced in a second pass, so that threads have work
// even if there is only one result; where it is cut depends on the shape alone.
#include "cpu/reduce.h"

#include "core/dtype.h"
#include "cpu/prefetch.h"
#include "cpu/register.h"
#include "ops/reduce.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kChunk = 131072;    // elements of one partial result
constexpr int64_t kWork = 65536;      // elements of work worth a chunk of threads
constexpr int64_t kTileBytes = 4096;  // of columns that are reduced together
constexpr int64_t kRowsPerLeaf = 32;

// How one pass cuts its work into items: tiles of results by chunks of the reduced range.
struct Plan {
  bool by_columns;
  int64_t width;  // results per tile
  int64_t tiles;  // tiles in the kept range
  int64_t chunk;  // reduced elements per partial result
  int64_t chunks;
};

template <class C>
Plan make_plan(const ReduceShape& s) {
  Plan p;
  const int64_t n = s.reduced.numel;
  p.by_columns = s.kept.ndim > 0 && s.kept.stride[0][0] == 1 &&
                 (s.reduced.ndim == 0 || s.reduced.stride[0][0] != 1);
  if (p.by_columns) {
    const int64_t tile = kTileBytes / sizeof(C), length = s.kept.size[0];
    p.width = std::min(length, tile);
    p.tiles = s.kept.numel / length * ((length + tile - 1) / tile);
    p.chunk = std::max(kRowsPerLeaf, kChunk / p.width / kRowsPerLeaf * kRowsPerLeaf);
  } else {
    p.width = 1;
    p.tiles = s.kept.numel;
    p.chunk = kChunk;
  }
  if (n < 2 * p.chunk) p.chunk = std::max<int64_t>(n, 1);
  p.chunks = n == 0 ? 1 : (n + p.chunk - 1) / p.chunk;
  return p;
}

// kernels

// The fold of reduced elements [begin, end) of one result.
template <class Op, class S>
Compute<S> run(const Strided<1>& reduced, const S* x, int64_t begin, int64_t end) {
  using C = Compute<S>;
  const int64_t length = reduced.ndim ? reduced.size[0] : 1;
  const int64_t stride = reduced.ndim ? reduced.stride[0][0] : 1;
  if (begin == end) return Op::template identity<C>;
  if (stride == 1 && reduced.ndim <= 1) return fold_row<Op>(x + begin, end - begin);
  Pairwise<Op, Pack<C>> pairs;
  alignas(64) C buffer[kLeaf<S>];
  RowWalk<1> at(reduced, begin);
  int64_t column = at.column();
  for (int64_t i = begin; i < end;) {
    int64_t n = std::min(kLeaf<S>, end - i);
    if (stride == 1 && length >= 2 * Pack<C>::size) {
      n = std::min(n, length - column);
      pairs.push(fold_leaf<Op>(x + at.offset(0) - at.column() + column, n));
      column += n;
      if (column == length) at.next(), column = 0;
    } else {
      for (int64_t filled = 0; filled < n;) {
        const int64_t m = std::min(length - column, n - filled);
        load_block(x + at.offset(0) + (column - at.column()) * stride, stride, m, buffer + filled);
        filled += m;
        column += m;
        if (column == length) at.next(), column = 0;
      }
      pairs.push(fold_leaf<Op>(buffer, n));
    }
    i += n;
  }
  return fold<Op>(pairs.result());
}

// Folds rows [begin, end) of the reduced range over `width` adjacent columns into to[width].
template <class Op, class S>
void columns(const Strided<1>& reduced, const S* x, int64_t width, int64_t begin, int64_t end,
             Compute<S>* to) {
  using C = Compute<S>;
  using P = Pack<C>;
  constexpr C identity = Op::template identity<C>;
  constexpr int64_t kTile = kTileBytes / sizeof(C);
  if (begin == end) return void(std::fill_n(to, width, identity));
  // Level i holds the fold of 2^i leaves where bit i of `leaves` is set; a chunk has under 2^14.
  alignas(64) C level[16][kTile];
  uint64_t leaves = 0;
  RowWalk<1> at(reduced, begin);
  const int64_t length = reduced.ndim ? reduced.size[0] : 1;
  int64_t column = at.column();
  const auto merge = [&](const C* a, C* b) {
    for (int64_t j = 0; j < width; j += P::size) {
      const int64_t m = width - j;
      if (m >= P::size)
        Op::combine(P::load(a + j), P::load(b + j)).store(b + j);
      else
        Op::combine(P::load(a + j, m, identity), P::load(b + j, m, identity)).store(b + j, m);
    }
  };
  for (int64_t i = begin; i < end; i += kRowsPerLeaf) {
    C* const leaf = level[__builtin_ctzll(~leaves)];
    const int64_t rows = std::min(kRowsPerLeaf, end - i);
    for (int64_t r = 0; r < rows; r += 8) {
      const int64_t group = std::min<int64_t>(8, rows - r);
      const S* row[8];
      for (int64_t k = 0; k < group; ++k) {
        row[k] = x + at.offset(0) + (column - at.column()) * reduced.stride[0][0];
        if (++column == length) at.next(), column = 0;
      }
      const auto fold_group = [&](auto load, auto old) {
        if (group == 8) {
          const P a = Op::combine(load(row[0]), load(row[1]));
          const P b = Op::combine(load(row[2]), load(row[3]));
          const P c = Op::combine(load(row[4]), load(row[5]));
          const P d = Op::combine(load(row[6]), load(row[7]));
          const P sum = Op::combine(Op::combine(a, b), Op::combine(c, d));
          return r == 0 ? sum : Op::combine(old(), sum);
        }
        P sum = load(row[0]);
        for (int64_t k = 1; k < group; ++k) sum = Op::combine(sum, load(row[k]));
        return r == 0 ? sum : Op::combine(old(), sum);
      };
      int64_t j = 0;
      for (; j + P::size <= width; j += P::size)
        fold_group([&](const S* p) { return load_pack(p + j); }, [&] { return P::load(leaf + j); })
            .store(leaf + j);
      if (const int64_t m = width - j; m > 0)
        fold_group([&](const S* p) { return load_pack(p + j, m, identity); },
                   [&] { return P::load(leaf + j, m, identity); })
            .store(leaf + j, m);
    }
    // The new leaf sits at the level where the carries will end: lower levels fold into it.
    const int carries = __builtin_ctzll(~leaves);
    for (int k = 0; k < carries; ++k) merge(level[k], leaf);
    ++leaves;
  }
  int k = __builtin_ctzll(leaves);
  C* const total = level[k];
  for (++k; leaves >> k; ++k)
    if (leaves >> k & 1) merge(level[k], total);
  memcpy(to, total, static_cast<size_t>(width) * sizeof(C));
}

// launchers

// One pass: y[chunk, kept] with kept at the strides of shape.kept.
template <class Op, class In, class Out>
void pass(const Context& context, const ReduceShape& s, const Plan& plan, const In* x, Out* y,
          int64_t y_chunk) {
  using C = Compute<In>;
  const int64_t n = s.reduced.numel;
  const int64_t work = plan.width * plan.chunk + 64;
  context.parallel_for(
      plan.tiles * plan.chunks, std::max<int64_t>(1, kWork / work),
      [&](int64_t begin, int64_t end) {
        const int64_t length = s.kept.ndim ? s.kept.size[0] : 1;
        const int64_t per_row = plan.by_columns ? (length + plan.width - 1) / plan.width : length;
        for (int64_t item = begin; item < end; ++item) {
          const int64_t tile = item / plan.chunks, chunk = item % plan.chunks;
          const int64_t i = chunk * plan.chunk, j = std::min(n, i + plan.chunk);
          const int64_t first = tile / per_row * length + tile % per_row * plan.width;
          const RowWalk<2> at(s.kept, first);
          Out* const to = y + chunk * y_chunk + at.offset(1);
          if (!plan.by_columns) {
            *to = Out(run<Op>(s.reduced, x + at.offset(0), i, j));
            continue;
          }
          const int64_t width = std::min(plan.width, length - at.column());
          alignas(64) C result[kTileBytes / sizeof(C)];
          columns<Op>(s.reduced, x + at.offset(0), width, i, j, result);
          for (int64_t k = 0; k < width; ++k) to[k * s.kept.stride[1][0]] = Out(result[k]);
        }
      });
}

template <class Op, class In, class Out>
void reduce(const Context& context, const ReduceShape& s, const In* x, Out* y);

inline bool is_dense(const Strided<1>& reduced) {
  return reduced.ndim == 0 || (reduced.ndim == 1 && reduced.stride[0][0] == 1);
}

// Whether results are of so few elements that what is done once for each of them costs more.
template <class C>
inline bool is_short(const ReduceShape& s, const Plan& plan) {
  const int64_t n = s.reduced.numel;
  if (n == 0 || s.kept.numel < Pack<C>::size) return false;
  if (!plan.by_columns && is_dense(s.reduced)) return n <= kLeaf<C>;
  return n <= kRowsPerLeaf && (!plan.by_columns || s.kept.size[0] <= Pack<C>::size / 2);
}

// The folds of a register full of contiguous runs of n elements, at most a leaf, in the bits of `run`.
template <class Op, class S>
void dense_runs(const S* const* x, int64_t n, Compute<S>* to) {
  using P = Pack<Compute<S>>;
  if constexpr (std::is_floating_point_v<Compute<S>>) {
    P leaf[P::size];
    if (n <= P::size)
      for (int k = 0; k < P::size; ++k)
        leaf[k] = load_pack(x[k], n, Op::template identity<Compute<S>>);
    else
      for (int k = 0; k < P::size; ++k) leaf[k] = fold_leaf<Op>(x[k], n);
    fold_across(leaf, [](P a, P b) { return Op::combine(a, b); }).store(to);
  } else {
    for (int k = 0; k < P::size; ++k) to[k] = fold<Op>(fold_leaf<Op>(x[k], n));
  }
}

// The same for runs of n elements at the given places, in the same bits.
template <class Op, class S>
void strided_runs(const S* const* x, const int64_t* place, int64_t n, Compute<S>* to) {
  using C = Compute<S>;
  constexpr int kLanes = Pack<C>::size;
  C element[kLanes][kRowsPerLeaf];
  const C* run[kLanes];
  for (int k = 0; k < kLanes; ++k) {
    run[k] = element[k];
    for (int64_t i = 0; i < n; ++i) element[k][i] = C(x[k][place[i]]);
  }
  dense_runs<Op>(run, n, to);
}

// The folds of a register full of adjacent runs of n elements, where these fill registers; else false.
template <class Op, int n, class S>
bool adjacent_runs(const S* x, Compute<S>* to) {
  using C = Compute<S>;
  using P = Pack<C>;
  if constexpr (std::is_floating_point_v<C> && n <= P::size) {
    constexpr int kRuns = P::size / n;  // of a register
    P part[P::size];
    for (int i = 0; i < n; ++i)  // the identity makes -0 what it is in `run`
      part[i] = Op::combine(load_pack(x + i * P::size), P(Op::template identity<C>));
    fold_groups<n>(part, [](P a, P b) { return Op::combine(a, b); });
    typename P::Mask order;
    for (int l = 0; l < P::size; ++l) order[l] = l % kRuns * n + l / kRuns;
    P(typename P::Native(__builtin_shuffle(part[0].v, order))).store(to);
    return true;
  }
  return false;
}
template <class Op, class S>
bool adjacent_runs(const S* x, int64_t n, Compute<S>* to) {
  switch (n) {
    case 2: return adjacent_runs<Op, 2>(x, to);
    case 4: return adjacent_runs<Op, 4>(x, to);
    case 8: return adjacent_runs<Op, 8>(x, to);
    default: return false;
  }
}

template <class Op, class In, class Out>
void short_runs(const Context& context, const ReduceShape& s, const In* x, Out* y) {
  using C = Compute<In>;
  constexpr int64_t kLanes = Pack<C>::size, kAhead = 4096, item = sizeof(In);
  const int64_t n = s.reduced.numel;
  const bool dense = is_dense(s.reduced);
  const bool adjacent = dense && s.kept.ndim == 1 && s.kept.stride[0][0] == n;
  int64_t place[kRowsPerLeaf];
  for (int64_t i = 0; !dense && i < n; ++i) place[i] = RowWalk<1>(s.reduced, i).offset(0);
  context.parallel_for(s.kept.numel, kWork / (n + 8), [&](int64_t begin, int64_t end) {
    C folded[kLanes];
    if (adjacent && s.kept.stride[1][0] == 1)
      for (; begin + kLanes <= end; begin += kLanes) {
        prefetch(reinterpret_cast<const char*>(x + begin * n) + kAhead, kLanes * n * item);
        if (!adjacent_runs<Op>(x + begin * n, n, folded)) break;
        for (int k = 0; k < kLanes; ++k) y[begin + k] = Out(folded[k]);
      }
    RowWalk<2> at(s.kept, begin);
    const int64_t length = s.kept.ndim ? s.kept.size[0] : 1;
    const int64_t x_step = s.kept.stride[0][0], y_step = s.kept.stride[1][0];
    int64_t column = at.column();
    const In* from = x + at.offset(0);
    Out* to = y + at.offset(1);
    while (begin < end) {
      const int64_t lanes = std::min(kLanes, end - begin);
      const In* run[kLanes];  // the hardware does not foresee so many short ones
      Out* result[kLanes];
      std::fill_n(run, kLanes, from);  // where fewer are left
      for (int64_t k = 0; k < lanes; ++k) {
        run[k] = from, result[k] = to;
        if (dense) prefetch(reinterpret_cast<const char*>(from) + kAhead, n * item);
        from += x_step, to += y_step;
        if (++column < length) continue;
        at.next();
        column = 0, from = x + at.offset(0), to = y + at.offset(1);
      }
      if (dense)
        dense_runs<Op>(run, n, folded);
      else
        strided_runs<Op>(run, place, n, folded);
      for (int64_t k = 0; k < lanes; ++k) *result[k] = Out(folded[k]);
      begin += lanes;
    }
  });
}

// Whether x is many contiguous rows of a few elements, too few to fill registers.
constexpr int64_t kNarrow = 64, kWide = 512;
inline bool is_narrow(const ReduceShape& s) {
  return s.kept.ndim == 1 && s.reduced.ndim == 1 && s.kept.stride[0][0] == 1 &&
         s.kept.size[0] <= kNarrow && s.reduced.stride[0][0] == s.kept.size[0] &&
         s.reduced.numel * s.kept.size[0] >= 8 * kWide;
}

// Takes `group` rows for one, and folds the groups' columns at the end.
template <class Op, class In, class Out>
void reduce_narrow(const Context& context, const ReduceShape& s, const In* x, Out* y) {
  using C = Compute<In>;
  const int64_t width = s.kept.size[0], n = s.reduced.numel;
  const int64_t group = kWide / width, rest = n % group;
  Scratch scratch(context, static_cast<size_t>((group + rest) * width) * sizeof(C));
  C* const partial = scratch.as<C>();
  ReduceShape first = s, second = s;
  first.kept.numel = first.kept.size[0] = group * width;
  first.kept.stride[1][0] = 1;
  first.reduced.numel = first.reduced.size[0] = n / group;
  first.reduced.stride[0][0] = group * width;
  reduce<Op>(context, first, x, partial);
  load_block(x + (n - rest) * width, 1, rest * width, partial + group * width);
  second.reduced.numel = second.reduced.size[0] = group + rest;
  reduce<Op, C, Out>(context, second, partial, y);
}

template <class Op, class In, class Out>
void reduce(const Context& context, const ReduceShape& s, const In* x, Out* y) {
  using C = Compute<In>;
  if (s.kept.numel == 0) return;
  if (is_narrow(s)) return reduce_narrow<Op>(context, s, x, y);
  const Plan plan = make_plan<C>(s);
  if (is_short<C>(s, plan)) return short_runs<Op>(context, s, x, y);
  if (plan.chunks == 1) return pass<Op>(context, s, plan, x, y, 0);
  Scratch scratch(context, static_cast<size_t>(plan.chunks * s.kept.numel) * sizeof(C));
  C* const partial = scratch.as<C>();
  ReduceShape first = s, second = s;
  int64_t stride = 1;
  for (int d = 0; d < s.kept.ndim; ++d) {
    first.kept.stride[1][d] = second.kept.stride[0][d] = stride;
    stride *= s.kept.size[d];
  }
  second.reduced = {};
  second.reduced.ndim = 1;
  second.reduced.numel = second.reduced.size[0] = plan.chunks;
  second.reduced.stride[0][0] = s.kept.numel;
  pass<Op>(context, first, plan, x, partial, s.kept.numel);
  reduce<Op, C, Out>(context, second, partial, y);
}

template <class T>
void reduce_launch(const Context& context, Reduce op, const ReduceShape& s, const void* x_,
                   void* y_) {
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const auto wrapping = [&](auto way) {
    using Op = decltype(way);
    if constexpr (std::is_integral_v<T>) {  // unsigned, so that it wraps around
      using U = std::make_unsigned_t<T>;
      reduce<Op>(context, s, reinterpret_cast<const U*>(x), reinterpret_cast<U*>(y));
    } else {
      reduce<Op>(context, s, x, y);
    }
  };
  switch (op) {
    case Reduce::sum: return wrapping(Sum());
    case Reduce::prod: return wrapping(Product());
    case Reduce::amax: return reduce<Max>(context, s, x, y);
    case Reduce::amin: return reduce<Min>(context, s, x, y);
  }
}

// ---- positions of extremes ----

// Whether a beats b: larger (smaller), or the first NaN.
template <class Op, class C>
inline bool beats(C a, C b) {
  const bool better = std::is_same_v<Op, Max> ? a > b : a < b;
  return better || (a != a && b == b);
}

// The first position of `best`, which occurs in x[n].
template <class T>
int64_t find_first(const T* x, int64_t n, Compute<T> best) {
  using C = Compute<T>;
  using P = Pack<C>;
  const bool nan = best != best;
  int64_t i = 0;
  for (; i + P::size <= n; i += P::size) {
    const auto v = load_pack(x + i).v;
    const auto hit = nan ? v != v : v == P(best).v;
    const decltype(hit) none = {};
    if (memcmp(&hit, &none, sizeof hit) != 0) break;
  }
  for (; i < n - 1; ++i) {
    const C v = x[i];
    if (nan ? v != v : v == best) break;
  }
  return i;
}

template <class Op, class T>
void arg_rows(const Context& context, int64_t outer, int64_t n, const T* x, int64_t* y) {
  using C = Compute<T>;
  const int64_t chunks = n < 2 * kChunk ? 1 : (n + kChunk - 1) / kChunk;
  const int64_t chunk = chunks == 1 ? n : kChunk;
  Scratch scratch(context, chunks == 1 ? 0 : static_cast<size_t>(outer * chunks) * sizeof(int64_t));
  int64_t* const to = chunks == 1 ? y : scratch.as<int64_t>();
  context.parallel_for(outer * chunks, std::max<int64_t>(1, kWork / (chunk + 32)),
                       [&](int64_t begin, int64_t end) {
                         for (int64_t item = begin; item < end; ++item) {
                           const int64_t i = item % chunks * chunk;
                           const T* const row = x + item / chunks * n + i;
                           const int64_t m = std::min(chunk, n - i);
                           to[item] = i + find_first(row, m, fold_row<Op>(row, m));
                         }
                       });
  if (chunks == 1) return;
  for (int64_t o = 0; o < outer; ++o) {
    const int64_t* const candidate = to + o * chunks;
    y[o] = candidate[0];
    for (int64_t k = 1; k < chunks; ++k)
      if (beats<Op>(C(x[o * n + candidate[k]]), C(x[o * n + y[o]]))) y[o] = candidate[k];
  }
}

template <class Op, class T>
void arg_columns(const Context& context, int64_t outer, int64_t n, int64_t inner, const T* x,
                 int64_t* y) {
  using C = Compute<T>;
  constexpr int64_t kTile = 128;
  const int64_t tiles = (inner + kTile - 1) / kTile;
  context.parallel_for(
      outer * tiles, std::max<int64_t>(1, kWork / (n * kTile)), [&](int64_t begin, int64_t end) {
        for (int64_t item = begin; item < end; ++item) {
          const int64_t o = item / tiles, first = item % tiles * kTile;
          const int64_t width = std::min(kTile, inner - first);
          const T* const column = x + o * n * inner + first;
          int64_t* const index = y + o * inner + first;
          if constexpr (std::is_floating_point_v<C>) {
            if (n <= INT32_MAX) {  // positions are kept in lanes as wide as the elements
              using V = Vec<C>;
              using Index = typename V::Mask;
              for_packs<V>(width, [&](int64_t i, auto m) {
                V best = load_pack(column + i, m, C(0));
                Index at = {};
                for (int64_t j = 1; j < n; ++j) {
                  const V v = load_pack(column + j * inner + i, m, C(0));
                  const Index worse = std::is_same_v<Op, Max> ? v <= best : v >= best;
                  const Index better = ~worse & (best == best);  // or the first NaN
                  best = select(better, v, best);
                  at = better ? Index(Index{} + static_cast<decltype(+at[0])>(j)) : at;
                }
                for (int64_t k = 0; k < m; ++k) index[i + k] = at[k];
              });
              continue;
            }
          }
          C best[kTile];
          for (int64_t i = 0; i < width; ++i) best[i] = column[i], index[i] = 0;
          for (int64_t j = 1; j < n; ++j)
            for (int64_t i = 0; i < width; ++i) {
              const C v = column[j * inner + i];
              if (beats<Op>(v, best[i])) best[i] = v, index[i] = j;
            }
        }
      });
}

template <class T>
void arg_reduce_launch(const Context& context, Reduce op, int64_t outer, int64_t n, int64_t inner,
                       const void* x_, int64_t* y) {
  const T* const x = static_cast<const T*>(x_);
  const auto go = [&](auto way) {
    using Op = decltype(way);
    if (inner == 1)
      arg_rows<Op>(context, outer, n, x, y);
    else
      arg_columns<Op>(context, outer, n, inner, x, y);
  };
  op == Reduce::amin ? go(Min()) : go(Max());
}

}  // namespace

void register_reduce(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<reduce_forward>(dtype_of<T>::value, reduce_launch<T>);
    registry.add<arg_reduce_forward>(dtype_of<T>::value, arg_reduce_launch<T>);
  });
}

}  // namespace fastdl::cpu
