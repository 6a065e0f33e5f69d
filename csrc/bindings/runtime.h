// State of the module: the default generator.
#pragma once

#include "core/rng.h"

namespace fastdl::bindings {

Generator& default_generator();

}  // namespace fastdl::bindings
