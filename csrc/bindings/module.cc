#include "bindings/module.h"

#include <dlfcn.h>

#include "bindings/signature.h"
#include "core/backend.h"
#include "ops/register.h"

namespace fastdl::bindings {
namespace {

namespace py = pybind11;

// The folder `lib` beside this very library.
std::string library_dir() {
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&library_dir), &info)) return "lib";
  const std::string path = info.dli_fname;
  const size_t slash = path.rfind('/');
  return (slash == std::string::npos ? "." : path.substr(0, slash)) + "/lib";
}

py::list signatures() {
  py::list rows;
  for (const Signature& s : all_signatures()) {
    py::dict row;
    row["name"] = s.name;
    row["signature"] = s.text;
    row["door"] = s.asks;
    row["doc"] = s.doc;
    row["kind"] = s.kind;
    row["module"] = s.module;
    rows.append(row);
  }
  return rows;
}

}  // namespace

void register_functions(py::module_& m) {
  FunctionTable functional("functional"), creation("creation"), methods("methods"),
      runtime("runtime"), fused("fused");
  define_math_functions(functional);
  define_shape_functions(functional);
  define_sort_functions(functional);
  define_move_functions(functional);
  define_product_functions(functional);
  define_index_functions(functional);
  define_network_functions(functional);
  define_conv_functions(functional);
  define_pool_functions(functional);
  define_image_functions(functional);
  define_norm_functions(functional);
  define_recurrent_functions(functional);
  define_loss_functions(functional);
  define_creation_functions(creation);
  define_random_functions(creation);
  define_tensor_methods(methods);
  define_move_methods(methods);
  define_index_edits(methods);
  define_random_edits(methods);
  define_runtime_functions(runtime);
  define_fused_functions(fused);
  for (Signature& s : all_signatures()) {
    if (s.kind == "method") continue;
    PyObject* f = PyCFunction_NewEx(&s.function_def, nullptr, m.attr("__name__").ptr());
    if (!f || PyModule_AddObject(m.ptr(), s.name.c_str(), f) < 0) throw py::error_already_set();
  }
  m.def("_signatures", signatures, "The function table, from which stubs are made.");
}

}  // namespace fastdl::bindings

PYBIND11_MODULE(_core, m) {
  using namespace fastdl::bindings;
  m.doc() = "fastdl's compiled core.";
  m.attr("__version__") = FASTDL_VERSION;
  register_errors(m);
  register_types(m);
  register_functions(m);
  register_tensor(m);
  register_door(m);
  register_autograd(m);
  register_autocast(m);
  register_runtime(m);
  register_capture(m);
  fastdl::register_ops();
  try {
    fastdl::load_backends(library_dir());
  } catch (const fastdl::Error& e) {  // fastdl.errors cannot be imported yet
    throw pybind11::import_error(e.op + ": " + e.problem + "\n  try:      " + e.advice);
  }
}
