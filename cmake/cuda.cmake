# nvcc: where it is found and works, FASTDL_CUDA_FOUND is true and CUDA is a language.
include_guard()

set(FASTDL_CUDA_FOUND FALSE)
if(NOT FASTDL_CUDA MATCHES "^(AUTO|ON|OFF)$")
  message(FATAL_ERROR "FASTDL_CUDA is ${FASTDL_CUDA}; it can be AUTO, ON or OFF")
endif()

# nvcc that is there but cannot compile and link (no host compiler that it accepts, a toolkit in
# pieces) counts as absent under AUTO, so it is tried here before CMake insists on it.
function(fastdl_try_nvcc result)
  set(${result} FALSE PARENT_SCOPE)
  if(DEFINED ENV{CUDACXX})
    set(FASTDL_NVCC $ENV{CUDACXX} CACHE FILEPATH "nvcc")
  endif()
  find_program(FASTDL_NVCC nvcc HINTS ENV CUDA_HOME PATHS /usr/local/cuda PATH_SUFFIXES bin)
  if(NOT FASTDL_NVCC)
    set(reason "no nvcc was found")
  else()
    set(probe ${CMAKE_BINARY_DIR}/nvcc-probe)
    file(WRITE ${probe}.cu "#include <cuda_runtime.h>\n__global__ void probe(int* x) { *x = 1; }\n")
    execute_process(
      COMMAND ${FASTDL_NVCC} -ccbin ${CMAKE_CXX_COMPILER} -arch=sm_80 -shared -Xcompiler=-fPIC
        ${probe}.cu -o ${probe}.so
      RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(status EQUAL 0)
      set(${result} TRUE PARENT_SCOPE)
      return()
    endif()
    set(reason "${FASTDL_NVCC} does not work:\n${output}")
  endif()
  if(FASTDL_CUDA STREQUAL "ON")
    message(FATAL_ERROR "FASTDL_CUDA=ON, but ${reason}")
  endif()
  message(STATUS "Building without CUDA: ${reason}")
endfunction()

if(FASTDL_CUDA STREQUAL "OFF")
  message(STATUS "Building without CUDA: FASTDL_CUDA=OFF")
elseif(FASTDL_SANITIZE)
  message(STATUS "Building without CUDA: sanitizers are for the CPU build")
else()
  fastdl_try_nvcc(FASTDL_CUDA_FOUND)
endif()

if(FASTDL_CUDA_FOUND)
  set(CMAKE_CUDA_COMPILER ${FASTDL_NVCC})
  set(CMAKE_CUDA_HOST_COMPILER ${CMAKE_CXX_COMPILER})
  set(CMAKE_CUDA_ARCHITECTURES ${FASTDL_CUDA_ARCHS})
  set(CMAKE_CUDA_STANDARD 17)
  set(CMAKE_CUDA_STANDARD_REQUIRED ON)
  set(CMAKE_CUDA_VISIBILITY_PRESET hidden)
  set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
  enable_language(CUDA)
  # A .cu file takes seconds and about a gigabyte for each architecture.
  set(FASTDL_CUDA_JOBS 2 CACHE STRING "How many .cu files are compiled at once")
  set_property(GLOBAL PROPERTY JOB_POOLS cuda=${FASTDL_CUDA_JOBS})
endif()

function(fastdl_cuda_options target)
  set(host -Wall -Wextra -Wno-missing-field-initializers)
  # Registers that overflow into local memory are a mistake in a kernel's tiles or launch bounds.
  # ptxas warns of them; nvcc's -Werror=all-warnings reaches ptxas too and refuses them.
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Xptxas=--warn-on-spills>)
  if(FASTDL_WERROR)
    list(APPEND host -Werror)
    target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings>)
  endif()
  list(JOIN host "," host)
  target_compile_options(${target} PRIVATE
    $<$<COMPILE_LANGUAGE:CUDA>:-Xcompiler=${host} --expt-relaxed-constexpr --compress-mode=size>)
  set_target_properties(${target} PROPERTIES JOB_POOL_COMPILE cuda LINKER_LANGUAGE CUDA)
  target_link_options(${target} PRIVATE LINKER:-z,defs LINKER:--exclude-libs,ALL)
endfunction()
