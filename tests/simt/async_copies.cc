// Copies that the thread does not wait for: cp.async by the thread itself (generic proxy), bulk and
// tensor copies by the copy engine (asynchronous proxy). Loads move their data when they are waited
// for; stores when a wait says that shared memory was read.
#include <algorithm>
#include <cstring>

#include "async_state.h"
#include "layouts.h"
#include "wrappers.h"

namespace simt {

// ---- cp.async

void copy_async(void* shared, const void* global, int bytes, int existing) {
  const void* const pc = __builtin_return_address(0);
  if (!is_shared(shared))
    fault("wrong-space", "cp.async: to %p, which is not shared memory", shared);
  if (existing < 0 || existing > bytes)
    fault("wrong-size", "cp.async: %d bytes of %d exist", existing, bytes);
  require_alignment(shared, static_cast<size_t>(bytes), "cp.async", pc);
  require_alignment(global, static_cast<size_t>(bytes), "cp.async", pc);
  const auto count = static_cast<size_t>(existing);
  if (count) {
    if (!is_global(global))
      fault("wrong-space", "cp.async: from %p, which is not global memory", global);
    check(global, count, Access::read, pc);
  }
  take_off(shared, static_cast<size_t>(bytes), "a cp.async", Access::take_off, pc);
  const auto move = [=] {
    memcpy(shared, global, count);
    memset(static_cast<char*>(shared) + count, 0, static_cast<size_t>(bytes) - count);
    // For the asynchronous proxy these are ordinary stores of the thread.
    land(shared, static_cast<size_t>(bytes), nullptr);
    check(shared, static_cast<size_t>(bytes), Access::write, pc);
  };
  async_of_thread().copies.open.push_back({shared, static_cast<size_t>(bytes), move, pc});
}

void copy_commit() { async_of_thread().copies.commit(); }

void copy_wait(int pending) {
  auto& groups = async_of_thread().copies.committed;
  for (; groups.size() > static_cast<size_t>(pending); groups.pop_front())
    for (const Copy& copy : groups.front()) copy.move();
}

// ---- bulk copies

namespace {

void require_bulk(const void* shared, const void* global, uint32_t bytes, const void* pc) {
  require_alignment(shared, 16, "cp.async.bulk", pc);
  require_alignment(global, 16, "cp.async.bulk", pc);
  if (bytes % 16) fault("wrong-size", "cp.async.bulk: %u bytes are not a multiple of 16", bytes);
  if (!is_shared(shared)) fault("wrong-space", "cp.async.bulk: %p is not shared memory", shared);
  if (!is_global(global)) fault("wrong-space", "cp.async.bulk: %p is not global memory", global);
}

}  // namespace

void bulk_load(void* shared, const void* global, uint32_t bytes, void* barrier) {
  const void* const pc = __builtin_return_address(0);
  require_bulk(shared, global, bytes, pc);
  check(global, bytes, Access::async_read, pc);
  take_off(shared, bytes, "a bulk load", Access::async_take_off, pc);
  add_copy(barrier, {shared, bytes, [=] { memcpy(shared, global, bytes); }, pc});
}

void bulk_store(void* global, const void* shared, uint32_t bytes) {
  const void* const pc = __builtin_return_address(0);
  require_bulk(shared, global, bytes, pc);
  check(shared, bytes, Access::async_read, pc);
  take_off(global, bytes, "a bulk store", Access::async_take_off, pc);
  const auto read = [=] {
    check(shared, bytes, Access::async_read, pc);  // whoever wrote it since did not wait
    memcpy(global, shared, bytes);
  };
  async_of_thread().stores.open.push_back({read, [=] { land(global, bytes, nullptr); }, pc});
}

void bulk_commit() { async_of_thread().stores.commit(); }

void bulk_wait(int pending, bool only_reads) {
  auto& groups = async_of_thread().stores.committed;
  const size_t over = groups.size() - std::min(groups.size(), static_cast<size_t>(pending));
  for (size_t i = 0; i < over; ++i)
    for (Store& store : groups[i]) {
      if (!store.was_read) store.read();
      store.was_read = true;
      if (!only_reads) store.land();
    }
  if (!only_reads) groups.erase(groups.begin(), groups.begin() + static_cast<long>(over));
}

// ---- tensor copies

namespace {

Im2colBox im2col_of(const TensorMap& map) {
  return {map.element, map.size, map.stride, map.lower,
          map.upper,   map.step, map.box[0], map.box[1]};
}

const char* what_is_wrong_with_im2col(const TensorMap& map) {
  if (map.box[1] < 1 || map.box[1] > 1024) return "the pixels are not 1 to 1024";
  for (int d = 0; d < 2; ++d) {
    const auto fits = [](int corner) { return -128 <= corner && corner <= 127; };
    if (!fits(map.lower[d]) || !fits(map.upper[d])) return "a corner is not -128 to 127";
    if (map.lower[d] > im2col_of(map).last(d)) return "the bounding box is empty";
    if (map.step[d] < 1 || map.step[d] > 8) return "a step is not 1 to 8";
  }
  return nullptr;
}

}  // namespace

const char* what_is_wrong(const TensorMap& map) {
  constexpr uint64_t kMostSize = uint64_t{1} << 32, kMostStride = uint64_t{1} << 40;
  if (reinterpret_cast<uintptr_t>(map.data) % 16) return "the address is no multiple of 16";
  if (map.rank < 1 || map.rank > 5) return "the rank is not 1 to 5";
  for (int d = 0; d < map.rank; ++d) {
    if (map.size[d] < 1 || map.size[d] > kMostSize) return "a size is not 1 to 2^32";
    if (map.box[d] < 1 || (map.box[d] > 256 && !(map.im2col && d == 1)))
      return "a side of the box is not 1 to 256";
    if (d && (map.stride[d] % 16 || map.stride[d] >= kMostStride))
      return "a stride is no multiple of 16 below 2^40";
  }
  const uint32_t row = map.box[0] * static_cast<uint32_t>(map.element);
  if (row % 16) return "a row of the box is no multiple of 16 bytes";
  if (map.swizzle_bits && row != 16u << map.swizzle_bits)
    return "a row of the box is not as long as the swizzle";
  return map.im2col ? what_is_wrong_with_im2col(map) : nullptr;
}

namespace {

uint32_t box_bytes(const TensorMap& map) {
  uint32_t bytes = static_cast<uint32_t>(map.element);
  for (int d = 0; d < map.rank; ++d) bytes *= map.box[d];
  return bytes;
}

Box box_of(const TensorMap& map) { return {map.rank, map.element, map.size, map.stride, map.box}; }

// An instruction's own copy of what it needs: the map may be gone when the data move.
struct Tile {
  TensorMap map;
  int at[5] = {};
  unsigned char* shared;
  uint16_t offset[2] = {};

  template <class F>
  void for_runs(F act) const {
    if (map.im2col)
      for_pixels(im2col_of(map), at, offset, act);
    else
      simt::for_runs(box_of(map), at, act);
  }
  unsigned char* byte(int64_t offset) const {
    const auto address = reinterpret_cast<uintptr_t>(shared) + static_cast<uintptr_t>(offset);
    return reinterpret_cast<unsigned char*>(swizzle_address(address, map.swizzle_bits));
  }
};

Tile tile_of(const void* shared, const TensorMap& map, const int* at, int rank, const void* pc,
             bool im2col = false) {
  if (what_is_wrong(map)) fault("wrong-tensor-map", "no make_tensor_map made this map");
  if (im2col != map.im2col)
    fault("wrong-tensor-map", "%s", im2col ? "im2col_load of tiles" : "a tile of im2col's map");
  if (rank != map.rank)
    fault("wrong-tensor-map", "%d coordinates for a tensor of rank %d", rank, map.rank);
  if (!is_shared(shared)) fault("wrong-space", "a tile at %p, which is not shared memory", shared);
  const size_t align = map.swizzle_bits ? size_t{128} << map.swizzle_bits : 128;
  require_alignment(shared, align, "the tile of a tensor copy", pc);
  Tile tile{map, {}, static_cast<unsigned char*>(const_cast<void*>(shared))};
  for (int d = 0; d < rank; ++d) tile.at[d] = at[d];
  return tile;
}

void check_source(const Tile& tile, const void* pc) {
  tile.for_runs([&](int64_t, int64_t from, int64_t bytes) {
    if (from >= 0) check(tile.map.data + from, static_cast<size_t>(bytes), Access::async_read, pc);
  });
}

void start_load(const Tile& tile, void* barrier, const void* pc) {
  const uint32_t bytes = box_bytes(tile.map);
  take_off(tile.shared, bytes, "a tensor load", Access::async_take_off, pc);
  const auto move = [tile] {
    tile.for_runs([&](int64_t to, int64_t from, int64_t count) {
      for (int64_t i = 0; i < count; ++i)
        *tile.byte(to + i) = from < 0 ? 0 : tile.map.data[from + i];
    });
  };
  add_copy(barrier, {tile.shared, bytes, move, pc});
}

}  // namespace

void tile_load(void* shared, const TensorMap& map, const int* at, int rank, void* barrier) {
  const void* const pc = __builtin_return_address(0);
  const Tile tile = tile_of(shared, map, at, rank, pc);
  check_source(tile, pc);
  start_load(tile, barrier, pc);
}

void im2col_load(void* shared, const TensorMap& map, const int* at, const uint16_t* offset,
                 void* barrier) {
  const void* const pc = __builtin_return_address(0);
  Tile tile = tile_of(shared, map, at, 4, pc, true);
  const Im2colBox box = im2col_of(map);
  for (int d = 0; d < 2; ++d) {
    if (at[1 + d] < map.lower[d] || at[1 + d] > box.last(d))
      fault("wrong-size", "im2col: the window's corner %d is not in the box from %d to %lld",
            at[1 + d], map.lower[d], static_cast<long long>(box.last(d)));
    if (offset[d] > 255) fault("wrong-size", "im2col: the offset %d is above 255", offset[d]);
    tile.offset[d] = offset[d];
  }
  check_source(tile, pc);
  start_load(tile, barrier, pc);
}

void tile_load_multicast(void* shared, const TensorMap& map, const int* at, int rank, void* barrier,
                         unsigned blocks) {
  const void* const pc = __builtin_return_address(0);
  Tile tile = tile_of(shared, map, at, rank, pc);
  check_source(tile, pc);
  if (blocks == 0 || blocks >> cluster_size())
    fault("wrong-mask", "a multicast to blocks %#x of a cluster of %u", blocks, cluster_size());
  for (unsigned rank_in_cluster = 0; rank_in_cluster < cluster_size(); ++rank_in_cluster) {
    if (!(blocks >> rank_in_cluster & 1)) continue;
    tile.shared = static_cast<unsigned char*>(remote_shared(shared, rank_in_cluster));
    start_load(tile, remote_shared(barrier, rank_in_cluster), pc);
  }
}

void tile_store(const TensorMap& map, const int* at, int rank, const void* shared) {
  const void* const pc = __builtin_return_address(0);
  const Tile tile = tile_of(shared, map, at, rank, pc);
  const uint32_t bytes = box_bytes(map);
  auto* const data = const_cast<unsigned char*>(map.data);
  check(shared, bytes, Access::async_read, pc);
  tile.for_runs([&](int64_t, int64_t to, int64_t count) {
    if (to >= 0)
      take_off(data + to, static_cast<size_t>(count), "a tensor store", Access::async_take_off, pc);
  });
  const auto read = [=] {
    check(shared, bytes, Access::async_read, pc);
    tile.for_runs([&](int64_t from, int64_t to, int64_t count) {
      for (int64_t i = 0; to >= 0 && i < count; ++i) data[to + i] = *tile.byte(from + i);
    });
  };
  const auto arrive = [=] {
    tile.for_runs([&](int64_t, int64_t to, int64_t count) {
      if (to >= 0) land(data + to, static_cast<size_t>(count), nullptr);
    });
  };
  async_of_thread().stores.open.push_back({read, arrive, pc});
}

// ---- what must not be forgotten

void finish_thread_async(const Thread& thread) {
  finish_thread_wgmma(thread);
  if (!uses_async()) return;
  const ThreadAsync& mine = async_of_thread();
  const auto require_read = [](const std::vector<Store>& stores) {
    for (const Store& store : stores)
      if (!store.was_read)
        fault_at(store.pc, "missing-wait",
                 "a thread returns while the copy engine may still read shared memory for it: "
                 "bulk_commit and bulk_wait_read<0> come before");
  };
  require_read(mine.stores.open);
  for (const auto& group : mine.stores.committed) require_read(group);
}

void finish_gang_async() {
  if (!uses_async()) return;
  for (ThreadAsync& t : async_state().threads) {
    for (const Copy& copy : t.copies.open) copy.move();
    for (const auto& group : t.copies.committed)
      for (const Copy& copy : group) copy.move();
    for (const auto& group : t.stores.committed)
      for (const Store& store : group) store.land();
  }
  for (auto& [p, barrier] : async_state().barriers)
    if (!barrier.copies.empty())
      fault_at(
          barrier.copies.front().pc, "missing-wait",
          "the block ends, and nobody has waited for a copy that reports to the mbarrier in %s",
          name_of_shared(p).c_str());
}

}  // namespace simt
