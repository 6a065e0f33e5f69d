# What a build can be asked for, and what follows from the machine.
include_guard()

option(FASTDL_WERROR "Warnings are errors" ON)
set(FASTDL_SANITIZE "" CACHE STRING "Sanitizers, as in -fsanitize=: address,undefined or thread")
set(FASTDL_CUDA AUTO CACHE STRING "libfastdl_cuda: AUTO (where nvcc works), ON or OFF")
option(FASTDL_SIMT "Build the CUDA kernels for the host model as well (tests/simt)" OFF)
set(FASTDL_CUDA_ARCHS "80-real;90a-real" CACHE STRING "CUDA architectures, as CMake writes them")
set_property(CACHE FASTDL_CUDA PROPERTY STRINGS AUTO ON OFF)
if(SKBUILD)
  option(FASTDL_IN_PLACE "Put the libraries straight into python/fastdl" OFF)
else()
  option(FASTDL_IN_PLACE "Put the libraries straight into python/fastdl" ON)
endif()

if(NOT CMAKE_SYSTEM_NAME STREQUAL "Linux")
  message(FATAL_ERROR "fastdl builds on Linux only; this is ${CMAKE_SYSTEM_NAME}")
endif()
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  set(isas baseline avx2 avx512)
elseif(CMAKE_SYSTEM_PROCESSOR MATCHES "^(aarch64|arm64)$")
  set(isas neon)
else()
  set(isas baseline)
endif()
set(FASTDL_ISAS "${isas}" CACHE STRING "Instruction sets to build CPU kernels for")

set(FASTDL_ISA_FLAGS_baseline "")
set(FASTDL_ISA_FLAGS_neon "")
set(FASTDL_ISA_FLAGS_avx2 -mavx2 -mfma -mf16c)
set(FASTDL_ISA_FLAGS_avx512
  -mavx512f -mavx512bw -mavx512dq -mavx512vl -mavx2 -mfma -mf16c -mprefer-vector-width=512)

# Kernels may fuse a multiplication with an addition and need neither errno nor floating-point
# traps. Never -ffast-math: NaN, infinity and the order of a sum keep their meaning.
set(FASTDL_KERNEL_FLAGS -ffp-contract=fast -fno-math-errno -fno-trapping-math)

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "Release, RelWithDebInfo or Debug" FORCE)
endif()
set(CMAKE_CXX_STANDARD 17)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_CXX_SCAN_FOR_MODULES OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_CXX_VISIBILITY_PRESET hidden)
set(CMAKE_VISIBILITY_INLINES_HIDDEN ON)
set(CMAKE_SKIP_RPATH ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
find_package(Threads REQUIRED)

find_program(FASTDL_CCACHE ccache)
if(FASTDL_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${FASTDL_CCACHE})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${FASTDL_CCACHE})
endif()

include(cmake/cuda.cmake)
