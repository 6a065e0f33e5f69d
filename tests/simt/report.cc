// Faults in words: what, by whom, and the line of the kernel's source (through binutils' addr2line).
#include <cxxabi.h>
#include <dlfcn.h>
#include <execinfo.h>
#include <unistd.h>

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "image.h"
#include "machine.h"

namespace simt {
namespace {

std::string last = "no fault";

const Dl_info& library() {
  static const Dl_info info = [] {
    Dl_info out{};
    dladdr(reinterpret_cast<void*>(&in_kernel), &out);
    return out;
  }();
  return info;
}

// From the root of the project on.
std::string shorten(std::string path) {
  for (const char* root : {"/csrc/", "/tests/simt/"}) {
    const size_t at = path.rfind(root);
    if (at != std::string::npos) return path.substr(at + 1);
  }
  return path;
}

// file:line of an address, then of the functions into which it was inlined.
std::vector<std::string> lines_of(const void* pc) {
  std::vector<std::string> out;
  char command[4096], text[4096];
  snprintf(command, sizeof command, "addr2line -i -e '%s' %#lx 2>/dev/null", library().dli_fname,
           static_cast<unsigned long>(offset_of(pc)) - 1);
  FILE* pipe = popen(command, "r");
  if (!pipe) return out;
  while (fgets(text, sizeof text, pipe)) {
    text[strcspn(text, " \n")] = 0;
    const std::string line = shorten(text);
    const bool ours = line.find('?') == std::string::npos && line.find("/usr/") != 0 &&
                      line.find("tests/simt/include/") != 0;
    if (ours && (out.empty() || out.back() != line)) out.push_back(line);
  }
  pclose(pipe);
  return out;
}

std::string format_arguments(const char* format, va_list arguments) {
  char text[1024];
  vsnprintf(text, sizeof text, format, arguments);
  return text;
}

// Without namespaces, template arguments and parameters.
std::string kernel_name(const void* kernel) {
  const std::string symbol = symbol_of(kernel);
  char* const demangled = abi::__cxa_demangle(symbol.c_str(), nullptr, nullptr, nullptr);
  std::string name = demangled ? demangled : symbol;
  std::free(demangled);
  constexpr char kAnonymous[] = "(anonymous namespace)::";
  for (size_t at; (at = name.find(kAnonymous)) != std::string::npos;)
    name.erase(at, sizeof kAnonymous - 1);
  name.erase(std::min(name.find_first_of("(<"), name.size()));
  return name.substr(name.find_last_of(": ") + 1);  // "void fastdl::cuda::reduce_row_kernel"
}

}  // namespace

uint32_t offset_of(const void* pc) {
  return pc ? static_cast<uint32_t>(static_cast<const char*>(pc) -
                                    static_cast<const char*>(library().dli_fbase))
            : 0;
}
const void* pc_of(uint32_t offset) {
  return offset ? static_cast<const char*>(library().dli_fbase) + offset : nullptr;
}

std::string describe_pc(const void* pc) {
  std::string out;
  int count = 0;
  for (const std::string& line : lines_of(pc))
    if (count++ < 5) out += (out.empty() ? "" : " <- ") + line;
  return out.empty() ? "an unknown line" : out;
}

void record_fault(const char* kind, const void* pc, const char* text) {
  last = std::string(kind) + ": " + text;
  if (pc) {
    // The line of the access, and those of the functions that called it.
    std::string where = describe_pc(pc);
    void* frames[32];
    const int count = backtrace(frames, 32);
    bool below = false;
    for (int i = 0, shown = 0; i < count && shown < 3; ++i) {
      if (below) {
        Dl_info info{};
        if (!dladdr(frames[i], &info) || info.dli_fbase != library().dli_fbase) break;
        for (const std::string& line : lines_of(frames[i])) {
          if (line.find("csrc/") != 0 && line.find("tests/simt/faults") != 0 &&
              line.find("tests/simt/wrappers") != 0)
            continue;
          if (shown++ < 3) where += " <- " + line;
        }
      }
      below |= frames[i] == pc;
    }
    last += "; at " + where;
  }
  last += in_kernel_position();
}

std::string in_kernel_position() {
  if (!gang) return "";
  std::string out = "; " + kernel_name(gang->launch->kernel);
  if (current) {
    char text[160];
    const Size3 b = current->block->index, t = current->index;
    snprintf(text, sizeof text, ", block (%u,%u,%u), thread (%u,%u,%u)", b.x, b.y, b.z, t.x, t.y,
             t.z);
    out += text;
  }
  return out;
}

void fault_at(const void* pc, const char* kind, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = format_arguments(format, arguments);
  va_end(arguments);
  record_fault(kind, pc, text.c_str());
  leave_kernel();
}

void fault(const char* kind, const char* format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const std::string text = format_arguments(format, arguments);
  va_end(arguments);
  // The first frame that is the kernel's: what called the model.
  void* frames[32];
  const int count = backtrace(frames, 32);
  const void* pc = nullptr;
  for (int i = 1; i < count && !pc; ++i)
    for (const std::string& line : lines_of(frames[i]))
      if (line.find("csrc/") == 0 || line.find("tests/simt/faults") == 0 ||
          line.find("tests/simt/wrappers") == 0)
        pc = frames[i];
  record_fault(kind, pc, text.c_str());
  leave_kernel();
}

const char* last_fault() { return last.c_str(); }

}  // namespace simt
