#include "core/system_memory.h"

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace fastdl {
namespace {

constexpr size_t kNoLimit = ~size_t{0};

// The number behind `key` in a file of lines "key number", or the first number where key is empty.
size_t read_number(const char* path, const char* key) {
  FILE* file = std::fopen(path, "r");
  if (!file) return kNoLimit;
  char line[256];
  size_t value = kNoLimit;
  while (value == kNoLimit && std::fgets(line, sizeof line, file)) {
    unsigned long long number;
    if (std::strncmp(line, key, std::strlen(key)) == 0 &&
        std::sscanf(line + std::strlen(key), " %llu", &number) == 1)
      value = static_cast<size_t>(number);
  }
  std::fclose(file);
  return value;  // also where the file says "max"
}

size_t group_limit() { return read_number("/sys/fs/cgroup/memory.max", ""); }

}  // namespace

size_t total_memory() {
  static const size_t bytes = std::min(
      static_cast<size_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<size_t>(sysconf(_SC_PAGESIZE)),
      group_limit());
  return bytes;
}

size_t available_memory() {
  const size_t kilobytes = read_number("/proc/meminfo", "MemAvailable:");
  const size_t machine = kilobytes == kNoLimit ? total_memory() : kilobytes * 1024;
  const size_t limit = group_limit();
  if (limit == kNoLimit) return machine;
  const size_t used = read_number("/sys/fs/cgroup/memory.current", "");
  return std::min(machine, used == kNoLimit || used > limit ? limit : limit - used);
}

}  // namespace fastdl
