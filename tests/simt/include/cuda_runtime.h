// The model's cuda_runtime.h: what the sources of csrc use of CUDA, for a host compiler.
#pragma once

#include "simt_device.h"
#include "simt_runtime.h"
