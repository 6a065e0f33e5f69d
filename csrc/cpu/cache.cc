#include "cpu/cache.h"

#include <cstdio>

namespace fastdl::cpu {
namespace {

// Linux describes each cache of the first core by files of one word.
bool read_word(int index, const char* file, char (&word)[32]) {
  char path[96];
  std::snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu0/cache/index%d/%s", index, file);
  FILE* const f = std::fopen(path, "r");
  if (!f) return false;
  const bool read = std::fscanf(f, "%31s", word) == 1;
  std::fclose(f);
  return read;
}

CacheSizes read_sizes() {
  CacheSizes sizes;
  char type[32], level[32], size[32];
  for (int i = 0; read_word(i, "type", type); ++i) {
    long long count = 0;
    char unit = 0;
    if (type[0] == 'I' || !read_word(i, "level", level) || !read_word(i, "size", size)) continue;
    if (std::sscanf(size, "%lld%c", &count, &unit) < 1 || count <= 0) continue;
    const int64_t bytes = count << (unit == 'K' ? 10 : unit == 'M' ? 20 : 0);
    if (level[0] == '1') sizes.l1 = bytes;
    if (level[0] == '2') sizes.l2 = bytes;
    if (level[0] == '3') sizes.l3 = bytes;
  }
  return sizes;
}

}  // namespace

const CacheSizes& cache_sizes() {
  static const CacheSizes sizes = read_sizes();
  return sizes;
}

}  // namespace fastdl::cpu
