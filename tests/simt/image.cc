#include "image.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <unordered_map>
#include <unordered_set>
#include <vector>

namespace simt {
namespace {

thread_local char probe;

int look(dl_phdr_info* info, size_t, void* result) {
  Image image;
  for (int i = 0; i < info->dlpi_phnum; ++i) {
    const ElfW(Phdr) & h = info->dlpi_phdr[i];
    char* from = reinterpret_cast<char*>(info->dlpi_addr + h.p_vaddr);
    if (h.p_type == PT_TLS) image.tls_size = h.p_memsz;
    if (h.p_type != PT_LOAD) continue;
    if (!image.begin || from < image.begin) image.begin = from;
    if (from + h.p_memsz > image.end) image.end = from + h.p_memsz;
  }
  const char* here = reinterpret_cast<const char*>(&find_image);
  if (here < image.begin || here >= image.end) return 0;
  image.tls = static_cast<char*>(info->dlpi_tls_data);
  *static_cast<Image*>(result) = image;
  return 1;
}

struct Symbols {
  std::unordered_set<size_t> guards;                  // offsets in thread-local storage
  std::unordered_map<size_t, std::string> functions;  // names by offset in the image
};

// The symbol table on disk (the library is not stripped).
Symbols read_symbols() {
  Symbols out;
  Dl_info self{};
  dladdr(reinterpret_cast<const void*>(&find_image), &self);
  std::ifstream file(self.dli_fname, std::ios::binary);
  const std::vector<char> bytes(std::istreambuf_iterator<char>(file), {});
  if (bytes.size() < sizeof(ElfW(Ehdr))) return out;
  const auto* header = reinterpret_cast<const ElfW(Ehdr)*>(bytes.data());
  const auto* sections = reinterpret_cast<const ElfW(Shdr)*>(bytes.data() + header->e_shoff);
  for (int i = 0; i < header->e_shnum; ++i) {
    if (sections[i].sh_type != SHT_SYMTAB) continue;
    const char* names = bytes.data() + sections[sections[i].sh_link].sh_offset;
    const auto* symbols = reinterpret_cast<const ElfW(Sym)*>(bytes.data() + sections[i].sh_offset);
    for (size_t n = 0; n < sections[i].sh_size / sizeof(ElfW(Sym)); ++n) {
      const char* name = names + symbols[n].st_name;
      const int type = symbols[n].st_info & 15;
      if (type == STT_TLS && !strncmp(name, "_ZGV", 4)) out.guards.insert(symbols[n].st_value);
      if (type == STT_FUNC && symbols[n].st_shndx) out.functions[symbols[n].st_value] = name;
    }
  }
  return out;
}

const Symbols& symbols() {
  static const Symbols all = read_symbols();
  return all;
}

}  // namespace

Image find_image() {
  *const_cast<volatile char*>(&probe) = 0;  // now this thread has its storage
  Image image;
  dl_iterate_phdr(look, &image);
  return image;
}

bool is_guard(size_t tls_offset) { return symbols().guards.count(tls_offset) > 0; }

std::string symbol_of(const void* function) {
  const auto offset = static_cast<size_t>(static_cast<const char*>(function) - find_image().begin);
  const auto found = symbols().functions.find(offset);
  return found == symbols().functions.end() ? "" : found->second;
}

}  // namespace simt
