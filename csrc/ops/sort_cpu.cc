// Sorting, and the first few in order.
//
// An element becomes an item: its key (core/sort_key.h) and where it is, in one integer where both fit
// 64 bits. Items are all different, so that any way to sort them gives the same order, and any number
// of threads. Rows are sorted from the lowest byte of the keys to the highest one, bytes that are the
// same in all items left out; in short ones each element counts those before it, which needs no
// branches. Where few are wanted of many, a row is read once against the worst of the best so far, and
// what passes is collected (`First`).
#include "ops/sort.h"

#include <algorithm>
#include <cstring>
#include <type_traits>

#include "core/dtype.h"
#include "core/sort_key.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"
#include "cpu/vec.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 8192;    // elements worth a chunk of threads
constexpr int64_t kPart = 131072;  // of a long row, which several threads share
constexpr int64_t kShort = 128;    // elements of a row that are all compared with each other

struct Packed {
  uint64_t word;
  static Packed last() { return {UINT64_MAX}; }  // behind all
  static Packed of(uint64_t key, int64_t i) { return {key << 32 | static_cast<uint64_t>(i)}; }
  uint64_t key() const { return word >> 32; }
  int64_t index() const { return static_cast<int64_t>(word & 0xffffffff); }
  friend bool operator<(Packed a, Packed b) { return a.word < b.word; }
};

struct Wide {
  uint64_t word;
  int64_t at;
  static Wide last() { return {UINT64_MAX, INT64_MAX}; }
  static Wide of(uint64_t key, int64_t i) { return {key, i}; }
  uint64_t key() const { return word; }
  int64_t index() const { return at; }
  friend bool operator<(Wide a, Wide b) {
    return a.word < b.word || (a.word == b.word && a.at < b.at);
  }
};

// The keys of a row, ascending in the order that is asked for.
template <class T>
struct Keys {
  using Key = KeyWord<T>;
  const T* x;
  Key flip;  // all ones where the order descends
  Key operator[](int64_t i) const { return static_cast<Key>(sort_key(x[i]) ^ flip); }
};

// f(begin, end) over [0, n), in parts on several threads where there is a context.
template <class F>
void for_parts(const Context* context, int64_t n, const F& f) {
  if (context)
    context->parallel_for(n, kPart, f);
  else
    f(int64_t{0}, n);
}

// ---- short rows ----

template <class Item, class T>
void rank_row(const Keys<T>& keys, int64_t n, int64_t k, T* y, int64_t* index) {
  using Words = Vec<double>::Mask;
  constexpr int kLanes = Vec<double>::size;
  constexpr bool ties = std::is_same_v<Item, Wide>;  // else the place is in the word
  alignas(64) int64_t word[kShort + kLanes], rank[kLanes], at[kShort];
  Words place = {};
  for (int l = 0; l < kLanes; ++l) place[l] = l;
  for (int64_t i = 0; i < n; ++i)  // as signed numbers, which every instruction set compares
    word[i] = static_cast<int64_t>(Item::of(keys[i], i).word ^ uint64_t{1} << 63);
  for (int64_t first = 0; first < n; first += kLanes, place += kLanes) {
    Words mine, before = {};
    memcpy(&mine, word + first, sizeof mine);
    for (int64_t j = 0; j < n; ++j) {
      const Words other = Words{} + word[j];
      before -= other < mine;
      if (ties) before -= (other == mine) & (Words{} + j < place);
    }
    memcpy(rank, &before, sizeof before);
    for (int64_t l = 0; l < std::min<int64_t>(kLanes, n - first); ++l) at[rank[l]] = first + l;
  }
  for (int64_t j = 0; j < k; ++j) {
    index[j] = at[j];
    y[j] = keys.x[at[j]];
  }
}

// ---- all of a row ----

// By `bytes` bytes of the keys. `counts` has room for 256 numbers a part. Returns where the result is:
// in `from` or in `to`.
template <class Item>
Item* sort_by_bytes(const Context* context, int64_t n, int bytes, Item* from, Item* to,
                    int64_t* counts) {
  const int64_t parts = context ? (n + kPart - 1) / kPart : 1;
  for (int shift = 0; shift < 8 * bytes; shift += 8) {
    const auto digit = [shift](const Item& item) { return item.key() >> shift & 255; };
    for_parts(context, n, [&](int64_t begin, int64_t end) {
      int64_t* const count = counts + begin / kPart * 256;
      std::fill_n(count, 256, 0);
      for (int64_t i = begin; i < end; ++i) ++count[digit(from[i])];
    });
    int64_t start = 0;  // counts become places
    bool moves = true;
    for (int d = 0; d < 256 && moves; ++d) {
      const int64_t before = start;
      for (int64_t p = 0; p < parts; ++p) {
        const int64_t count = counts[p * 256 + d];
        counts[p * 256 + d] = start;
        start += count;
      }
      moves = start - before < n;
    }
    if (!moves) continue;
    for_parts(context, n, [&](int64_t begin, int64_t end) {
      int64_t* const place = counts + begin / kPart * 256;
      for (int64_t i = begin; i < end; ++i) to[place[digit(from[i])]++] = from[i];
    });
    std::swap(from, to);
  }
  return from;
}

// `room` for 2 n items.
template <class Item, class T>
const Item* sort_row(const Context* context, const Keys<T>& keys, int64_t n, Item* room,
                     int64_t* counts) {
  for_parts(context, n, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) room[i] = Item::of(keys[i], i);
  });
  return sort_by_bytes(context, n, sizeof(T), room, room + n, counts);
}

// ---- the first few of a row ----

// The first k of the items that it is given.
template <class Item>
class First {
 public:
  First(int64_t k, Item* room) : k_(k), room_(room) {}

  static int64_t room(int64_t k) { return k <= kFew ? k : 2 * k; }  // in items
  bool full() const { return full_; }
  const Item& worst() const { return worst_; }  // once it is full; what is behind need not be given

  void add(const Item& item) {
    if (k_ <= kFew) {  // kept in order
      int64_t i = count_ < k_ ? count_++ : k_ - 1;
      for (; i > 0 && item < room_[i - 1]; --i) room_[i] = room_[i - 1];
      room_[i] = item;
    } else {
      room_[count_++] = item;
    }
    if (count_ == room(k_)) drop();
  }

  int64_t finish() {  // afterwards they are the first in `room`; returns how many
    if (count_ > k_) drop();
    return count_;
  }

 private:
  static constexpr int64_t kFew = 32;

  void drop() {
    if (count_ > k_) std::nth_element(room_, room_ + k_ - 1, room_ + count_);
    count_ = k_;
    worst_ = room_[k_ - 1];
    full_ = true;
  }

  const int64_t k_;
  Item* const room_;
  int64_t count_ = 0;
  bool full_ = false;
  Item worst_ = Item::last();
};

constexpr int64_t kBlock = 16;  // elements that are compared together

// Whether any element of a block may be in front of `worst`; NaN always says so. Numbers take less time
// to compare than keys to make.
template <class Item, class T>
bool may_pass(const Keys<T>& keys, int64_t i, const Item& worst) {
  KeyWord<T> passes = 0;
  if constexpr (std::is_floating_point_v<T>) {
    const T limit = keys.x[worst.index()];
    const T* const x = keys.x + i;
    if (keys.flip)
      for (int64_t j = 0; j < kBlock; ++j) passes |= static_cast<KeyWord<T>>(!(x[j] <= limit));
    else
      for (int64_t j = 0; j < kBlock; ++j) passes |= static_cast<KeyWord<T>>(!(x[j] >= limit));
  } else {
    const auto limit = static_cast<KeyWord<T>>(worst.key());
    for (int64_t j = 0; j < kBlock; ++j) passes |= static_cast<KeyWord<T>>(keys[i + j] < limit);
  }
  return passes;
}

// The first k of elements [begin, end), or all if there are fewer, in any order. Returns how many.
template <class Item, class T>
int64_t select(const Keys<T>& keys, int64_t begin, int64_t end, int64_t k, Item* room) {
  First<Item> first(k, room);
  for (int64_t i = begin; i < end; i += kBlock) {
    const int64_t stop = std::min(end, i + kBlock);
    if (first.full() && stop - i == kBlock && !may_pass(keys, i, first.worst())) continue;
    for (int64_t j = i; j < stop; ++j)
      if (const Item item = Item::of(keys[j], j); item < first.worst()) first.add(item);
  }
  return first.finish();
}

// ---- launchers ----

template <class T, class Item>
void store(const T* x, int64_t k, const Item* items, T* y, int64_t* index) {
  for (int64_t j = 0; j < k; ++j) {
    index[j] = items[j].index();
    y[j] = x[index[j]];
  }
}

template <class Item, class T>
void sort_all(const Context& context, const SortTask& t, KeyWord<T> flip, const T* x, T* y,
              int64_t* index) {
  const bool shared = t.n >= 2 * kPart;  // by all threads, one row after another
  const int64_t parts = shared ? (t.n + kPart - 1) / kPart : 1;
  const auto rows = [&](int64_t begin, int64_t end) {
    const Scratch room(context, static_cast<size_t>(2 * t.n) * sizeof(Item));
    const Scratch counts(context, static_cast<size_t>(parts) * 256 * sizeof(int64_t));
    for (int64_t r = begin; r < end; ++r) {
      const T* const row = x + r * t.n;
      const Item* const items = sort_row(shared ? &context : nullptr, Keys<T>{row, flip}, t.n,
                                         room.as<Item>(), counts.as<int64_t>());
      for_parts(shared ? &context : nullptr, t.k, [&](int64_t first, int64_t last) {
        store(row, last - first, items + first, y + r * t.k + first, index + r * t.k + first);
      });
    }
  };
  if (shared)
    rows(0, t.rows);
  else
    context.parallel_for(t.rows, std::max<int64_t>(1, kWork / t.n), rows);
}

template <class Item, class T>
void sort_first(const Context& context, const SortTask& t, KeyWord<T> flip, const T* x, T* y,
                int64_t* index) {
  const int64_t part = std::max(kPart, 16 * t.k);
  const int64_t parts = t.n < 2 * part ? 1 : (t.n + part - 1) / part;
  const int64_t length = parts == 1 ? t.n : part;
  const auto finish = [&](int64_t r, Item* items) {
    if (t.ordered) std::sort(items, items + t.k);
    store(x + r * t.n, t.k, items, y + r * t.k, index + r * t.k);
  };
  // What the parts of a row have found meets here.
  const Scratch found(context,
                      parts == 1 ? 0 : static_cast<size_t>(t.rows * parts * t.k) * sizeof(Item));
  context.parallel_for(
      t.rows * parts, std::max<int64_t>(1, 4 * kWork / length), [&](int64_t begin, int64_t end) {
        const Scratch room(context, static_cast<size_t>(First<Item>::room(t.k)) * sizeof(Item));
        Item* const own = room.as<Item>();
        for (int64_t item = begin; item < end; ++item) {
          const int64_t r = item / parts, i = item % parts * length;
          const Keys<T> keys{x + r * t.n, flip};
          const int64_t count = select(keys, i, std::min(t.n, i + length), t.k, own);
          if (parts == 1) {
            finish(r, own);
            continue;
          }
          Item* const to = found.as<Item>() + item * t.k;
          std::copy_n(own, count, to);
          std::fill_n(to + count, t.k - count, Item::last());  // the last part may have fewer
        }
      });
  for (int64_t r = 0; parts > 1 && r < t.rows; ++r) {
    Item* const items = found.as<Item>() + r * parts * t.k;
    std::nth_element(items, items + t.k - 1, items + parts * t.k);
    finish(r, items);
  }
}

template <class Item, class T>
void rank_all(const Context& context, const SortTask& t, KeyWord<T> flip, const T* x, T* y,
              int64_t* index) {
  context.parallel_for(t.rows, kWork / t.n, [&](int64_t begin, int64_t end) {
    for (int64_t r = begin; r < end; ++r)
      rank_row<Item>(Keys<T>{x + r * t.n, flip}, t.n, t.k, y + r * t.k, index + r * t.k);
  });
}

template <class T>
void sort_launch(const Context& context, const SortTask& t, const void* x_, void* y_,
                 int64_t* index) {
  if (t.rows * t.k == 0) return;
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const auto flip = static_cast<KeyWord<T>>(t.descending ? ~KeyWord<T>{0} : 0);
  const auto run = [&](auto item) {
    using Item = decltype(item);
    const bool few = t.k <= t.n / 8;
    if (t.n <= (few ? kShort / 4 : kShort)) return rank_all<Item>(context, t, flip, x, y, index);
    if (few) return sort_first<Item>(context, t, flip, x, y, index);
    sort_all<Item>(context, t, flip, x, y, index);
  };
  if (sizeof(T) <= 4 && t.n < int64_t{UINT32_MAX})
    run(Packed{});
  else
    run(Wide{});
}

// How many of bounds[n] are in front of v, by halving without branches.
template <class T, class F>
int64_t count_in_front(int64_t n, const T* bounds, const F& in_front) {
  const T* first = bounds;
  while (n > 0) {
    const int64_t half = (n + 1) / 2;
    first += -static_cast<int64_t>(in_front(first[half - 1])) & half;
    n -= half;
  }
  return first - bounds;
}

// How many of bounds[n] are below v, or not above it.
template <class T>
int64_t place_of(T value, bool right, int64_t n, const T* bounds) {
  using C = Compute<T>;
  const C v = static_cast<C>(value);
  if (v != v)  // above all numbers
    return right ? n : count_in_front(n, bounds, [](T b) {
      return static_cast<C>(b) == static_cast<C>(b);
    });
  if (right) return count_in_front(n, bounds, [v](T b) { return static_cast<C>(b) <= v; });
  return count_in_front(n, bounds, [v](T b) { return static_cast<C>(b) < v; });
}

template <class T>
void search_launch(const Context& context, int64_t rows, int64_t n, int64_t m, bool shared,
                   bool right, const void* bounds_, const void* x_, int64_t* y) {
  const T* const bounds = static_cast<const T*>(bounds_);
  const T* const x = static_cast<const T*>(x_);
  context.parallel_for(rows * m, kWork, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      y[i] = place_of(x[i], right, n, bounds + (shared ? 0 : i / m * n));
  });
}

}  // namespace

void register_sort(Registry& registry) {
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<sort_forward>(dtype_of<T>::value, sort_launch<T>);
    registry.add<search_sorted>(dtype_of<T>::value, search_launch<T>);
  });
  registry.add<sort_forward>(DType::boolean, sort_launch<uint8_t>);
}

}  // namespace fastdl::cpu
