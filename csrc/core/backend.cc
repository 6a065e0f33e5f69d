#include "core/backend.h"

#include <dlfcn.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "core/allocator.h"
#include "core/error.h"
#include "cpu/thread_pool.h"

namespace fastdl {
namespace {

BackendStatus status;
const DeviceRuntime* runtime = nullptr;

auto& slots() {
  static auto* all = new std::unordered_map<std::string, std::unique_ptr<KernelSlot>>;
  return *all;
}

Registry make_registry(DeviceType* device) {
  return {kBackendVersion, device,
          [](void* device, const char* name, DType dtype, void (*fn)()) {
            kernel_slot(name)
                .fn[static_cast<int>(*static_cast<DeviceType*>(device))][static_cast<int>(dtype)] =
                fn;
          },
          [](void*, const DeviceRuntime* r) { runtime = r; }};
}

// "" when the library is loaded and has registered its kernels, else why not.
std::string load_library(const std::string& path, DeviceType device) {
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) return dlerror();
  auto* entry = reinterpret_cast<int (*)(Registry*)>(dlsym(library, "fastdl_backend"));
  if (!entry) return path + " is not a fastdl backend";
  Registry registry = make_registry(&device);
  if (entry(&registry) == 0) return "";
  auto* explain = reinterpret_cast<const char* (*)()>(dlsym(library, "fastdl_backend_status"));
  return explain ? explain() : path + " was built for another version of fastdl";
}

// Best last.
std::vector<std::string> usable_instruction_sets() {
#if defined(__x86_64__)
  std::vector<std::string> names = {"baseline"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    names.push_back("avx2");
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
        __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl"))
      names.push_back("avx512");
  }
  return names;
#elif defined(__aarch64__)
  return {"neon"};
#else
  return {"baseline"};
#endif
}

void load_cpu(const std::string& dir) {
  status.available = usable_instruction_sets();
  status.isa = status.available.back();
  if (const char* wanted = std::getenv("FASTDL_ISA"); wanted && *wanted) {
    if (std::find(status.available.begin(), status.available.end(), wanted) ==
        status.available.end()) {
      std::string known;
      for (const auto& name : status.available) known += (known.empty() ? "" : ", ") + name;
      throw Error(ErrorKind::device, "import", text("FASTDL_ISA=", wanted, " cannot run here"))
          .remedy("choose one of: " + known);
    }
    status.isa = wanted;
  }
  const std::string why =
      load_library(dir + "/libfastdl_cpu_" + status.isa + ".so", DeviceType::cpu);
  if (!why.empty())
    throw Error(ErrorKind::device, "import", "the CPU kernels could not be loaded: " + why)
        .remedy("reinstall fastdl");
}

void load_cuda(const std::string& dir) {
  const char* other = std::getenv("FASTDL_CUDA_LIBRARY");
  const std::string path = other && *other ? other : dir + "/libfastdl_cuda.so";
  FILE* file = fopen(path.c_str(), "rb");
  if (!file) {
    status.cuda_reason = "this build has no CUDA library (" + path + ")";
    return;
  }
  fclose(file);
  status.cuda_reason = load_library(path, DeviceType::cuda);
  if (!status.cuda_reason.empty()) runtime = nullptr;
  if (!runtime) return;
  status.cuda = true;
  status.cuda_reason = runtime->device_name(0);
}

}  // namespace

void load_backends(const std::string& library_dir) {
  status.library_dir = library_dir;
  load_cpu(library_dir);
  load_cuda(library_dir);
}

const BackendStatus& backend_status() { return status; }

const DeviceRuntime& device_runtime() {
  if (!runtime)
    throw Error(ErrorKind::device, "cuda", "CUDA is not available: " + status.cuda_reason)
        .remedy("use device='cpu', or see what `fastdl doctor` says about CUDA");
  return *runtime;
}

void require_device(Device device) {
  if (device.is_cpu()) return;
  const int count = device_runtime().device_count();
  if (device.index >= count)
    throw Error(ErrorKind::device, "cuda", text("there is no ", name_of(device)))
        .remedy(text("use an index from 0 to ", count - 1));
}

KernelSlot& kernel_slot(const char* name) {
  auto& slot = slots()[name];
  if (!slot) slot.reset(new KernelSlot{strdup(name), {}});
  return *slot;
}

void throw_no_kernel(const KernelSlot& slot, const char* op, Device device, DType dtype) {
  std::string have;
  const auto& row = slot.fn[static_cast<int>(device.type)];
  for (int i = 0; i < kDTypes; ++i)
    if (row[i]) have += (have.empty() ? "" : ", ") + std::string(name_of(static_cast<DType>(i)));
  if (have.empty())
    throw Error(ErrorKind::device, op, text("has no kernel for ", name_of(device)))
        .remedy("move the operands to another device with .to('cpu')");
  throw Error(ErrorKind::dtype, op, text(name_of(dtype), " is not supported on ", name_of(device)))
      .show("supported", have)
      .remedy("convert the operands with .to(dtype)");
}

namespace {

// The block's size goes in front of it, where release finds it; a cache line keeps the alignment.
constexpr size_t kScratchHeader = 64;

Context cpu_context() {
  return {parallel_for_chunks,
          [](const Context&, size_t bytes) -> void* {
            char* block = static_cast<char*>(allocator({}).allocate(bytes + kScratchHeader));
            *reinterpret_cast<size_t*>(block) = bytes + kScratchHeader;
            return block + kScratchHeader;
          },
          [](const Context&, void* p) {
            char* block = static_cast<char*>(p) - kScratchHeader;
            allocator({}).release(block, *reinterpret_cast<size_t*>(block));
          },
          default_threads(),
          0,
          nullptr};
}

Context& mutable_cpu_context() {
  static Context c = cpu_context();
  return c;
}

// The host cannot write a header into device memory, so these sizes are kept aside. Kernels may be
// launched by several threads.
class DeviceScratch {
 public:
  void* take(Device device, size_t bytes) {
    void* p = allocator(device).allocate(bytes);
    std::lock_guard lock(mutex_);
    sizes_[p] = bytes;
    return p;
  }
  void give(Device device, void* p) {
    size_t bytes;
    {
      std::lock_guard lock(mutex_);
      bytes = sizes_.at(p);
      sizes_.erase(p);
    }
    allocator(device).release(p, bytes);
  }

 private:
  std::mutex mutex_;
  std::unordered_map<void*, size_t> sizes_;
};

DeviceScratch device_scratch;

Device device_of(const Context& c) { return {DeviceType::cuda, static_cast<int8_t>(c.device)}; }

std::vector<Context> cuda_contexts() {
  std::vector<Context> all;
  for (int i = 0; i < device_runtime().device_count(); ++i)
    all.push_back(
        {nullptr,
         [](const Context& c, size_t bytes) { return device_scratch.take(device_of(c), bytes); },
         [](const Context& c, void* p) { device_scratch.give(device_of(c), p); }, 1, i, nullptr});
  return all;
}

}  // namespace

const Context& context(Device device) {
  if (device.is_cpu()) return mutable_cpu_context();
  static const std::vector<Context> devices = cuda_contexts();
  return devices.at(static_cast<size_t>(device.index));
}

void set_num_threads(int threads) {
  if (threads < 1 || threads > 1024)
    throw Error(ErrorKind::argument, "set_num_threads", text(threads, " threads"))
        .remedy("use a number from 1 to 1024");
  mutable_cpu_context().threads = threads;
  resize_pool(threads);
}

int get_num_threads() { return mutable_cpu_context().threads; }

void synchronize(Device device) {
  if (device.is_cpu()) return;
  require_device(device);
  const int code = runtime->synchronize(device.index, context(device).stream);
  if (code != 0)
    throw Error(ErrorKind::device, "synchronize", runtime->message(code))
        .remedy(
            "the device reported a failure of earlier work; set CUDA_LAUNCH_BLOCKING=1 to find the "
            "op");
}

void check_launch(const char* op, Device device) {
  const int code = runtime->last_error();
  if (code != 0)
    throw Error(ErrorKind::device, op,
                text("launch failed on ", name_of(device), ": ", runtime->message(code)))
        .remedy("report this with the shapes of the operands");
}

}  // namespace fastdl
