// Reading and writing what index tensors select. Threads share out the result or the source; which
// of several writers of a row is the last one is known before anybody writes.
#include "ops/select.h"

#include <cstring>

#include "core/dtype.h"
#include "cpu/elementwise.h"
#include "cpu/register.h"

namespace fastdl::cpu {
namespace {

// Calls row(offsets of the operands, elements) for the stretches of walk's innermost dimension.
template <class F>
void for_rows(const Context& context, const Strided<3>& walk, F row) {
  const int64_t length = walk.ndim ? walk.size[0] : 1;
  context.parallel_for(walk.numel, kCostlyGrain, [&](int64_t begin, int64_t end) {
    RowWalk<3> at(walk, begin);
    while (begin < end) {
      const int64_t n = std::min(length - at.column(), end - begin);
      row(at.offset(0), at.offset(1), at.offset(2), n);
      begin += n;
      at.next();
    }
  });
}

// kernels

void add_index_launch(const Context& context, const Strided<2>& walk, int64_t size, int64_t step,
                      const int64_t* index, int64_t* row) {
  const int64_t length = walk.ndim ? walk.size[0] : 1;
  const int64_t from = walk.ndim ? walk.stride[0][0] : 1, to = walk.ndim ? walk.stride[1][0] : 1;
  context.parallel_for(walk.numel, kCheapGrain, [&](int64_t begin, int64_t end) {
    RowWalk<2> at(walk, begin);
    while (begin < end) {
      const int64_t n = std::min(length - at.column(), end - begin);
      const int64_t* const i = index + at.offset(0);
      int64_t* const r = row + at.offset(1);
      for (int64_t k = 0; k < n; ++k) {
        const int64_t given = i[k * from];
        r[k * to] += (given < 0 ? given + size : given) * step;
      }
      begin += n;
      at.next();
    }
  });
}

template <class T>
void read_rows_launch(const Context& context, const Strided<3>& walk, int64_t step,
                      const void* table_, const int64_t* row, void* y_) {
  const T* const table = static_cast<const T*>(table_);
  T* const y = static_cast<T*>(y_);
  const int64_t along = walk.stride[0][0], rows = walk.stride[1][0], to = walk.stride[2][0];
  for_rows(context, walk, [&](int64_t t, int64_t r, int64_t o, int64_t n) {
    if (rows == 0 && along == 1 && to == 1)
      memcpy(y + o, table + t + row[r] * step, static_cast<size_t>(n) * sizeof(T));
    else if (rows == 0)
      for (int64_t i = 0; i < n; ++i) y[o + i * to] = table[t + row[r] * step + i * along];
    else
      for (int64_t i = 0; i < n; ++i)
        y[o + i * to] = table[t + row[r + i * rows] * step + i * along];
  });
}

template <class T>
void write_rows_launch(const Context& context, const Strided<3>& walk, int64_t step, const void* x_,
                       const int64_t* row, const bool* last, void* table_) {
  const T* const x = static_cast<const T*>(x_);
  T* const table = static_cast<T*>(table_);
  const int64_t along = walk.stride[0][0], rows = walk.stride[1][0], from = walk.stride[2][0];
  for_rows(context, walk, [&](int64_t t, int64_t r, int64_t o, int64_t n) {
    if (rows == 0) {
      if (last && !last[r]) return;
      T* const to = table + t + row[r] * step;
      if (along == 1 && from == 1)
        memcpy(to, x + o, static_cast<size_t>(n) * sizeof(T));
      else
        for (int64_t i = 0; i < n; ++i) to[i * along] = x[o + i * from];
      return;
    }
    for (int64_t i = 0; i < n; ++i)
      if (!last || last[r + i * rows])
        table[t + row[r + i * rows] * step + i * along] = x[o + i * from];
  });
}

// One thread walks through all of them, so that the last one is it.
void last_of_each_launch(const Context& context, int64_t n, int64_t limit, const int64_t* row,
                         bool* last) {
  const Scratch scratch(context, static_cast<size_t>(limit) * sizeof(int64_t));
  int64_t* const writer = scratch.as<int64_t>();  // of a row; what no row names is never read
  for (int64_t i = 0; i < n; ++i) writer[row[i]] = i;
  context.parallel_for(n, kCheapGrain, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) last[i] = writer[row[i]] == i;
  });
}

// A bool of another library may be any byte.
inline bool is_true(const bool* mask, int64_t i) {
  return reinterpret_cast<const uint8_t*>(mask)[i] != 0;
}

void count_true_launch(const Context& context, int64_t n, const bool* mask, int64_t* before) {
  const int64_t chunks = (n + kMaskChunk - 1) / kMaskChunk;
  context.parallel_for(chunks, kCheapGrain / kMaskChunk, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      int64_t count = 0;
      for (int64_t i = c * kMaskChunk; i < std::min(n, (c + 1) * kMaskChunk); ++i)
        count += is_true(mask, i);
      before[c + 1] = count;
    }
  });
  before[0] = 0;
  for (int64_t c = 0; c < chunks; ++c) before[c + 1] += before[c];
}

void list_true_launch(const Context& context, int64_t n, const bool* mask, const int64_t* before,
                      int64_t* position) {
  const int64_t chunks = (n + kMaskChunk - 1) / kMaskChunk;
  context.parallel_for(chunks, kCostlyGrain / kMaskChunk, [&](int64_t begin, int64_t end) {
    for (int64_t c = begin; c < end; ++c) {
      int64_t at = before[c];
      for (int64_t i = c * kMaskChunk; i < n && at < before[c + 1]; ++i) {
        position[at] = i;
        at += is_true(mask, i);
      }
    }
  });
}

}  // namespace

void register_select(Registry& registry) {
  registry.add<add_index>(DType::i64, add_index_launch);
  registry.add<last_of_each>(DType::i64, last_of_each_launch);
  registry.add<count_true>(DType::boolean, count_true_launch);
  registry.add<list_true>(DType::boolean, list_true_launch);
  for_types<Half, BFloat16, float, double, int32_t, int64_t, uint8_t, bool>([&](auto tag) {
    using T = typename decltype(tag)::type;
    registry.add<read_rows>(dtype_of<T>::value, read_rows_launch<Bytes<T>>);
    registry.add<write_rows>(dtype_of<T>::value, write_rows_launch<Bytes<T>>);
  });
}

}  // namespace fastdl::cpu
