// Sorting, and the first few in order.
//
// An element becomes an item: its key (core/sort_key.h) and where it is, in one integer where both fit
// 64 bits. Items are all different, so that any way to sort them gives the same order, and any number
// of threads. Rows are sorted from the lowest byte of the keys to the highest one, bytes that are the
// same in all items left out; short ones by comparisons. Where few are wanted of many, a row is read
// once against the worst of the best so far, and what passes is collected (`First`).
#include "ops/sort.h"

#include <algorithm>

#include "core/dtype.h"
#include "core/sort_key.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

constexpr int64_t kWork = 8192;     // elements worth a chunk of threads
constexpr int64_t kPart = 131072;   // of a long row, which several threads share
constexpr int64_t kComparing = 96;  // shorter rows are sorted by comparisons

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
  if (n <= kComparing * static_cast<int64_t>(sizeof(T))) {
    std::sort(room, room + n);
    return room;
  }
  return sort_by_bytes(context, n, sizeof(T), room, room + n, counts);
}

// ---- the first few of a row ----

template <class Item, class T>
struct First {
  static constexpr int64_t kBlock = 64;  // keys that are compared together
  int64_t k;

  // Once there are twice as many as are wanted the worse half goes.
  int64_t capacity() const { return 2 * k + 4 * kBlock; }

  // The first k of keys[begin, end), or all if there are fewer, in any order. Returns how many.
  int64_t select(const Keys<T>& keys, int64_t begin, int64_t end, Item* found) const {
    using Key = KeyWord<T>;
    int64_t count = std::min(end - begin, capacity());
    for (int64_t i = 0; i < count; ++i) found[i] = Item::of(keys[begin + i], begin + i);
    if (count <= k) return count;
    Key limit = keep_first(found, count);
    count = k;
    int64_t i = begin + std::min(end - begin, capacity());
    while (i < end) {
      const int64_t stop = std::min(end, i + kBlock);
      Key passes = 0;
      if (stop - i == kBlock)
        for (int64_t j = 0; j < kBlock; ++j) passes |= static_cast<Key>(keys[i + j] < limit);
      else
        passes = 1;
      if (passes)
        for (int64_t j = i; j < stop; ++j)
          if (const Key key = keys[j]; key < limit) found[count++] = Item::of(key, j);
      if (count + kBlock > capacity()) {
        limit = keep_first(found, count);
        count = k;
      }
      i = stop;
    }
    keep_first(found, count);
    return k;
  }

  // Returns the worst key of the first k, which come to the front.
  KeyWord<T> keep_first(Item* items, int64_t count) const {
    if (k < count) std::nth_element(items, items + k - 1, items + count);
    return static_cast<KeyWord<T>>(items[k - 1].key());
  }
};

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
  const First<Item, T> first{t.k};
  const int64_t part = std::max(kPart, 16 * t.k);
  const int64_t parts = t.n < 2 * part ? 1 : (t.n + part - 1) / part;
  const int64_t length = parts == 1 ? t.n : part, room = parts == 1 ? first.capacity() : t.k;
  const auto finish = [&](int64_t r, Item* items) {
    if (t.ordered) std::sort(items, items + t.k);
    store(x + r * t.n, t.k, items, y + r * t.k, index + r * t.k);
  };
  // What parts of a row have found meets in `found`.
  const Scratch found(context,
                      parts == 1 ? 0 : static_cast<size_t>(t.rows * parts * room) * sizeof(Item));
  context.parallel_for(
      t.rows * parts, std::max<int64_t>(1, 4 * kWork / length), [&](int64_t begin, int64_t end) {
        const Scratch scratch(context, static_cast<size_t>(first.capacity()) * sizeof(Item));
        Item* const own = scratch.as<Item>();
        for (int64_t item = begin; item < end; ++item) {
          const int64_t r = item / parts, i = item % parts * length;
          const Keys<T> keys{x + r * t.n, flip};
          const int64_t count = first.select(keys, i, std::min(t.n, i + length), own);
          if (parts == 1) {
            finish(r, own);
            continue;
          }
          Item* const to = found.as<Item>() + item * room;
          std::copy_n(own, count, to);
          std::fill_n(to + count, room - count, Item::last());  // the last part may have fewer
        }
      });
  for (int64_t r = 0; parts > 1 && r < t.rows; ++r) {
    Item* const items = found.as<Item>() + r * parts * room;
    first.keep_first(items, parts * room);
    finish(r, items);
  }
}

template <class T>
void sort_launch(const Context& context, const SortTask& t, const void* x_, void* y_,
                 int64_t* index) {
  if (t.rows * t.k == 0) return;
  const T* const x = static_cast<const T*>(x_);
  T* const y = static_cast<T*>(y_);
  const auto flip = static_cast<KeyWord<T>>(t.descending ? ~KeyWord<T>{0} : 0);
  const bool few = t.k <= t.n / 8;
  if (sizeof(T) <= 4 && t.n < int64_t{UINT32_MAX})
    (few ? sort_first<Packed, T> : sort_all<Packed, T>)(context, t, flip, x, y, index);
  else
    (few ? sort_first<Wide, T> : sort_all<Wide, T>)(context, t, flip, x, y, index);
}

// How many of bounds[n] are below v, or not above it.
template <class T>
int64_t place_of(KeyWord<T> v, bool right, int64_t n, const T* bounds) {
  int64_t first = 0;
  while (n > 0) {
    const int64_t half = n / 2;
    const KeyWord<T> key = sort_key(bounds[first + half]);
    const bool after = right ? key <= v : key < v;
    first = after ? first + half + 1 : first;
    n = after ? n - half - 1 : half;
  }
  return first;
}

template <class T>
void search_launch(const Context& context, int64_t rows, int64_t n, int64_t m, bool shared,
                   bool right, const void* bounds_, const void* x_, int64_t* y) {
  const T* const bounds = static_cast<const T*>(bounds_);
  const T* const x = static_cast<const T*>(x_);
  context.parallel_for(rows * m, kWork, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i)
      y[i] = place_of(sort_key(x[i]), right, n, bounds + (shared ? 0 : i / m * n));
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
