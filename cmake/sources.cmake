# Which file belongs to which library. A file's place and suffix decide; families of csrc/ops are
# taken from the list FASTDL_OPS, and one that is missing there is an error, not an omission.
include_guard()

file(GLOB FASTDL_CORE_SOURCES CONFIGURE_DEPENDS
  csrc/core/*.cc csrc/autograd/*.cc csrc/bindings/*.cc csrc/cpu/thread_pool.cc)
file(GLOB FASTDL_CPU_SOURCES CONFIGURE_DEPENDS csrc/cpu/*.cc)
list(FILTER FASTDL_CPU_SOURCES EXCLUDE REGEX "/thread_pool\\.cc$")
file(GLOB FASTDL_CUDA_SOURCES CONFIGURE_DEPENDS csrc/cuda/*.cu)

file(GLOB op_sources CONFIGURE_DEPENDS csrc/ops/*.cc csrc/ops/*.cu)
foreach(source IN LISTS op_sources)
  get_filename_component(name ${source} NAME)
  string(REGEX REPLACE "(_cpu)?\\.cc$|_cuda\\.cu$" "" family ${name})
  if(NOT family IN_LIST FASTDL_OPS)
    message(FATAL_ERROR "csrc/ops/${name}: add ${family} to FASTDL_OPS in CMakeLists.txt")
  elseif(name MATCHES "_cpu\\.cc$")
    list(APPEND FASTDL_CPU_SOURCES ${source})
  elseif(name MATCHES "\\.cc$")
    list(APPEND FASTDL_CORE_SOURCES ${source})
  else()
    list(APPEND FASTDL_CUDA_SOURCES ${source})
  endif()
endforeach()
