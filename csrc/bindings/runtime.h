// State of the module: the default generator.
#pragma once

#include <pybind11/pybind11.h>

#include "core/rng.h"

namespace fastdl::bindings {

Generator& default_generator();
void register_streams(pybind11::module_& m);  // Stream, Event and the current stream

}  // namespace fastdl::bindings
