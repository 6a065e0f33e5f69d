#include "core/backend.h"

#include <dlfcn.h>

#include <algorithm>
#include <atomic>
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
int gpus = 0;

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
  gpus = runtime->device_count();
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
  if (!device.is_cpu()) require_cuda("cuda", device);
}

void require_cuda(const char* op, Device device) {
  device_runtime();
  if (device.is_cpu())
    throw Error(ErrorKind::device, op, "the CPU has no streams").remedy("use device='cuda'");
  if (device.index >= gpus)
    throw Error(ErrorKind::device, op, text("there is no ", name_of(device)))
        .remedy(text("use an index from 0 to ", gpus - 1));
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
            char* block = static_cast<char*>(cpu_allocator().allocate(bytes + kScratchHeader));
            *reinterpret_cast<size_t*>(block) = bytes + kScratchHeader;
            return block + kScratchHeader;
          },
          [](const Context&, void* p) {
            char* block = static_cast<char*>(p) - kScratchHeader;
            cpu_allocator().release(block, *reinterpret_cast<size_t*>(block));
          },
          default_threads(),
          0,
          nullptr};
}

Context& mutable_cpu_context() {
  static Context c = cpu_context();
  return c;
}

Device device_of(const Context& c) { return {DeviceType::cuda, static_cast<int8_t>(c.device)}; }

std::vector<Context> cuda_contexts() {
  std::vector<Context> all;
  for (int i = 0; i < gpus; ++i)
    all.push_back({nullptr,
                   [](const Context& c, size_t bytes) {
                     return device_allocator(device_of(c)).allocate(bytes, c.stream);
                   },
                   [](const Context& c, void* p) { device_allocator(device_of(c)).release(p); }, 1,
                   i, nullptr});
  return all;
}

// A thread's own, because its current streams are in it.
Context& cuda_context(int device) {
  thread_local std::vector<Context> devices = cuda_contexts();
  return devices[static_cast<size_t>(device)];
}

}  // namespace

const Context& context(Device device) {
  return device.is_cpu() ? mutable_cpu_context() : cuda_context(device.index);
}

Stream current_stream(Device device) { return {device.index, context(device).stream}; }

void set_current_stream(Stream stream) {
  refuse_capture("stream", "another stream cannot take part",
                 "enter the stream outside of the captured function");
  cuda_context(stream.device).stream = stream.handle;
}

void set_num_threads(int threads) {
  if (threads < 1 || threads > 1024)
    throw Error(ErrorKind::argument, "set_num_threads", text(threads, " threads"))
        .remedy("use a number from 1 to 1024");
  mutable_cpu_context().threads = threads;
  resize_pool(threads);
}

int get_num_threads() { return mutable_cpu_context().threads; }

// GPUs

void check_device(const char* op, int code) {
  if (code != 0)
    throw Error(ErrorKind::device, op, device_runtime().message(code))
        .remedy(
            "the device reported a failure of earlier work; set "
            "FASTDL_CUDA_SYNC=1 to find the op");
}

void synchronize(Device device) {
  if (device.is_cpu()) return;
  require_cuda("synchronize", device);
  check_device("synchronize", runtime->synchronize_device(device.index));
}

void copy_bytes(Device to_device, void* to, Device from_device, const void* from, size_t bytes,
                bool may_run_on) {
  if (bytes == 0) return;
  const bool to_host = to_device.is_cpu(), from_host = from_device.is_cpu();
  const Device device = to_host ? from_device : to_device;
  const Stream stream = current_stream(device);
  if (to_device != from_device && !to_host && !from_host) {  // what made the source comes first
    Event made(false);
    made.record(current_stream(from_device));
    made.hold_back(stream);
  }
  const int direction = to_host ? device_to_host : from_host ? host_to_device : device_to_device;
  const bool wait = sync_debug() || ((to_host || from_host) && !may_run_on);
  {
    const LongWork unlocked(wait ? INT64_MAX : 0);
    check_device("copy", device_runtime().copy(device.index, stream.handle, to, from, bytes,
                                               direction, wait));
  }
  if (wait && to_host) look_at_deferred();
}

namespace {

std::atomic<bool>& sync_flag() {
  static std::atomic<bool> flag = [] {
    const char* text = std::getenv("FASTDL_CUDA_SYNC");
    return text && *text && std::strcmp(text, "0") != 0;
  }();
  return flag;
}

}  // namespace

void set_sync_debug(bool on) { sync_flag() = on; }
bool sync_debug() { return sync_flag(); }

void check_launch(const char* op, const char* kernel, Device device) {
  int code = runtime->last_error();
  const bool started = code == 0;
  const bool waited = started && sync_debug();
  if (waited) {
    const Stream stream = current_stream(device);
    code = runtime->synchronize_stream(stream.device, stream.handle);
  }
  if (code == 0) return;
  throw Error(ErrorKind::device, op,
              text(started ? "kernel" : "launch", " failed on ", name_of(device), ": ",
                   runtime->message(code)))
      .show("kernel", kernel)
      .remedy(sync_debug() ? "report this with the shapes of the operands"
                           : "set FASTDL_CUDA_SYNC=1 to see whether it was "
                             "this op or an earlier one");
}

}  // namespace fastdl
