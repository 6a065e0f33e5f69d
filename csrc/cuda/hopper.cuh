// The instructions of sm_90: one header for those who need them all.
#pragma once

#include "cuda/cluster.cuh"
#include "cuda/mbarrier.cuh"
#include "cuda/tma.cuh"
#include "cuda/wgmma.cuh"
