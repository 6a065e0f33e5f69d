// Kernels that read and write the rows that indices name, and list what masks select; see
// ops/selection.h.
#pragma once

#include "core/fwd.h"
#include "core/kernel.h"
#include "core/strided.h"

namespace fastdl {

// row += (index < 0 ? index + size : index) * step, over a walk of (index, row).
FASTDL_KERNEL(add_index, const Strided<2>& walk, int64_t size, int64_t step, const int64_t* index,
              int64_t* row);
// y = table[row * step], over a walk of (table, row, y). All dtypes, as the next one.
FASTDL_KERNEL(read_rows, const Strided<3>& walk, int64_t step, const void* table,
              const int64_t* row, void* y);
// table[row * step] = x where `last` of the row (null: everywhere), over a walk of (table, row, x).
FASTDL_KERNEL(write_rows, const Strided<3>& walk, int64_t step, const void* x, const int64_t* row,
              const bool* last, void* table);
// last[i] = no j > i has row[j] == row[i]; rows are in [0, limit).
FASTDL_KERNEL(last_of_each, int64_t n, int64_t limit, const int64_t* row, bool* last);

// Masks are read in chunks of so many elements.
inline constexpr int64_t kMaskChunk = 4096;
// before[c] = how many of mask[n] are true before chunk c; one more for all of them.
FASTDL_KERNEL(count_true, int64_t n, const bool* mask, int64_t* before);
// The positions of what is true, in order.
FASTDL_KERNEL(list_true, int64_t n, const bool* mask, const int64_t* before, int64_t* position);

}  // namespace fastdl
