# Python's headers and pybind11's.
include_guard()

find_package(Python 3.11 REQUIRED COMPONENTS Interpreter Development.Module)

# Sets `result` to a folder with pybind11's headers.
#
# pip builds in an environment whose path is new each time, which would recompile every file that
# includes pybind11 (for ninja and for ccache alike); a copy in the build folder stays where it is.
function(fastdl_copy_pybind11 result)
  execute_process(
    COMMAND ${Python_EXECUTABLE} -m pybind11 --includes
    OUTPUT_VARIABLE flags ERROR_VARIABLE error RESULT_VARIABLE status
    OUTPUT_STRIP_TRAILING_WHITESPACE)
  if(status)
    message(FATAL_ERROR "pybind11 3 is needed (pip install 'pybind11>=3'): ${error}")
  endif()
  separate_arguments(flags UNIX_COMMAND "${flags}")
  foreach(flag IN LISTS flags)
    string(REGEX REPLACE "^-I" "" folder "${flag}")
    if(EXISTS ${folder}/pybind11/pybind11.h)
      set(source ${folder})
    endif()
  endforeach()
  set(copy ${CMAKE_BINARY_DIR}/pybind11-include)
  file(GLOB_RECURSE headers RELATIVE ${source} ${source}/pybind11/*.h)
  foreach(header IN LISTS headers)
    get_filename_component(folder ${copy}/${header} DIRECTORY)
    file(MAKE_DIRECTORY ${folder})
    file(COPY_FILE ${source}/${header} ${copy}/${header} ONLY_IF_DIFFERENT)
  endforeach()
  set(${result} ${copy} PARENT_SCOPE)
endfunction()
