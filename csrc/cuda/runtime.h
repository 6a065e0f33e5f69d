// The device functions that backend.cu hands to the core.
#pragma once

#include "core/device_runtime.h"

namespace fastdl::cuda {

extern const DeviceRuntime kRuntime;

}  // namespace fastdl::cuda
