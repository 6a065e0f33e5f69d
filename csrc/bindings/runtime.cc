// Threads, memory, devices, and the hooks that tie the core to the interpreter.
#include <pybind11/stl.h>

#include "bindings/runtime.h"

#include "bindings/convert.h"
#include "bindings/module.h"
#include "core/allocator.h"
#include "core/backend.h"
#include "core/error.h"
#include "core/host.h"
#include "ops/conv2d.h"
#include "ops/matmul.h"
#include "ops/peak.h"

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

unsigned long main_thread;

// Python runs signal handlers in its main thread only, and only when asked with the lock held.
bool interrupted() {
  if (PyThread_get_thread_ident() != main_thread) return false;
  const PyGILState_STATE state = PyGILState_Ensure();
  const bool stop = PyErr_CheckSignals() < 0;
  PyGILState_Release(state);
  return stop;
}

void* leave() { return PyGILState_Check() ? PyEval_SaveThread() : nullptr; }
void enter(void* state) { PyEval_RestoreThread(static_cast<PyThreadState*>(state)); }

Device device_of(const std::string& name) {
  const Device d = parse_device(name);
  require_device(d);
  return d;
}

}  // namespace

void register_runtime(py::module_& m) {
  main_thread = PyThread_get_thread_ident();
  host_hooks = {interrupted, leave, enter};

  m.def("set_num_threads", set_num_threads, py::arg("threads"),
        "How many threads CPU ops may use. Results do not depend on it.");
  m.def("get_num_threads", get_num_threads, "How many threads CPU ops may use.");
  m.def(
      "_multiply_adds",
      [](int64_t rounds, int64_t chunks) {
        const py::gil_scoped_release unlocked;
        return multiply_adds(rounds, chunks);
      },
      py::arg("rounds"), py::arg("chunks"),
      "Does float32 multiply-adds in registers on all threads, and returns how many operations "
      "that was, two each: for benchmarks.");
  m.def(
      "isa", [] { return backend_status().isa; },
      "The instruction set of the CPU kernels in use, such as 'avx2'.");
  m.def(
      "cuda_status", [] { return std::pair(backend_status().cuda, backend_status().cuda_reason); },
      "Whether CUDA can be used, and the GPU's name or why not.");
  m.def(
      "cuda_device_count",
      [] { return backend_status().cuda ? device_runtime().device_count() : 0; },
      "How many GPUs there are.");
  m.def(
      "synchronize",
      [](const std::string& device) {
        const Device d = device_of(device);
        {
          const py::gil_scoped_release unlocked;
          synchronize(d);
        }
        look_at_deferred();
      },
      py::arg("device") = "cuda", "Waits until the device has done all work.");
  m.def(
      "backend_info",
      [] {
        const BackendStatus& s = backend_status();
        py::dict d;
        d["version"] = FASTDL_VERSION;
        d["isa"] = s.isa;
        d["available"] = s.available;
        d["library_dir"] = s.library_dir;
        d["threads"] = get_num_threads();
        d["cuda"] = s.cuda;
        d["cuda_reason"] = s.cuda_reason;
        return d;
      },
      "What was built and loaded, for `fastdl doctor`.");
  m.def(
      "memory_stats",
      [](const std::string& device) {
        const MemoryStats s = memory_stats(device_of(device));
        py::dict d;
        d["in_use"] = s.in_use;
        d["peak"] = s.peak;
        d["cached"] = s.cached;
        d["largest_cached"] = s.largest_cached;
        d["waiting"] = s.waiting;
        d["requests"] = s.requests;
        d["raw_requests"] = s.raw_requests;
        d["retries"] = s.retries;
        return d;
      },
      py::arg("device") = "cpu", "Figures of the device's allocator, in bytes and counts.");
  m.def(
      "empty_cache", [](const std::string& device) { empty_cache(device_of(device)); },
      py::arg("device") = "cpu", "Returns cached memory to the system.");
  m.def(
      "_reset_peak", [](const std::string& device) { reset_peak(device_of(device)); },
      py::arg("device"));
  m.def(
      "_cuda_memory_info",
      [](const std::string& device) {
        size_t free = 0, total = 0;
        check_device("memory_info",
                     device_runtime().memory_info(device_of(device).index, &free, &total));
        return std::pair(free, total);
      },
      py::arg("device"));
  m.def(
      "_set_memory_limit",
      [](const std::string& device, std::optional<int64_t> bytes) {
        device_allocator(device_of(device)).set_limit(bytes.value_or(INT64_MAX));
      },
      py::arg("device"), py::arg("bytes"));
  m.def("set_winograd", set_winograd, py::arg("enabled"),
        "Whether convolutions of float32 on the CPU may use Winograd's algorithm, which multiplies "
        "a quarter as often and\nrounds to about 1e-5 of the largest result instead of 1e-6.");
  m.def("winograd_enabled", winograd_enabled, "What set_winograd set; True at first.");
  m.def(
      "set_float32_matmul_precision",
      [](const std::string& precision) {
        if (precision != "highest" && precision != "high")
          throw Error(ErrorKind::argument, "set_float32_matmul_precision",
                      "unknown precision '" + precision + "'")
              .remedy("use one of: highest, high");
        set_float32_matmul_precision(precision == "high" ? Precision::high : Precision::highest);
      },
      py::arg("precision"),
      "How exact products of float32 matrices, and convolutions, are on CUDA, for all threads: "
      "'highest', as float32\narithmetic (the default), or 'high', with operands rounded to TF32's "
      "10 bits of mantissa, which tensor cores\nmultiply faster. The CPU ignores it.");
  m.def(
      "get_float32_matmul_precision",
      [] { return float32_matmul_precision() == Precision::high ? "high" : "highest"; },
      "What set_float32_matmul_precision set; 'highest' at first.");
  m.def(
      "_matmul_plan",
      [](int64_t batch, int64_t rows, int64_t columns, int64_t k, bool turned_a, bool turned_b,
         const py::object& dtype, const std::string& device) {
        const GemmChoice plan =
            plan_matmul(batch, rows, columns, k, turned_a, turned_b,
                        from_python<DType>(dtype.ptr(), {"explain", "dtype"}), device_of(device));
        py::dict out;
        out["algorithm"] = plan.algorithm;
        out["why"] = plan.why;
        out["tile"] = py::make_tuple(plan.tile_m, plan.tile_n);
        out["parts"] = plan.parts;
        out["chunk"] = plan.chunk;
        return out;
      },
      py::arg("batch"), py::arg("rows"), py::arg("columns"), py::arg("k"), py::arg("turned_a"),
      py::arg("turned_b"), py::arg("dtype"), py::arg("device"));
  m.def("_set_sync_debug", set_sync_debug, py::arg("on"));
  m.def("_sync_debug", sync_debug);
  register_streams(m);
}

}  // namespace fastdl::bindings
