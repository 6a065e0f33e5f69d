// Device memory and shared memory: where they are, and who has which part of the former.
#include "memory.h"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>

namespace simt {
namespace {

size_t number_from(const char* variable, size_t otherwise) {
  const char* text = std::getenv(variable);
  return text && *text ? std::strtoull(text, nullptr, 10) : otherwise;
}

char* reserve(size_t bytes) {
  void* p = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (p == MAP_FAILED) {
    perror("simt: no address space for device memory");
    abort();
  }
  return static_cast<char*>(p);
}

struct Device {
  Region region;
  size_t total = 0, used = 0;
  char* top = nullptr;                // above it nothing was ever allocated
  std::map<char*, size_t> blocks;     // allocated, with the bytes asked
  std::multimap<size_t, char*> free;  // by size with its margin; the oldest of a size first
};

constexpr size_t kAlign = 256, kMargin = 512;

Device* devices() {
  static Device* all = [] {
    auto* made = new Device[static_cast<size_t>(device_count())];
    for (int i = 0; i < device_count(); ++i) {
      Device& d = made[i];
      d.total = number_from("SIMT_MEMORY", 1024) << 20;
      d.region.size = 4 * d.total;
      d.region.base = d.top = reserve(d.region.size);
      d.region.reserve_cells();
    }
    return made;
  }();
  return all;
}

size_t with_margin(size_t bytes) { return (bytes + kMargin + kAlign - 1) / kAlign * kAlign; }

void set_cells(Cell* cells, size_t n, uint32_t state) {
  // Whole pages of cells that are to be zero go back to the system instead.
  if (state == kNotAllocated && n * sizeof(Cell) > 1 << 20) {
    const uintptr_t first = (reinterpret_cast<uintptr_t>(cells) + 4095) / 4096 * 4096;
    const uintptr_t last = reinterpret_cast<uintptr_t>(cells + n) / 4096 * 4096;
    madvise(reinterpret_cast<void*>(first), last - first, MADV_DONTNEED);
    memset(static_cast<void*>(cells), 0, first - reinterpret_cast<uintptr_t>(cells));
    memset(reinterpret_cast<void*>(last), 0, reinterpret_cast<uintptr_t>(cells + n) - last);
    return;
  }
  Cell cell;
  cell.write_gang = state;
  for (size_t i = 0; i < n; ++i) cells[i] = cell;
}

// ---- shared memory

constexpr size_t kSharedBlocks = 256;

Region static_shared;
Image last_image;

}  // namespace

void Region::reserve_cells() { cells = reinterpret_cast<Cell*>(reserve(size * sizeof(Cell))); }

const Region& dynamic_region() {
  static const Region region = [] {
    Region r;
    r.size = kSharedStride * kSharedBlocks;
    r.base = reserve(r.size);
    r.reserve_cells();
    return r;
  }();
  return region;
}

const Region& static_region() { return static_shared; }
const Image& image() { return last_image; }

void find_static_shared() {
  last_image = find_image();
  static_shared.base = last_image.tls;
  static_shared.size = last_image.tls_size;
  if (!static_shared.cells) static_shared.reserve_cells();
}

unsigned char* shared_of(unsigned rank, size_t bytes) {
  if (rank >= kSharedBlocks) {
    if (bytes) {
      fprintf(stderr, "simt: dynamic shared memory for more than %zu blocks at once\n",
              kSharedBlocks);
      abort();
    }
    return nullptr;
  }
  return reinterpret_cast<unsigned char*>(dynamic_region().base) + rank * kSharedStride;
}

bool is_shared(const void* p) { return static_shared.contains(p) || dynamic_region().contains(p); }
bool is_global(const void* p) { return device_of(p) >= 0; }

// ---- device memory

const Region& device_region(int device) { return devices()[device].region; }

std::string near_allocation(const void* p) {
  const Device& d = devices()[device_of(p)];
  auto above = d.blocks.upper_bound(const_cast<char*>(static_cast<const char*>(p)));
  char text[160] = "no allocation is near";
  if (above != d.blocks.begin()) {
    auto below = std::prev(above);
    const auto past = static_cast<const char*>(p) - (below->first + below->second);
    if (past < 1 << 16)
      snprintf(text, sizeof text, "%ld bytes after an allocation of %zu", static_cast<long>(past),
               below->second);
    else if (above != d.blocks.end() && above->first - static_cast<const char*>(p) < 1 << 16)
      snprintf(text, sizeof text, "%ld bytes before an allocation of %zu",
               static_cast<long>(above->first - static_cast<const char*>(p)), above->second);
  } else if (above != d.blocks.end()) {
    snprintf(text, sizeof text, "%ld bytes before an allocation of %zu",
             static_cast<long>(above->first - static_cast<const char*>(p)), above->second);
  }
  return text;
}

int device_count() {
  static const int count = static_cast<int>(number_from("SIMT_DEVICES", 1));
  return count;
}

int device_of(const void* p) {
  for (int i = 0; i < device_count(); ++i)
    if (devices()[i].region.contains(p)) return i;
  return -1;
}

void device_memory(int device, size_t* free, size_t* total) {
  const Device& d = devices()[device];
  *total = d.total;
  *free = d.total - d.used;
}

int device_allocate(int device, size_t bytes, void** out) {
  constexpr int kOutOfMemory = 2;
  Device& d = devices()[device];
  *out = nullptr;
  if (bytes == 0) return 0;
  if (bytes > d.total - d.used) return kOutOfMemory;
  const size_t size = with_margin(bytes);
  char* p = nullptr;
  // Fresh addresses first, so that a use after the release shows for as long as possible.
  if (d.top + size <= d.region.base + d.region.size) {
    p = d.top;
    d.top += size;
  } else {
    auto hole = d.free.lower_bound(size);
    if (hole == d.free.end()) return kOutOfMemory;
    p = hole->second;
    if (hole->first > size) d.free.emplace(hole->first - size, p + size);
    d.free.erase(hole);
  }
  d.blocks[p] = bytes;
  d.used += bytes;
  set_cells(d.region.cell(p), bytes, kUnwritten);
  memset(p, 0xa5, bytes);  // never zeros by luck
  *out = p;
  return 0;
}

bool device_release(void* p) {
  const int index = device_of(p);
  if (index < 0) return false;
  Device& d = devices()[index];
  auto block = d.blocks.find(static_cast<char*>(p));
  if (block == d.blocks.end()) return false;
  set_cells(d.region.cell(p), block->second, kNotAllocated);
  d.free.emplace(with_margin(block->second), block->first);
  d.used -= block->second;
  d.blocks.erase(block);
  return true;
}

// A range that a copy touches: allocated, and written if it is read. Host memory is always fine.
bool is_device_range(const void* p, size_t bytes, bool read, const char* what) {
  const int index = device_of(p);
  if (index < 0) return true;
  Device& d = devices()[index];
  const Cell* cells = d.region.cell(p);
  for (size_t i = 0; i < bytes; ++i) {
    if (cells[i].write_gang != kNotAllocated) continue;
    char text[256];
    snprintf(text, sizeof text, "%s %s %zu bytes of global memory; byte %zu is %s", what,
             read ? "reads" : "writes", bytes, i,
             near_allocation(static_cast<const char*>(p) + i).c_str());
    record_fault("out-of-bounds", nullptr, text);
    return false;
  }
  return true;
}

void written_by_host(void* p, size_t bytes) {
  const int index = device_of(p);
  if (index >= 0) set_cells(devices()[index].region.cell(p), bytes, kByHost);
}

}  // namespace simt
